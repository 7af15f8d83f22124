"""Where a trained model looks while it reads and writes: the artifact of role `attention`."""

from typing import Literal

from pydantic import Field, model_validator

from dlbench.schema.base import Value

MOST = 3
"""Examples that a job keeps; the same for every model and every seed."""

Weights = tuple[tuple[float, ...], ...]


class Attended(Value):
    """The weights of one test example, under teacher forcing: rows and columns are the same for every model.

    Attributes:
        index: its row in the test split.
        source: the pieces that are read.
        target: the pieces that should be written.
        cross: for each piece of the target the weights over those of the source; None: the model has none.
        encoder: for each piece of the source the weights over all of them; None: the model has none.
    """

    index: int = Field(ge=0)
    source: tuple[str, ...]
    target: tuple[str, ...]
    cross: Weights | None = None
    encoder: Weights | None = None

    @model_validator(mode="after")
    def _of_the_pieces(self) -> "Attended":
        for name, weights, rows in (("cross", self.cross, self.target), ("encoder", self.encoder, self.source)):
            if weights is not None and [len(row) for row in weights] != [len(self.source)] * len(rows):
                raise ValueError(f"{name} weights have another shape than {len(rows)} by {len(self.source)} pieces")
        return self


class AttentionMaps(Value):
    """The file: at most `MOST` examples, in the split's order."""

    schema_: Literal[1] = Field(1, alias="schema")
    split: Literal["test"] = "test"
    examples: tuple[Attended, ...] = Field((), max_length=MOST)
