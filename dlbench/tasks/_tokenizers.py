"""Tokenizers that know the way back from ids to text, each learnt from given texts; by the package `tokenizers`.

Ids begin with the special tokens, in their order; token 1 is the unknown one. Knows no split and no tensor.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The worker has the threads that its job was given; a tokenizer would take all.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

WORD = r" ?\w+(?:'\w+)*| ?[^\w\s]"
"""A word with the space before it (an inner apostrophe belongs to the word), or a punctuation mark with or without."""

UNKNOWN = 1
CHUNK = 4096
"""Texts that are encoded at once; the answers are large."""


Ragged = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Values of all sequences, and offsets (N + 1,)."""


def encoded(tokenizer: Any, texts: Sequence[str], end: Sequence[int], empty: Sequence[int]) -> Ragged:
    """Ids of all texts, one after the other; a text without any token has those of `empty`, and all end with `end`."""
    ids, ends = array("i"), array("q", [0])
    for start in range(0, len(texts), CHUNK):
        for encoding in tokenizer.encode_batch_fast(texts[start : start + CHUNK]):
            ids.extend(encoding.ids or empty)
            ids.extend(end)
            ends.append(len(ids))
    return np.frombuffer(ids, np.int32), np.frombuffer(ends, np.int64)


def lower_case() -> list[Any]:
    """Composed characters in lower case: what is done to natural language that is compared without regard to case."""
    from tokenizers import normalizers

    return [normalizers.NFC(), normalizers.Lowercase()]


def subwords(
    texts: Iterable[str], vocabulary: int, min_frequency: int, specials: Sequence[str], normalize: Sequence[Any] = ()
) -> Any:
    """Pairs of bytes within words and punctuation (Sennrich et al. 2016), merged by frequency; loses nothing.

    Args:
        texts: to learn from.
        vocabulary: most ids, special ones included.
        min_frequency: rarer pairs are not merged.
        specials: special tokens.
        normalize: what is done to a text before runs of spaces become one.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=specials[UNKNOWN]))
    spaces = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    tokenizer.normalizer = normalizers.Sequence([*normalize, *spaces])
    # The start of a word is marked by a byte of its own. The trainer's mark for its continuation
    # (`continuing_subword_prefix`) would give out ids in another order in every process.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=min_frequency, special_tokens=list(specials), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def words(
    texts: Iterable[str], vocabulary: int, min_frequency: int, specials: Sequence[str], normalize: Sequence[Any] = ()
) -> Any:
    """Words and punctuation marks, each with the space before it if there is one; arguments as in `subwords`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    unknown = specials[UNKNOWN]
    tokenizer = Tokenizer(models.WordLevel(unk_token=unknown))
    spaces = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(), normalizers.Prepend(" ")]
    tokenizer.normalizer = normalizers.Sequence([*normalize, *spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "isolated")
    apart = [decoders.Replace(unknown, f" {unknown}"), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(apart)
    return _learnt(tokenizer, trainers, texts, vocabulary, min_frequency, specials)


def symbols(texts: Iterable[str], specials: Sequence[str]) -> Any:
    """What stands between spaces, all of it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=specials[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _learnt(tokenizer, trainers, texts, 2**31 - 1, 1, specials)


def characters(texts: Iterable[str], specials: Sequence[str]) -> Any:
    """Every character, spaces too."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=specials[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return _learnt(tokenizer, trainers, texts, 2**31 - 1, 1, specials)


def _learnt(
    tokenizer: Any, trainers: Any, texts: Iterable[str], vocabulary: int, min_frequency: int, specials: Sequence[str]
) -> Any:
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary, min_frequency=min_frequency, special_tokens=list(specials), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
