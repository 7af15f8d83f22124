"""The cache of prepared arrays: used when whole, made again when not, never in the way."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlbench.tasks import _prepared
from dlbench.tasks._prepared import Arrays, prepared


class Maker:
    """Makes the arrays and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {"values": np.arange(1000, dtype=np.int32), "classes": np.array(["Wörld", "Sport"])}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dlbench" / "prepared"


def same(arrays: Arrays) -> bool:
    fresh = Maker()()
    return set(arrays) == set(fresh) and all(np.array_equal(arrays[name], fresh[name]) for name in fresh)


def test_arrays_are_made_once_for_a_key(folder: Path) -> None:
    make = Maker()
    assert same(prepared({"a": 1, "b": 2}, make))
    assert same(prepared({"b": 2, "a": 1}, make))
    assert make.calls == 1
    assert same(prepared({"a": 2, "b": 2}, make))
    assert make.calls == 2
    assert sorted(path.suffix for path in folder.iterdir()) == [".npz", ".npz"]


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"PK\x03\x04" + data[30:],
        lambda data: b"no",
    ],
    ids=["flipped bit", "torn", "empty", "bad header", "no archive"],
)
def test_a_damaged_file_is_made_again(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    make = Maker()
    prepared({"a": 1}, make)
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert same(prepared({"a": 1}, make))
    assert make.calls == 2
    assert same(prepared({"a": 1}, make))
    assert make.calls == 2


def test_a_file_of_another_key_is_not_believed(folder: Path) -> None:
    make = Maker()
    prepared({"a": 1}, make)
    (one,) = folder.iterdir()
    prepared({"a": 2}, make)
    (two,) = set(folder.iterdir()) - {one}
    one.replace(two)
    prepared({"a": 2}, make)
    assert make.calls == 3


def test_where_nothing_can_be_written_everything_still_works(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    make = Maker()
    assert same(prepared({"a": 1}, make))
    assert same(prepared({"a": 1}, make))
    assert make.calls == 2


def test_the_longest_unused_files_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    names = {}
    for number in range(3):
        before = set(folder.iterdir()) if number else set()
        prepared({"n": number}, make)
        (names[number],) = set(folder.iterdir()) - before
    for number, age_s in enumerate((300, 200, 100)):
        stamp = names[number].stat().st_mtime - age_s
        os.utime(names[number], (stamp, stamp))
    prepared({"n": 0}, make)  # used again: now the newest
    abandoned = folder / "tmpabc.tmp"
    abandoned.write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    monkeypatch.setattr(_prepared, "LIMIT_BYTES", 3 * names[0].stat().st_size)
    prepared({"n": 3}, make)
    assert names[0].exists()
    assert not names[1].exists()
    assert names[2].exists()
    assert not abandoned.exists()


def test_many_at_once_do_not_disturb_each_other(folder: Path) -> None:
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(same(prepared({"a": 1}, Maker())))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
    assert len(list(folder.iterdir())) == 1
