"""LeNet-5 layer by layer against the numbers of §II.B, and its 1998 parts against second formulations."""

import math
from typing import Any

import pytest
import torch
from maps import gradients_reach_everything, images, meta_model, outputs, parameters
from torch import nn

from dlbench.models import lenet5
from dlbench.models.lenet5 import LeNet5


def build(channels: int = 1, size: int = 28, preset: str | None = None) -> LeNet5:
    torch.manual_seed(0)
    params = lenet5.Params(**(lenet5.PRESETS[preset] if preset else {}))
    built = lenet5.build(params, images(channels, size))
    assert isinstance(built, LeNet5)
    return built


@pytest.mark.parametrize("size", [8, 27, 28, 32])
@pytest.mark.parametrize(
    ("preset", "expected"), [(None, 61_706), ("lenet5", 61_706), ("lenet5_tanh", 61_706), ("lenet5_1998", 60_000)]
)
def test_parameters_are_the_published_ones(preset: str | None, expected: int, size: int) -> None:
    assert parameters(meta_model(lenet5, preset, images(1, size))) == expected


def test_layers_of_1998_have_the_parameters_of_the_paper() -> None:
    model = meta_model(lenet5, "lenet5_1998")
    counts = {name: parameters(layer) for name, layer in model.named_children()}
    assert counts == {
        "squash": 0, "c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164, "output": 0
    }  # fmt: skip


@pytest.mark.parametrize("preset", [None, "lenet5_1998"])
def test_maps_have_the_paper_s_sizes(preset: str | None) -> None:
    model = meta_model(lenet5, preset, images(1, 32))
    kinds = (nn.Conv2d, lenet5.TableConvolution, nn.MaxPool2d, lenet5.Subsampling, nn.Linear, lenet5.Codes)
    assert outputs(model, 1, 32, kinds) == [
        (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120,), (84,), (10,)
    ]  # fmt: skip


def test_larger_images_reach_c5_whole() -> None:
    model = meta_model(lenet5, None, images(3, 64))
    assert outputs(model, 3, 64, (nn.MaxPool2d,))[-1] == (16, 13, 13)


def test_the_table_is_that_of_the_paper() -> None:
    assert sum(map(len, lenet5.TABLE)) == 60
    assert len(set(lenet5.TABLE)) == 16
    assert all(sum(seen in inputs for inputs in lenet5.TABLE) == 10 for seen in range(6))
    sizes = [len(inputs) for inputs in lenet5.TABLE]
    assert sizes == [3] * 6 + [4] * 9 + [6]
    turns = [{(seen + turn) % 6 for seen in range(count)} for count in (3, 4) for turn in range(6)]
    assert [set(inputs) for inputs in lenet5.TABLE[:12]] == turns  # contiguous subsets, in order


def test_a_map_of_c3_sees_only_its_inputs() -> None:
    c3 = build(preset="lenet5_1998").c3
    maps = torch.randn(2, 6, 14, 14)
    found, kernel = c3(maps), 0
    for output, inputs in enumerate(lenet5.TABLE):
        expected = c3.bias[output].expand(2, 10, 10)
        for seen in inputs:
            expected = expected + nn.functional.conv2d(maps[:, seen : seen + 1], c3.weight[kernel][None, None])[:, 0]
            kernel += 1
        torch.testing.assert_close(found[:, output], expected, rtol=1e-4, atol=1e-5)


def test_subsampling_adds_multiplies_and_shifts() -> None:
    layer = lenet5.Subsampling(2)
    layer.weight.data = torch.tensor([3.0, -1.0])
    layer.bias.data = torch.tensor([0.5, 2.0])
    maps = torch.arange(16.0).reshape(1, 2, 2, 4)
    expected = [
        [[3 * (0 + 1 + 4 + 5) + 0.5, 3 * (2 + 3 + 6 + 7) + 0.5]],
        [[2 - (8 + 9 + 12 + 13), 2 - (10 + 11 + 14 + 15)]],
    ]
    assert layer(maps)[0].tolist() == expected


def test_the_squashing_function_keeps_one() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0, 50.0])
    torch.testing.assert_close(lenet5.ScaledTanh()(x), torch.tensor([-1.0, 0.0, 1.0, 1.7159]), rtol=0, atol=1e-4)


def test_a_code_is_nearest_to_itself_and_no_seed_changes_it() -> None:
    codes = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        codes.append(lenet5.Codes(10))
    assert torch.equal(codes[0].codes, codes[1].codes)
    assert set(codes[0].codes.unique().tolist()) == {-1.0, 1.0}
    logits = codes[0](codes[0].codes)
    assert torch.equal(logits.argmax(1), torch.arange(10))
    assert not logits.diagonal().any()
    features = torch.randn(5, 84)
    torch.testing.assert_close(codes[0](features), -(torch.cdist(features, codes[0].codes) ** 2))


def test_weights_of_1998_start_uniform_by_fan_in() -> None:
    model = build(preset="lenet5_1998")
    fan_ins = {"c1": 25, "c5": 400, "f6": 120}
    for name, fan_in in fan_ins.items():
        weight, bound = model.get_submodule(name).weight, 2.4 / fan_in
        assert 0.95 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    kernels = iter(model.c3.weight)
    for inputs in lenet5.TABLE:
        bound = 2.4 / (25 * len(inputs))
        for _ in inputs:
            assert 0.5 * bound < next(kernels).abs().max() <= bound
    assert model.s4[0].weight.abs().max() <= 0.6


def test_weights_otherwise_start_normal_by_fan_in() -> None:
    model = build()
    for layer, fan_in in ((model.c5, 400), (model.f6, 120), (model.c3, 150)):
        assert layer.weight.std().item() == pytest.approx(fan_in**-0.5, rel=0.05)
        assert not layer.bias.any()


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (1, 8)])
@pytest.mark.parametrize("preset", [None, "lenet5_tanh", "lenet5_1998"])
def test_gradients_reach_everything(channels: int, size: int, preset: str | None) -> None:
    gradients_reach_everything(build(channels, size, preset), channels, size)


@pytest.mark.parametrize(
    "params", [{"pooling": "trainable"}, {"connections": "table"}, {"output": "codes"}, {"start": "uniform"}]
)
def test_each_part_of_1998_can_be_had_alone(params: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = lenet5.build(lenet5.Params(**params), images(1, 28))
    gradients_reach_everything(model, 1, 28)
