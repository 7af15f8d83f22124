"""The drawn shapes: the same for ever, hard for what looks at single pixels, plain for what looks at the outline."""

import hashlib

import numpy as np
import pytest

from dlbench.datasets import shapes
from dlbench.datasets.shapes import Params


def small(**params: float) -> Params:
    return Params(**{"train_size": 300, "val_size": 100, "test_size": 100, **params})


def test_the_bytes_never_change() -> None:
    images = shapes.make("train", small())
    digest = hashlib.sha256(images.images.tobytes() + images.labels.tobytes()).hexdigest()
    assert digest[:16] == "ccffbef5c29f17e0"


@pytest.mark.parametrize("size", [16, 32, 45])
def test_sizes_and_classes(size: int) -> None:
    images = shapes.make("train", small(image_size=size))
    assert images.images.shape == (300, 3, size, size)
    assert images.images.dtype == np.uint8
    assert images.classes == (
        "circle",
        "triangle",
        "square",
        "pentagon",
        "star",
        "cross",
        "ring",
        "crescent",
        "heart",
        "arrow",
    )
    assert np.bincount(images.labels, minlength=10).min() > 10


def test_more_training_images_change_nothing_else() -> None:
    few, many = small(), small(train_size=700)
    np.testing.assert_array_equal(shapes.make("train", many).images[:300], shapes.make("train", few).images)
    np.testing.assert_array_equal(shapes.make("test", many).images, shapes.make("test", few).images)


def test_without_noise_and_clutter_there_is_one_light_shape() -> None:
    """Its area grows with the area of its outline, and its rim shades into the background."""
    images = shapes.make("train", Params(noise=0, clutter=0, train_size=2000))
    areas = {}
    for label in range(10):
        chosen = images.images[images.labels == label].astype(int)
        # The green plane of a background without its shape is a plane: what stands out from it is the shape.
        corner = np.median(chosen[:, :, ::31, ::31].reshape(len(chosen), 3, 4), axis=2)
        areas[images.classes[label]] = np.mean((chosen - corner[:, :, None, None]).sum(axis=1) > 150)
    assert areas["circle"] > areas["pentagon"] * 0.95 > areas["cross"] * 0.95 > areas["star"] * 0.95
    assert areas["circle"] > areas["ring"] > areas["star"]


def test_noise_is_as_strong_as_it_is_asked_for() -> None:
    plain, noisy = (shapes.make("test", small(noise=noise)).images.astype(int) for noise in (0, 0.1))
    change = (noisy - plain)[(plain > 30) & (plain < 225)]
    assert np.abs(change).max() <= 26
    assert change.std() == pytest.approx(0.1 * 255 / np.sqrt(3), rel=0.03)  # uniform
    assert change.mean() == pytest.approx(0, abs=0.1)


def test_clutter_adds_bars_and_leaves_the_rest() -> None:
    plain, cluttered = (shapes.make("test", small(noise=0, clutter=clutter)) for clutter in (0, 50))
    assert (plain.images != cluttered.images).mean() > 0.5


def test_the_mean_image_of_a_class_says_little() -> None:
    """The nearest class mean, the simplest linear classifier, stays near chance."""
    train, test = (shapes.make(split, Params(train_size=4000, test_size=1000)) for split in ("train", "test"))
    flat = {split: images.images.reshape(len(images.labels), -1) / 255 for split, images in (("a", train), ("b", test))}
    means = np.stack([flat["a"][train.labels == label].mean(axis=0) for label in range(10)])
    scores = flat["b"] @ means.T - (means**2).sum(axis=1) / 2
    accuracy = (scores.argmax(axis=1) == test.labels).mean()
    assert 0.08 < accuracy < 0.3
