"""What a trained generator wrote for some examples of the test split: the artifact of role `samples`."""

from typing import Literal

from pydantic import ConfigDict, Field

from dlbench.schema.base import Value
from dlbench.schema.picture import Png

MOST = 24
"""Examples that a job keeps; the same for every model and every seed."""


class Sample(Value):
    """A test example with what should be written, and what was.

    Attributes:
        index: its row in the test split.
        text: what is read, where it is a text; its beginning, where it is a long one.
        picture: what is read, where it is a picture: a PNG file, in JSON as base64.
        reference: what should be written.
        output: what the model wrote.
    """

    model_config = ConfigDict(val_json_bytes="base64")

    index: int = Field(ge=0)
    text: str | None = None
    picture: Png | None = None
    reference: str
    output: str


class Samples(Value):
    """The file: at most `MOST` examples, in the split's order."""

    schema_: Literal[1] = Field(1, alias="schema")
    split: Literal["test"] = "test"
    samples: tuple[Sample, ...] = Field((), max_length=MOST)
