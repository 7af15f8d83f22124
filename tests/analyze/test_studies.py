"""Histories, regret, agreement and importance of studies against what is known of them."""

import math
import random

import pytest
from scipy import stats
from studies import (
    ACCURACY,
    CELL,
    RECIPE,
    arena_results,
    arena_studies,
    cell_accuracy,
    drawn,
    final,
    head,
    recipe_results,
    recipe_study,
    searched,
    trial,
)
from synthetic import quality, suite

from dlbench.analyze.agreement import agreements, correlations
from dlbench.analyze.finals import estimate, finals, realises
from dlbench.analyze.importance import LEAST, importances
from dlbench.analyze.pareto import hypervolume
from dlbench.analyze.regret import best_so_far, reaches, target
from dlbench.analyze.results import Results
from dlbench.analyze.studies import groups_of, history, spent
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Study, Told

LINE = Space(axes=(Axis(name="train.lr", choices=tuple(0.001 * n for n in range(1, 101))),))


def at(number: int) -> Point:
    return {"train.lr": 0.001 * (number + 1)}


def test_history_counts_distinct_candidates_and_charges_helpers() -> None:
    trials = (
        trial(0, at(0), 0.5, order=1),
        trial(1, at(1), 0.7, order=0),
        trial(2, at(1), 0.7, same_as=1, epochs=0.0, order=2),
        trial(3, at(2), None, "pruned", epochs=1.0, order=4),
        trial(4, at(3), None, origin="helper", epochs=10.0, order=3),
        trial(5, at(4), 0.9, origin="warm", order=5),
        trial(6, at(5), 0.8, violations={"parameters": 0.5}, order=6),
        trial(7, at(6), state="running"),
    )
    steps = history(Study(head=head(LINE), trials=trials))
    assert [step.trial.number for step in steps] == [1, 0, 2, 4, 3, 6]
    assert [step.candidates for step in steps] == [1, 2, 2, 2, 3, 4]
    assert [step.epochs for step in steps] == [4, 8, 8, 18, 19, 23]
    assert {step.best for step in steps} == {0.7}


def test_lower_is_better_where_the_objective_says_so() -> None:
    goal = ACCURACY.model_copy(update={"metric": "val_loss", "better": "lower"})
    study = Study(head=head(LINE, objectives=(goal,)), trials=tuple(trial(n, at(n), 1 / (n + 1)) for n in range(5)))
    assert [step.best for step in history(study)] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    (group,) = groups_of([study])
    assert [level.median for level in best_so_far(group, "tpe", "candidates", regret=True)] == pytest.approx(
        [1 - 1 / 5, 1 / 2 - 1 / 5, 1 / 3 - 1 / 5, 1 / 4 - 1 / 5, 0]
    )


def ladder(label: str, seed: int, values: list[float], **fields: object) -> Study:
    trials = tuple(trial(n, at(round(1000 * value)), value, epochs=2.0) for n, value in enumerate(values))
    return Study(head=head(LINE, label, seed, **fields), trials=trials)


def test_regret_and_budget_by_hand() -> None:
    studies = [
        ladder("random", 0, [0.01, 0.02, 0.03, 0.09]),
        ladder("random", 1, [0.05, 0.05 + 0.001, 0.06, 0.061]),
        ladder("random", 2, [0.02, 0.03, 0.089, 0.04]),
        ladder("tpe", 0, [0.09, 0.01]),
        ladder("tpe", 1, [0.02, 0.09]),
        ladder("tpe", 2, [0.07, 0.09]),
    ]
    (group,) = groups_of(studies)
    levels = best_so_far(group, "random", "epochs", regret=True)
    assert [(level.budget, level.n) for level in levels] == [(2, 3), (4, 3), (6, 3), (8, 3)]
    assert [level.median for level in levels] == pytest.approx([0.07, 0.06, 0.03, 0.001])
    assert [(level.low, level.high) for level in levels[:1]] == [pytest.approx((0.04, 0.08))]
    goal = target(group)
    assert goal is not None
    assert (goal.value, goal.enumerated) == (0.09, False)
    random_line, tpe = reaches(group)
    assert random_line.reached == 1
    assert math.isinf(random_line.epochs.median)
    assert (tpe.candidates.median, tpe.epochs.median, tpe.reached) == (2, 4, 3)
    assert (tpe.ratio, tpe.bound) == (0.5, True)  # random did not get there with 8 epochs
    assert tpe.half


def test_the_best_two_per_cent_of_an_enumerated_space() -> None:
    everything = tuple(trial(n, at(n), n / 100) for n in range(100))
    studies = [
        Study(head=head(LINE, "grid"), trials=everything),
        *(Study(head=head(LINE, "random", seed), trials=(trial(0, at(9), 0.09),)) for seed in range(3)),
    ]
    (group,) = groups_of(studies)
    goal = target(group)
    assert goal is not None
    assert goal.enumerated
    assert (goal.value, goal.known) == (0.98, 100)
    assert group.searching == ("random",)


def test_ratio_to_random_is_of_medians() -> None:
    values = [n / 1000 for n in range(50)]
    studies = [ladder("random", seed, [*values[:19], 0.099]) for seed in range(5)]
    studies += [ladder("tpe", seed, [*values[:9], 0.099]) for seed in range(5)]
    (group,) = groups_of(studies)
    _, tpe = reaches(group)
    assert tpe.ratio == tpe.low == tpe.high == tpe.ratio_candidates == 0.5
    assert tpe.half


def test_rank_correlations_agree_with_scipy() -> None:
    rng = random.Random(3)
    x = [rng.gauss(0, 1) for _ in range(40)]
    y = [a + rng.gauss(0, 1) for a in x]
    y[3] = y[4]
    tau, rho = correlations(x, y)
    assert tau is not None
    assert rho is not None
    assert tau.value == pytest.approx(float(stats.kendalltau(x, y).statistic))
    assert rho.value == pytest.approx(float(stats.spearmanr(x, y).statistic))
    assert tau.low is not None
    assert tau.high is not None
    assert tau.low < tau.value < tau.high
    assert correlations(x, y) == (tau, rho)
    assert correlations([1, 2], [1, 2]) == (None, None)
    assert correlations([1, 2, 3], [1, 1, 1]) == (None, None)


def test_shared_weights_are_set_against_own_ones() -> None:
    (group,) = groups_of(arena_studies(1))
    (found,) = agreements(group)
    assert found.study.head.strategy.label == "darts"
    assert found.n == 125
    assert found.tau is not None
    assert found.tau.value > 0.4
    assert set(found.own) == {cell_accuracy(point) for point in CELL.points()}


def test_hypervolume_in_closed_form() -> None:
    assert hypervolume([], (1, 1)) == 0
    assert hypervolume([(0, 0)], (2, 3)) == 6
    assert hypervolume([(0, 2), (1, 1), (2, 0)], (3, 3)) == 3 * 1 + 2 * 1 + 1 * 1
    assert hypervolume([(0, 2), (1, 1), (2, 0), (2, 2), (5, -1)], (3, 3)) == 6


def test_importance_finds_the_axis_that_matters() -> None:
    rng = random.Random(0)
    trials = []
    for number in range(80):
        point = drawn(RECIPE, rng)
        trials.append(trial(number, point, -abs(math.log10(float(point["train.lr"])) + 2.5)))
    (group,) = groups_of([Study(head=head(RECIPE), trials=tuple(trials))])
    found = importances(group)
    assert found is not None
    assert found.shares[0].axis == "train.lr"
    assert found.shares[0].share > 0.6
    assert sum(one.share for one in found.shares) == pytest.approx(1)
    assert importances(group) == found
    (few,) = groups_of([Study(head=head(RECIPE), trials=tuple(trials[: LEAST - 1]))])
    assert importances(few) is None


def test_winners_are_known_by_label_seed_and_values() -> None:
    results = arena_results(3)
    (group,) = results.searches
    for study in group.studies:
        (found,) = finals(results, group, study)
        assert found.contender.label == study.head.strategy.label
        assert [one.entry.job.seed for one in found.train] == [study.head.seed]
        assert found.trial == study.best(1)[0]
    single = recipe_results()
    (group,) = single.searches
    (found,) = finals(single, group, group.studies[0])
    told = estimate(found)
    assert told is not None
    assert told.validation is not None
    assert told.test is not None
    assert told.validation.mean == pytest.approx(told.test.mean + 0.003)
    assert told.searched == found.trial.told.values[0]  # type: ignore[union-attr,index]


def test_a_contender_with_other_values_is_nobodys_winner() -> None:
    study = recipe_study()
    lines = [*quality("lstm", [0.8]), *quality("best", [0.9])]
    results = Results(suite(), lines, [study])
    assert finals(results, results.searches[0], study) == ()
    (one, *_) = final("best", study, [0.9])
    assert realises(study.best(1)[0].point, one.entry.job)


def test_candidates_are_no_contenders() -> None:
    study = recipe_study()
    results = Results(suite(), [*quality("lstm", [0.9] * 2), *searched(study)], [study])
    assert results.series == ("lstm",)
    assert len(results.compared) == 2
    assert len(results.results) > 40


def test_what_pruning_saved() -> None:
    trials = (*(trial(n, at(n), 0.1, epochs=10.0) for n in range(3)), trial(3, at(3), None, "pruned", epochs=2.0))
    cost = spent(Study(head=head(LINE), trials=trials))
    assert (cost.epochs, cost.full_epochs) == (32, 40)
    assert spent(Study(head=head(LINE), trials=())).epochs == 0


def test_a_value_that_is_not_finite_is_none() -> None:
    (group,) = groups_of([Study(head=head(LINE), trials=(trial(0, at(0), math.nan), trial(1, at(1), 0.5)))])
    assert [candidate.value for candidate in group.ranked] == [0.5]
    assert Told(state="ok").feasible


def test_a_strategy_with_more_budget_is_not_said_to_need_less() -> None:
    values = [n / 1000 for n in range(50)]
    studies = [ladder("random", seed, values[:8]) for seed in range(3)]
    studies += [ladder("twice", seed, [*values[:15], 0.099]) for seed in range(3)]
    studies += [ladder("never", seed, values[:8]) for seed in range(3)]
    (group,) = groups_of(studies)
    _, twice, never = reaches(group)
    assert (twice.ratio, twice.bound, twice.half) == (2, True, None)
    assert (never.ratio, never.half) == (None, None)
