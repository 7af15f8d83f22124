"""Where a trained model looks while it reads and writes some examples of the test split."""

from collections.abc import Mapping

import torch

from dlbench.contracts.batches import Batch
from dlbench.contracts.tasks import Generator
from dlbench.schema.attention import MOST, Attended, AttentionMaps, Weights
from dlbench.worker.precision import Precision, evaluating

SHORTEST, LONGEST = 6, 14
"""Pieces of a source that fill a picture and can still be read in it."""
MOST_PIECES = 40
"""Of a source or a target: beyond, nobody could read the picture."""
DIGITS = 4


def attention_of(task: Generator, model: torch.nn.Module, precision: Precision) -> AttentionMaps | None:
    """The first test examples of a length that reads well, or of those nearest to it; None where there is nothing.

    The reference stands before each position, so that a row means the same for every model. Weights that are not
    finite are left out.
    """
    if not hasattr(model, "attention"):
        return None
    examples = []
    for index, batch in sorted(_chosen(task).items()):
        with evaluating(model, precision):
            weights: Mapping[str, torch.Tensor] = model.attention(batch)  # type: ignore[operator]
        found = _attended(index, task.pieces(batch)[0], weights)
        if found is not None:
            examples.append(found)
    return AttentionMaps(examples=tuple(examples)) if examples else None


def _chosen(task: Generator) -> dict[int, Batch]:
    """Batches of one example each, by its row in the split: whichever lengths share a batch, the same ones."""
    ranked: list[tuple[int, int, Batch]] = []
    for batch in task.batches("test", 256):
        if "lengths" not in batch:
            return {}
        index, source = batch["index"].tolist(), batch["lengths"].tolist()
        target = (batch["target"] != 0).sum(dim=1).tolist()
        ranked += [
            (_off(source[row]), index[row], {name: part[row : row + 1] for name, part in batch.items()})
            for row in range(len(index))
            if source[row] <= MOST_PIECES and target[row] <= MOST_PIECES
        ]
        ranked = sorted(ranked, key=lambda one: one[:2])[:MOST]
    return {index: batch for _, index, batch in ranked}


def _off(length: int) -> int:
    """By how many pieces a source is shorter or longer than reads well."""
    return max(0, SHORTEST - length, length - LONGEST)


def _attended(index: int, pieces: tuple[list[str], list[str]], weights: Mapping[str, torch.Tensor]) -> Attended | None:
    source, target = pieces
    cross = _weights(weights.get("cross"), len(target), len(source))
    encoder = _weights(weights.get("encoder"), len(source), len(source))
    if not source or (cross is None and encoder is None):
        return None
    return Attended(index=index, source=tuple(source), target=tuple(target), cross=cross, encoder=encoder)


def _weights(weights_1RC: torch.Tensor | None, rows: int, columns: int) -> Weights | None:
    """Without what belongs to padding; None where some are not finite."""
    if weights_1RC is None:
        return None
    weights_RC = weights_1RC[0, :rows, :columns].double().cpu()
    if not torch.isfinite(weights_RC).all():
        return None
    return tuple(tuple(round(value, DIGITS) for value in row) for row in weights_RC.tolist())
