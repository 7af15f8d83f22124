"""`dlbench verify`: published figures against this installation, whole commands."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from synthetic import quality
from terminal import QUIET, ROOT, Terminal

from dlbench.analyze.published import published
from dlbench.analyze.standing import standing
from dlbench.cli.planning import Flags, planned
from dlbench.cli.verify import REFERENCE
from dlbench.schema.job import Entry
from dlbench.schema.record import Result

TASK = {"dataset": {"temporal_order": {"length": 10, "train_size": 64, "val_size": 32, "test_size": 64}}}
TINY = (f"tasks={json.dumps([{'text_classification': {**TASK, 'models': ['rnn']}}])}", "train={epochs: 1}", "seeds=3")
"""Overrides that make the reference suite a moment's work."""


def figures(terminal: Terminal, *bands: tuple[float, float], **changes: Any) -> str:
    """A file with a figure of that suite for each band."""
    lines = []
    for number, (low, high) in enumerate(bands):
        score: dict[str, Any] = {
            "label": f"rnn {number}",
            "task": "text_classification",
            "dataset": "temporal_order",
            "model": "rnn",
            "claim": "guesses",
            "why": "chance",
            "source": "nobody",
            "convention": "none",
            "how": "dlbench verify",
            **changes,
        }
        lines += ["[[scores]]", f"band = [{low}, {high}]", *(f"{key} = {toml(value)}" for key, value in score.items())]
    (terminal.folder / "figures.toml").write_text("\n".join(lines))
    return "figures.toml"


def toml(value: Any) -> str:
    """A text, a number, or a mapping of them."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {toml(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value)


# --- numbers of parameters --------------------------------------------------------------------------------------------


def test_every_published_number_of_parameters_is_reproduced_without_training(terminal: Terminal) -> None:
    said = terminal("verify", "--quick")
    n = len(published().counts)
    assert said.out.splitlines()[-1] == f"{n} figures: {n} PASS, 0 FAIL, 0 not enough data"
    for count in published().counts:
        assert count.label in said.out
        assert f"{count.figure:,}" in said.out
    assert not (terminal.folder / ".dlbench").exists()


def test_a_wrong_number_of_parameters_fails(terminal: Terminal) -> None:
    counts = "[[counts]]\nmodel = 'lenet5'\nsource = 'nobody'\nconvention = 'one too many'\n"
    (terminal.folder / "wrong.toml").write_text(
        f"{counts}parameters = 61_707\n{counts}presets = {{lenet5 = 61_706}}\n{counts}presets = {{lenet6 = 1}}\n"
    )
    said = terminal("verify", "--quick", "--figures", "wrong.toml", code=1)
    assert "FAIL: parameters of lenet5: off by -1" in said.out
    assert "FAIL: parameters of lenet6: model 'lenet5' has no preset 'lenet6'" in said.out
    assert said.out.splitlines()[-1] == "3 figures: 1 PASS, 2 FAIL, 0 not enough data"
    assert said.err.splitlines()[-1] == "not reproduced: parameters of lenet5, parameters of lenet6"
    facts = terminal("verify", "--quick", "--figures", "wrong.toml", "--json", code=1).json
    assert [(each["figure"], each["here"], each["word"]) for each in facts] == [
        (61_707, 61_706, "FAIL"), (61_706, 61_706, "PASS"), (1, None, "FAIL"),
    ]  # fmt: skip


def test_what_cannot_be_meant_is_refused(terminal: Terminal) -> None:
    assert "--quick trains nothing" in terminal("verify", "--quick", "seeds=3", code=2).err
    assert (
        "none.toml: the published figures cannot be read: No such file"
        in terminal("verify", "--figures", "none.toml", code=2).err
    )
    said = terminal("verify", "--quick", "--figures", figures(terminal, (0.0, 1.0)), code=2)
    assert "--quick looks at numbers of parameters alone, and figures.toml has none" in said.err
    said = terminal("verify", "--figures", figures(terminal, (91.2, 92.6), (0.2, 0.1)), code=2)
    assert said.err.splitlines() == [
        "figures.toml: [[scores]] 1 (rnn 0): band: 91.2 is no fraction (0 to 1). Was 0.912 meant?",
        "figures.toml: [[scores]] 2 (rnn 1): band: its lower end comes first. Was [0.1, 0.2] meant?",
    ]


# --- scores -----------------------------------------------------------------------------------------------------------


def test_scores_are_trained_and_judged_and_the_next_call_trains_nothing(terminal: Terminal) -> None:
    bands = figures(terminal, (0.0, 1.0), (0.99, 1.0))
    command = ("verify", *TINY, "--figures", bands, *QUIET)
    said = terminal(*command, code=1)
    assert re.search(r"\[3/3\] rnn · seed \d: ok", said.err)
    assert "On temporal_order" not in said.out  # the suite's own verdict is in its report
    assert "FAIL: rnn 1: the whole 95 % interval lies below the band" in said.out
    assert said.out.splitlines()[-1] == "2 figures: 1 PASS, 1 FAIL, 0 not enough data"
    assert said.err.splitlines()[-1] == "not reproduced: rnn 1"
    again = terminal(*command, code=1)
    assert "3 cached, 0 to run" in again.err
    assert again.out == said.out
    passed, failed = terminal(*command, "--json", code=1).json
    scores = [
        next(metric["value"] for metric in record["metrics"] if metric["name"] == "test_accuracy")
        for record in terminal.records("reference")
    ]
    assert passed["here"]["mean"] == pytest.approx(sum(scores) / 3)
    assert passed["here"]["n"] == 3
    assert (passed["word"], failed["word"], failed["band"]) == ("PASS", "FAIL", [0.99, 1.0])


def test_it_tracks_and_reports_like_any_run(terminal: Terminal) -> None:
    said = terminal("verify", *TINY, "--figures", figures(terminal, (0.0, 1.0)))
    assert "report: reports/reference/index.html" in said.err
    assert "MLflow: sqlite:///" in said.err


def test_what_other_suites_left_in_the_store_counts_and_is_left_alone(terminal: Terminal) -> None:
    task = {"text_classification": {"dataset": {"temporal_order": {**TASK["dataset"]["temporal_order"], "length": 12}}}}
    suite = terminal.write("other", tasks=[task], models=["rnn"], train={"epochs": 2}, seeds=3)
    terminal("run", suite, *QUIET)
    before = terminal.records("other")
    longer = figures(terminal, (0.0, 1.0), dataset_params={"length": 12}, train={"epochs": 2})
    assert "1 figure: 1 PASS" in terminal("verify", *TINY, "--figures", longer, *QUIET).out
    assert terminal.records("other") == before
    otherwise = figures(terminal, (0.0, 0.001), dataset_params={"length": 12}, train={"epochs": 3})
    said = terminal("verify", *TINY, "--figures", otherwise, *QUIET)
    assert "not enough data: rnn 0: epochs 2 instead of 3" in said.out


def test_without_mnist_its_figures_are_neither_reproduced_nor_missed(terminal: Terminal) -> None:
    models = [{"lenet5": {}}, {"model": "lstm", "params": {"hidden_size": 8}}]
    task = {"image_classification": {"dataset": ["mnist", "digits"], "params": {"image_size": 28}, "models": models}}
    overrides = (f"tasks={json.dumps([task])}", "train={epochs: 1, batch_size: 512}", "seeds=1")
    said = terminal("verify", *overrides, "--offline", *QUIET)
    n, m = len(published().counts), len(published().scores)
    assert "image_classification: digits from dlbench itself (built-in)" in said.err
    assert "not enough data: lenet5 on mnist: no result on mnist: dlbench verify, where MNIST can be had" in said.out
    assert said.out.splitlines()[-1] == f"{n + m} figures: {n} PASS, 0 FAIL, {m} not enough data"


# --- the reference suite ----------------------------------------------------------------------------------------------


def on_mnist(entry: Entry) -> Entry:
    """The same job, had MNIST been there."""
    job = entry.job
    if job.dataset.name != "digits":
        return entry
    dataset = job.dataset.model_copy(update={"name": "mnist", "params": {}})
    return entry.model_copy(update={"job": job.model_copy(update={"dataset": dataset})})


def test_the_reference_suite_trains_what_its_figures_ask_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DLBENCH_DATA_MIRROR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with planned(Flags(REFERENCE, offline=True), None) as todo:
        entries = [on_mnist(entry) for entry in todo.plan.entries]
    used = set()
    for score in (score for score in published().scores if score.how.startswith("dlbench verify")):
        mine = [entry for entry in entries if score.concerns(entry.job) and entry.job.dataset.name == score.dataset]
        assert mine, score.label
        middle = sum(score.limits) / 2
        found = standing(score, [scored(entry, middle) for entry in mine])
        assert (found.word, found.reason) == ("PASS", ""), score.label
        used |= {entry.job.id for entry in mine}
    assert used == {entry.job.id for entry in entries}  # nothing is trained that verifies nothing


def scored(entry: Entry, accuracy: float) -> Result:
    """A finished job with that score."""
    (example,) = quality("x", [accuracy])
    assert example.record is not None
    record = example.record.model_copy(update={"id": entry.job.id, "seed": entry.job.seed})
    return Result(entry=entry, record=record)


def test_the_shipped_suite_is_the_package_s_own() -> None:
    assert (ROOT / "suites" / "reference.yaml").read_bytes() == REFERENCE.read_bytes()
