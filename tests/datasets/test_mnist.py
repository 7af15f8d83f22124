"""MNIST and Fashion-MNIST over small and false files; the real ones are in test_real_images.py."""

import gzip
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dlbench.datasets import fashion_mnist, mnist
from dlbench.errors import DataError

BOTH = pytest.mark.parametrize("dataset", [mnist, fashion_mnist], ids=lambda module: module.__name__.split(".")[-1])


def write(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), 1))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the announced sizes. The first two pixels of an image are its number, its label is the last digit."""
    folder = tmp_path_factory.mktemp("files")
    for prefix, count in (("train", 60_000), ("t10k", 10_000)):
        numbers = np.arange(count)
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 0, 0], images[:, 0, 1] = numbers // 256, numbers % 256
        write(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        write(folder / f"{prefix}-labels-idx1-ubyte.gz", (numbers % 10).astype(np.uint8))
    return folder


@BOTH
def test_every_image_is_in_one_split_with_its_own_label(dataset: ModuleType, root: Path) -> None:
    splits = {split: dataset.load(split, root, dataset.Params()) for split in ("train", "val", "test")}
    assert {split: images.images.shape for split, images in splits.items()} == {
        "train": (55_000, 1, 28, 28),
        "val": (5_000, 1, 28, 28),
        "test": (10_000, 1, 28, 28),
    }
    numbers = {
        split: images.images[:, 0, 0, 0].astype(int) * 256 + images.images[:, 0, 0, 1]
        for split, images in splits.items()
    }
    for split, images in splits.items():
        np.testing.assert_array_equal(images.labels, numbers[split] % 10)
        assert images.images.flags.writeable
        assert (images.names or images.classes)[3] == {mnist: "three", fashion_mnist: "Dress"}[dataset]
    assert numbers["test"].tolist() == list(range(10_000))
    assert sorted([*numbers["train"], *numbers["val"]]) == list(range(60_000))
    # These rows are the validation split for ever.
    assert numbers["val"][:5].tolist() == [17, 28, 50, 66, 72]


def copied(root: Path, folder: Path) -> Path:
    for path in root.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def test_a_file_that_was_replaced_is_read_again(root: Path, tmp_path: Path) -> None:
    copied(root, tmp_path)
    before = mnist.load("train", tmp_path, mnist.Params()).labels
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.unlink()
    write(path, np.full(60_000, 9, np.uint8))
    assert set(mnist.load("train", tmp_path, mnist.Params()).labels) == {9} != set(before)


@BOTH
def test_files_that_are_not_what_they_should_be(dataset: ModuleType, root: Path, tmp_path: Path) -> None:
    name = dataset.__name__.split(".")[-1]
    images, labels = tmp_path / "t10k-images-idx3-ubyte.gz", tmp_path / "t10k-labels-idx1-ubyte.gz"
    bad_label = np.zeros(10_000, np.uint8)
    bad_label[4_321] = 10
    cases = [
        (images, np.zeros((10_000, 32, 32), np.uint8), "it holds 10,000 × 32 × 32 values, not 10,000 × 28 × 28"),
        (images, np.zeros((9_999, 28, 28), np.uint8), "it holds 9,999 × 28 × 28 values, not 10,000 × 28 × 28"),
        (images, np.zeros(10_000, np.uint8), "begins with 00 00 08 03, not with 00 00 08 01"),
        (labels, bad_label, "label 4,321 is 10, which is none of 0 to 9"),
    ]
    for number, (path, content, what) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        copied(root, folder)
        (folder / path.name).unlink()
        write(folder / path.name, content)
        with pytest.raises(DataError, match=rf"{path.name}: .*{what}.*`dlbench data fetch {name}`"):
            dataset.load("test", folder, dataset.Params())
        assert len(dataset.load("val", folder, dataset.Params()).labels) == 5_000  # the other split is unharmed
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: cannot be read"):
        dataset.load("train", tmp_path / "nowhere", dataset.Params())
