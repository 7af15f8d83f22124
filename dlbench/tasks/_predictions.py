"""Predictions of several kinds, as tasks score them."""

from collections.abc import Mapping

import torch

from dlbench.contracts.batches import Predictions


def named(predictions: Predictions) -> Mapping[str, torch.Tensor]:
    """Those of a task whose `predict` gives several tensors under their names."""
    assert not isinstance(predictions, torch.Tensor)
    return predictions
