"""SCAN: commands like `jump twice after look left` and the actions that they ask for (Lake & Baroni 2018). Built in.

"Generalization without Systematicity". All 20,910 commands of the paper's grammar (supplementary material),
interpreted by its rules and written as in its files: `jump left` is `I_TURN_LEFT I_JUMP`. Three of its splits:

- `simple`: 16,728 commands at random for training, 4,182 for testing;
- `length`: the 16,990 of at most 22 actions for training, the 3,920 of 24 to 48 for testing;
- `add_jump`: for training the 13,203 commands without `jump`, and `jump` alone 1,467 times, a tenth of the rows; for
  testing the 7,706 others, which all say to jump and something more.

The paper has no validation split. Here 5 % of the training rows (836, 849 and 733), drawn by a permutation that the
seed decides, are the validation split and are not trained on; `jump` alone is never among them. The two parts of
`simple` are drawn by the seed too, so its rows are not those of the paper's file.
"""

from functools import lru_cache
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from dlbench.datasets._cuts import cuts
from dlbench.datasets._pairs import Pairs
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("translation",)
FILES: tuple[DataFile, ...] = ()

VERBS = ("walk", "look", "run", "jump")
TIMES = {"": 1, " twice": 2, " thrice": 3}

Actions = tuple[str, ...]

SIZES = {
    "simple": {"train": 15_892, "val": 836, "test": 4_182},
    "length": {"train": 16_141, "val": 849, "test": 3_920},
    "add_jump": {"train": 13_937, "val": 733, "test": 7_706},
}
"""Split of the paper → rows of ours."""

LONGEST_TRAINED = 22
"""Actions of a command in the training rows of the split by length."""

JUMPS = 1467
"""How often `jump` is among the training rows of `add_jump`."""


class Params(base.Params):
    """Which of the paper's splits, and how much of it."""

    split: Literal["simple", "length", "add_jump"] = Field(
        "simple", description="what is tested: any commands, longer ones, or a verb that was only seen alone"
    )
    train_size: int | None = Field(None, ge=1, description="training rows, drawn from all; default: all")
    val_size: int | None = Field(None, ge=1, description="validation rows, drawn from all; default: all")
    test_size: int | None = Field(None, ge=1, description="test rows, drawn from all; default: all")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of everything that is drawn")

    @model_validator(mode="after")
    def _enough(self) -> Self:
        for split, most in SIZES[self.split].items():
            asked = getattr(self, f"{split}_size")
            if asked is not None and asked > most:
                raise ValueError(f"{split}_size asks for {asked:,} rows; split {self.split} has {most:,}")
        return self


def make(split: str, params: Params) -> Pairs:
    """Commands of a split and their actions, words with spaces between them."""
    rows = _rows(params.split, params.seed)[split]
    size = getattr(params, f"{split}_size")
    if size is not None:
        rows = rows[cuts(len(rows), size, seed=params.seed)[0]]
    table = _table()
    commands, actions = zip(*(table[row] for row in rows), strict=True)
    return Pairs(commands, [" ".join(sequence) for sequence in actions], language=False)


def _rows(split: str, seed: int) -> dict[str, NDArray[np.int64]]:
    """Our splits of one of the paper's, as rows of the table."""
    table = _table()
    repeated = np.empty(0, np.int64)
    if split == "simple":
        test, training = cuts(len(table), 4_182, 16_728, seed=seed)
    elif split == "length":
        longer = np.array([len(actions) > LONGEST_TRAINED for _, actions in table])
        test, training = np.flatnonzero(longer), np.flatnonzero(~longer)
    else:
        jumps = np.array([command != "jump" and "jump" in command for command, _ in table])
        alone = np.array([command == "jump" for command, _ in table])
        test, training = np.flatnonzero(jumps), np.flatnonzero(~jumps & ~alone)
        repeated = np.repeat(np.flatnonzero(alone), JUMPS)
    held_out = SIZES[split]["val"]
    val, train = cuts(len(training), held_out, len(training) - held_out, seed=seed)
    return {"train": np.concatenate([training[train], repeated]), "val": training[val], "test": test}


@lru_cache(maxsize=1)
def _table() -> list[tuple[str, Actions]]:
    """All commands with their actions."""
    phrases = {
        phrase + word: times * actions for phrase, actions in _phrases().items() for word, times in TIMES.items()
    }
    commands = dict(phrases)
    for first, its in phrases.items():
        for second, others in phrases.items():
            commands[f"{first} and {second}"] = its + others
            commands[f"{first} after {second}"] = others + its
    return list(commands.items())


def _phrases() -> dict[str, Actions]:
    """What is done once: a verb, and whither; to turn is to do nothing after turning."""
    phrases: dict[str, Actions] = {verb: (f"I_{verb.upper()}",) for verb in VERBS}
    for verb, action in {**phrases, "turn": ()}.items():
        for direction in ("left", "right"):
            turn = (f"I_TURN_{direction.upper()}",)
            phrases[f"{verb} {direction}"] = turn + action
            phrases[f"{verb} opposite {direction}"] = turn + turn + action
            phrases[f"{verb} around {direction}"] = 4 * (turn + action)
    return phrases
