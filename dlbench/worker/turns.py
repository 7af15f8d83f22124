"""Models that train by turns: which turns, what they may not ask for, how many examples are theirs."""

import math

import torch

from dlbench.contracts.batches import Part
from dlbench.contracts.models import Turn
from dlbench.errors import Unsupported
from dlbench.schema.train import TrainSettings
from dlbench.worker.precision import Precision


def turns_of(model: torch.nn.Module) -> tuple[Turn, ...]:
    """A model's turns, the main one first; none where it trains in one piece.

    Raises:
        ValueError: they contradict each other; the message says where.
    """
    turns = tuple(model.turns()) if hasattr(model, "turns") else ()  # type: ignore[operator]
    if len({turn.name for turn in turns}) < len(turns):
        raise ValueError(f"turns need names of their own: {', '.join(turn.name for turn in turns)}")
    trained = [id(parameter) for turn in turns for parameter in turn.parameters]
    if len(set(trained)) < len(trained):
        raise ValueError("a parameter is trained by two turns")
    for turn in turns:
        if not turn.parameters or turn.every < 1:
            raise ValueError(f"turn {turn.name!r} needs parameters, and a whole number of steps from one to the next")
    if turns and (turns[0].every != 1 or turns[0].gradient is not None):
        raise ValueError(f"the main turn, {turns[0].name!r}, is taken in every step, from the gradient of its loss")
    return turns


def require_support(turns: tuple[Turn, ...], settings: TrainSettings, precision: Precision) -> None:
    """Refuse what a turn with a gradient of its own cannot do.

    Raises:
        Unsupported: with the setting, and why.
    """
    for turn in turns:
        if turn.gradient is not None and settings.accumulate > 1:
            raise Unsupported(f"train.accumulate: turn {turn.name!r} has a gradient of its own, of one batch at a time")
        if turn.gradient is not None and precision.dtype is not None:
            raise Unsupported(
                f"precision {precision.name}: turn {turn.name!r} has a gradient of its own, from differences that need "
                "fp32"
            )


def part_size(size: int, part: Part | None) -> int:
    """Examples in a part of a split of a size.

    Raises:
        Unsupported: none.
    """
    if part is None:
        return size
    number, parts = part
    if size <= number:
        raise Unsupported(f"the training split has only {size} examples: too few for turns over {parts} parts of it")
    return math.ceil((size - number) / parts)
