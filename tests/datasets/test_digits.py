"""The digits against scikit-learn's own reading of them."""

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from dlbench.datasets import digits
from dlbench.datasets.digits import Params


def test_they_are_all_of_scikit_learn_s_digits() -> None:
    # In a process of its own: importing scikit-learn takes seconds.
    code = (
        "from sklearn.datasets import load_digits; import sys\n"
        "d = load_digits(); sys.stdout.write(','.join(f'{v:.0f}' for r in d.data for v in r)); print()\n"
        "print(*d.target, sep=',')"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    pixels = np.array(answer[0].split(","), int).reshape(-1, 8, 8)
    labels = [int(label) for label in answer[1].split(",")]
    splits = [digits.make(split, Params()) for split in ("train", "val", "test")]
    assert [len(split.labels) for split in splits] == [1297, 200, 300]
    assert all((split.classes[7], split.names[7]) == ("7", "seven") for split in splits)
    grey = np.concatenate([split.images for split in splits])
    assert grey.shape == (1797, 1, 8, 8)
    assert (grey.min(), grey.max()) == (0, 255)
    theirs = sorted((image.tobytes(), label) for image, label in zip(pixels, labels, strict=True))
    ours = np.rint(grey[:, 0] / 255 * 16).astype(int)
    found = np.concatenate([split.labels for split in splits]).tolist()
    assert sorted((image.tobytes(), label) for image, label in zip(ours, found, strict=True)) == theirs


def test_what_is_scored_does_not_depend_on_what_is_trained_on() -> None:
    few = Params(train_size=100)
    for split in ("val", "test"):
        np.testing.assert_array_equal(digits.make(split, few).images, digits.make(split, Params()).images)
    train = {image.tobytes() for image in digits.make("train", Params()).images}
    assert {image.tobytes() for image in digits.make("train", few).images} < train


def test_no_more_can_be_asked_for_than_there_are() -> None:
    message = "train_size, val_size and test_size ask for 1,798 images; there are 1,797"
    with pytest.raises(ValidationError, match=message):
        Params(train_size=1298)
    assert len(digits.make("train", Params(train_size=1795, val_size=1, test_size=1)).labels) == 1795
