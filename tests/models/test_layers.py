"""Shared parts of feed-forward networks against the papers' formulas and torch's own answers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from maps import images
from torch import nn
from torch.nn import functional

from dlbench.catalog import Catalog
from dlbench.models import _layers


def test_response_norm_is_the_formula_of_the_paper() -> None:
    maps = 30 * torch.randn(2, 9, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.empty_like(maps)
    for channel in range(9):
        near = maps[:, max(0, channel - 2) : min(8, channel + 2) + 1]
        expected[:, channel] = maps[:, channel] / (2 + 1e-4 * near.square().sum(1)) ** 0.75
    torch.testing.assert_close(_layers.response_norm()(maps), expected)


@pytest.mark.parametrize(("activation", "gain"), [("relu", math.sqrt(2)), ("gelu", math.sqrt(2)), ("tanh", 5 / 3)])
def test_he_starts_by_fan_in(activation: str, gain: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(30, 300, 3), nn.Linear(400, 300))
    _layers.start_he(network, activation)
    for layer, fan_in in zip(network, (270, 400), strict=True):
        assert layer.weight.std().item() == pytest.approx(gain / math.sqrt(fan_in), rel=0.02)
        assert abs(layer.weight.mean().item()) < 0.002
        assert not layer.bias.any()


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 6))
def test_out_size_is_torch_s(size: int, kernel: int, stride: int, padding: int) -> None:
    expected = _layers.out_size(size, kernel, stride, padding)
    if expected >= 1:
        maps = nn.Conv1d(1, 1, kernel, stride, padding, device="meta")(torch.empty(1, 1, size, device="meta"))
        assert maps.shape[2] == expected
    else:
        assert size + 2 * padding < kernel


def test_a_head_starts_almost_undecided() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(100, 50)
    _layers.start_head(layer)
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not layer.bias.any()


@pytest.mark.parametrize("name", ["cnn", "alexnet", "vgg", "googlenet"])
def test_networks_below_a_head_start_near_a_loss_without_knowledge(name: str) -> None:
    module = Catalog().load("models", name)
    torch.manual_seed(0)
    model = module.build(module.Params(), images(3, 32))
    logits = model({"image": torch.randn(40, 3, 32, 32)})
    assert functional.cross_entropy(logits, torch.arange(40) % 10).item() == pytest.approx(math.log(10), abs=0.6)
