"""rnn, lstm and gru over an image's rows: against torch's single cells in a loop; over tokens nothing changed."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.catalog import Catalog
from dlbench.models import _recurrent
from dlbench.schema.signature import Classes, Image, Signature, Tokens

IMAGE = Signature(input=Image(channels=3, height=6, width=5), output=Classes(classes=4))
CELLS: dict[str, type[nn.RNNCellBase]] = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def build(name: str, signature: Signature = IMAGE, **params: Any) -> _recurrent.RecurrentClassifier:
    module = Catalog().load("models", name)
    torch.manual_seed(0)
    return module.build(module.Params(hidden_size=7, **params), signature).eval()


def states_by_cell(name: str, layer: nn.RNNBase, image: Tensor) -> list[Tensor]:
    """State after each row of one image (C, H, W), from torch's own single step."""
    cell = CELLS[name](15, 7)
    for own, theirs in zip(layer.all_weights[0], ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), strict=True):
        cell.get_parameter(theirs).data.copy_(own)
    state: Any = None
    states = []
    for row in range(image.shape[1]):
        features = torch.tensor([image[channel, row, column] for channel in range(3) for column in range(5)])
        state = cell(features[None], state)
        states.append(state[0][0] if name == "lstm" else state[0])
    return states


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_rows_are_read_from_top_to_bottom(name: str, pooling: str) -> None:
    model = build(name, pooling=pooling)
    images = torch.randn(2, 3, 6, 5)
    with torch.no_grad():
        for row, logits in enumerate(model({"image": images})):
            states = torch.stack(states_by_cell(name, model.body.forwards[0], images[row]))
            pooled = {"last": states[-1], "mean": states.mean(0), "max": states.amax(0)}[pooling]
            torch.testing.assert_close(logits, model.head(pooled))


@pytest.mark.parametrize("name", CELLS)
def test_the_way_back_ends_at_the_first_row(name: str) -> None:
    model = build(name, pooling="last", bidirectional=True)
    images = torch.randn(2, 3, 6, 5)
    with torch.no_grad():
        ahead = states_by_cell(name, model.body.forwards[0], images[1])
        back = states_by_cell(name, model.body.backwards[0], images[1].flip(1))
        torch.testing.assert_close(model({"image": images})[1], model.head(torch.cat([ahead[-1], back[-1]])))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_a_whole_image_is_a_single_step_of_the_cell(name: str, pooling: str) -> None:
    model = build(name, image="whole", pooling=pooling)
    images = torch.randn(2, 3, 6, 5)
    (layer,) = model.body.forwards
    cell = CELLS[name](90, 7)
    for own, theirs in zip(layer.all_weights[0], ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), strict=True):
        cell.get_parameter(theirs).data.copy_(own)
    with torch.no_grad():
        state: Any = cell(images.reshape(2, 90))
        state = state[0] if name == "lstm" else state
        logits = model({"image": images, "index": torch.arange(2)})
        torch.testing.assert_close(logits, model.head(state))


@pytest.mark.parametrize("name", CELLS)
def test_an_image_needs_no_embedding(name: str) -> None:
    plain, told = build(name), build(name, embedding_size=99, token_dropout=0.9)
    expected = GATES[name] * 7 * (15 + 7 + 2) + 7 * 4 + 4
    assert sum(parameter.numel() for parameter in plain.parameters()) == expected
    batch = {"image": torch.randn(2, 3, 6, 5)}
    told.train()
    told.dropout.p = told.body.dropout.p = 0
    torch.testing.assert_close(told(batch), plain(batch))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("params", [{}, {"layers": 2, "bidirectional": True, "pooling": "attention"}])
def test_gradients_reach_every_parameter(name: str, params: dict[str, Any]) -> None:
    model = build(name, Signature(input=Image(channels=1, height=28, width=28), output=Classes(classes=10)), **params)
    F.cross_entropy(model({"image": torch.randn(3, 1, 28, 28)}), torch.tensor([0, 4, 9])).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


@pytest.mark.parametrize("name", CELLS)
def test_over_tokens_names_and_order_of_parameters_stay(name: str) -> None:
    model = build(name, Signature(input=Tokens(vocabulary=9, length=6), output=Classes(classes=4)))
    weights = [f"body.forwards.0.{end}" for end in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")]
    assert [key for key, _ in model.named_parameters()] == ["embedding.weight", *weights, "head.weight", "head.bias"]


@pytest.mark.parametrize("name", CELLS)
def test_sizes_of_images_must_be_known(name: str) -> None:
    with pytest.raises(ValueError, match="every size is known"):
        build(name, Signature(input=Image(), output=Classes()))
