"""EfficientNet against the paper's tables, compound scaling, and its blocks against second formulations."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from dlbench.models import _image, _stochastic_depth, efficientnet
from dlbench.schema.signature import Classes, Image, Signature

PARAMETERS = {
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
}
SIDES = dict(zip(PARAMETERS, (224, 240, 260, 300, 380, 456, 528, 600), strict=True))


def on_meta(preset: str) -> nn.Module:
    with torch.device("meta"):
        params = efficientnet.Params(**efficientnet.PRESETS[preset])
        return efficientnet.build(params, efficientnet.signature(preset)).eval()


def build(signature: Signature = _image.CIFAR10, **params: Any) -> nn.Module:
    torch.manual_seed(0)
    return efficientnet.build(efficientnet.Params(**params), signature)


def images(side: int, device: str = "cpu", channels: int = 3) -> dict[str, Tensor]:
    return {"image": torch.randn(2, channels, side, side, device=device)}


def test_every_preset_is_counted() -> None:
    assert PARAMETERS.keys() == efficientnet.PRESETS.keys()


@pytest.mark.parametrize(("preset", "parameters"), PARAMETERS.items())
def test_parameters_and_resolution(preset: str, parameters: int) -> None:
    model = on_meta(preset)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    image = efficientnet.signature(preset).input
    assert (image.height, image.width) == (SIDES[preset],) * 2
    assert isinstance(model.resize, nn.Identity)


def test_maps_of_table_1() -> None:
    model = on_meta("efficientnet_b0")
    maps = model.stem(images(224, "meta")["image"])
    assert maps.shape[1:] == (32, 112, 112)
    seen = []
    for block in model.blocks:
        maps = block(maps)
        seen.append(tuple(maps.shape[1:3]))
    stages = [(16, 112), *2 * [(24, 56)], *2 * [(40, 28)], *3 * [(80, 14)], *3 * [(112, 14)], *4 * [(192, 7)], (320, 7)]
    assert seen == stages
    assert model.last(maps).shape[1:] == (1280, 7, 7)


@pytest.mark.parametrize(("preset", "billions"), [("efficientnet_b0", 0.39), ("efficientnet_b7", 37.0)])
def test_multiply_adds_of_table_2(preset: str, billions: float) -> None:
    model = on_meta(preset)
    with FlopCounterMode(display=False) as counter:
        model({"image": torch.empty(1, 3, SIDES[preset], SIDES[preset], device="meta")})
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, rel=0.03)


def test_compound_scaling_multiplies_the_base() -> None:
    grown = build(phi=2, width=1.0, depth=1.5, resolution=40)
    assert grown.stem[0].out_channels == efficientnet.scaled_channels(32, 1.1**2)
    layers = [math.ceil(stage.blocks * 1.5 * 1.2**2) for stage in efficientnet.STAGES]
    assert len(grown.blocks) == sum(layers)
    assert grown.resize(images(32)["image"]).shape == (2, 3, 53, 53)  # 40 · 1.15² = 52.9


def test_one_phi_more_is_the_published_b1_but_for_rounding() -> None:
    with torch.device("meta"):
        params = efficientnet.Params(**{**efficientnet.PRESETS["efficientnet_b0"], "depth": 1.1, "phi": 1, "beta": 1.0,
                                        "alpha": 1.0, "resolution": None})  # fmt: skip
        model = efficientnet.build(params, efficientnet.signature("efficientnet_b0"))
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS["efficientnet_b1"]
    assert model.resize.height == 258  # γ · 224; published 240


@pytest.mark.parametrize(("asked", "got"), [(16, 16), (17.6, 16), (35.2, 32), (4, 8), (20, 24), (12.2, 16)])
def test_channels_are_multiples_of_eight(asked: float, got: int) -> None:
    assert efficientnet.scaled_channels(1, asked) == got


def test_an_inverted_bottleneck_step_by_step() -> None:
    torch.manual_seed(0)
    block = efficientnet.MBConv(16, 16, efficientnet.STAGES[2], 1, 0.0).eval()
    (w_1, n_1, _), (w_2, n_2, _), squeeze, (w_3, n_3) = block.body
    _, down, _, up, _ = squeeze.weigh
    assert down.out_channels == 4
    maps = torch.randn(2, 16, 7, 7)
    with torch.no_grad():
        wide = n_1(F.conv2d(maps, w_1.weight))
        wide = wide * wide.sigmoid()
        wide = n_2(F.conv2d(wide, w_2.weight, padding=2, groups=96))
        wide = wide * wide.sigmoid()
        mean = wide.mean((2, 3))
        inner = mean @ down.weight.flatten(1).T + down.bias
        weight = ((inner * inner.sigmoid()) @ up.weight.flatten(1).T + up.bias).sigmoid()
        expected = maps + n_3(F.conv2d(wide * weight[:, :, None, None], w_3.weight))
        torch.testing.assert_close(block(maps), expected, rtol=1e-4, atol=1e-5)


def test_batch_norm_is_the_published_one() -> None:
    norms = [m for m in on_meta("efficientnet_b0").modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_depthwise_convolutions_start_by_their_own_fan_out() -> None:
    depthwise = build(width=1.0).blocks[-1].body[1][0]
    assert depthwise.groups == depthwise.out_channels == 1152
    assert depthwise.weight.std().item() == pytest.approx(math.sqrt(2 / 9), rel=0.03)


def test_later_blocks_are_left_out_more_often() -> None:
    model = on_meta("efficientnet_b0")
    chances = [block.stochastic_depth.chance for block in model.blocks]
    assert chances == pytest.approx([0.2 * i / 15 for i in range(16)])


def test_stochastic_depth_leaves_whole_examples_out_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = _stochastic_depth.StochasticDepth(0.25)
    out = layer(torch.ones(4000, 2, 3))
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(out.amin((1, 2)), out.amax((1, 2)))
    assert out.mean().item() == pytest.approx(1, abs=0.03)
    branch = torch.randn(4, 2, 3)
    assert torch.equal(layer.eval()(branch), branch)


def test_evaluation_is_not_random() -> None:
    model = build(stochastic_depth=0.5, dropout=0.5)
    batch = images(32)
    assert not torch.equal(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 32, 32), (1, 9, 20)])
def test_other_images(channels: int, height: int, width: int) -> None:
    signature = Signature(input=Image(channels=channels, height=height, width=width), output=Classes(classes=7))
    model = build(signature)
    logits = model({"image": torch.randn(3, channels, height, width)})
    assert logits.shape == (3, 7)
    F.cross_entropy(logits, torch.tensor([0, 1, 6])).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_images_that_vanish_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"phi -10\.0 leaves no pixel of images of 1×1"):
        build(Signature(input=Image(channels=1, height=1, width=1), output=Classes(classes=2)), phi=-10)
