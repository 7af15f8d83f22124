"""Main effects of a grid against numbers put into it."""

import random

import pytest
from synthetic import quality, suite

from dlbench.analyze.effects import Grid, grids
from dlbench.analyze.results import Results
from dlbench.schema.record import Result

RATES, SIZES = (0.001, 0.01, 0.1), (32, 64)


def grid_of(holes: int = 0, *, noise: float = 0.0, models: tuple[str, ...] = ("lstm",), seeds: int = 5) -> Grid:
    """Learning rate 0.01 adds 0.04, size 64 adds 0.01, each model the same."""
    rng = random.Random(0)
    results: list[Result] = []
    cells = [(model, lr, size) for model in models for lr in RATES for size in SIZES]
    for model, lr, size in cells[: len(cells) - holes]:
        mean = 0.8 + (0.04 if lr == 0.01 else 0.0) + (0.01 if size == 64 else 0.0)
        scores = [mean + noise * rng.gauss(0, 1) for _ in range(seeds)]
        label = f"{model} lr={lr:g} batch_size={size}"
        results += quality(label, scores, varied={"train.lr": lr, "train.batch_size": size})
    (found,) = grids(Results(suite(), results).arenas)
    return found


def test_shares_are_those_of_an_analysis_of_variance() -> None:
    grid = grid_of()
    # Variance of (0, 0.04, 0) is 0.04² · 2/9, that of (0, 0.01) is 0.005²; nothing is left for their interplay.
    rate, size = 0.04**2 * 2 / 9, 0.005**2
    assert [effect.key for effect in grid.effects] == ["train.lr", "train.batch_size"]
    assert grid.effects[0].share == pytest.approx(rate / (rate + size))
    assert grid.effects[1].share == pytest.approx(size / (rate + size))
    assert grid.interplay == pytest.approx(0, abs=1e-9)


def test_a_value_is_told_from_the_first_over_equal_settings() -> None:
    first, better, same = grid_of(noise=0.002).effects[0].values
    assert first.paired is None
    assert better.paired is not None
    assert same.paired is not None
    assert better.paired.difference == pytest.approx(0.04, abs=0.005)
    assert (better.paired.word, same.paired.word) == ("better", "indistinguishable")
    assert better.paired.n == 5


def test_a_grid_with_holes_tells_no_shares_and_pairs_what_it_can() -> None:
    grid = grid_of(holes=1)  # without 0.1 at 64
    assert grid.interplay is None
    assert all(effect.share is None for effect in grid.effects)
    effects = {effect.key: effect for effect in grid.effects}
    last = effects["train.lr"].values[2].paired
    assert last is not None
    assert last.difference == pytest.approx(0)  # at 32 alone, not 0.005 below for want of 64


def test_models_that_vary_alike_are_a_factor() -> None:
    grid = grid_of(models=("lstm", "gru"))
    assert grid.keys == ("train.lr", "train.batch_size", "model")
    shares = {effect.key: effect.share for effect in grid.effects}
    assert shares["model"] == pytest.approx(0, abs=1e-9)


def test_three_seeds_are_too_few_for_a_word() -> None:
    words = [value.paired.word for value in grid_of(seeds=3).effects[0].values if value.paired]
    assert words == ["too few seeds"] * 2


def test_a_cell_that_lacks_a_seed_is_in_no_mean() -> None:
    results = [
        *quality("a lr=1", [0.8] * 5, varied={"train.lr": 1}),
        *quality("a lr=2", [0.7] * 5, varied={"train.lr": 2}),
        *quality("a lr=3", [0.95], varied={"train.lr": 3}),
    ]
    (grid,) = grids(Results(suite(), results).arenas)
    assert grid.left_out == ("a lr=3",)
    assert [value.value for value in grid.effects[0].values] == [1, 2]
    assert grid.seeds == 5


def test_equal_means_are_no_holes() -> None:
    results = [one for lr in (1, 2) for one in quality(f"a lr={lr}", [0.8] * 5, varied={"train.lr": lr})]
    (grid,) = grids(Results(suite(), results).arenas)
    assert grid.whole
    assert grid.effects[0].share is None


def test_a_list_is_one_value_of_one_model() -> None:
    results = [
        one
        for sizes in ([32, 64], [64, 128])
        for one in quality(f"cnn c={sizes} d=1", [0.8 + sizes[0] / 1000] * 5, varied={"model.c": sizes, "model.d": 1})
    ]
    (grid,) = grids(Results(suite(), results).arenas)
    assert (grid.keys, grid.models) == (("model.c",), ("cnn",))
    assert grid.effects[0].share == pytest.approx(1)


def test_a_score_without_a_direction_has_no_effects() -> None:
    results = [
        one for lr in (1, 2) for one in quality(f"a lr={lr}", [0.8] * 5, better="neither", varied={"train.lr": lr})
    ]
    assert grids(Results(suite(), results).arenas) == ()
