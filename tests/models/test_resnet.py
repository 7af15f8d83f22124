"""ResNet against the paper's tables: sizes, strides, multiply-adds, shortcuts; and gradients through 110 layers."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from dlbench.models import _image, resnet
from dlbench.schema.signature import Classes, Image, Signature

PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "resnet18_cifar": 11_173_962,
}


def on_meta(preset: str, **params: Any) -> nn.Module:
    with torch.device("meta"):
        return resnet.build(resnet.Params(**{**resnet.PRESETS[preset], **params}), resnet.signature(preset)).eval()


def build(**params: Any) -> nn.Module:
    torch.manual_seed(0)
    return resnet.build(resnet.Params(**params), _image.CIFAR10)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def images(side: int, device: str = "cpu", size: int = 2, channels: int = 3) -> dict[str, Tensor]:
    return {"image": torch.randn(size, channels, side, side, device=device)}


def test_every_preset_is_counted() -> None:
    assert PARAMETERS.keys() == resnet.PRESETS.keys()


@pytest.mark.parametrize(("preset", "parameters"), PARAMETERS.items())
def test_parameters(preset: str, parameters: int) -> None:
    assert count(on_meta(preset)) == parameters


@pytest.mark.parametrize(
    ("preset", "side", "stages"),
    [
        ("resnet18", 224, {(64, 56): 2, (128, 28): 2, (256, 14): 2, (512, 7): 2}),
        ("resnet34", 224, {(64, 56): 3, (128, 28): 4, (256, 14): 6, (512, 7): 3}),
        ("resnet50", 224, {(256, 56): 3, (512, 28): 4, (1024, 14): 6, (2048, 7): 3}),
        ("resnet101", 224, {(256, 56): 3, (512, 28): 4, (1024, 14): 23, (2048, 7): 3}),
        ("resnet152", 224, {(256, 56): 3, (512, 28): 8, (1024, 14): 36, (2048, 7): 3}),
        ("resnet20", 32, {(16, 32): 3, (32, 16): 3, (64, 8): 3}),
        ("resnet110", 32, {(16, 32): 18, (32, 16): 18, (64, 8): 18}),
    ],
)
def test_maps_of_the_paper_s_tables(preset: str, side: int, stages: dict[tuple[int, int], int]) -> None:
    model = on_meta(preset)
    maps = model.stem(images(side, "meta")["image"])
    seen: dict[tuple[int, int], int] = {}
    for block in model.blocks:
        maps = block(maps)
        assert maps.shape[2] == maps.shape[3]
        key = (maps.shape[1], maps.shape[2])
        seen[key] = seen.get(key, 0) + 1
    assert seen == stages


@pytest.mark.parametrize(("preset", "billions"), [("resnet18", 1.8), ("resnet34", 3.6), ("resnet50", 4.1)])
def test_multiply_adds(preset: str, billions: float) -> None:
    model = on_meta(preset)
    with FlopCounterMode(display=False) as counter:
        model(images(224, "meta", size=1))
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, abs=0.1)


@pytest.mark.parametrize("preset", ["resnet20", "resnet56"])
def test_plain_networks_have_the_same_layers(preset: str) -> None:
    plain, residual = on_meta(preset, residual=False), on_meta(preset)
    assert [(k, p.shape) for k, p in plain.named_parameters()] == [(k, p.shape) for k, p in residual.named_parameters()]


def test_a_block_adds_its_input_before_the_rectifier() -> None:
    block = build(depth=8).blocks[0].eval()
    maps = torch.randn(2, 16, 6, 6)
    first, norm_1, _ = block.body[0]
    second, norm_2 = block.body[1]
    torch.testing.assert_close(block(maps), F.relu(norm_2(second(F.relu(norm_1(first(maps))))) + maps))


def test_a_plain_block_adds_nothing() -> None:
    block = build(depth=8, residual=False).blocks[0].eval()
    maps = torch.randn(2, 16, 6, 6)
    torch.testing.assert_close(block(maps), F.relu(block.body(maps)))


@pytest.mark.parametrize("side", [6, 7])
def test_shortcut_a_takes_every_second_pixel_and_fills_up_with_zeros(side: int) -> None:
    maps = torch.randn(2, 3, side, side)
    short = resnet.shortcut("A", 3, 5, 2)(maps)
    assert torch.equal(short[:, :3], maps[:, :, ::2, ::2])
    assert not short[:, 3:].any()
    assert short.shape[2:] == (math.ceil(side / 2),) * 2
    assert not list(resnet.shortcut("A", 3, 5, 2).parameters())


def test_blocks_that_start_at_zero_pass_their_input_on() -> None:
    model = build(depth=8, zero_init=True, shortcut="B")
    maps = torch.rand(2, 16, 6, 6)  # not negative: the last rectifier changes nothing
    torch.testing.assert_close(model.blocks[0](maps), maps)


def test_convolutions_start_with_variance_two_over_fan_out() -> None:
    weight = build(depth=8, width=64).blocks[0].body[0][0].weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.02)


def test_gradients_reach_the_first_of_110_layers() -> None:
    model = build(depth=110)
    F.cross_entropy(model(images(32)), torch.tensor([3, 5])).backward()
    gradient = model.stem[0].weight.grad
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("params", [{}, {"block": "bottleneck", "depth": 29}, {"stem": "imagenet", "depth": [1, 2]}])
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (1, 5)])
def test_other_images_and_depths(params: dict[str, Any], channels: int, side: int) -> None:
    signature = Signature(input=Image(channels=channels, height=side, width=side), output=Classes(classes=7))
    model = resnet.build(resnet.Params(**params), signature)
    logits = model(images(side, size=3, channels=channels))
    assert logits.shape == (3, 7)
    F.cross_entropy(logits, torch.tensor([0, 1, 6])).backward()


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"depth": 21}, "depth 21 does not fit stem cifar: .* 6n \\+ 2 layers, like 20"),
        ({"depth": 18, "stem": "imagenet", "block": "bottleneck"}, "it is one of 26, 50, 101, 152"),
        ({"depth": []}, "at least one stage"),
        ({"zero_init": True, "residual": False}, "zero_init true needs residual true"),
    ],
)
def test_impossible_networks_are_refused_in_words(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        resnet.Params(**params)
