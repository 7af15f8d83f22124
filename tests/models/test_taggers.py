"""Networks that answer for each token: what reaches an answer and what does not, and how they learn."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch
from dlbench.schema.signature import Classes, Signature, Tags, Tokens

TOKENS = Tokens(vocabulary=20, length=12)
TAGGED = Signature(input=TOKENS, output=Tags(classes=3))
RECURRENT = ("rnn", "lstm", "gru")
LENGTHS = [5, 1, 9, 3]
BOTH_WAYS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"bidirectional": True, "layers": 2}) for name in RECURRENT),
    ("transformer", {}),
]
ONE_WAY: list[tuple[str, dict[str, Any]]] = [(name, {"layers": layers}) for name in RECURRENT for layers in (1, 2)]


def build(name: str, signature: Signature = TAGGED, **params: Any) -> nn.Module:
    """In evaluation mode, every weight moved at random, so that nothing cancels and no row of padding is 0."""
    module = Catalog().load("models", name)
    assert module.accepts(signature)
    torch.manual_seed(0)
    model: nn.Module = module.build(module.Params(**params), signature).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


def batch_of(rows: list[list[int]], width: int | None = None) -> Batch:
    width = width or max(map(len, rows))
    return {
        "tokens": torch.tensor([row + [0] * (width - len(row)) for row in rows]),
        "lengths": torch.tensor([len(row) for row in rows]),
        "index": torch.arange(len(rows)),
    }


def random_rows() -> list[list[int]]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randint(1, 20, (length,), generator=generator).tolist() for length in LENGTHS]


def real(logits: Tensor) -> Tensor:
    """Logits of all tokens, one example after the other, (tokens, C)."""
    return torch.cat([rows[:length] for rows, length in zip(logits, LENGTHS, strict=True)])


@pytest.mark.parametrize(("name", "params"), ONE_WAY + BOTH_WAYS)
def test_padding_and_neighbours_change_no_answer(name: str, params: dict[str, Any]) -> None:
    model, rows = build(name, **params), random_rows()
    with torch.no_grad():
        alone = torch.cat([model(batch_of([row]))[0] for row in rows])
        together, widened = model(batch_of(rows)), model(batch_of(rows, 12))
    assert together.shape == (4, 9, 3)
    assert alone.std() > 0.01
    torch.testing.assert_close(real(together), alone, rtol=0, atol=1e-4)
    torch.testing.assert_close(real(widened), alone, rtol=0, atol=1e-4)


def changes(model: nn.Module, changed: int) -> list[bool]:
    """Whether another token at one position changes the answer at each, of seven."""
    tokens = [3, 4, 5, 6, 7, 8, 9]
    other = [*tokens[:changed], 15, *tokens[changed + 1 :]]
    with torch.no_grad():
        first, second = model(batch_of([tokens, other]))
    return [not torch.allclose(a, b, rtol=0, atol=1e-6) for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize(("name", "params"), ONE_WAY)
def test_one_direction_cannot_see_what_is_to_come(name: str, params: dict[str, Any]) -> None:
    assert changes(build(name, **params), 4) == [False] * 4 + [True] * 3


@pytest.mark.parametrize(("name", "params"), BOTH_WAYS)
def test_both_directions_see_all(name: str, params: dict[str, Any]) -> None:
    for changed in (0, 4, 6):
        assert all(changes(build(name, **params), changed))


@pytest.mark.parametrize("name", [*RECURRENT, "transformer"])
def test_a_tagger_is_a_classifier_without_pooling(name: str) -> None:
    tagger = build(name, pooling="attention")
    classifier = build(name, Signature(input=TOKENS, output=Classes(classes=3)), pooling="mean")
    assert tagger.state_dict().keys() == classifier.state_dict().keys()
    classifier.load_state_dict(tagger.state_dict())
    batch = batch_of(random_rows())
    with torch.no_grad():
        logits = tagger(batch)
        means = [rows[:length].mean(0) for rows, length in zip(logits, LENGTHS, strict=True)]
        torch.testing.assert_close(classifier(batch), torch.stack(means), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [*RECURRENT, "transformer"])
def test_it_learns_what_each_token_is(name: str) -> None:
    module = Catalog().load("models", name)
    torch.manual_seed(0)
    model = module.build(module.Params(), TAGGED)
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(1, 20, (40, 12), generator=generator)
    batch = {"tokens": tokens, "lengths": torch.full((40,), 12), "index": torch.arange(40)}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(model(batch).flatten(0, 1), tokens.flatten() % 3).backward()
        optimizer.step()
    silent = [key for key, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert not silent
    assert (model.eval()(batch).argmax(2) == tokens % 3).float().mean() > 0.99


@pytest.mark.parametrize("name", [*RECURRENT, "transformer"])
def test_sizes_must_be_known(name: str) -> None:
    with pytest.raises(ValueError, match="every size is known"):
        build(name, Signature(input=Tokens(), output=Tags()))
