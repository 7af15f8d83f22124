"""What holds for every suite: nothing but a suite error ever comes out, and what was meant is what is read."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fake_describe import PLUGINS, FakeDescribe, make_files
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dlbench.errors import SuiteError
from dlbench.plan.duration import seconds
from dlbench.plan.fields import READERS
from dlbench.plan.load import load_suite
from dlbench.plan.merge import BUDGETS, over
from dlbench.schema.suite import Suite


@pytest.fixture(scope="module")
def folder() -> Any:
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name))
        yield Path(name)


def load(folder: Path, text: str, *overrides: str) -> Suite:
    path = folder / "suite.yaml"
    path.write_text(text)
    return load_suite(path, overrides, FakeDescribe())


words = st.sampled_from(
    "name tasks models train vary exclude seeds cost budget report plugins sorting drawing net wide attention digits "
    "dataset params label preset train.lr model.heads heads lr epochs steps baseline precision fp32 task s".split()
)
junk = st.recursive(
    words | st.none() | st.booleans() | st.integers(-3, 70) | st.sampled_from([0.5, 1e-3, 1e300]) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(words, below, max_size=4),
    max_leaves=12,
)
texts = st.fixed_dictionaries({}, optional=dict.fromkeys((*READERS, "tasks", "models", "plugins"), junk))


@settings(max_examples=150, deadline=None)
@given(texts, st.lists(words.flatmap(lambda a: words.map(lambda b: f"{a}.{b}={b}")), max_size=2), st.booleans())
def test_nothing_but_a_suite_error(folder: Path, suite: dict[str, Any], overrides: list[str], good: bool) -> None:
    base = {"name": "s", "tasks": ["sorting"], "models": ["net"]} if good else {}
    path = folder / "junk.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump({**base, **suite}, file)
    text = path.read_text() + ("" if "plugins" in suite else PLUGINS)
    with suppress(SuiteError):
        assert load(folder, text, *overrides).name


labels = st.text(st.sampled_from("abcXYZ 019-_"), min_size=1, max_size=8).filter(str.strip)
train_blocks = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.floats(1e-6, 1.0),
        "batch_size": st.integers(1, 512),
        "optimizer": st.sampled_from(["sgd", "adam", "adamw"]),
        "keep": st.sampled_from(["best", "last"]),
    },
).flatmap(lambda block: st.sampled_from([{}, {"epochs": 2}, {"steps": 10}]).map(lambda budget: {**block, **budget}))
nets = st.fixed_dictionaries(
    {"model": st.just("net"), "label": labels},
    optional={
        "preset": st.sampled_from(["net2", "small"]),
        "params": st.fixed_dictionaries({}, optional={"layers": st.integers(1, 8), "dropout": st.floats(0, 0.9)}),
        "train": train_blocks,
        "vary": st.just({"layers": [1, 2]}),
    },
)
suites = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True),
        "tasks": st.sampled_from([["sorting"], [{"sorting": {"dataset": ["words", {"digits": {"length": 7}}]}}]]),
        "models": st.lists(nets, min_size=1, max_size=3, unique_by=lambda net: net["label"]),
    },
    optional={
        "description": st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])),
        "train": train_blocks,
        "seeds": st.integers(1, 9) | st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4, unique=True),
        "precision": st.sampled_from(["fp32", "bf16"]),
        "vary": st.just({"train.lr": [0.1, 0.2]}),
        "budget": st.integers(1, 10**6),
        "cost": st.booleans() | st.just({"rounds": 2}),
    },
)


@settings(max_examples=60, deadline=None)
@given(suites)
def test_what_is_dumped_is_what_is_read(folder: Path, given_suite: dict[str, Any]) -> None:
    with (folder / "good.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(given_suite, file)
    text = (folder / "good.yaml").read_text() + PLUGINS
    suite = load(folder, text)
    assert suite.name == given_suite["name"]
    assert suite.description == (given_suite.get("description") or "")
    assert suite.train == given_suite.get("train", {})
    assert [m.label for m in suite.models] == [m["label"] for m in given_suite["models"]]
    assert [m.params for m in suite.models] == [m.get("params", {}) for m in given_suite["models"]]
    assert [m.train for m in suite.models] == [m.get("train", {}) for m in given_suite["models"]]
    assert load(folder, as_yaml(suite)) == suite


def as_yaml(suite: Suite) -> str:
    """The long form of a suite that was read, as a user would write it."""
    plain = suite.model_dump(mode="json", exclude_none=True, by_alias=True)
    for model in plain["models"]:
        model["model"] = model.pop("name")
    plain["tasks"] = [
        {
            task.pop("name"): {
                "params": task["params"],
                "train": task["train"],
                **({"dataset": [{d["name"]: d["params"]} for d in task["dataset"]]} if task["dataset"] else {}),
            }
        }
        for task in plain["tasks"]
    ]
    plain["cost"] = plain.get("cost", False)
    if "budget_s" in plain:
        plain["budget"] = plain.pop("budget_s")
    with tempfile.TemporaryFile("w+") as file:
        YAML(typ="safe", pure=True).dump(plain, file)
        file.seek(0)
        return file.read()


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_durations_add_up(hours: int, minutes: int, rest: int) -> None:
    total = 3600 * hours + 60 * minutes + rest
    assert seconds(f"{hours}h{minutes}m{rest}s") == (total or None)
    assert seconds(f" {hours}h {minutes}m ") == (total - rest or None)
    assert seconds(total) == (total or None)


@given(st.text(max_size=12) | st.from_regex(r"[0-9.]{0,4}[smhd ]{0,2}[0-9]?[smhd]?", fullmatch=True))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    found = seconds(text)
    assert found is None or found > 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5h", 5400), ("1d", 86400), ("1h30m", 5400), (0.5, 0.5)]
    + [(bad, None) for bad in ("", "m", "10", "10 parsecs", "30m1h", "-5s", "5S", "1e3s", 0, -1, True, None, [], "٣s")],
)
def test_durations(text: Any, value: float | None) -> None:
    assert seconds(text) == value


@given(train_blocks, train_blocks)
def test_a_deeper_level_goes_over_a_shallower_one(shallow: dict[str, Any], deep: dict[str, Any]) -> None:
    merged = over(shallow, deep)
    assert len([key for key in BUDGETS if key in merged]) <= 1
    for key, value in merged.items():
        assert value == (deep[key] if key in deep else shallow[key])
    for key in shallow:
        if key not in BUDGETS:
            assert key in merged
