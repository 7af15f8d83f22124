"""SST-2: sentences of film reviews, positive or negative (Socher et al. 2013, split as in Kim 2014).

Whole sentences only: 6,920 for training, 872 for validation, 1,821 for testing; not the 67,000 phrases of GLUE.
"""

from pathlib import Path

import numpy as np

from dlbench.datasets._text import Text
from dlbench.errors import DataError
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("text_classification",)

_BASE = "https://github.com/clairett/pytorch-sentiment-classification/raw/master/data/SST2/"
FILES = (
    DataFile(
        folder="sst2",
        name="train.tsv",
        url=_BASE + "train.tsv",
        sha256="ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920",
        size=720_259,
    ),
    DataFile(
        folder="sst2",
        name="dev.tsv",
        url=_BASE + "dev.tsv",
        sha256="eddea6b39e601dd4e7a672b53cc40fdf6019fa80522f351206c24340ca5d9359",
        size=92_057,
    ),
    DataFile(
        folder="sst2",
        name="test.tsv",
        url=_BASE + "test.tsv",
        sha256="831169c7e2e429d6026e1bdbb542f33b636e3e596caad9602ebc953c205928b7",
        size=188_749,
    ),
)

CLASSES = ("negative", "positive")


class Params(base.Params):
    """There is nothing to choose."""


def load(split: str, root: Path, params: Params) -> Text:
    """Sentences of a split.

    Raises:
        DataError: a line is not `sentence<TAB>0 or 1`.
    """
    path = root / {"train": "train.tsv", "val": "dev.tsv", "test": "test.tsv"}[split]
    texts: list[str] = []
    labels: list[int] = []
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            text, tab, label = line.rstrip("\n").rpartition("\t")
            if not tab or label not in ("0", "1"):
                raise DataError(f"{path}:{number}: not a line of sentence, tab, 0 or 1")
            texts.append(text)
            labels.append(int(label))
    return Text(texts, np.array(labels, np.int64), CLASSES, language=True)
