"""What goes into models and tasks and comes out of them: tensors under their names, and what a person sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

Batch = dict[str, "torch.Tensor"]

Part = tuple[int, int]
"""Part k of n of a split, `(k, n)`, counted from 0."""

Predictions: TypeAlias = "torch.Tensor | Mapping[str, torch.Tensor]"
"""What a task scores: a tensor, or several under their names, each with one row an example."""

State = dict[str, "torch.Tensor"]
"""What a model that answers with sequences remembers while it writes; the rows of every tensor are examples."""

Shown: TypeAlias = "str | NDArray[np.uint8]"
"""An example as a person sees it: a text, or a picture, (height, width, 1 or 3): grey, or red, green and blue."""
