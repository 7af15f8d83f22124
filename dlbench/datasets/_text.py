"""The form in which text datasets hand over a split; knows no tokenizer, no tensor and no file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Text:
    """Labelled texts of one split.

    Attributes:
        texts: one string an example; may be empty, may be long.
        labels: index into `classes`, (N,) int64.
        classes: names of the classes, the same for every split.
        language: natural language, to be tokenised; otherwise symbols with single spaces between them, of which
            none may be cut off because the label can hang on any.
    """

    texts: Sequence[str]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    language: bool

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise ValueError(f"{len(self.texts)} texts have {len(self.labels)} labels")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(
                f"labels {self.labels.min()}..{self.labels.max()} do not index {len(self.classes)} classes"
            )
