"""The forms in which datasets hand over their splits refuse what does not fit together."""

import numpy as np
import pytest

from dlbench.datasets._images import Images
from dlbench.datasets._pairs import Pairs
from dlbench.datasets._text import Text

GREY = np.zeros((2, 1, 4, 4), np.uint8)


def test_images_have_labels_and_classes_have_names() -> None:
    fits = Images(GREY, np.array([0, 1]), ("0", "1"), ("zero", "one"))
    assert (fits.classes, fits.names) == (("0", "1"), ("zero", "one"))
    assert Images(GREY, np.array([0, 1]), ("cat", "dog")).names is None
    with pytest.raises(ValueError, match="2 classes have 1 names"):
        Images(GREY, np.array([0, 1]), ("0", "1"), ("zero",))
    with pytest.raises(ValueError, match="2 images have 3 labels"):
        Images(GREY, np.array([0, 1, 1]), ("0", "1"))
    with pytest.raises(ValueError, match=r"labels 0\.\.2 do not index 2 classes"):
        Images(GREY, np.array([0, 2]), ("0", "1"))
    with pytest.raises(ValueError, match=r"images are .* uint8, not .* float64"):
        Images(GREY.astype(float), np.array([0, 1]), ("0", "1"))


def test_texts_have_labels() -> None:
    with pytest.raises(ValueError, match="1 texts have 2 labels"):
        Text(["a"], np.array([0, 0]), ("x",), language=True)
    with pytest.raises(ValueError, match=r"labels -1\.\.-1 do not index 1 classes"):
        Text(["a"], np.array([-1]), ("x",), language=True)


def test_sources_have_targets() -> None:
    assert Pairs(["a", ""], ["b", "c"], language=False).targets == ["b", "c"]
    with pytest.raises(ValueError, match="2 sources have 1 targets"):
        Pairs(["a", "b"], ["c"], language=False)
