"""The mistakes that a classifier was surest of: the artifact of role `mistakes`."""

from typing import Literal

from pydantic import ConfigDict, Field

from dlbench.schema.base import Value
from dlbench.schema.picture import Png

MOST = 24
"""Mistakes that a job keeps."""


class Mistake(Value):
    """A test example that was given the wrong class.

    Attributes:
        index: its row in the test split.
        target: name of its class.
        predicted: name of the class that it was given.
        probability: that the model gave to the latter.
        text: the example, where it is a text; its beginning, where it is a long one.
        picture: the example, where it is a picture: a PNG file, in JSON as base64.
    """

    model_config = ConfigDict(val_json_bytes="base64")

    index: int = Field(ge=0)
    target: str
    predicted: str
    probability: float = Field(ge=0, le=1)
    text: str | None = None
    picture: Png | None = None


class Mistakes(Value):
    """The file: at most `MOST` mistakes, the surest first."""

    schema_: Literal[1] = Field(1, alias="schema")
    split: Literal["test"] = "test"
    mistakes: tuple[Mistake, ...] = Field((), max_length=MOST)
