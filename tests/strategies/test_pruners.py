"""Pruners end what is worse and keep what is better; the same calls have the same answers."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from dlbench.schema.search import PrunerEntry
from dlbench.strategies._pruning import PARAMS, ParetoPruning, Pruning

EPOCHS = 9


def reports(pruning: Pruning, candidates: int = 60, seed: int = 0) -> dict[int, int]:
    """Candidate → validations before it ended; accuracies rise to a quality of their own, with a little noise."""
    rng = np.random.default_rng(seed)
    lengths = {}
    for number in range(candidates):
        quality = rng.random()
        pruning.begin(number)
        for step in range(1, EPOCHS + 1):
            lengths[number] = step
            if not pruning.report(number, step, quality * (1 - 0.5**step) + 0.01 * rng.normal()):
                pruning.end(number, "pruned")
                break
        else:
            pruning.end(number, "ok")
    return lengths


def pruning(name: Any, study: str = "study", **params: Any) -> Pruning:
    return Pruning(PrunerEntry(name=name, params=params), "higher", study)


def test_what_each_of_them_spends() -> None:
    spent = {
        name: sum(reports(pruning(name, **params)).values())
        for name, params in (
            ("successive_halving", {}),
            ("hyperband", {"max_resource": EPOCHS}),
            ("median", {}),
            ("patient", {}),
        )
    }
    assert spent["successive_halving"] < spent["median"] < spent["patient"] < 60 * EPOCHS
    assert spent["successive_halving"] < spent["hyperband"] < 60 * EPOCHS


@pytest.mark.parametrize("name", ["median", "successive_halving"])
def test_the_best_goes_on_and_the_worst_does_not(name: str) -> None:
    judge = pruning(name)
    reports(judge)
    for number, value, go in ((60, 2.0, True), (61, -1.0, False)):
        judge.begin(number)
        assert all(judge.report(number, step, value) for step in (1, 2)) is go


@pytest.mark.parametrize("name", PARAMS)
def test_the_same_calls_have_the_same_answers(name: str) -> None:
    assert reports(pruning(name)) == reports(pruning(name))


def test_brackets_are_dealt_by_study_and_number() -> None:
    one, other = pruning("hyperband", max_resource=27), pruning("hyperband", "another", max_resource=27)
    assert reports(one) != reports(other)
    late = pruning("hyperband", max_resource=27)
    late.begin(5)
    late.begin(8)
    assert [trial.number for trial in late.study.trials if trial.state.name == "RUNNING"] == [5, 8]
    with pytest.raises(ValueError, match="candidate 6 begins after candidate 8"):
        late.begin(6)


def test_wilcoxon_ends_what_is_worse_on_every_seed() -> None:
    judge = pruning("wilcoxon")
    judge.begin(0)
    rng = np.random.default_rng(0)
    easy = rng.normal(size=6)
    assert all(judge.report(0, seed, 1.0 + easy[seed]) for seed in range(6))
    judge.end(0, "ok")
    judge.begin(1)
    assert [judge.report(1, seed, 0.9 + easy[seed]) for seed in range(4)] == [True, True, True, False]
    judge.end(1, "pruned")
    judge.begin(2)
    assert all(judge.report(2, seed, 1.1 + easy[seed]) for seed in range(6))


def test_wilcoxon_compares_with_the_best_mean() -> None:
    judge = pruning("wilcoxon")
    for number, values in enumerate(([2.0] * 5 + [0.0], [0.5] * 6)):
        judge.begin(number)
        for seed, value in enumerate(values):
            judge.report(number, seed, value)
        judge.end(number, "ok")
    judge.begin(2)
    assert not all(judge.report(2, seed, 1.0) for seed in range(4))


def test_patience() -> None:
    judge = Pruning(PrunerEntry(name="patient", params={"patience": 1, "then": "none"}), "lower", "study")
    judge.begin(0)
    assert [judge.report(0, step, value) for step, value in enumerate((0.9, 0.5, 0.6, 0.7), 1)] == [
        True,
        True,
        True,
        False,
    ]


def test_what_is_not_a_number_ends() -> None:
    judge = pruning("successive_halving")
    judge.begin(0)
    assert not judge.report(0, 1, float("nan"))
    judge.end(0, "failed")


def test_params_are_checked() -> None:
    with pytest.raises(ValidationError):
        pruning("median", start=3)
    with pytest.raises(ValidationError):
        pruning("hyperband", reduction=1)


def test_pareto_ends_what_others_dominate() -> None:
    judge = ParetoPruning(PrunerEntry(name="median", params={"warmup": 0}), "study")
    for number in range(6):
        judge.begin(number)
        assert judge.report(number, 1, (number / 10, 1 - number / 10))
        judge.end(number, "ok")
    for number, losses, go in ((6, (2.0, 2.0), False), (7, (0.05, 0.5), True), (8, (0.45, 0.65), False)):
        judge.begin(number)
        assert judge.report(number, 1, losses) is go
        judge.end(number, "ok" if go else "pruned")
    judge.begin(9)
    assert not judge.report(9, 1, (float("nan"), 0.0))
