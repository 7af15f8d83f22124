"""The mistakes that a classifier was surest of: the artifact of role `mistakes`."""

from base64 import b64encode
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer

from dlbench.schema.base import Value

MOST = 24
"""Mistakes that a job keeps."""

PNG = b"\x89PNG\r\n\x1a\n"
"""What every PNG file starts with (PNG specification, 3rd edition, §5.2)."""


def _is_png(content: bytes) -> bytes:
    """A PNG file as far as its header tells: width and height are there, and are no zeros."""
    if content[: len(PNG)] != PNG or content[12:16] != b"IHDR" or not (any(content[16:20]) and any(content[20:24])):
        raise ValueError("not a PNG file")
    return content


Png = Annotated[
    bytes,
    AfterValidator(_is_png),
    PlainSerializer(lambda content: b64encode(content).decode(), return_type=str, when_used="json-unless-none"),
]


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
