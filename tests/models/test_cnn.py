"""Every parameter of the plain network does what its description says, one by one and together."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from maps import gradients_reach_everything, images, meta_model, outputs, parameters
from torch import nn

from dlbench.models import cnn
from dlbench.models.cnn import Cnn, Params


def build(channels: int = 1, size: int = 28, **params: Any) -> Cnn:
    torch.manual_seed(0)
    built = cnn.build(Params(**params), images(channels, size))
    assert isinstance(built, Cnn)
    return built


def maps_of(size: int = 28, **params: Any) -> list[tuple[int, ...]]:
    """Shapes of the maps that leave each stage."""
    model = meta_model(cnn, None, images(1, size), **params)
    return [shape for shape in outputs(model, 1, size, (nn.Sequential,)) if len(shape) == 3]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [(16, 14, 14), (32, 7, 7), (64, 3, 3)]),
        ({"width": 10, "widening": 1.5, "stages": 2}, [(10, 14, 14), (15, 7, 7)]),
        ({"kernel": 5, "padding": 0, "stages": 2}, [(16, 12, 12), (32, 4, 4)]),
        ({"kernel": 5, "padding": 1, "stages": 1}, [(16, 13, 13)]),
        ({"depth": 3, "kernel": 3, "padding": 0, "stages": 1}, [(16, 11, 11)]),
        ({"kernel": 4, "stages": 1, "pooling": "none"}, [(16, 28, 28)]),
        ({"kernel": 2, "stages": 1, "pooling": "strided", "pool_stride": 3}, [(16, 10, 10)]),
        ({"stride": 2, "stages": 2, "pooling": "none"}, [(16, 14, 14), (32, 7, 7)]),
        ({"stride": 2, "stages": 2}, [(16, 7, 7), (32, 2, 2)]),
        ({"pooling": "strided", "depth": 2}, [(16, 14, 14), (32, 7, 7), (64, 4, 4)]),
        ({"pooling": "average", "pool_kernel": 3, "pool_stride": 1, "stages": 1}, [(16, 26, 26)]),
        ({"pool_first": True, "stages": 1}, [(16, 14, 14)]),
    ],
)
def test_maps_have_the_sizes_that_the_parameters_say(params: dict[str, Any], expected: list[tuple[int, ...]]) -> None:
    assert maps_of(**params) == expected


def test_in_a_strided_network_only_the_last_convolution_of_a_stage_steps() -> None:
    model = build(pooling="strided", depth=3, stages=1)
    assert [layer.stride for layer in model.modules() if isinstance(layer, nn.Conv2d)] == [(1, 1), (1, 1), (2, 2)]
    assert not any(isinstance(layer, nn.MaxPool2d | nn.AvgPool2d) for layer in model.modules())


@pytest.mark.parametrize(("pool_first", "order"), [(True, "conv pool norm relu"), (False, "conv norm relu pool")])
def test_order_of_layers(pool_first: bool, order: str) -> None:
    names = {nn.Conv2d: "conv", nn.MaxPool2d: "pool", nn.BatchNorm2d: "norm", nn.ReLU: "relu"}
    assert " ".join(names[type(layer)] for layer in build(stages=1, pool_first=pool_first).blocks[0]) == order


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, 3 * 3 * (16 + 16 * 32 + 32 * 64) + 2 * (16 + 32 + 64) + 64 * 9 * 10 + 10),
        ({"batch_norm": False}, 3 * 3 * (16 + 16 * 32 + 32 * 64) + (16 + 32 + 64) + 64 * 9 * 10 + 10),
        ({"stages": 1, "kernel": 5, "global_pooling": "average"}, 25 * 16 + 2 * 16 + 16 * 10 + 10),
        ({"stages": 1, "depth": 2, "global_pooling": "max"}, 9 * 16 * 17 + 4 * 16 + 16 * 10 + 10),
        ({"stages": 1, "hidden_size": 7}, 9 * 16 + 2 * 16 + 14 * 14 * 16 * 7 + 7 + 7 * 10 + 10),
    ],
)
def test_parameter_count(params: dict[str, Any], expected: int) -> None:
    assert parameters(build(**params)) == expected


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_global_pooling_does_not_see_where_things_are(pooling: str) -> None:
    model = build(stages=1, kernel=1, pooling="none", global_pooling=pooling).eval()
    image = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(model({"image": image}), model({"image": image.flip(2, 3)}))


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
@pytest.mark.parametrize("preset", [None, *cnn.PRESETS])
def test_gradients_reach_everything(channels: int, size: int, preset: str | None) -> None:
    params = cnn.PRESETS[preset] if preset else {}
    gradients_reach_everything(build(channels, size, **params), channels, size)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"stages": 5}, "the pooling in stage 5 of 5 has a kernel of 2, but the map there is only 1 px"),
        ({"kernel": 9, "padding": 0}, "the convolution in stage 3 of 3 has a kernel of 9, but the map there is only 1"),
    ],
)
def test_what_shrinks_the_image_to_nothing_is_refused_in_words(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build(**params)


@settings(deadline=None, max_examples=60)
@given(
    st.fixed_dictionaries(
        {
            "stages": st.integers(1, 4),
            "depth": st.integers(1, 3),
            "width": st.integers(1, 5),
            "widening": st.sampled_from([0.5, 1.0, 1.7]),
            "kernel": st.integers(1, 7),
            "stride": st.integers(1, 3),
            "padding": st.one_of(st.just("same"), st.integers(0, 4)),
            "pooling": st.sampled_from(["max", "average", "strided", "none"]),
            "pool_kernel": st.integers(1, 4),
            "pool_stride": st.integers(1, 3),
            "pool_first": st.booleans(),
            "batch_norm": st.booleans(),
            "global_pooling": st.sampled_from(["average", "max", "none"]),
        }
    ),
    st.integers(1, 30),
)
def test_every_combination_runs_or_is_refused(params: dict[str, Any], size: int) -> None:
    try:
        model = meta_model(cnn, None, images(3, size), **params)
    except ValueError:  # in words, as tested above; anything else is not caught
        return
    assert model({"image": torch.empty(2, 3, size, size, device="meta")}).shape == (2, 10)
    shrinks = params["stride"] * (params["pool_stride"] if params["pooling"] == "strided" else 1)
    if params["padding"] == "same" and params["pooling"] in ("strided", "none"):
        last = outputs(model, 3, size, (nn.Conv2d,))[-1]
        expected = size
        for _ in range(params["stages"]):
            for stride in cnn.conv_strides(Params(**params)):
                expected = math.ceil(expected / stride)
        assert last[1:] == (expected, expected)
        assert shrinks > 1 or expected == size
