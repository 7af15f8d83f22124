"""Token dropout blanks whole tokens, in training only, and keeps the mean."""

import pytest
import torch

from dlbench.catalog import Catalog
from dlbench.models import _sequence
from dlbench.schema.signature import Classes, Signature, Tokens


def test_whole_tokens_go_and_the_rest_is_scaled_up() -> None:
    torch.manual_seed(0)
    blanked = _sequence.TokenDropout(0.25)(torch.ones(50, 40, 3))
    assert blanked.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(blanked.amin(2), blanked.amax(2))
    assert blanked.mean().item() == pytest.approx(1, abs=0.05)


def test_scoring_sees_every_token() -> None:
    vectors = torch.randn(2, 4, 3)
    assert torch.equal(_sequence.TokenDropout(0.25).eval()(vectors), vectors)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "transformer"])
def test_models_blank_tokens_in_training_only(name: str) -> None:
    module = Catalog().load("models", name)
    signature = Signature(input=Tokens(vocabulary=20, length=8), output=Classes(classes=2))
    torch.manual_seed(0)
    model = module.build(module.Params(token_dropout=0.5, dropout=0.0), signature)
    batch = {"tokens": torch.randint(1, 20, (4, 8)), "lengths": torch.full((4,), 8)}
    assert not torch.allclose(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))
