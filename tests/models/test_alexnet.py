"""AlexNet against the published count, the paper's map sizes and its initialisation."""

from typing import Any

import pytest
import torch
from maps import gradients_reach_everything, images, meta_model, outputs, parameters
from torch import nn

from dlbench.models import alexnet
from dlbench.models.alexnet import AlexNet


def build(channels: int, size: int, **params: Any) -> AlexNet:
    torch.manual_seed(0)
    built = alexnet.build(alexnet.Params(**params), images(channels, size))
    assert isinstance(built, AlexNet)
    return built


def test_one_tower_has_the_published_parameters() -> None:
    assert parameters(meta_model(alexnet, "alexnet")) == 61_100_840


def test_maps_have_the_paper_s_sizes() -> None:
    model = meta_model(alexnet, "alexnet")
    assert outputs(model, 3, 224, (nn.Conv2d, nn.MaxPool2d)) == [
        (64, 55, 55), (64, 27, 27), (192, 27, 27), (192, 13, 13),
        (384, 13, 13), (256, 13, 13), (256, 13, 13), (256, 6, 6),
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "expected"), [(8, [8, 4, 2, 1]), (28, [28, 14, 7, 3]), (32, [32, 16, 8, 4])])
def test_maps_of_small_images(size: int, expected: list[int]) -> None:
    model = meta_model(alexnet, None, images(3, size))
    shapes = outputs(model, 3, size, (nn.Conv2d, nn.MaxPool2d))
    assert [shapes[0][1], *(shapes[number][1] for number in (1, 3, 7))] == expected


def test_response_norm_follows_the_rectifiers_of_the_first_two_convolutions() -> None:
    kinds = [type(layer) for layer in build(3, 32, local_norm=True).features]
    block = [nn.Conv2d, nn.ReLU, nn.LocalResponseNorm, nn.MaxPool2d]
    assert kinds[:8] == block + block
    assert nn.LocalResponseNorm not in kinds[8:]


def test_the_paper_s_weights_are_narrow_and_some_biases_are_one() -> None:
    model = build(3, 32, start="gaussian")
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [layer.bias.unique().tolist() for layer in layers] == [[0], [1], [0], [1], [1], [1], [1], [0]]
    assert all(0.009 < layer.weight.std() < 0.011 for layer in layers)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
@pytest.mark.parametrize("params", [{}, {"local_norm": True}])
def test_gradients_reach_everything(channels: int, size: int, params: dict[str, Any]) -> None:
    gradients_reach_everything(build(channels, size, **params), channels, size)


@pytest.mark.parametrize(
    ("preset", "size", "sentence"),
    [(None, 7, r"at least 8×8 px; these are 7×7"), ("alexnet", 34, r"at least 35×35 px; these are 34×34")],
)
def test_images_that_are_too_small_are_refused_in_words(preset: str | None, size: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        meta_model(alexnet, preset, images(1, size))


@pytest.mark.parametrize(("preset", "size"), [(None, 8), ("alexnet", 35)])
def test_the_smallest_image_that_is_named_works(preset: str | None, size: int) -> None:
    assert outputs(meta_model(alexnet, preset, images(1, size)), 1, size, (nn.MaxPool2d,))[-1][1:] == (1, 1)
