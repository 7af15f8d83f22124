"""VGG against the published counts and the paper's table."""

from typing import Any

import pytest
import torch
from maps import gradients_reach_everything, images, meta_model, outputs, parameters
from torch import nn

from dlbench.models import vgg
from dlbench.models.vgg import Vgg


def build(channels: int, size: int, **params: Any) -> Vgg:
    torch.manual_seed(0)
    built = vgg.build(vgg.Params(**params), images(channels, size))
    assert isinstance(built, Vgg)
    return built


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("vgg11", 132_863_336), ("vgg13", 133_047_848), ("vgg16", 138_357_544), ("vgg19", 143_667_240),
        ("vgg11_bn", 132_868_840), ("vgg13_bn", 133_053_736), ("vgg16_bn", 138_365_992), ("vgg19_bn", 143_678_248),
        ("vgg16_bn_cifar", 14_728_266),
    ],
)  # fmt: skip
def test_parameters_are_the_published_ones(preset: str, expected: int) -> None:
    assert parameters(meta_model(vgg, preset)) == expected


@pytest.mark.parametrize("preset", vgg.PRESETS)
def test_depth_is_the_number_of_layers_with_weights(preset: str) -> None:
    model = meta_model(vgg, preset)
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in model.modules())
    assert convolutions + 3 == vgg.PRESETS[preset]["depth"]
    norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    assert norms == (convolutions if "bn" in preset else 0)


@pytest.mark.parametrize(
    ("preset", "size", "expected"),
    [("vgg16", 224, [112, 56, 28, 14, 7]), ("vgg11_cifar", 32, [16, 8, 4, 2, 1]), (None, 28, [14, 7, 4, 2, 1])],
)
def test_maps_halve_five_times(preset: str | None, size: int, expected: list[int]) -> None:
    model = meta_model(vgg, preset, images(3, size))
    assert [shape[1] for shape in outputs(model, 3, size, (nn.MaxPool2d,))] == expected


@pytest.mark.parametrize("size", [1, 8, 33])
def test_every_image_size_works(size: int) -> None:
    model = meta_model(vgg, None, images(1, size))
    assert model({"image": torch.empty(2, 1, size, size, device="meta")}).shape == (2, 10)


def test_channels_are_the_paper_s() -> None:
    model = meta_model(vgg, "vgg19")
    channels = [layer.out_channels for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert channels == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8


def test_glorot_fills_his_interval() -> None:
    model = build(3, 32, start="glorot")
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            bound = (6 / (9 * (layer.in_channels + layer.out_channels))) ** 0.5
            assert 0.95 * bound < layer.weight.abs().max() <= bound


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
@pytest.mark.parametrize("params", [{}, {"batch_norm": False, "classifier": "paper", "hidden_size": 32}])
def test_gradients_reach_everything(channels: int, size: int, params: dict[str, Any]) -> None:
    gradients_reach_everything(build(channels, size, **params), channels, size)
