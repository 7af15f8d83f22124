import json
import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbench.errors import SuiteError
from dlbench.plan.document import MAX_DEPTH, read_text
from dlbench.plan.nodes import Node, Place, Problems


def read(text: str) -> Node | None:
    problems = Problems()
    node = read_text(text, lambda line, column: Place((0, line, column), f"f:{line}:{column}"), problems)
    problems.raise_if_any()
    return node


def plain(text: str) -> object:
    node = read(text)
    return None if node is None else node.plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e6", 1_000_000),
        ("1.0", 1.0),
        (".5", 0.5),
        ("-0", 0),
        ("+12", 12),
        ("012", 12),
        ("0o14", 12),
        ("0xfF", 255),
        ("no", "no"),
        ("Yes", "Yes"),
        ("off", "off"),
        ("TRUE", True),
        ("False", False),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("=", "="),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = plain(f"key: {text}")
    assert found == {"key": value}
    assert type(found["key"]) is type(value)  # type: ignore[index]


def test_places_count_from_one() -> None:
    node = read("a:\n  - {b: 1, c: [x]}\n")
    assert node is not None
    (item,) = node.value["a"].value  # type: ignore[call-overload, index, union-attr, misc]
    assert item.place.text == "f:2:5"
    assert item.keys["c"].text == "f:2:12"
    assert item.value["c"].value[0].place.text == "f:2:16"


printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(printable, below, max_size=4),
    max_leaves=15,
)


@given(json_values)
def test_json_is_read_as_json_reads_it(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    if "<<" in text or any(len(part) > 120 for part in text.split('"')):
        return  # a merge key is no key; YAML allows 1,024 characters, escapes included, for a key on one line
    assert _numbers(plain(text)) == _numbers(json.loads(text))


def _numbers(value: object) -> object:
    """`1e16` and `10000000000000000` are one number."""
    if isinstance(value, dict):
        return {key: _numbers(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_numbers(below) for below in value]
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else value


yaml_like = st.text(st.sampled_from("ab01.e-+:,[]{}&*!%|>?#'\"\\\n \t@`~<=x\0\ufeff\x85é\ud83c")) | st.text()


@settings(max_examples=500)
@given(yaml_like)
def test_any_text_is_a_tree_or_a_suite_error(text: str) -> None:
    with suppress(SuiteError):
        node = read(text)
        assert node is None or (node.depth <= MAX_DEPTH and _is_finite(node.plain()))


def _is_finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_finite(below) for key, below in value.items())
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize(
    "text", ['"\\U99999999"', "%YAML 9.9\n---\n", "%YAML 1.99999999999\n---\n", "%TAG ! x", "!<x", "!%zz a"]
)
def test_what_the_parser_chokes_on_is_one_line(text: str) -> None:
    with pytest.raises(SuiteError) as error:
        read(text)
    assert len(error.value.problems) == 1
    assert "\n" not in error.value.problems[0]
