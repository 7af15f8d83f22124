"""The real MNIST and CIFAR-10: sizes, splits, and images that belong to their labels."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dlbench.datasets import cifar10, mnist
from dlbench.datasets._images import Images
from dlbench.plan.data import DataOptions, obtain

SPLITS = ("train", "val", "test")


def digest(images: Images) -> str:
    return hashlib.sha256(images.images.tobytes() + images.labels.tobytes()).hexdigest()[:16]


def accuracy_of_nearest_mean(train: Images, test: Images) -> float:
    """Far above chance only if images and labels belong together, and pixels lie where they should."""
    flat = train.images.reshape(len(train.labels), -1)
    means = np.stack([flat[train.labels == label].mean(axis=0, dtype=np.float64) for label in range(10)])
    scores = test.images.reshape(len(test.labels), -1) @ means.T - (means**2).sum(axis=1) / 2
    return float((scores.argmax(axis=1) == test.labels).mean())


def test_mnist_is_official_and_cut_as_ever(real_mnist: Path, tmp_path: Path) -> None:
    options = DataOptions(mirror=str(real_mnist), offline=True, cache=tmp_path)
    found = obtain("mnist", mnist.FILES, params={}, revision=1, options=options).data
    assert found is not None
    assert found.official
    splits = {split: mnist.load(split, real_mnist / "mnist", mnist.Params()) for split in SPLITS}
    assert [splits[split].images.shape for split in SPLITS] == [(n, 1, 28, 28) for n in (55_000, 5_000, 10_000)]
    # The first test images are a 7, a 2, a 1 and a 0; the mean pixel of the training files is 33.3.
    assert splits["test"].labels[:4].tolist() == [7, 2, 1, 0]
    both = np.concatenate([splits["train"].images, splits["val"].images])
    assert both.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert digest(splits["val"]) == "f722d2472ba25b3d"
    # Nearest class mean on MNIST: 82.0 %.
    assert accuracy_of_nearest_mean(splits["train"], splits["test"]) == pytest.approx(0.820, abs=0.005)


def test_cifar10_has_every_training_image(real_cifar10: Path, tmp_path: Path) -> None:
    options = DataOptions(mirror=str(real_cifar10), offline=True, cache=tmp_path)
    assert obtain("cifar10", cifar10.FILES, params={}, revision=1, options=options).data is None  # a stand-in
    held_out = cifar10.Params(test="held_out")
    splits = {split: cifar10.load(split, real_cifar10 / "cifar10", held_out) for split in SPLITS}
    assert [splits[split].images.shape for split in SPLITS] == [(n, 3, 32, 32) for n in (40_000, 5_000, 5_000)]
    assert splits["train"].classes[:3] == ("airplane", "automobile", "bird")
    every = np.concatenate([splits[split].images for split in SPLITS])
    # The channels' means over the 50,000 training images, as everyone normalises with.
    assert every.mean(axis=(0, 2, 3)) / 255 == pytest.approx([0.4914, 0.4822, 0.4465], abs=5e-5)
    assert digest(splits["val"]) == "17adcc431d63b0b8"
    assert digest(splits["test"]) == "fb4ea61f471a7cb7"
    assert accuracy_of_nearest_mean(splits["train"], splits["test"]) > 0.25
