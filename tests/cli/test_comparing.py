"""`dlbench compare`: two stores, suites, contenders and revisions; tables, comments, data, and a gate."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from synthetic import costs, quality, suite
from terminal import ROOT, Finished, Terminal
from typer.testing import CliRunner

from dlbench.analyze.compare import LEAST_SEEDS
from dlbench.analyze.versus_costs import LEAST_ROUNDS
from dlbench.cli.app import app
from dlbench.cli.compare import EPILOG
from dlbench.errors import UsageError
from dlbench.jobdir import JobDir
from dlbench.schema.job import Work
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result
from dlbench.store.folder import Store

SCORES = (0.90, 0.905, 0.912, 0.899, 0.907, 0.903)
WORSE = tuple(score - 0.02 - 0.0005 * (number % 2) for number, score in enumerate(SCORES))
SPEEDS = (1000.0, 1012.0, 995.0, 1004.0, 990.0)
SLOW = tuple(0.7 * speed for speed in SPEEDS)
FAST = tuple(1.4 * speed for speed in SPEEDS)


def keep(root: Path, results: Sequence[Result], name: str = "news", **code: Any) -> Path:
    """Put results into a store as a run would have left them; a second call adds attempts.

    Args:
        code: what the records say of the code.
    """
    store = Store.open(root, create=True)
    with store.writer():
        store.write_suite(suite(name=name), [result.entry for result in results])
        for one in results:
            assert one.record is not None
            made = store.new_attempt(Work(job=one.entry.job, attempt=0, label=one.entry.label))
            number = int(made.path.name)
            record = one.record.model_copy(update={"attempt": number, **({"code": code} if code else {})})
            JobDir(made.path).write_record(record)
    return root


def lstm(scores: Sequence[float] = SCORES, speeds: Sequence[float] = SPEEDS, **fields: Any) -> list[Result]:
    measured: dict[str, Sequence[float | str]] = {
        "train_throughput": list(speeds),
        "train_peak_memory_bytes": [4e7 + 1e3 * n for n in range(5)],
    }
    return [*quality("lstm", scores, **fields), *costs("lstm", measured, **fields)]


def gru(scores: Sequence[float] = WORSE, speeds: Sequence[float] = FAST) -> list[Result]:
    return [*quality("gru", scores), *costs("gru", {"train_throughput": list(speeds)})]


# --- the gate -------------------------------------------------------------------------------------------------------


def test_equal_stores_never_gate(terminal: Terminal) -> None:
    keep(terminal.folder / "a", lstm())
    keep(terminal.folder / "b", lstm())
    said = terminal("compare", "a", "b", "--gate")
    assert "B b against A a: no regressions, no improvements, 3 unchanged" in said.out
    assert "gate: no regression in 3 of 3 comparisons" in said.err
    assert "share all of their records" in said.err
    assert "Changed in configuration" not in said.out


def test_a_regression_gates(terminal: Terminal) -> None:
    keep(terminal.folder / "a", lstm())
    keep(terminal.folder / "b", lstm(WORSE, SLOW))
    said = terminal("compare", "a", "b", "--gate", code=1)
    assert "2 regressions, no improvements, 1 unchanged" in said.out
    score, speed = [line for line in said.err.splitlines() if line.startswith("gate: ")]
    assert re.match(
        r"gate: test_accuracy of lstm on ag_news: 90\.4\d % → 88\.4\d %, −2\.0\d points \(.*\), worse$", score
    )
    assert re.match(
        r"gate: train_throughput, batch 64 of lstm on ag_news: 1,000 /s → 700 /s, −30\.0 % .*slower$", speed
    )
    assert terminal("compare", "a", "b").code == 0
    lenient = ("--threshold", "test_accuracy=0.05", "--threshold", "train_throughput=40%")
    assert "gate: no regression" in terminal("compare", "a", "b", "--gate", *lenient).err


def test_what_is_better_never_gates(terminal: Terminal) -> None:
    keep(terminal.folder / "a", lstm(WORSE, SLOW))
    keep(terminal.folder / "b", lstm(SCORES, FAST))
    said = terminal("compare", "a", "b", "--gate")
    assert "no regressions, 2 improvements, 1 unchanged" in said.out
    assert "faster" in said.out
    assert "better" in said.out


def test_too_little_data_is_said_and_nothing_else_decides(terminal: Terminal) -> None:
    keep(terminal.folder / "a", lstm())
    keep(terminal.folder / "b", lstm((0.1, 0.1), SPEEDS))
    said = terminal("compare", "a", "b", "--gate")
    assert "not enough data to gate test_accuracy of lstm on ag_news: 2 of 5 common seeds" in said.err
    keep(terminal.folder / "c", quality("lstm", (0.1, 0.1)))
    said = terminal("compare", "a", "c", "--gate", code=2)
    assert "nothing could be judged, so nothing was guarded" in said.err


def test_nothing_comparable_does_not_pass(terminal: Terminal) -> None:
    keep(terminal.folder / "a", lstm())
    keep(terminal.folder / "b", lstm(dataset={"digest": "sha256:" + "cd" * 32}))
    for options in (("--gate",), ("--markdown",)):
        said = terminal("compare", "a", "b", *options, code=2)
        assert "nothing of B can be compared with A: ag_news (not comparable: the digest" in said.err
        assert "Not compared" in said.out
    assert terminal("compare", "a", "b", "--json", code=2).json["rows"] == []


def test_costs_of_another_machine_gate_only_when_asked(terminal: Terminal) -> None:
    keep(terminal.folder / "a", lstm())
    keep(terminal.folder / "b", lstm(SCORES, SLOW, machine={"cpu": "Another CPU"}))
    said = terminal("compare", "a", "b", "--gate")
    assert "A and B ran on different machines or software (cpu): no cost is judged." in said.err
    assert "not enough data to gate train_throughput of lstm on ag_news" in said.err
    assert "machine.cpu" in said.out
    assert "slower" in terminal("compare", "a", "b", "--gate", "--across-machines", code=1).err


def test_partners_that_are_missing_are_listed(terminal: Terminal) -> None:
    keep(terminal.folder / "a", [*lstm(), *gru()])
    keep(terminal.folder / "b", lstm())
    said = terminal("compare", "a", "b", "--gate")
    assert re.search(r"A +│ gru on ag_news +│ B has no such contender", said.out)
    assert "not gated, for it has no partner: gru on ag_news" in said.err


def test_missed_targets_gate(terminal: Terminal) -> None:
    """Half of the targets missed, the others reached sooner: worse, in the table and at the gate."""

    def trained(steps: Sequence[int | None]) -> list[Result]:
        found = []
        for one, step in zip(quality("lstm", [0.9] * len(steps), train={"target": 0.8}), steps, strict=True):
            assert one.record is not None
            reason = None if step else "val_accuracy did not reach 0.8"
            metric = Metric(name="steps_to_target", value=step, unit="steps", better="lower", reason=reason)
            record = one.record.model_copy(update={"metrics": (*one.record.metrics, metric)})
            found.append(one.model_copy(update={"record": record}))
        return found

    keep(terminal.folder / "a", trained([1000 + n for n in range(10)]))
    keep(terminal.folder / "b", trained([900 + n if n % 2 else None for n in range(10)]))
    said = terminal("compare", "a", "b", "--gate", code=1)
    assert "1 regression, no improvements, 1 unchanged" in said.out
    assert "gate: steps_to_target of lstm on ag_news: 1,004 → ∞, worse (B misses 5 of 10 seeds)" in said.err
    assert terminal("compare", "a", "b", "--json").json["rows"][1]["b"] is None
    assert "a miss is infinite" in terminal("compare", "a", "b", "--markdown").out


def test_the_gates_of_the_help_have_enough_to_judge() -> None:
    """Every suite that an example gates has the seeds and rounds of a verdict."""
    gated = re.findall(r"^dlbench compare .*--suite (\w+) .*--gate", EPILOG, re.MULTILINE)
    assert gated
    for name in gated:
        planned = YAML(typ="safe").load((ROOT / "suites" / f"{name}.yaml").read_text())
        assert planned["seeds"] >= LEAST_SEEDS
        assert planned["cost"]["rounds"] >= LEAST_ROUNDS


# --- what A and B can be --------------------------------------------------------------------------------------------


def test_two_contenders_of_a_suite(terminal: Terminal) -> None:
    keep(terminal.folder / ".dlbench", [*lstm(), *gru()])
    said = terminal("compare", "lstm", "gru", "--json").json
    rows = {row["metric"]: row for row in said["rows"]}
    assert rows["test_accuracy"]["where"] == "lstm → gru on ag_news"
    assert (rows["test_accuracy"]["word"], rows["train_throughput"]["word"]) == ("worse", "faster")
    assert rows["train_peak_memory_bytes"]["note"] == "B has no round at batch 64"
    assert said["changed"] == [{"key": "model", "old": "lstm", "new": "gru", "of": ["lstm → gru on ag_news"]}]
    assert "compared with itself" in terminal("compare", "lstm", "lstm", code=2).err


def test_what_cannot_be_told_apart_is_refused(terminal: Terminal) -> None:
    both = [*(one for h in (32, 64) for one in quality(f"lstm {h}", SCORES, params={"hidden_size": h})), *gru()]
    keep(terminal.folder / ".dlbench", both)
    said = terminal("compare", "model:lstm", "model:gru", "--gate", code=2)
    assert "lstm 32 on ag_news (several have the same settings: name one of them instead of 'lstm')" in said.err
    assert "both 'lstm 64' and 'lstm' mean it" in terminal("compare", "lstm 64", "lstm", code=2).err
    assert "lstm 64 → gru" in terminal("compare", "lstm 64", "gru").out


def test_two_suites_and_a_suite_of_another_store(terminal: Terminal) -> None:
    keep(terminal.folder / ".dlbench", lstm(), "old")
    keep(terminal.folder / ".dlbench", lstm(WORSE, train={"lr": 0.1}), "new")
    keep(terminal.folder / "other", lstm(WORSE, train={"lr": 0.1}), "third")
    for b in ("new", "suite:new", "other:third", "suite:other:third"):
        said = terminal("compare", "old", b, "--gate", code=1)
        assert re.search(r"train\.lr +│ 0\.001 +│ 0\.1 ", said.out)
        assert "test_accuracy of lstm" in said.err
    said = terminal("compare", "old", "third", code=2)
    assert "'third' is no store, and no suite, contender or git revision in" in said.err
    assert "It has the suites new and old." in said.err


def test_stores_with_several_suites_meet_suite_by_suite(terminal: Terminal) -> None:
    for name in ("one", "two"):
        keep(terminal.folder / "a" / ".dlbench", lstm(params={"hidden_size": len(name)}), name)
    keep(terminal.folder / "b", lstm(WORSE), "one")
    keep(terminal.folder / "b", lstm(), "three")
    said = terminal("compare", "a", "b", "--json").json
    assert {row["where"] for row in said["rows"]} == {"lstm on ag_news"}
    assert [(one["side"], one["what"]) for one in said["alone"]] == [("A", "suite two"), ("B", "suite three")]
    narrowed = terminal("compare", "a", "b", "--suite", "one", "--json").json
    assert narrowed["alone"] == []
    assert "Did you mean 'one'?" in terminal("compare", "a", "b", "--suite", "onne", code=2).err


def test_a_contender_of_several_suites_needs_the_suite(terminal: Terminal) -> None:
    keep(terminal.folder / ".dlbench", [*lstm(), *gru()], "one")
    keep(terminal.folder / ".dlbench", [*lstm(), *gru()], "two")
    said = terminal("compare", "lstm", "gru", code=2)
    assert said.err == "one and two have both 'lstm' and 'gru': say which with --suite NAME\n"
    assert "lstm → gru" in terminal("compare", "lstm", "gru", "--suite", "two").out


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com")
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_two_revisions(terminal: Terminal) -> None:
    git(terminal.folder, "init", "-q")
    commits = []
    for number in range(3):
        git(terminal.folder, "commit", "-q", "--allow-empty", "-m", f"number {number}")
        commits.append(git(terminal.folder, "rev-parse", "HEAD"))
    store = terminal.folder / ".dlbench"
    keep(store, lstm(WORSE, SLOW), git_commit=commits[2])
    keep(store, lstm(params={"hidden_size": 32}), git_commit=commits[1])
    for a, b in (("HEAD~1", "HEAD"), (commits[1][:10], "rev:HEAD")):
        said = terminal("compare", a, b, "--gate", code=1)
        assert "2 regressions" in said.out
        assert re.search(rf"code\.git_commit +│ {commits[1]} +│ {commits[2]}", said.out)
        assert re.search(r"model\.hidden_size +│ 32 +│ 64", said.out)
    said = terminal("compare", "HEAD~2", "HEAD", code=2)
    assert f"has no records of revision 'HEAD~2' ({commits[0][:12]})" in said.err
    assert f"It has those of {commits[1][:12]} and {commits[2][:12]}." in said.err


def test_a_word_that_could_be_two_things_is_settled_by_a_prefix(terminal: Terminal) -> None:
    """A suite comes before a contender of the same name."""
    keep(terminal.folder / ".dlbench", [*lstm(), *gru()], "lstm")
    assert (
        "'gru' is a contender and 'lstm' a suite: compare two of a kind."
        in terminal("compare", "lstm", "gru", code=2).err
    )
    assert "lstm → gru" in terminal("compare", "model:lstm", "gru").out


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one suite of two contenders. To be looked at."""
    return keep(tmp_path_factory.mktemp("shelf") / "store", [*lstm(), *gru()])


# --- wrong inputs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lstn gru", "'lstn' is no store, and no suite, contender or git revision in"),
        ("lstn gru", "Did you mean 'lstm'?"),
        ("suite:newz news", "Did you mean 'news'?"),
        ("rev:--all HEAD", "'--all' is neither a revision that git knows here nor a commit"),
        ("store:nowhere .", "'nowhere' is no folder with a dlbench store."),
        ("lstm gru --threshold test_accuracy", "--threshold 'test_accuracy': is not METRIC=VALUE"),
        ("lstm gru --threshold test_accuracy=-1", "is not METRIC=VALUE"),
        ("lstm gru --threshold test_accuracy=nan", "is not METRIC=VALUE"),
        ("lstm gru --threshold test_acuracy=0.1", "Did you mean 'test_accuracy'?"),
        ("lstm gru --metric test_acc", "--metric 'test_acc': neither A nor B has it. Did you mean 'test_accuracy'?"),
        ("lstm gru --json --markdown", "--markdown and --json both want stdout: take one"),
        ("news news --suite other", "'news' is a suite already; --suite other says another one"),
    ],
)
def test_wrong_inputs_are_one_line(shelf: Path, line: str, message: str) -> None:
    said = CliRunner().invoke(app, ["compare", *line.split(), "--store", str(shelf)])
    assert isinstance(said.exception, UsageError)
    assert message in str(said.exception)
    assert len(str(said.exception).splitlines()) == 1
    assert said.stdout == ""


def test_without_a_store_a_word_can_be_nothing(terminal: Terminal) -> None:
    said = terminal("compare", "a", "b", code=2)
    assert "'a' is no folder with a dlbench store" in said.err
    assert len(said.err.splitlines()) == 1


# --- what is shown --------------------------------------------------------------------------------------------------


def test_comment_for_a_pull_request(terminal: Terminal) -> None:
    keep(terminal.folder / "a", lstm())
    keep(terminal.folder / "b", lstm(WORSE, FAST, train={"lr": 0.1}))
    said = terminal("compare", "a", "b", "--gate", "--markdown", code=1)
    lines = said.out.splitlines()
    assert lines[0] == "**1 regression, 1 improvement, 1 unchanged**: B (b) against A (a)"
    assert lines[2] == "| contender | metric | A | B | change | n | verdict on B |"
    assert lines[4].startswith("| lstm on ag_news | test_accuracy | 90.4")
    assert lines[4].endswith("| 6 | ✖ worse |")
    assert "✔ faster" in lines[5]
    assert "<details><summary>1 unchanged</summary>" in lines
    assert "| train.lr | 0.001 | 0.1 | lstm on ag_news |" in lines
    assert said.out.count("<details>") == said.out.count("</details>") == 2
    assert "gate: test_accuracy" in said.err


PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "a|b](javascript:alert(1))",
    "\x1b[2J\x1b]0;owned\x07",
    "@someone fixes #12",
    "[red]x",
)


def test_names_from_outside_stay_text(terminal: Terminal) -> None:
    for folder, scores in (("a", SCORES), ("b", WORSE)):
        keep(terminal.folder / folder, [one for name in PAYLOADS for one in quality(name, scores)])
    gated = terminal("compare", "a", "b", "--gate", code=1)
    comment = terminal("compare", "a", "b", "--gate", "--markdown", code=1)
    for text in (gated.out, gated.err, comment.out, comment.err):
        assert all(character.isprintable() or character == "\n" for character in text)
        assert r"\x1b[2J" in text.replace("\\\\", "\\").replace("\\[", "[")
    assert "[red]x" in gated.out
    assert "<img" not in comment.out
    assert "](" not in comment.out.replace("\\](", "")
    assert re.search(r"[@#]\w", comment.out) is None
    rows = [line for line in comment.out.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}


def test_a_real_run_is_compared_with_itself(finished: Finished) -> None:
    said = finished.terminal("compare", "two_layer", "wide", "--json").json
    rows = {row["metric"]: row for row in said["rows"]}
    assert rows["test_accuracy"]["word"] == "too few seeds"
    assert rows["infer_throughput"]["word"] == "too few rounds"
    assert [change["key"] for change in said["changed"]] == ["model.hidden"]
    assert json.dumps(said)
