"""Texts to token ids: words, subwords, or symbols as they stand. Vocabularies come from the training split only.

Id 0 is padding, id 1 an unknown token; an empty text is one unknown token. Knows no tensor.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dlbench.tasks import _tokenizers
from dlbench.tasks._tokenizers import Ragged

UNKNOWN = 1
SPECIALS = ("[PAD]", "[UNK]")

WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def words(
    splits: Mapping[str, Sequence[str]], max_length: int, vocabulary: int, min_frequency: int
) -> tuple[dict[str, Ragged], int]:
    """Lower-case words (an inner apostrophe belongs to the word) and single punctuation marks.

    Args:
        splits: texts, among them `train`.
        max_length: tokens after which a text is cut.
        vocabulary: most ids, padding and unknown included; the most frequent words of the training split get one.
        min_frequency: rarer words of the training split are unknown.

    Returns:
        Ids of each split, and how many there are.
    """
    find = WORD.findall
    return _by_frequency(splits, lambda text: find(text.lower())[:max_length], vocabulary, min_frequency)


def symbols(splits: Mapping[str, Sequence[str]]) -> tuple[dict[str, Ragged], int]:
    """Symbols between spaces, all of them; arguments and answer as in `words`."""
    return _by_frequency(splits, str.split, vocabulary=None, min_frequency=1)


def _by_frequency(
    splits: Mapping[str, Sequence[str]],
    tokenize: Callable[[str], list[str]],
    vocabulary: int | None,
    min_frequency: int,
) -> tuple[dict[str, Ragged], int]:
    """Ids by frequency in the training split, ties by first appearance there."""
    seen: defaultdict[str, int] = defaultdict()
    seen.default_factory = seen.__len__  # a token gets the next provisional id when it is first met
    empty = seen[""]
    provisional = {split: _provisional(splits[split], tokenize, seen) for split in dict.fromkeys(("train", *splits))}
    counts = np.bincount(provisional["train"][0], minlength=len(seen))
    counts[empty] = 0
    known = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts >= min_frequency)]
    if vocabulary is not None:
        known = known[: vocabulary - len(SPECIALS)]
    final = np.full(len(seen), UNKNOWN, np.int32)
    final[known] = np.arange(len(SPECIALS), len(SPECIALS) + len(known))
    ragged = {split: (final[provisional[split][0]], provisional[split][1]) for split in splits}
    return ragged, len(SPECIALS) + len(known)


def _provisional(texts: Sequence[str], tokenize: Callable[[str], list[str]], seen: defaultdict[str, int]) -> Ragged:
    ids, ends = array("i"), array("q", [0])
    for text in texts:
        ids.extend(map(seen.__getitem__, tokenize(text) or ("",)))
        ends.append(len(ids))
    return np.frombuffer(ids, np.int32), np.frombuffer(ends, np.int64)


def subwords(
    splits: Mapping[str, Sequence[str]], max_length: int, vocabulary: int, min_frequency: int
) -> tuple[dict[str, Ragged], int]:
    """Pairs of bytes in lower-case words (Sennrich et al. 2016), merged as the training split has them.

    Arguments and answer as in `words`; `min_frequency` is that of a merged pair.
    """
    from tokenizers import normalizers

    normalize = [normalizers.NFKC(), normalizers.Lowercase()]
    tokenizer = _tokenizers.subwords(splits["train"], vocabulary, min_frequency, SPECIALS, normalize)
    tokenizer.enable_truncation(max_length)

    ragged = {split: _tokenizers.encoded(tokenizer, texts, [], [UNKNOWN]) for split, texts in splits.items()}
    return ragged, tokenizer.get_vocab_size()
