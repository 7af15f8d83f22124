"""The form in which datasets of tagged sequences hand over a split; knows no tensor and no file."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tagged:
    """Sequences of one split, each token with a tag.

    Attributes:
        texts: one string an example, tokens with single spaces between them; none is empty.
        tags: the tags of each, (N,) strings, as many with single spaces between them as there are tokens.
        classes: all tags that there are, the same for every split.
    """

    texts: Sequence[str]
    tags: Sequence[str]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.tags):
            raise ValueError(f"{len(self.texts)} texts have {len(self.tags)} sequences of tags")
