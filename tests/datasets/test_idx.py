"""Arrays go through the format unharmed; anything else is refused in words, whatever bytes a file has."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlbench.datasets._idx import read_idx
from dlbench.errors import DataError

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple)
IN_ONE_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def encoded(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_the_example_of_the_format_s_description(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    # Magic number 0x00000801, number of items, labels: as in the description of MNIST's files.
    path.write_bytes(gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x03\x05\x00\x04"))
    assert read_idx(path, (3,), "mnist").tolist() == [5, 0, 4]


@IN_ONE_FILE
@given(shape=SHAPES, seed=st.integers(0, 2**32 - 1))
def test_what_is_written_comes_back(tmp_path: Path, shape: tuple[int, ...], seed: int) -> None:
    array = np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)
    path = tmp_path / "array.gz"
    path.write_bytes(gzip.compress(encoded(array), 1))
    found = read_idx(path, shape, "mnist")
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable


@IN_ONE_FILE
@given(content=st.binary(max_size=60), zipped=st.booleans(), begun=st.booleans())
def test_any_other_bytes_are_refused_in_words(tmp_path: Path, content: bytes, zipped: bool, begun: bool) -> None:
    if begun:
        content = encoded(np.zeros((2, 3), np.uint8))[:12] + content
    path = tmp_path / "array.gz"
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    if zipped and begun and len(content) == 12 + 6:
        assert read_idx(path, (2, 3), "mnist").tobytes() == content[12:]
        return
    with pytest.raises(DataError, match=r"array\.gz: .+ delete it and run `dlbench data fetch mnist`"):
        read_idx(path, (2, 3), "mnist")


@IN_ONE_FILE
@given(data=st.data())
def test_no_flipped_bit_and_no_cut_gets_through(tmp_path: Path, data: st.DataObject) -> None:
    array = np.random.RandomState(0).randint(0, 256, (4, 5, 5)).astype(np.uint8)
    whole = bytearray(gzip.compress(encoded(array), mtime=0))
    cut = data.draw(st.booleans())
    if cut:
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    else:
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "array.gz"
    path.write_bytes(whole)
    try:
        found = read_idx(path, array.shape, "mnist")
    except DataError:
        return
    # Some bits of a gzip file mean nothing, such as the time in its header.
    assert not cut
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (encoded(np.zeros((2, 3), np.uint8))[:9], "it ends within its header"),
        (b"", "begins with 00 00 08 02, not with nothing"),
        (b"\x00\x00\x0d\x02" + bytes(14), "begins with 00 00 08 02, not with 00 00 0d 02"),
        (encoded(np.zeros((2, 4), np.uint8)), "it holds 2 × 4 values, not 2 × 3"),
        (encoded(np.zeros((2, 3), np.uint8))[:-1], "it announces 6 values and holds only 5"),
        (encoded(np.zeros((2, 3), np.uint8)) + b"\0", "it announces 6 values and holds more"),
    ],
)
def test_it_is_said_what_is_wrong(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "array.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=what):
        read_idx(path, (2, 3), "mnist")


def test_files_that_are_no_gzip_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "array.gz"
    for content, what in [
        (b"<html>not here</html>", "not a whole gzip file"),
        (gzip.compress(encoded(np.zeros((2, 3), np.uint8)))[:-9], "the file breaks off"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=what):
            read_idx(path, (2, 3), "mnist")
    with pytest.raises(DataError, match=r"none\.gz: cannot be read \(No such file or directory\)"):
        read_idx(tmp_path / "none.gz", (2, 3), "mnist")


def test_no_more_is_expanded_than_is_expected(tmp_path: Path) -> None:
    """A gigabyte of zeros in a file of a megabyte, behind a header that announces it or does not."""
    for shape, what in [((2**30,), "it holds 1,073,741,824 values, not 3"), ((3,), "holds more")]:
        path = tmp_path / "bomb.gz"
        compressor = zlib.compressobj(1, wbits=31)
        header = bytes([0, 0, 8, 1]) + struct.pack(">I", math.prod(shape))
        zeros = bytes(2**20)
        path.write_bytes(compressor.compress(header) + b"".join(compressor.compress(zeros) for _ in range(64)))
        with pytest.raises(DataError, match=what):
            read_idx(path, (3,), "mnist")
