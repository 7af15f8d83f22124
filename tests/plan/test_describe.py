"""Answers about the shelves are asked for once, and forgotten when what they depend on changes."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import dlbench
import dlbench.plan.describe
from dlbench.plan.describe import Describer, digest_of_plugin

LSTM = {"what": "module", "shelf": "models", "name": "lstm"}
GRU = {"what": "module", "shelf": "models", "name": "gru"}
MACHINE = {"what": "machine"}


class Asked:
    """Answers every request with its number, and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, Any]]] = []

    def __call__(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        before = sum(map(len, self.requests))
        self.requests.append(list(requests))
        return [
            {"error": "no such thing"} if request.get("name") == "broken" else {"answer": before + number}
            for number, request in enumerate(requests)
        ]


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of our own instead of dlbench."""
    folder = tmp_path / "dlbench"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "models" / "lstm.py").write_text("REVISION = 1\n")
    monkeypatch.setattr(dlbench, "__file__", str(folder / "__init__.py"))
    return folder


def test_each_question_is_asked_once_and_all_new_ones_together(asked: Asked, tmp_path: Path) -> None:
    describe = Describer(asked, tmp_path)
    assert describe([LSTM, GRU, LSTM]) == [{"answer": 0}, {"answer": 1}, {"answer": 0}]
    assert describe([MACHINE, LSTM]) == [{"answer": 2}, {"answer": 0}]
    assert asked.requests == [[LSTM, GRU], [MACHINE]]
    assert describe([]) == []


def test_answers_outlive_the_process(asked: Asked, tmp_path: Path) -> None:
    Describer(asked, tmp_path)([LSTM, MACHINE])
    assert Describer(asked, tmp_path)([MACHINE, LSTM]) == [{"answer": 1}, {"answer": 0}]
    assert len(asked.requests) == 1


def test_two_processes_add_to_each_other(asked: Asked, tmp_path: Path) -> None:
    one, two = Describer(asked, tmp_path), Describer(asked, tmp_path)
    one([]), two([])
    one([LSTM])
    two([GRU])
    Describer(asked, tmp_path)([LSTM, GRU])
    assert asked.requests == [[LSTM], [GRU]]


def test_order_of_keys_does_not_matter(asked: Asked, tmp_path: Path) -> None:
    Describer(asked, tmp_path)([LSTM])
    assert Describer(asked, tmp_path)([dict(reversed(LSTM.items()))]) == [{"answer": 0}]


def test_errors_are_not_remembered(asked: Asked, tmp_path: Path) -> None:
    broken = {**LSTM, "name": "broken"}
    for _ in range(2):
        assert Describer(asked, tmp_path)([broken]) == [{"error": "no such thing"}]
    assert len(asked.requests) == 2


@pytest.mark.parametrize("change", ["edited", "added", "removed", "renamed"])
def test_answers_are_forgotten_when_a_source_changes(asked: Asked, tmp_path: Path, sources: Path, change: str) -> None:
    Describer(asked, tmp_path / "cache")([LSTM])
    lstm = sources / "models" / "lstm.py"
    match change:
        case "edited":
            lstm.write_text("REVISION = 2\n")
        case "added":
            (sources / "models" / "_parts.py").touch()
        case "removed":
            lstm.unlink()
        case "renamed":
            lstm.rename(sources / "models" / "lstm2.py")
    Describer(asked, tmp_path / "cache")([LSTM])
    assert len(asked.requests) == 2


def test_answers_are_kept_when_nothing_changed_but_time(asked: Asked, tmp_path: Path, sources: Path) -> None:
    Describer(asked, tmp_path / "cache")([LSTM])
    os.utime(sources / "models" / "lstm.py", (0, 0))
    (sources / "notes.txt").write_text("not a source")
    Describer(asked, tmp_path / "cache")([LSTM])
    assert len(asked.requests) == 1


def test_answers_are_forgotten_when_torch_changes(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Describer(asked, tmp_path)([LSTM])
    real = dlbench.plan.describe.version
    monkeypatch.setattr(dlbench.plan.describe, "version", lambda name: "99.0" if name == "torch" else real(name))
    Describer(asked, tmp_path)([LSTM])
    assert len(asked.requests) == 2


def test_answers_about_plugins_are_forgotten_when_the_file_changes(asked: Asked, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("REVISION = 1\n")
    request = {**LSTM, "name": "mine", "plugins": {"models": (str(plugin),)}}
    describe = Describer(asked, tmp_path / "cache")
    assert describe([request]) == describe([request]) == [{"answer": 0}]
    plugin.write_text("REVISION = 2\n")
    assert Describer(asked, tmp_path / "cache")([request]) == [{"answer": 1}]


def test_answers_about_the_machine_hold_for_what_is_visible(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Describer(asked, tmp_path)([MACHINE, LSTM])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    Describer(asked, tmp_path)([MACHINE, LSTM])
    assert asked.requests == [[MACHINE, LSTM], [MACHINE]]


@pytest.mark.parametrize("damage", [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe", b'"text"'])
def test_damaged_memory_only_costs_time(asked: Asked, tmp_path: Path, damage: bytes) -> None:
    Describer(asked, tmp_path)([LSTM])
    (memory,) = tmp_path.glob("*.json")
    memory.write_bytes(damage)
    assert Describer(asked, tmp_path)([LSTM, GRU]) == [{"answer": 1}, {"answer": 2}]
    assert len(json.loads(memory.read_bytes())) == 2
    assert Describer(asked, tmp_path)([LSTM]) == [{"answer": 1}]


def test_memory_that_cannot_be_written_only_costs_time(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Describer(asked, tmp_path / "file" / "cache")([LSTM]) == [{"answer": 0}]


def test_memory_of_old_sources_is_cleared_away(asked: Asked, tmp_path: Path, sources: Path) -> None:
    for revision in range(15):
        (sources / "models" / "lstm.py").write_text(f"REVISION = {revision}\n")
        Describer(asked, tmp_path / "cache")([LSTM])
    assert len(list((tmp_path / "cache").iterdir())) < 12
    shutil.rmtree(tmp_path / "cache")
    assert Describer(asked, tmp_path / "cache")([LSTM]) == [{"answer": 15}]


def test_a_plugin_changes_with_the_shared_parts_beside_it(tmp_path: Path) -> None:
    plugin, part, other = tmp_path / "mine.py", tmp_path / "_part.py", tmp_path / "other.py"
    plugin.write_text("from _part import W")
    part.write_text("W = 5")
    before = digest_of_plugin(plugin)
    other.write_text("X = 1")
    assert digest_of_plugin(plugin) == before
    part.write_text("W = 6")
    assert digest_of_plugin(plugin) != before
