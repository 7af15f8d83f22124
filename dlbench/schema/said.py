"""Errors of pydantic as clauses, in the words of someone who has never heard of pydantic."""

import re
from collections.abc import Iterable, Mapping

from dlbench.schema.base import Json

_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "a mapping (`key: value`)",
    "model": "a mapping (`key: value`)",
}
_PLAINER = {"greater than or equal to": "at least", "less than or equal to": "at most", "greater than": "more than"}

Error = Mapping[str, Json]
"""One error of pydantic: `{"loc": keys, "message": …, "type": …}`."""


def said(error: Error) -> str:
    """The clause: `must be a whole number`, `must be at least 1`, `needs 'model'`."""
    loc, kind, message = tuple(error["loc"]), str(error["type"]), str(error["message"])
    base, _, reason = kind.partition("_")
    if kind == "extra_forbidden":
        return "is not known"
    if kind == "missing":
        return f"needs {loc[-1]!r}" if loc else "is missing"
    if reason in ("type", "parsing", "from_float", "number", "parsing_size", "attributes_type") and base in _EXPECTED:
        return f"must be {_EXPECTED[base]}"
    if kind in ("value_error", "assertion_error"):
        return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind in ("too_short", "too_long"):
        return re.sub(r"^\S+ should have (.*?) after validation.*", r"needs \1", message)
    message = re.sub(r"^(Input|String|Value) should ", "must ", message)
    for clumsy, plain in _PLAINER.items():
        message = message.replace(clumsy, plain)
    return message


def clauses(errors: Iterable[Error]) -> str:
    """All of them, each with the key that it is about: `layers must be a whole number; heads must be at least 1`."""
    return "; ".join(" ".join([*filter(None, [".".join(map(str, error["loc"]))]), said(error)]) for error in errors)
