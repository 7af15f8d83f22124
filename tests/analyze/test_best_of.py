"""Expected best of n against closed forms and enumeration."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from studies import RECIPE, head, recipe_study, trial

from dlbench.analyze.best_of import by_model, by_strategy, expected_best
from dlbench.analyze.studies import StudyGroup
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import Study

VALUES = np.array([0.3, 0.9, 0.5, 0.7, 0.7, 0.1, 0.4])


def test_it_is_the_mean_over_all_subsets() -> None:
    """Hence unbiased: a U statistic."""
    known = [np.mean([max(chosen) for chosen in combinations(VALUES, n)]) for n in range(1, 8)]
    assert expected_best(VALUES, range(1, 8)) == pytest.approx(known)


def test_of_all_ranks_it_has_a_closed_form() -> None:
    """The expected maximum of n out of 1 … B is n (B + 1) / (n + 1)."""
    sizes = np.array([1, 2, 10, 500, 1999, 2000])
    ranks = np.arange(1, 2001, dtype=np.float64)
    found = expected_best(np.random.default_rng(0).permutation(ranks), sizes)
    assert found == pytest.approx(sizes * 2001 / (sizes + 1), rel=1e-9)


def test_it_estimates_the_order_statistic_of_the_distribution_without_bias() -> None:
    """Mean over 4,000 studies of 20 normal values, for n = 10: the known 1.5388 (Harter 1961)."""
    samples = np.random.default_rng(1).normal(size=(20, 4000))
    found = expected_best(samples, [10])[0]
    assert found.mean() == pytest.approx(1.53875, abs=4 * stats.sem(found))


def group(*studies: Study) -> StudyGroup:
    return StudyGroup("ag_news", "ag-news", tuple(studies))


def test_candidates_without_a_value_count_as_the_worst() -> None:
    study = recipe_study(60)
    (curve,) = by_strategy(group(study))
    assert curve.candidates == 60
    assert curve.without == sum(t.state in ("failed", "infeasible") for t in study.trials) > 0
    assert (curve.sizes[0], curve.sizes[-1]) == (1, 60)
    assert curve.expected[-1] == max(t.told.values[0] for t in study.trials if t.told and t.told.values)
    assert (np.diff(curve.expected) >= 0).all()
    assert (curve.low <= curve.expected + 1e-12).all()


def test_studies_of_a_strategy_are_pooled_and_reach_as_far_as_one() -> None:
    (curve,) = by_strategy(group(*(recipe_study(30, seed) for seed in range(3))))
    assert (curve.candidates, curve.sizes[-1]) == (90, 30)


def test_lower_can_be_better() -> None:
    loss = Objective(metric="val_loss", better="lower")
    point = recipe_study(1).trials[0].point
    trials = tuple(trial(i, point, float(value)) for i, value in enumerate(VALUES))
    (curve,) = by_strategy(group(Study(head=head(RECIPE, objectives=(loss,)), trials=trials)))
    assert curve.expected[0] == pytest.approx(VALUES.mean())
    assert curve.expected[-1] == pytest.approx(VALUES.min())
    assert (curve.low <= curve.high).all()


def test_models_are_told_apart_by_blind_candidates_alone() -> None:
    space = Space(axes=(Axis(name="model", choices=("a", "b")), Axis(name="train.lr", low=0.1, high=1.0)))

    def study(label: str, shift: float) -> Study:
        points = [{"model": "ab"[i % 2], "train.lr": 0.1 + 0.01 * i} for i in range(20)]
        trials = tuple(trial(i, point, 0.5 + 0.1 * (i % 2) + shift) for i, point in enumerate(points))
        return Study(head=head(space, label), trials=trials)

    found = {curve.label: curve for curve in by_model(group(study("random", 0.0), study("tpe", 0.2)))}
    assert {label: (curve.candidates, curve.expected[0]) for label, curve in found.items()} == {
        "a": (10, pytest.approx(0.5)),
        "b": (10, pytest.approx(0.6)),
    }
    assert by_model(group(study("tpe", 0.2)))[0].expected[0] == pytest.approx(0.7)
    assert by_model(group(recipe_study(5))) == ()
