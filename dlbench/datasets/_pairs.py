"""The form in which datasets of sources and targets hand over a split; knows no tokenizer, no tensor and no file."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pairs:
    """Texts of one split, each with the text that is to be written for it.

    Attributes:
        sources: one string an example; may be empty, may be long.
        targets: what is to be written for each, (N,) strings.
        language: natural language, to be tokenised; otherwise both sides are symbols with single spaces between
            them, of which none may be cut off because the target can hang on any.
    """

    sources: Sequence[str]
    targets: Sequence[str]
    language: bool

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.targets):
            raise ValueError(f"{len(self.sources)} sources have {len(self.targets)} targets")
