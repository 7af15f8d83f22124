"""MNIST: handwritten digits, 28 × 28 grey pixels, ten classes (LeCun, Bottou, Bengio & Haffner 1998).

60,000 training images, of which a fixed 5,000 are the validation split, and the 10,000 test images.
"""

from pathlib import Path

from dlbench.datasets._images import Images
from dlbench.datasets._mnist_files import published, read
from dlbench.datasets._numerals import DIGITS, WORDS
from dlbench.schema import base

REVISION = 1
TASKS = ("image_classification", "captioning")

_BASE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FILES = published(
    "mnist",
    _BASE,
    [
        (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            9_912_422,
        ),
        (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "d53e105ee54ea40749a09fcbcd1e9432",
            28_881,
        ),
        (
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "9fb629c4189551a2d022fa330f9573f3",
            1_648_877,
        ),
        ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
    ],
)


class Params(base.Params):
    """There is nothing to choose."""


def load(split: str, root: Path, params: Params) -> Images:
    """Images (N, 1, 28, 28) of a split: white strokes on black.

    Raises:
        DataError: a file is damaged, or not the one that its name says.
    """
    return read(split, root, DIGITS, "mnist", WORDS)
