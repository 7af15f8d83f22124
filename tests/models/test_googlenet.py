"""GoogLeNet against the published counts, table 1 of the paper, and what its auxiliary heads may do."""

from typing import Any

import pytest
import torch
from maps import gradients_reach_everything, images, meta_model, outputs, parameters
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.meters.parameters import count
from dlbench.models import googlenet
from dlbench.models.googlenet import GoogLeNet, Inception


def build(channels: int = 1, size: int = 28, **params: Any) -> GoogLeNet:
    torch.manual_seed(0)
    built = googlenet.build(googlenet.Params(**params), images(channels, size))
    assert isinstance(built, GoogLeNet)
    return built


def some_batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"image": torch.randn(4, 1, 28, 28, generator=generator), "target": torch.tensor([0, 3, 3, 9])}


@pytest.mark.parametrize(
    ("preset", "without", "with_heads"),
    [("googlenet", 6_624_904, 13_004_888), ("googlenet_2014", 6_998_552, 13_378_280)],
)
def test_parameters_are_the_published_ones(preset: str, without: int, with_heads: int) -> None:
    model = meta_model(googlenet, preset)
    assert parameters(model) == with_heads
    assert count(model)["parameters"] == without
    assert parameters(meta_model(googlenet, preset, auxiliary_weight=0)) == without


def test_the_5x5_of_the_paper_is_larger_by_what_its_kernels_are() -> None:
    sizes = [parameters(meta_model(googlenet, "googlenet", big_kernel=kernel)) for kernel in (3, 5)]
    rows = googlenet.MODULES.values()
    assert sizes[1] - sizes[0] == (25 - 9) * sum(row.reduce_five * row.five for row in rows)


TABLE_1 = [
    (256, 28, 28), (480, 28, 28),
    (512, 14, 14), (512, 14, 14), (512, 14, 14), (528, 14, 14), (832, 14, 14),
    (832, 7, 7), (1024, 7, 7),
]  # fmt: skip


@pytest.mark.parametrize("preset", ["googlenet", "googlenet_2014"])
def test_maps_have_the_sizes_of_table_1(preset: str) -> None:
    model = meta_model(googlenet, preset)
    assert outputs(model, 3, 224, (Inception,)) == TABLE_1
    stem = [shape for shape in outputs(model, 3, 224, (nn.Conv2d, nn.MaxPool2d)) if shape[1] > 28]
    assert stem == [(64, 112, 112), (64, 56, 56), (64, 56, 56), (192, 56, 56)]


@pytest.mark.parametrize(("size", "expected"), [(28, [7, 4, 2]), (32, [8, 4, 2]), (8, [2, 1, 1]), (1, [1, 1, 1])])
def test_maps_of_small_images(size: int, expected: list[int]) -> None:
    model = meta_model(googlenet, None, images(1, size))
    shapes = [shape[1] for shape in outputs(model, 1, size, (Inception,))]
    assert shapes == expected[:1] * 2 + expected[1:2] * 5 + expected[2:] * 2


@pytest.mark.parametrize(("size", "kernel", "stride"), [(14, 5, 3), (8, 2, 2), (7, 4, 1), (4, 1, 1)])
def test_auxiliary_heads_see_4x4(size: int, kernel: int, stride: int) -> None:
    head = googlenet.AuxiliaryHead(googlenet.Params(), 6, (size, size), 10)
    assert (head.pool.kernel_size, head.pool.stride) == ((kernel, kernel), (stride, stride))
    assert head.pool(torch.zeros(1, 6, size, size)).shape == (1, 6, 4, 4)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
@pytest.mark.parametrize("params", [{}, {"norm": "local"}, {"auxiliary_weight": 0}])
def test_gradients_reach_everything(channels: int, size: int, params: dict[str, Any]) -> None:
    gradients_reach_everything(build(channels, size, **params), channels, size)


def test_the_plain_forward_answers_with_logits_alone() -> None:
    model, batch = build(), some_batch()
    assert model(batch).shape == (4, 10)
    assert model.eval()(batch).shape == (4, 10)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_auxiliary_heads_add_to_the_loss_in_training_only(label_smoothing: float) -> None:
    model, batch = build(dropout=0.0, auxiliary_dropout=0.0), some_batch()
    maps: list[Tensor] = []
    for number in (2, 5):  # 4a and 4d
        model.blocks[number].register_forward_hook(lambda _, __, output: maps.append(output))
    found = model.loss(batch, label_smoothing=label_smoothing)
    terms = [
        F.cross_entropy(logits, batch["target"], label_smoothing=label_smoothing)
        for logits in (model(batch), model.aux1(maps[0]), model.aux2(maps[1]))
    ]
    torch.testing.assert_close(found, terms[0] + 0.3 * (terms[1] + terms[2]))
    model.eval()
    alone = F.cross_entropy(model(batch), batch["target"], label_smoothing=label_smoothing)
    torch.testing.assert_close(model.loss(batch, label_smoothing=label_smoothing), alone)


def test_without_auxiliary_heads_the_loss_is_plain() -> None:
    model, batch = build(auxiliary_weight=0, dropout=0.0), some_batch()
    torch.testing.assert_close(model.loss(batch), F.cross_entropy(model(batch), batch["target"]))


def test_soft_targets_give_the_loss_of_hard_ones() -> None:
    model, batch = build(dropout=0.0, auxiliary_dropout=0.0), some_batch()
    soft = {**batch, "target": F.one_hot(batch["target"], 10).float()}
    torch.testing.assert_close(model.loss(soft), model.loss(batch))
