"""AG News: titles and first sentences of news, four topics (Zhang, Zhao & LeCun 2015).

120,000 training and 7,600 test rows; 5 % of the training rows, cut off by a fixed permutation, are the validation
split. The texts are as published: entities without their ampersand (`#39;s`) and backslashes for line ends included,
so that scores compare with the literature's.
"""

import csv
from pathlib import Path

import numpy as np

from dlbench.datasets._text import Text
from dlbench.errors import DataError
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 2
TASKS = ("text_classification",)

_BASE = "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/"
FILES = (
    DataFile(
        folder="ag_news",
        name="train.csv",
        url=_BASE + "train.csv",
        md5="b1a00f826fdfbd249f79597b59e1dc12",
        size=29_470_338,
    ),
    DataFile(
        folder="ag_news",
        name="test.csv",
        url=_BASE + "test.csv",
        sha256="521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
        md5="d52ea96a97a2d943681189a97654912d",
        size=1_857_427,
    ),
    DataFile(
        folder="ag_news",
        name="classes.txt",
        url=_BASE + "classes.txt",
        sha256="612dbfa932f07a6ed837295a7d5746ce7412e7bb4bc32ba919fdb3cda3a1b9b5",
        md5="eb57fd781a350c341c55d4dcfc46782a",
        size=31,
    ),
)

VALIDATION = 0.05
"""Fraction of the training rows that becomes the validation split."""


class Params(base.Params):
    """There is nothing to choose."""


def load(split: str, root: Path, params: Params) -> Text:
    """Title and description of each row as one text.

    Raises:
        DataError: a row is not `label, title, description`.
    """
    classes = tuple((root / "classes.txt").read_text(encoding="utf-8").split())
    texts, labels = _read(root / ("test.csv" if split == "test" else "train.csv"), len(classes))
    if split != "test":
        # RandomState is frozen by numpy: these rows stay the validation split for ever.
        order = np.random.RandomState(0).permutation(len(texts))
        cut = int(len(texts) * VALIDATION)
        rows = np.sort(order[:cut] if split == "val" else order[cut:])
        texts, labels = [texts[row] for row in rows], labels[rows]
    return Text(texts, labels, classes, language=True)


def _read(path: Path, classes: int) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    texts: list[str] = []
    labels: list[int] = []
    known = {str(number): number - 1 for number in range(1, classes + 1)}
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        try:
            for label, title, description in rows:
                labels.append(known[label])
                texts.append(f"{title} {description}")
        except (ValueError, KeyError, csv.Error) as error:
            raise DataError(
                f"{path}:{rows.line_num}: not a row of label (1 to {classes}), title, description"
            ) from error
    return texts, np.array(labels, np.int64)
