"""NAS-Bench-201's cell and the supernet over it: published sizes, closed forms, a second formulation, both orders."""

import random
from typing import Any

import pytest
import torch
from maps import gradients_reach_everything, images, meta_model, outputs, parameters
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.meters.flops import forward_flops
from dlbench.models import _supernet, nas_cell
from dlbench.models._nas_bench import OPERATIONS, Reduction, Skeleton, edges
from dlbench.models._supernet import MixedCell, Supernet, unrolled_gradient
from dlbench.models.nas_cell import Cell, Params

EDGES = ("edge_1_0", "edge_2_0", "edge_2_1", "edge_3_0", "edge_3_1", "edge_3_2")
CONV, POOL, SKIP = "conv_3x3", "avg_pool_3x3", "skip_connect"


def cell(*operations: str, channels: int = 4) -> Cell:
    torch.manual_seed(0)
    nodes = 3 if len(operations) == 3 else 4
    return Cell(Params(nodes=nodes, **dict(zip(EDGES, operations, strict=False))), channels)


def supernet(channels: int = 3, size: int = 8, **params: Any) -> Supernet:
    torch.manual_seed(0)
    given = {"nodes": 3, "channels": 4, "cells": 1, "stages": 2, "supernet": "first", **params}
    built = nas_cell.build(Params(**given), images(channels, size))
    assert isinstance(built, Supernet)
    return built


def batch(size: int = 6, channels: int = 3, side: int = 8, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(size, channels, side, side, generator=generator)
    return {"image": image, "target": torch.arange(size) % 10, "index": torch.arange(size)}


@pytest.mark.parametrize(
    ("operations", "classes", "expected"),
    [
        # Least and most of all cells on CIFAR-10 and CIFAR-100, in millions, as NAS-Bench-201's own table holds them.
        (["none"] * 6, 10, 73_306),
        ([POOL, SKIP, POOL, "none", SKIP, POOL], 10, 73_306),
        ([CONV] * 6, 10, 1_531_546),
        (["none"] * 6, 100, 79_156),
        ([CONV] * 6, 100, 1_537_396),
        # A cell of its documentation, on ImageNet16-120.
        ([CONV, CONV, POOL, SKIP, CONV, SKIP], 120, 809_576),
    ],
)
def test_published_parameter_counts(operations: list[str], classes: int, expected: int) -> None:
    edges_ = dict(zip(EDGES, operations, strict=True))
    assert parameters(meta_model(nas_cell, "nasbench201", images(3, 32, classes), **edges_)) == expected


@pytest.mark.parametrize(("operation", "expected"), [(CONV, 220.11969e6), ("none", 7.78305e6)])
def test_published_operations_up_to_what_is_counted(operation: str, expected: float) -> None:
    """Ours are two for each multiply-add and leave out norms, pooling and biases, which theirs counts as well."""
    model = meta_model(nas_cell, "nasbench201", **dict.fromkeys(EDGES, operation))
    batch = {"image": torch.empty(1, 3, 32, 32, device="meta"), "index": torch.arange(1)}
    flops, _ = forward_flops(model, [batch])
    assert flops / 2 == pytest.approx(expected, rel=0.03)


def test_every_operation_costs_what_it_should_at_every_edge() -> None:
    conv = {1: lambda c: c * c + 2 * c, 3: lambda c: 9 * c * c + 2 * c}
    costs = {"none": 0, SKIP: 0, POOL: 0, "conv_1x1": conv[1](5), CONV: conv[3](5)}
    for edge in EDGES:
        for operation, cost in costs.items():
            chosen = {**dict.fromkeys(EDGES, "none"), edge: operation}
            assert parameters(Cell(Params(**chosen), 5)) == cost


def test_a_cell_of_nothing_gives_zeros_and_is_trained_all_the_same() -> None:
    maps = torch.randn(2, 4, 5, 5)
    assert not cell(*["none"] * 6)(maps).any()
    model = nas_cell.build(Params(channels=2, cells=1, **dict.fromkeys(EDGES, "none")), images(3, 8))
    logits = model(batch())
    assert (logits == logits[0]).all()
    F.cross_entropy(logits, batch()["target"]).backward()


def test_a_cell_of_shortcuts_counts_the_paths() -> None:
    """Node n is the sum of all nodes before it: 1, 1, 2, 4 times the input."""
    maps = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(cell(*[SKIP] * 6)(maps), 4 * maps)
    torch.testing.assert_close(cell(*[SKIP] * 3)(maps), 2 * maps)
    one_way = cell(SKIP, "none", SKIP, "none", "none", SKIP)
    torch.testing.assert_close(one_way(maps), maps)


def test_pooling_does_not_count_what_lies_outside() -> None:
    maps = torch.ones(1, 4, 5, 5)
    torch.testing.assert_close(cell(POOL, "none", SKIP)(maps), maps)


def test_a_convolution_comes_behind_its_relu_and_before_its_norm() -> None:
    module = cell(CONV, "none", SKIP)
    maps = torch.randn(3, 4, 5, 5)
    convolution = module.convolutions["edge_1_0"][1]
    raw = F.conv2d(maps.clamp(min=0), convolution.weight, padding=1)
    expected = (raw - raw.mean((0, 2, 3), keepdim=True)) / (
        raw.var((0, 2, 3), keepdim=True, correction=0) + 1e-5
    ).sqrt()
    torch.testing.assert_close(module(maps), expected, rtol=1e-4, atol=1e-5)


def test_stages_halve_the_map_and_double_the_channels() -> None:
    model = meta_model(nas_cell, "nasbench201")
    shapes = outputs(model, 3, 32, (Cell, Reduction))
    assert shapes == [(16, 32, 32)] * 5 + [(32, 16, 16)] * 6 + [(64, 8, 8)] * 6
    odd = meta_model(nas_cell, None, images(1, 13), cells=1, stages=5)
    assert [shape[1] for shape in outputs(odd, 1, 13, (Cell,))] == [13, 7, 4, 2, 1]


def test_edges_of_a_node_that_is_not_there_are_refused() -> None:
    with pytest.raises(ValidationError, match="edge_3_1 leads to a node that a cell of nodes 3 does not have"):
        Params(nodes=3, edge_3_1=SKIP)
    assert Params(nodes=3, edge_2_1=SKIP).edge_3_1 == CONV


def test_its_space_is_every_cell() -> None:
    assert nas_cell.space(Params()) == {edge: list(OPERATIONS) for edge in EDGES}
    assert list(nas_cell.space(Params(nodes=3))) == list(EDGES[:3])


@pytest.mark.parametrize("preset", [None, "digits"])
@pytest.mark.parametrize("kind", ["none", "first"])
def test_gradients_reach_everything(preset: str | None, kind: str) -> None:
    params = nas_cell.PRESETS[preset] if preset else {"cells": 1, "channels": 4}
    torch.manual_seed(0)
    gradients_reach_everything(nas_cell.build(Params(**{**params, "supernet": kind}), images(3, 8)), 3, 8)


@pytest.mark.parametrize("nodes", [3, 4])
def test_a_mixture_is_the_weighted_sum_over_every_edge_written_out(nodes: int) -> None:
    torch.manual_seed(0)
    mixed = MixedCell(nodes, 4)
    maps = torch.randn(3, 4, 5, 5)
    weight_EO = torch.randn(len(edges(nodes)), 5).softmax(1)
    states = [maps]
    for to in range(1, nodes):
        state = torch.zeros_like(maps)
        for start in range(to):
            weights = dict(zip(OPERATIONS, weight_EO[edges(nodes).index((to, start))], strict=True))
            state = state + weights[SKIP] * states[start]
            state = state + weights[POOL] * F.avg_pool2d(states[start], 3, 1, 1, count_include_pad=False)
            for name in ("conv_1x1", CONV):
                convolution = mixed.convolutions[f"edge_{to}_{start}_{name}"][0]
                raw = F.conv2d(states[start].relu(), convolution.weight, padding=convolution.padding)
                state = state + weights[name] * F.batch_norm(raw, None, None, training=True)
        states.append(state)
    torch.testing.assert_close(mixed(maps, weight_EO), states[-1], rtol=1e-4, atol=1e-5)


def test_a_single_cell_of_the_supernet_is_the_cell_with_its_weights() -> None:
    net = supernet(nodes=4)
    draw = random.Random(1)
    for name, being_it in draw.sample(list(net.alternatives()), 8):
        alone = nas_cell.build(Params(channels=4, cells=1, stages=2, **name), images(3, 8))
        assert isinstance(alone, Skeleton)
        state = alone.state_dict()
        for key, value in net.state_dict().items():
            if ".convolutions." in key:
                edge, operation = key.split(".")[3][:8], key.split(".")[3][9:]
                if name[edge] == operation:
                    state[f"{key.rpartition('convolutions.')[0]}convolutions.{edge}.1.weight"] = value
            elif key != "alpha":
                state[key] = value
        alone.load_state_dict(state)
        with being_it, torch.no_grad():
            single = net(batch())
        torch.testing.assert_close(single, alone(batch()), rtol=1e-4, atol=1e-5)


def test_alternatives_are_every_small_cell_and_always_the_same_sample_of_large_ones() -> None:
    small = [tuple(name.values()) for name, _ in supernet().alternatives()]
    assert len(set(small)) == len(small) == 125
    large = [[tuple(name.items()) for name, _ in supernet(nodes=4).alternatives()] for _ in range(2)]
    assert large[0] == large[1]
    assert len(set(large[0])) == 64
    assert {operation for row in large[0] for _, operation in row} == set(OPERATIONS)


def test_being_an_alternative_ends_with_the_context() -> None:
    net = supernet()
    before = net(batch())
    (_, first), (_, second) = list(net.alternatives())[62:64]
    with first:
        one = net(batch())
    with second:
        two = net(batch())
    assert not torch.equal(one, two)
    assert torch.equal(net(batch()), before)


def test_the_genotype_is_the_likeliest_operation_of_each_edge() -> None:
    alpha = torch.tensor([[5.0, 1, 2, 3, 4], [0, 9, 1, 1, 1], [0, 1, 2, 8, 4]])
    for keep_none, first in ((True, "none"), (False, POOL)):
        net = supernet(keep_none=keep_none)
        net.alpha.data.copy_(alpha)
        found = net.outputs()
        assert found["genotype"] == {"edge_1_0": first, "edge_2_0": SKIP, "edge_2_1": CONV}
        assert found["alpha"] == alpha.tolist()


def test_edges_learn_no_scale_of_their_own_and_keep_no_statistics() -> None:
    net = supernet()
    norms = {name: module for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert not any(norm.track_running_stats for norm in norms.values())
    assert {norm.affine for name, norm in norms.items() if "convolutions" in name} == {False}
    assert {norm.affine for name, norm in norms.items() if "convolutions" not in name} == {True}
    assert net.alpha.abs().max() < 5 * _supernet.ALPHA_STD
    assert torch.equal(net.eval()(batch()), net.train()(batch()))


def test_the_two_turns_are_those_of_the_paper() -> None:
    net = supernet(alpha_lr=3e-4)
    weights, alpha = net.turns()
    trained = [id(parameter) for parameter in (*weights.parameters, *alpha.parameters)]
    assert sorted(trained) == sorted(map(id, net.parameters()))
    assert (weights.part, alpha.part) == ((0, 2), (1, 2))
    assert alpha.parameters == [net.alpha]
    assert (alpha.settings["lr"], alpha.settings["betas"], alpha.settings["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    assert alpha.gradient is None
    assert supernet(supernet="second").turns()[1].gradient is not None


def exact(net: Supernet, valid: dict[str, Tensor], train: dict[str, Tensor], lr: float) -> Tensor:
    """The gradient through the step, by differentiating the step itself."""
    names = [name for name, _ in net.named_parameters() if name != "alpha"]
    given = dict(net.named_parameters())

    def loss(weights: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        logits = torch.func.functional_call(net, {**weights, "alpha": net.alpha}, (batch,))
        return F.cross_entropy(logits, batch["target"])

    weights = {name: given[name] for name in names}
    steps = torch.autograd.grad(loss(weights, train), list(weights.values()), create_graph=True)
    after = {name: weight - lr * step for (name, weight), step in zip(weights.items(), steps, strict=True)}
    return torch.autograd.grad(loss(after, valid), net.alpha)[0]


@pytest.mark.parametrize(("smooth", "difference"), [(True, _supernet.DIFFERENCE), (False, 1e-4)])
def test_second_order_is_the_gradient_through_one_step(
    smooth: bool, difference: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rectifiers the difference must be so small that it crosses none of their kinks."""
    monkeypatch.setattr(_supernet, "DIFFERENCE", difference)
    net = supernet().double()
    for module in list(net.modules()) if smooth else []:
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.Softplus())
    net.alpha.data.normal_(generator=torch.Generator().manual_seed(5))
    train, valid = ({**b, "image": b["image"].double()} for b in (batch(seed=1), batch(seed=2)))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    weights: list[Tensor] = [p for name, p in net.named_parameters() if name != "alpha"]
    lr = 0.2

    def loss(batch: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(net(batch), batch["target"])

    unrolled_gradient([net.alpha], weights, loss, valid, train, lr)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(weight.grad is None for weight in weights)
    expected, first_order = exact(net, valid, train, lr), exact(net, valid, train, 0.0)
    error = (net.alpha.grad - expected).norm() / expected.norm()
    assert error < 1e-3
    assert (first_order - expected).norm() / expected.norm() > 0.05, "here the second order must matter"


def test_second_order_of_a_quadratic_is_exact() -> None:
    """L_train = (w - α)²/2, L_val = (w - 3)²/2: after a step of ξ, w' = w - ξ(w - α), and ∇α = ξ(w' - 3)."""
    alpha, w = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(2.0))

    def loss(batch: dict[str, Any]) -> Tensor:
        return (w - alpha) ** 2 / 2 if batch["train"] else (w - 3) ** 2 / 2

    value = unrolled_gradient([alpha], [w], loss, {"train": False}, {"train": True}, 0.1)
    after = 2 - 0.1 * 1.5
    assert value.item() == pytest.approx((after - 3) ** 2 / 2)
    assert alpha.grad is not None
    assert alpha.grad.item() == pytest.approx(0.1 * (after - 3), rel=1e-3)
    assert w.item() == 2
