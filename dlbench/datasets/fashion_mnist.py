"""Fashion-MNIST: articles of clothing, 28 × 28 grey pixels, ten classes (Xiao, Rasul & Vollgraf 2017).

Made as a harder replacement of MNIST in the same four files: 60,000 training images, of which a fixed 5,000 are the
validation split, and 10,000 test images.
"""

from pathlib import Path

from dlbench.datasets._images import Images
from dlbench.datasets._mnist_files import published, read
from dlbench.schema import base

REVISION = 1
TASKS = ("image_classification", "captioning")

# The authors' repository holds the same files as their S3 site, which does not speak https.
_BASE = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
FILES = published(
    "fashion_mnist",
    _BASE,
    [
        (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            26_421_880,
        ),
        (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "25c81989df183df01b3e8a0aad5dffbe",
            29_515,
        ),
        (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "bef4ecab320f06d8554ea6380940ec79",
            4_422_102,
        ),
        ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
    ],
)

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class Params(base.Params):
    """There is nothing to choose."""


def load(split: str, root: Path, params: Params) -> Images:
    """Images (N, 1, 28, 28) of a split: light articles on black.

    Raises:
        DataError: a file is damaged, or not the one that its name says.
    """
    return read(split, root, CLASSES, "fashion_mnist")
