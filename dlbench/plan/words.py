"""What is wrong with a suite, at its place, in the words of someone who has never heard of pydantic."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dlbench.catalog import did_you_mean
from dlbench.plan.nodes import Problems, Spot
from dlbench.schema.base import Json
from dlbench.schema.said import Error, said

_LONGEST = 60  # characters of a value that a message repeats


def show(value: Json) -> str:
    """A value as a message repeats it."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def expected(problems: Problems, spot: Spot, what: str) -> None:
    """Note that something else was expected: `must be a list, not 'lstm'.`"""
    problems.add(spot, f"must be {what}, not {show(spot.node.plain())}.")


def unknown_key(problems: Problems, spot: Spot, key: str, known: Iterable[str], lead: str = "there is no key") -> None:
    """Note a key that means nothing, at the key: `there is no key 'epoch'. Did you mean 'epochs'?`"""
    known = list(known)
    message = f"{lead} {key!r}.{did_you_mean(key, known) or _all_of(known)}"
    problems.add(Spot(spot.node, spot.at(key).place, spot.path), message)


def _all_of(known: Sequence[str]) -> str:
    return f" There {'are' if len(known) > 1 else 'is'}: {', '.join(known)}." if 0 < len(known) <= 12 else ""


def check(kind: Any, spot: Spot, problems: Problems) -> Any:
    """Validate what stands at a spot, without guessing at types: `"3"` is text, not a number.

    Args:
        kind: a pydantic model, or any type that pydantic can check.
        spot: what to check.
        problems: takes every error, at its place.

    Returns:
        The value, or None when there were errors.
    """
    value, errors = validate(kind, spot.node.plain())
    tell(problems, spot, errors, kind.model_fields if hasattr(kind, "model_fields") else ())
    return value


def validate(kind: Any, value: Json) -> tuple[Any, list[Error]]:
    """The value as pydantic makes it, or None, and the errors."""
    try:
        return _adapter(kind).validate_python(_with_tuples(value), strict=True), []
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        with_errors_inside = {e["loc"][:-1] for e in errors}  # a list is not too short for the items that are wrong
        return None, [
            {"loc": e["loc"], "message": e["msg"], "type": e["type"]}
            for e in errors
            if not (e["type"] == "too_short" and e["loc"] in with_errors_inside)
        ]


@lru_cache(maxsize=32)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _with_tuples(value: Json) -> Json:
    """Lists as tuples: every sequence of our values is one, and strict checks tell them apart."""
    if isinstance(value, dict):
        return {key: _with_tuples(below) for key, below in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def tell(
    problems: Problems,
    spot: Spot,
    errors: Iterable[Error],
    known: Iterable[str] = (),
    lead: str = "there is no setting",
    prefix: str = "",
) -> None:
    """Note errors of pydantic, each at its place below a spot; those of one place are joined by `or`.

    Args:
        problems: takes them.
        spot: what was validated.
        errors: what pydantic said.
        known: the keys that the mapping at the spot can have, for near names.
        lead: begins the sentence about a key that is not among them.
        prefix: said before each other error, such as `for lstm: `.
    """
    wanted: dict[str, tuple[Spot, list[str]]] = {}
    for error in errors:
        loc = tuple(error["loc"])
        if error["type"] == "extra_forbidden" and loc:
            unknown_key(problems, spot.at(*loc[:-1]), str(loc[-1]), known if len(loc) == 1 else (), lead)
            continue
        at = spot.at(*loc)
        text = said(error)
        wanted.setdefault(at.path, (at, []))
        if text not in wanted[at.path][1]:
            wanted[at.path][1].append(text)
    for at, texts in wanted.values():
        must = [text for text in texts if text.startswith("must ")]
        if must:
            near = _near(must, at.node.value)
            text = " or ".join([must[0], *(text.removeprefix("must ").removeprefix("be ") for text in must[1:])])
            problems.add(at, f"{prefix}{text}, not {show(at.node.plain())}.{near}")
        for text in texts:
            if not text.startswith("must "):
                problems.add(at, f"{prefix}{text.rstrip('.')}.")


def _near(texts: Sequence[str], given: Json) -> str:
    """Near words among those in quotes that a message lists."""
    known = [word for text in texts for word in re.findall(r"'([^']+)'", text)]
    return did_you_mean(given, known) if isinstance(given, str) else ""
