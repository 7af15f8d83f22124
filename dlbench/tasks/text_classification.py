"""Text classification: one of several classes for a text or a sequence of symbols.

A batch holds `tokens` (B, T), 0-padded on the right, `lengths`, `target` and `index` (B,). The loss is cross
entropy; scores are accuracy, macro-F1 and the expected calibration error.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dlbench.contracts.batches import Batch, Part
from dlbench.contracts.datasets import Dataset
from dlbench.schema import base
from dlbench.schema.signature import Classes, Signature, Tokens
from dlbench.tasks import _classification, _tokens
from dlbench.tasks._prepared import Arrays, prepared
from dlbench.tasks._sequences import Sequences
from dlbench.tasks._shown_texts import LONGEST, ShownTexts, packed

REVISION = 1
DATASETS = ("ag_news", "temporal_order")
SCORES = _classification.SCORES
SPLITS = ("train", "val", "test")


class Params(base.Params):
    """How natural language becomes tokens; sequences of symbols are split at spaces and never cut."""

    max_length: int = Field(64, ge=1, le=2**20, description="tokens after which a text is cut")
    tokenizer: Literal["words", "subwords"] = Field("words", description="words, or byte pairs merged by frequency")
    vocabulary: int = Field(20_000, ge=3, le=2**24, description="most token ids, padding and unknown included")
    min_frequency: int = Field(2, ge=1, description="rarer words (or pairs) of the training split get no id")


class TextExamples(Protocol):
    """What a split of a dataset for this task looks like (`dlbench.datasets._text`)."""

    @property
    def texts(self) -> Sequence[str]:
        """One string an example."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into `classes`, (N,)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def language(self) -> bool:
        """Natural language; otherwise symbols with spaces between them."""


class TextClassification(_classification.Classification[Sequences]):
    """The task over a dataset, in memory, on one device.

    Args:
        splits: split → sequences.
        classes: names of the classes.
        vocabulary: number of token ids.
        texts: of the test split, as they were before they became tokens.
    """

    def __init__(
        self, splits: Mapping[str, Sequences], classes: tuple[str, ...], vocabulary: int, texts: ShownTexts
    ) -> None:
        longest = max(sequences.longest for sequences in splits.values())
        super().__init__(splits, classes, Tokens(vocabulary=vocabulary, length=longest))
        self._texts = texts

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of similar lengths; see `Sequences.batches`."""
        return self.splits[split].batches(batch_size, generator, part)

    def show(self, row: int) -> str:
        """The test text of that row as the dataset has it, its beginning if it is long."""
        return self._texts[row]


def outline(params: Params) -> Signature:
    """Tokens to classes; sizes are known once the data is read."""
    return Signature(input=Tokens(), output=Classes())


def build(params: Params, dataset: Dataset) -> TextClassification:
    """The task over a dataset whose splits are `TextExamples`; tokenised once, then read from the cache."""
    key = {
        "task": ["text_classification", REVISION, params.model_dump()],
        "dataset": [dataset.name, dataset.source, dataset.digest, dataset.params.model_dump(mode="json")],
        "tokenizers": version("tokenizers") if params.tokenizer == "subwords" else None,
        "shown": LONGEST,
    }
    arrays = prepared(key, lambda: _prepare(params, {split: dataset.split(split) for split in SPLITS}))
    splits = {
        split: Sequences(arrays[f"{split}_values"], arrays[f"{split}_offsets"], arrays[f"{split}_target"])
        for split in SPLITS
    }
    shown = ShownTexts(arrays["shown_bytes"], arrays["shown_offsets"])
    return TextClassification(splits, tuple(arrays["classes"].tolist()), int(arrays["vocabulary"]), shown)


def _prepare(params: Params, splits: Mapping[str, TextExamples]) -> Arrays:
    texts = {split: examples.texts for split, examples in splits.items()}
    if not splits["train"].language:
        ragged, vocabulary = _tokens.symbols(texts)
    else:
        tokenize = {"words": _tokens.words, "subwords": _tokens.subwords}[params.tokenizer]
        ragged, vocabulary = tokenize(texts, params.max_length, params.vocabulary, params.min_frequency)
    shown_bytes, shown_offsets = packed(splits["test"].texts)
    arrays: dict[str, NDArray[Any]] = {
        "shown_bytes": shown_bytes,
        "shown_offsets": shown_offsets,
        "classes": np.array(splits["train"].classes),
        "vocabulary": np.array(vocabulary),
    }
    for split, (values, offsets) in ragged.items():
        arrays |= {
            f"{split}_values": values,
            f"{split}_offsets": offsets,
            f"{split}_target": splits[split].labels,
        }
    return arrays
