"""Names and texts as MLflow takes them: other characters replaced, long ones cut, no two alike."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_KEY = 250
LONGEST_PARAM = 500  # what servers before MLflow 2.8 take
LONGEST_TAG = 5000


def clean_names(values: Mapping[str, T]) -> dict[str, T]:
    """Names as MLflow allows them: other characters become `_`; what then looks alike is numbered."""
    clean: dict[str, T] = {}
    for name, value in values.items():
        parts = [part for part in re.sub(r"[^\w\-. /:]", "_", name).split("/") if part.strip(". ")]
        plain = "/".join(parts)[:LONGEST_KEY] or "_"
        unique, number = plain, 2
        while unique in clean:
            unique, number = f"{plain[: LONGEST_KEY - 6]}_{number}", number + 1
        clean[unique] = value
    return clean


def clean_params(values: Mapping[str, str]) -> dict[str, str]:
    """Params with names and lengths that every server takes."""
    return {name: _cut(value, LONGEST_PARAM) for name, value in clean_names(values).items()}


def cut_tags(values: Mapping[str, str]) -> dict[str, str]:
    """Tags of a length that every server takes."""
    return {name: _cut(value, LONGEST_TAG) for name, value in values.items()}


def flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """`{"a": {"b": 1}}` under `model` → `{"model.a.b": 1}`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}.{key}"
        found |= flat(value, name) if isinstance(value, Mapping) and value else {name: value}
    return found


def word(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(value: str, longest: int) -> str:
    return value if len(value) <= longest else f"{value[: longest - 1]}…"
