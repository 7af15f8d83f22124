"""Translation: a sequence of tokens into another one, of another length and in another vocabulary.

A batch holds the source, `tokens` (B, S), 0-padded on the right, with its `lengths` (B,); `target` (B, T), each ending
with the token 3; `previous` (B, T), the tokens before those; and `index` (B,). The loss is cross entropy under teacher
forcing; scores are BLEU, chrF, exact match and perplexity.

Natural language becomes lower-case words or subwords, each side with its own vocabulary or both with one, learnt from
the training split. BLEU is that of lower-case texts, tokenised as sacrebleu's `13a` does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dlbench.contracts.batches import Batch, Part, Predictions
from dlbench.contracts.datasets import Dataset
from dlbench.schema.signature import Signature, Tokens
from dlbench.tasks import _tokenizers, _written
from dlbench.tasks._decoding import END, SPECIALS, UNKNOWN
from dlbench.tasks._pair_sequences import PairSequences
from dlbench.tasks._prepared import Arrays, prepared
from dlbench.tasks._sequences import Ragged
from dlbench.tasks._shown_texts import packed
from dlbench.tasks._written import REFERENCED, References, Writing

REVISION = 1
DATASETS = ("multi30k", "reverse")
SCORES = _written.SCORES
SPLITS = ("train", "val", "test")
SIDES = ("source", "target")


class Params(_written.DecodingParams):
    """How texts become tokens (sequences of symbols are split at spaces and never cut), and how answers are found."""

    tokenizer: Literal["words", "subwords"] = Field("subwords", description="words, or byte pairs merged by frequency")
    vocabulary: int = Field(8_000, ge=5, le=2**24, description="most token ids of a side, four special ones included")
    min_frequency: int = Field(2, ge=1, description="rarer words (or pairs) of the training split get no id")
    shared_vocabulary: bool = Field(False, description="one vocabulary for both sides, as tied embeddings need it")
    max_length: int = Field(100, ge=1, le=2**20, description="tokens after which either side is cut")


class PairedTexts(Protocol):
    """What a split of a dataset for this task looks like (`dlbench.datasets._pairs`)."""

    @property
    def sources(self) -> Sequence[str]:
        """What is read, one string an example."""

    @property
    def targets(self) -> Sequence[str]:
        """What is to be written, one string an example."""

    @property
    def language(self) -> bool:
        """Natural language; otherwise symbols with spaces between them."""


class Translation(Writing):
    """The task over a dataset, in memory, on one device.

    Args:
        splits: split → pairs of sequences.
        references: the targets as text.
        tokenizers: of sources and of targets, as JSON.
        texts: of the test split's sources, as the dataset has them.
        params: how answers are searched for, and whether both sides have one vocabulary.
    """

    def __init__(
        self,
        splits: Mapping[str, PairSequences],
        references: References,
        tokenizers: tuple[str, str],
        texts: Sequence[str],
        params: Params,
    ) -> None:
        from tokenizers import Tokenizer

        self._splits, self._texts = splits, texts
        self._reader = Tokenizer.from_str(tokenizers[0])
        longest = max(pairs.sources.longest for pairs in splits.values())
        read = Tokens(vocabulary=self._reader.get_vocab_size(), length=longest)
        lengths = {split: pairs.targets.lengths for split, pairs in splits.items()}
        super().__init__(read, lengths, references, tokenizers[1], params, shared=params.shared_vocabulary)

    def to(self, device: torch.device) -> None:
        """Move every split to the device."""
        for pairs in self._splits.values():
            pairs.to(device)

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of similar lengths; see `PairSequences.batches`."""
        return self._splits[split].batches(batch_size, generator, part)

    def keep(self, predictions: Predictions, split: str) -> dict[str, NDArray[np.generic]]:
        """`source_length` in tokens beside what `Writing.keep` gives."""
        lengths_N = self._splits[split].sources.lengths.astype(np.int32)
        return {"source_length": lengths_N, **super().keep(predictions, split)}

    def show(self, row: int) -> str:
        """The test source of that row as the dataset has it."""
        return self._texts[row]

    def pieces(self, batch: Batch) -> list[tuple[list[str], list[str]]]:
        """Tokens of source and target of each example."""
        read = [_written.spelled(self._reader, row) for row in batch["tokens"].tolist()]
        return list(zip(read, self.target_pieces(batch), strict=True))


def outline(params: Params) -> Signature:
    """Tokens to tokens; sizes are known once the data is read."""
    return Signature(input=Tokens(), output=Tokens(shared=params.shared_vocabulary))


def build(params: Params, dataset: Dataset) -> Translation:
    """The task over a dataset whose splits are `PairedTexts`; tokenised once, then read from the cache."""
    tokens = params.model_dump(exclude=set(_written.DecodingParams.model_fields))
    key = {
        "task": ["translation", REVISION, tokens],
        "dataset": [dataset.name, dataset.source, dataset.digest, dataset.params.model_dump(mode="json")],
        "tokenizers": version("tokenizers"),
    }
    arrays = prepared(key, lambda: _prepare(params, {split: dataset.split(split) for split in SPLITS}))

    def ragged(split: str, side: str) -> Ragged:
        return Ragged(arrays[f"{split}_{side}_values"], arrays[f"{split}_{side}_offsets"])

    def texts(split: str, side: str) -> list[str]:
        return _written.shown(arrays[f"{split}_{side}_bytes"], arrays[f"{split}_{side}_ends"])

    references = References({split: texts(split, "target") for split in REFERENCED}, bool(arrays["language"]))
    pairs = {split: PairSequences(ragged(split, "source"), ragged(split, "target")) for split in SPLITS}
    tokenizers = str(arrays["source_tokenizer"]), str(arrays["target_tokenizer"])
    return Translation(pairs, references, tokenizers, texts("test", "source"), params)


def _prepare(params: Params, splits: Mapping[str, PairedTexts]) -> Arrays:
    language = splits["train"].language
    train = {"source": splits["train"].sources, "target": splits["train"].targets}
    if params.shared_vocabulary:
        tokenizers = dict.fromkeys(SIDES, _tokenizer(params, language, chain(*train.values())))
    else:
        tokenizers = {side: _tokenizer(params, language, train[side]) for side in SIDES}
    arrays: Arrays = {"language": np.array(language)}
    for side, tokenizer in tokenizers.items():
        arrays[f"{side}_tokenizer"] = np.array(tokenizer.to_str())
        if language:
            tokenizer.enable_truncation(params.max_length)
        for split, examples in splits.items():
            texts = examples.sources if side == "source" else examples.targets
            end, empty = ([END], []) if side == "target" else ([], [UNKNOWN])
            values, offsets = _tokenizers.encoded(tokenizer, texts, end, empty)
            arrays |= {f"{split}_{side}_values": values, f"{split}_{side}_offsets": offsets}
            if split == "test" or (split in REFERENCED and side == "target"):
                arrays[f"{split}_{side}_bytes"], arrays[f"{split}_{side}_ends"] = packed(texts, None)
    return arrays


def _tokenizer(params: Params, language: bool, texts: Iterable[str]) -> Any:
    if not language:
        return _tokenizers.symbols(texts, SPECIALS)
    learn = {"words": _tokenizers.words, "subwords": _tokenizers.subwords}[params.tokenizer]
    return learn(texts, params.vocabulary, params.min_frequency, SPECIALS, _tokenizers.lower_case())
