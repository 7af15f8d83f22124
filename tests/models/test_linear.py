"""The n-gram counter against plain Python sets and dictionaries."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlbench.models import linear
from dlbench.schema.signature import Classes, Signature, Tokens

VOCABULARY, BUCKETS = 40, 1024


def model(**params: int) -> linear.Linear:
    signature = Signature(input=Tokens(vocabulary=VOCABULARY, length=20), output=Classes(classes=2))
    built = linear.build(linear.Params(**{"buckets": BUCKETS, **params}), signature)
    assert isinstance(built, linear.Linear)
    return built


def padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows)) + 2
    return torch.tensor([row + [0] * (width - len(row)) for row in rows]), torch.tensor([len(row) for row in rows])


def bucket(gram: tuple[int, ...]) -> int:
    """The same hash with Python's unbounded integers: 64 bits, upper half read as a signed number."""
    rolled = gram[0]
    for token in gram[1:]:
        rolled = (rolled * 116_049_371 + token) % 2**64
    high = (rolled * 0x9E3779B97F4A7C15 % 2**64) >> 32
    return (high - 2**32 * (high >= 2**31)) % BUCKETS


def counted(row: list[int], ngrams: int) -> Counter[int]:
    rows = Counter(row)
    for n in range(2, ngrams + 1):
        rows.update(VOCABULARY + bucket(tuple(row[i : i + n])) for i in range(len(row) - n + 1))
    return rows


texts = st.lists(st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=12), min_size=1, max_size=5)


@given(texts, st.integers(1, 5))
@settings(deadline=None, max_examples=100)
def test_every_text_has_exactly_its_own_n_grams(rows: list[list[int]], ngrams: int) -> None:
    ids = model(ngrams=ngrams).row_ids(*padded(rows))
    assert [Counter(filter(None, found)) for found in ids.tolist()] == [counted(row, ngrams) for row in rows]


def test_logits_are_the_sum_of_the_rows_of_all_n_grams() -> None:
    net = model(ngrams=3)
    weight = torch.randn(net.rows.weight.shape, generator=torch.Generator().manual_seed(0))
    net.rows.weight.data = weight
    rows = [[5, 6, 5, 6], [7]]
    tokens, lengths = padded(rows)
    expected = [sum(weight[row] * count for row, count in counted(text, 3).items()) for text in rows]
    torch.testing.assert_close(net({"tokens": tokens, "lengths": lengths}), torch.stack(expected))


def test_fasttext_takes_the_mean_through_its_hidden_layer() -> None:
    net = model(hidden_size=4)
    rows = [[5, 6, 7]]
    tokens, lengths = padded(rows)
    mean = torch.stack([net.rows.weight[row] for row in counted(rows[0], 2).elements()]).mean(0)
    expected = mean @ net.head.weight.T + net.head.bias
    torch.testing.assert_close(net({"tokens": tokens, "lengths": lengths})[0], expected)


def test_buckets_fill_evenly() -> None:
    tokens = torch.cartesian_prod(torch.arange(1, 300), torch.arange(1, 300))
    net = linear.Linear(linear.Params(buckets=2**14), 300, 2)
    found = net.row_ids(tokens, torch.full((len(tokens),), 2))[:, -1] - 300
    load = torch.bincount(found, minlength=2**14).double()
    assert load.var() / load.mean() < 1.2  # 1 for a random function


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (40 + 1024) * 2 + 2),
        ({"ngrams": 1}, 40 * 2 + 2),
        ({"hidden_size": 10}, (40 + 1024) * 10 + 10 * 2 + 2),
    ],
)
def test_parameter_count(params: dict[str, int], expected: int) -> None:
    assert sum(p.numel() for p in model(**params).parameters()) == expected
