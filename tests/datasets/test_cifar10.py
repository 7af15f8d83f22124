"""CIFAR-10 over archives of our own making; the real one is in test_real_images.py."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlbench.datasets import cifar10
from dlbench.datasets.cifar10 import Params
from dlbench.errors import DataError

NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()
FOLDER = "cifar-10-batches-bin/"
META = f"{FOLDER}batches.meta.txt"
BATCHES = [*(f"{FOLDER}data_batch_{number}.bin" for number in range(1, 6)), f"{FOLDER}test_batch.bin"]
IN_ONE_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def archive(members: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), 1)


def batch(number: int) -> bytes:
    """10,000 records: label, the record's number in two bytes, then the batch's number in every byte."""
    rows = np.full((10_000, 3073), number, np.uint8)
    numbers = np.arange(10_000)
    rows[:, 0], rows[:, 1], rows[:, 2] = (numbers + number) % 10, numbers // 256, numbers % 256
    rows[:, 1 + 1024] = 100  # the first green pixel
    return rows.tobytes()


@pytest.fixture(scope="module")
def members() -> dict[str, bytes]:
    """In the order of the official archive, which has a page to read as well."""
    batches = {name: batch(number) for number, name in enumerate(BATCHES)}
    meta = {META: ("\n".join(NAMES) + "\n\n").encode()}
    readme = {f"{FOLDER}readme.html": b"<a href='http://www.cs.toronto.edu/~kriz/cifar.html'></a>"}
    return {BATCHES[0]: batches[BATCHES[0]], **meta, BATCHES[2]: batches[BATCHES[2]], **readme, **batches}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes]) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "cifar-10-binary.tar.gz").write_bytes(archive(members))
    return folder


def numbers(images: np.ndarray) -> np.ndarray:
    """Place of each image in the batches' order."""
    red = images[:, 0].reshape(-1, 1024).astype(int)
    return 10_000 * red[:, 2] + 256 * red[:, 0] + red[:, 1]


def test_the_official_split(root: Path) -> None:
    splits = {split: cifar10.load(split, root, Params()) for split in ("train", "val", "test")}
    assert {split: len(images.labels) for split, images in splits.items()} == {
        "train": 45_000,
        "val": 5_000,
        "test": 10_000,
    }
    places = {split: numbers(images.images) for split, images in splits.items()}
    assert places["test"].tolist() == list(range(50_000, 60_000))
    assert sorted([*places["train"], *places["val"]]) == list(range(50_000))
    for split, images in splits.items():
        assert images.images.shape[1:] == (3, 32, 32)
        assert images.images.flags.writeable
        assert images.classes == tuple(NAMES)
        np.testing.assert_array_equal(images.labels, (places[split] + places[split] // 10_000) % 10)
        assert (images.images[:, 1, 0, 0] == 100).all()  # planes: red, green, blue
        assert (images.images[:, 1, 0, 1] == places[split] // 10_000).all()


def test_the_held_out_split_never_touches_the_test_batch(root: Path) -> None:
    splits = {split: cifar10.load(split, root, Params(test="held_out")) for split in ("train", "val", "test")}
    places = {split: numbers(images.images) for split, images in splits.items()}
    assert [len(places[split]) for split in ("train", "val", "test")] == [40_000, 5_000, 5_000]
    assert sorted(place for split in places.values() for place in split) == list(range(50_000))
    official = cifar10.load("val", root, Params())
    assert places["val"].tolist() == numbers(official.images).tolist()  # the same in both
    # These rows are validation and held-out test for ever.
    assert places["val"][:4].tolist() == [14, 22, 24, 28]
    assert places["test"][:4].tolist() == [1, 3, 6, 17]


def wrong(members: dict[str, bytes]) -> list[tuple[dict[str, bytes], str]]:
    """What an archive holds, and what is to be said of it."""
    without = {name: content for name, content in members.items() if name != BATCHES[3]}
    labels = bytearray(members[BATCHES[1]])
    labels[777 * 3073] = 10
    return [
        (without, "the archive has no cifar-10-batches-bin/data_batch_4.bin"),
        ({name: members[name] for name in BATCHES}, "the archive has no cifar-10-batches-bin/batches.meta.txt"),
        (members | {BATCHES[1]: members[BATCHES[1]][:-1]}, "data_batch_2.bin has 30,729,999 bytes, not 30,730,000"),
        (members | {BATCHES[1]: bytes(labels)}, "label 777 of .*data_batch_2.bin is 10, which is none of 0 to 9"),
        (members | {META: b"cat\ndog\n"}, "batches.meta.txt does not name 10 classes"),
    ]


@pytest.mark.parametrize("case", range(5))
def test_archives_that_are_not_what_they_should_be(members: dict[str, bytes], tmp_path: Path, case: int) -> None:
    content, what = wrong(members)[case]
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive(content))
    with pytest.raises(DataError, match=rf"cifar-10-binary\.tar\.gz: .*{what}.*`dlbench data fetch cifar10`"):
        cifar10.load("train", tmp_path, Params())


def test_a_cut_and_a_flipped_bit_are_found(root: Path, tmp_path: Path) -> None:
    whole = (root / "cifar-10-binary.tar.gz").read_bytes()
    path = tmp_path / "cifar-10-binary.tar.gz"
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # in the checksum, behind everything that is wanted
    for content in (whole[: len(whole) // 2], whole[:-3], bytes(flipped), b"", b"<html>busy</html>"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz: "):
            cifar10.load("train", tmp_path, Params())
    with pytest.raises(DataError, match="cannot be read"):
        cifar10.load("train", tmp_path / "nowhere", Params())


def test_links_and_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        link = tarfile.TarInfo(META)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    path.write_bytes(gzip.compress(plain.getvalue()))
    with pytest.raises(DataError, match=r"batches\.meta\.txt does not name 10 classes"):
        cifar10.load("train", tmp_path, Params())
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE):
        info = tarfile.TarInfo("more")
        info.type, info.size = kind, 8**11 - 1
        compressor = zlib.compressobj(1, wbits=31)
        zeros = (compressor.compress(bytes(2**20)) for _ in range(256))
        path.write_bytes(compressor.compress(info.tobuf(tarfile.USTAR_FORMAT)) + b"".join(zeros))
        with pytest.raises(DataError, match="it holds more than 215,110,000 bytes"):
            cifar10.load("train", tmp_path, Params())


@IN_ONE_FILE
@given(data=st.data())
def test_no_archive_breaks_the_reader(tmp_path: Path, data: st.DataObject) -> None:
    """Headers with bytes changed at random, under a checksum that is right."""
    plain = bytearray(gzip.decompress(archive({META: "\n".join(NAMES).encode(), BATCHES[0]: b"short"})))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 511) | st.integers(0, len(plain) - 1))
        plain[place] = data.draw(st.sampled_from(b"\x00 /07xgLKSV\x80\xff") | st.integers(0, 255))
    if data.draw(st.booleans()):
        sums = sum(plain[:148]) + sum(b" " * 8) + sum(plain[156:512])
        plain[148:156] = b"%06o\0 " % sums
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(bytes(plain), 1))
    with pytest.raises(DataError):
        cifar10.load("train", tmp_path, Params())
