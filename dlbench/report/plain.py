"""Text from anywhere without characters that no page can hold: they are spelled, wherever in a page they stand.

A control character is no part of XML, on which SVG stands, and moves the cursor of whoever prints the Markdown; marks
of direction make a name look like another.
"""

import re
from typing import Any

from pydantic import BaseModel

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def plain(value: Any) -> Any:
    """The same value (text, number, list, mapping or a page's block) with every text in it fit for a page."""
    match value:
        case str():
            return _UNFIT.sub(_spelled, value)
        case list() | tuple():
            return type(value)(plain(item) for item in value)
        case dict():
            return {plain(key): plain(item) for key, item in value.items()}
        case BaseModel():
            return value.model_copy(update={name: plain(getattr(value, name)) for name in type(value).model_fields})
        case _:
            return value


def _spelled(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape", "surrogatepass").decode()
