"""Several tasks at once against scipy and closed forms; nothing is ranked on unequal seeds."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from synthetic import quality, suite

from dlbench.analyze.bootstrap import RESAMPLES, SEED
from dlbench.analyze.fields import Field, fields
from dlbench.analyze.over_tasks import profiles, ranks, standings
from dlbench.analyze.results import Results
from dlbench.schema.record import Result

ONE = {"a": [0.80, 0.84, 0.82, 0.79, 0.86, 0.81], "b": [0.81, 0.80, 0.83, 0.82, 0.81, 0.82]}
OTHER = {"a": [0.6, 0.61, 0.62, 0.6, 0.63, 0.61], "b": [0.5, 0.51, 0.52, 0.5, 0.53, 0.51]}


def on(dataset: str, scores: dict[str, Any], **fields: Any) -> list[Result]:
    data = {"name": dataset, "digest": f"sha256:{dataset}"}
    return [one for label, values in scores.items() for one in quality(label, values, dataset=data, **fields)]


def only(lines: list[Result], **given: Any) -> tuple[Results, Field]:
    results = Results(suite(**given), lines)
    (field,) = fields(results)
    return results, field


def test_ranks_are_those_of_scipy() -> None:
    means = np.random.default_rng(0).integers(0, 4, (50, 7)).astype(float)
    assert ranks(means).tolist() == stats.rankdata(-means, axis=1).tolist()


def test_a_mean_rank_has_the_interval_of_a_stratified_bootstrap() -> None:
    """On the second task `a` is ahead with every seed, so that only the first can change its rank."""
    results, field = only([*on("ag_news", ONE), *on("sst2", OTHER)])

    def rank(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], axis: int = -1) -> np.ndarray[Any, Any]:
        ahead = b.mean(axis=axis) - a.mean(axis=axis)
        return np.asarray(1 + (ahead > 0) + (ahead == 0) / 2)

    known = stats.bootstrap(
        (np.array(ONE["a"]), np.array(ONE["b"])),
        rank,
        paired=True,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    found = {one.name: one for one in standings(results, field)}
    assert (found["a"].ranks, found["a"].mean_rank) == ((1.0, 1.0), 1.0)
    assert found["a"].rank_interval == pytest.approx(((known.low + 1) / 2, (known.high + 1) / 2))
    assert known.high == 2.0  # the first task is not settled
    assert found["b"].rank_interval == pytest.approx((1.5, 2.0))


def test_words_and_chances_are_against_the_baseline() -> None:
    results, field = only([*on("ag_news", ONE), *on("sst2", OTHER)], report={"baseline": "b"})
    a, b = standings(results, field)
    assert dict(a.words) == {"indistinguishable": 1, "better": 1}
    won = np.mean(np.sign(np.array(ONE["a"]) - np.array(ONE["b"])) / 2 + 0.5)
    assert a.improvement == pytest.approx((won + 1) / 2)
    assert (dict(b.words), b.improvement) == ({}, None)


def test_a_profile_by_hand() -> None:
    """Distances to the best mean of each task, each task with the same weight whatever its seeds."""
    lines = [*on("ag_news", {"a": [0.5, 0.7], "b": [0.4, 0.4]}), *on("sst2", {"a": [0.8], "b": [0.9]})]
    _, field = only(lines)
    a, b = profiles(field)
    at = {gap: (a.shares[i], b.shares[i]) for i, gap in enumerate(np.round(a.gaps, 6))}
    assert at.keys() == {0.0, 0.1, 0.2}
    assert at[0.0] == (0.25, 0.5)  # a: one of two, none of one; b: none of two, one of one
    assert at[0.1] == (1.0, 0.5)
    assert at[0.2] == (1.0, 1.0)


def test_scores_of_unequal_units_are_relative() -> None:
    lines = [*on("ag_news", OTHER), *on("wiki", {"a": [2.0, 2.2], "b": [1.0, 1.0]}, name="loss", better="lower")]
    _, field = only(lines)
    assert field.unit is None
    a, b = profiles(field)
    assert a.gaps.max() == pytest.approx(1.2)  # 120 % more loss than the best mean
    assert b.shares[-1] == 1.0


def test_nobody_is_ranked_on_unequal_seeds() -> None:
    short = {**ONE, "c": [0.9, None, None, None, None, None]}
    _, field = only([*on("ag_news", short), *on("sst2", {**OTHER, "c": OTHER["a"]})])
    assert (field.names, field.left_out) == (("a", "b"), {"c": "1 of 6 seeds on ag_news"})
    lines = [*on("ag_news", {"a": ONE["a"], "b": [0.9, None, None]}), *on("sst2", OTHER)]
    assert fields(Results(suite(), lines)) == ()


def test_other_contenders_are_another_field() -> None:
    lines = [*on("ag_news", ONE), *on("sst2", OTHER), *on("mnist", {"cnn": [0.9], "mlp": [0.8]})]
    _, field = only(lines)
    assert [arena.dataset for arena in field.arenas] == ["ag_news", "sst2"]
    assert field.arenas_left_out == {"mnist": "other contenders"}


def test_an_arena_with_more_contenders_counts_and_one_with_unequal_seeds_is_named() -> None:
    more = on("imdb", {**OTHER, "c": OTHER["a"]})
    unequal = on("wiki", {"a": ONE["a"], "b": [*ONE["b"][:5], None]})
    unfinished = on("trec", {"a": [None], "b": [None]})
    _, field = only([*on("ag_news", ONE), *more, *unequal, *unfinished, *on("sst2", OTHER)])
    assert [arena.dataset for arena in field.arenas] == ["ag_news", "imdb", "sst2"]
    assert (field.names, field.left_out) == (("a", "b"), {"c": "not on ag_news and sst2"})
    assert field.arenas_left_out == {"wiki": "b: 5 of 6 seeds", "trec": "no training has finished"}


def test_an_emulated_precision_is_its_own_reason() -> None:
    lines = [*on("ag_news", ONE), *on("sst2", OTHER)]
    for dataset in ("ag_news", "sst2"):
        lines += on(dataset, {"e": OTHER["a"]}, flags=["emulated: fp8 rounds in float32"])
    _, field = only(lines)
    assert field.left_out == {"e": "emulated precision"}


def test_many_contenders_are_not_given_up_for_one_more_arena() -> None:
    many = dict.fromkeys("abcd", OTHER["a"])
    _, field = only([*on("ag_news", many), *on("sst2", many), *on("imdb", OTHER)])
    assert (field.names, [arena.dataset for arena in field.arenas]) == (tuple("abcd"), ["ag_news", "sst2"])
    assert field.arenas_left_out == {"imdb": "without c and d"}
    three = dict.fromkeys("abc", OTHER["a"])
    _, field = only([*on("ag_news", three), *on("sst2", three), *on("imdb", OTHER)])
    assert (field.names, len(field.arenas)) == (("a", "b"), 3)  # as many scores, on more tasks


def test_arenas_of_two_kinds_are_two_fields() -> None:
    lines = [*on("mnist", {"cnn": [0.9], "mlp": [0.8]}), *on("ag_news", ONE), *on("sst2", OTHER)]
    lines += on("cifar10", {"cnn": [0.7], "mlp": [0.8]})
    found = fields(Results(suite(), lines))
    assert [[arena.dataset for arena in field.arenas] for field in found] == [["mnist", "cifar10"], ["ag_news", "sst2"]]
    assert [field.arenas_left_out for field in found] == [{}, {}]


def test_few_seeds_have_no_intervals() -> None:
    few = {label: values[:4] for label, values in ONE.items()}
    results, field = only([*on("ag_news", few), *on("sst2", OTHER)])
    first = standings(results, field)[0]
    assert (first.rank_interval, first.improvement_interval) == (None, None)


def test_the_band_of_a_profile_is_a_stratified_bootstrap() -> None:
    """At a distance that all runs of the second task keep, only the first task's runs vary."""
    _, field = only([*on("ag_news", ONE), *on("sst2", OTHER)])
    a, _ = profiles(field)
    best = max(np.mean(ONE["a"]), np.mean(ONE["b"]))
    place = int(np.searchsorted(a.gaps, 0.021))
    gap = a.gaps[place - 1]
    within = (best - np.array(ONE["a"]) <= gap).astype(float)
    assert 0 < within.mean() < 1
    assert a.shares[place - 1] == pytest.approx((within.mean() + 1) / 2)
    known = stats.bootstrap(
        (within,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = (a.low[place - 1], a.high[place - 1])
    assert found == pytest.approx(((known.low + 1) / 2, (known.high + 1) / 2), abs=0.05)
