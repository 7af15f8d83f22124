"""A picture that is kept within a JSON file: a PNG file, as base64."""

from base64 import b64encode
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

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
"""Its value needs `model_config = ConfigDict(val_json_bytes="base64")` to be read back."""
