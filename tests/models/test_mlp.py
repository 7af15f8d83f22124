"""The perceptron's size, inputs and order of layers."""

from typing import Any

import pytest
import torch
from maps import gradients_reach_everything, images, meta_model, parameters
from torch import Tensor

from dlbench.models import mlp
from dlbench.schema.signature import Boxes, Classes, Signature, Tokens, Vector

VECTORS = Signature(input=Vector(size=7), output=Classes(classes=3))


def build(signature: Signature, **params: Any) -> mlp.Mlp:
    torch.manual_seed(0)
    built = mlp.build(mlp.Params(**params), signature)
    assert isinstance(built, mlp.Mlp)
    return built


def test_the_default_has_the_documented_size() -> None:
    assert parameters(meta_model(mlp, None)) == 1_596_426


@pytest.mark.parametrize(
    ("hidden_sizes", "expected"), [((), 7 * 3 + 3), ((5,), 7 * 5 + 5 + 5 * 3 + 3), ((5, 2), 40 + 12 + 9)]
)
def test_parameter_count(hidden_sizes: tuple[int, ...], expected: int) -> None:
    assert parameters(build(VECTORS, hidden_sizes=hidden_sizes)) == expected


def test_logits_of_vectors_are_those_of_the_formula() -> None:
    model = build(VECTORS, hidden_sizes=(5, 4), activation="tanh").eval()
    vectors = torch.randn(6, 7)
    expected: Tensor = vectors
    first, second = (block[0] for block in model.blocks)
    expected = torch.tanh(expected @ first.weight.T + first.bias)
    expected = torch.tanh(expected @ second.weight.T + second.bias)
    torch.testing.assert_close(model({"vector": vectors}), expected @ model.head.weight.T + model.head.bias)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
def test_gradients_reach_everything(channels: int, size: int) -> None:
    gradients_reach_everything(build(images(channels, size)), channels, size)


def test_dropout_only_in_training() -> None:
    model = build(VECTORS, dropout=0.5)
    batch = {"vector": torch.randn(4, 7)}
    assert not torch.equal(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))


def test_it_accepts_images_and_vectors_to_classes() -> None:
    assert mlp.accepts(VECTORS)
    assert mlp.accepts(images(1, 28))
    assert not mlp.accepts(Signature(input=Tokens(), output=Classes()))
    assert not mlp.accepts(Signature(input=Vector(), output=Boxes()))


@pytest.mark.parametrize(
    ("signature", "sentence"),
    [
        (Signature(input=Vector(), output=Classes(classes=3)), "every size is known"),
        (Signature(input=Vector(size=7), output=Classes()), "every size is known"),
        (Signature(input=Vector(size=7), output=Boxes()), "reads vectors and tells a class"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(signature: Signature, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build(signature)
