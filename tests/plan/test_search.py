"""One study: what it tries, what it stops, what it tells its strategy, and that a kill changes nothing of it."""

from typing import Any

import pytest
from small_world import CELLS, EPOCHS, SPACE, Killed, Made, World, head, loss, run

from dlbench.schema.metric import usual_direction
from dlbench.schema.search import Constraint, Objective, PrunerEntry, SearchBudget
from dlbench.schema.study import Study, Told

MEDIAN = PrunerEntry(name="median")


def course(study: Study) -> list[Any]:
    """All of a study but the clock."""
    return [
        (t.number, t.point, t.origin, t.same_as, t.state, t.told and t.told.values, t.told and t.told.epochs)
        for t in study.trials
    ]


@pytest.mark.parametrize(
    ("strategy", "space", "pruner"),
    [
        ("random", SPACE, None),
        ("tpe", SPACE, MEDIAN),
        ("tpe", CELLS, PrunerEntry(name="hyperband")),
        ("cmaes", SPACE.model_copy(update={"axes": SPACE.axes[:2]}), MEDIAN),
        ("nsga2", SPACE, None),
        ("evolution", CELLS, PrunerEntry(name="successive_halving")),
        ("reinforce", CELLS, PrunerEntry(name="patient")),
        ("quasi_random", SPACE, MEDIAN),
    ],
)
def test_killed_at_any_moment_it_goes_on_as_if_it_had_not_been(strategy: str, space: Any, pruner: Any) -> None:
    params = {"population": 6} if strategy in ("nsga2", "evolution", "cmaes") else {}
    what = head(strategy, space, pruner, params=params)
    undisturbed = World()
    expected = run(undisturbed, what)
    assert len(expected.distinct) == 20
    lines = len(undisturbed.log)
    for moment in range(1, lines, max(1, lines // 9)):
        world = World()
        world.kill_after = moment
        with pytest.raises(Killed):
            run(world, what)
        world.kill_after = moment // 2
        try:
            run(world, what)
        except Killed:
            world.kill_after = None
            run(world, what)
        resumed = run(world, what)  # once more: nothing is left to do
        assert course(resumed) == course(expected), f"killed after {moment} of {lines} lines"


def test_finished_trainings_are_not_made_again_after_a_kill() -> None:
    world, what = World(), head()
    world.kill_after = 25
    with pytest.raises(Killed):
        run(world, what)
    world.kill_after = None
    run(world, what)
    assert len(world.trained) <= len(set(world.trained)) + 1  # the one that was running may be


def test_a_pruner_saves_epochs_and_the_best_is_found_all_the_same() -> None:
    whole = run(World(), head("quasi_random", budget=SearchBudget(trials=40)))
    pruned = run(World(), head("quasi_random", pruner=MEDIAN, budget=SearchBudget(trials=40)))
    assert [t.point for t in whole.trials] == [t.point for t in pruned.trials]  # this strategy looks at nothing
    assert sum(t.told.epochs for t in pruned.distinct if t.told) < 0.8 * sum(
        t.told.epochs for t in whole.distinct if t.told
    )
    assert {t.state for t in pruned.distinct} == {"ok", "pruned", "failed"}
    assert pruned.best()[0].point == whole.best()[0].point


def test_a_cached_curve_is_judged_as_if_it_were_being_made() -> None:
    """Whole trainings of another study answer; the pruner stops where it would have stopped them."""
    world, seen = World(), World()
    run(seen, head("quasi_random"))
    world.records = dict(seen.records)
    fresh = run(World(), head("quasi_random", pruner=MEDIAN))
    cached = run(world, head("quasi_random", pruner=MEDIAN))
    assert course(cached) == course(fresh)
    assert world.trained == []


def test_an_equal_candidate_costs_nothing_and_is_not_counted() -> None:
    study = run(World(), head("random", CELLS, budget=SearchBudget(trials=100)))
    repeats = [t for t in study.trials if t.same_as is not None]
    assert len(study.distinct) == 100
    assert repeats
    for trial in repeats:
        twin = study.trials[trial.same_as or 0]
        assert trial.point == twin.point
        assert trial.told is not None
        assert twin.told is not None
        assert (trial.told.values, trial.told.epochs) == (twin.told.values, 0)


def test_a_space_that_is_used_up_ends_the_study() -> None:
    study = run(World(), head("grid", CELLS, budget=SearchBudget(trials=1000)))
    assert len(study.distinct) == 125
    assert study.best()[0].point == {"model.x": "c", "model.y": "c", "model.z": "c"}
    few = CELLS.model_copy(update={"axes": tuple(a.model_copy(update={"choices": a.choices[:2]}) for a in CELLS.axes)})
    study = run(World(), head("tpe", few, budget=SearchBudget(trials=1000)))
    assert 6 <= len(study.distinct) <= 8


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        (SearchBudget(trials=7), lambda s: len(s.distinct) == 7),
        (SearchBudget(epochs=50), lambda s: 50 <= sum(t.told.epochs for t in s.distinct) < 50 + EPOCHS),
        (SearchBudget(seconds=9), lambda s: sum(t.told.seconds for t in s.distinct) == 9),
        # three times the forward pass, for each of 5 examples in each epoch
        (SearchBudget(flops=2000), lambda s: sum(t.told.flops for t in s.distinct) == 3 * EPOCHS * 5 * 10 * 3),
    ],
)
def test_each_kind_of_budget_ends_it(budget: SearchBudget, spent: Any) -> None:
    assert spent(run(World(), head("random", CELLS, budget=budget)))


def test_twice_the_budget_is_twice_the_candidates_and_more_budget_goes_on() -> None:
    once = head("random", budget=SearchBudget(trials=8))
    twice = once.model_copy(update={"strategy": once.strategy.model_copy(update={"times": 2.0})})
    world = World()
    assert len(run(world, twice).distinct) == 16
    more = run(world, once.model_copy(update={"budget": SearchBudget(trials=20)}))
    assert len(more.distinct) == 20


def test_what_cannot_be_is_told_and_ends_nothing() -> None:
    world = World(fails=lambda p: {2: "oom", 3: "diverged"}.get(p["model.layers"]))
    study = run(world, head("tpe", budget=SearchBudget(trials=30)))
    reasons = {(t.told.reason or "").partition(":")[0] for t in study.distinct if t.told and t.state == "failed"}
    assert {"oom", "diverged", "one layer is too few for adamw"} <= reasons
    assert study.best()[0].point["model.layers"] in (1, 4)
    assert len(study.distinct) == 30


def test_a_constraint_that_can_be_counted_saves_the_training() -> None:
    world = World()
    what = head(constraints=(Constraint(metric="parameters", at_most=2500),), budget=SearchBudget(trials=30))
    study = run(world, what)
    for trial in study.distinct:
        assert (trial.state == "infeasible") == (trial.point["model.layers"] > 2), trial
    infeasible = next(t.told for t in study.distinct if t.state == "infeasible" and t.told)
    assert infeasible.jobs == ()
    assert infeasible.violations["parameters"] > 0
    assert "parameters is beyond its bound" in {t.told.reason for t in study.distinct if t.told}
    assert study.best()[0].point["model.layers"] <= 2


def test_several_objectives_give_a_front_and_pruning_works_on_it() -> None:
    both = (Objective(metric="val_loss", better="lower"), Objective(metric="parameters", better="lower"))
    what = head("nsga2", objectives=both, pruner=MEDIAN, params={"population": 8}, budget=SearchBudget(trials=40))
    study = run(World(), what)
    front = study.best(100)
    assert len(front) >= 2
    assert "pruned" in {t.state for t in study.distinct}
    values = [t.told.values for t in front if t.told and t.told.values]
    assert all(a == b or any(x < y for x, y in zip(a, b, strict=True)) for a in values for b in values)


def test_seeds_of_a_candidate_are_averaged_and_wilcoxon_saves_some() -> None:
    seeds = tuple(range(6))
    study = run(World(), head("quasi_random", seeds=seeds, budget=SearchBudget(trials=10)))
    trial = study.best()[0]
    assert trial.told is not None
    assert trial.told.values == (pytest.approx(sum(loss(trial.point, seed) for seed in seeds) / 6),)
    assert len(trial.told.jobs) == 6
    pruned = run(
        World(), head("quasi_random", seeds=seeds, budget=SearchBudget(trials=10), pruner=PrunerEntry(name="wilcoxon"))
    )
    jobs = {t.state: len(t.told.jobs) for t in pruned.distinct if t.told}
    assert 2 <= jobs["pruned"] < 6
    assert pruned.best()[0].point == trial.point


def test_the_suites_own_candidates_come_first() -> None:
    first = {"train.lr": 0.01, "model.layers": 2, "train.optimizer": "adamw"}
    study = run(World(), head(), made=Made([first]))
    assert (study.trials[0].point, study.trials[0].origin) == (first, "first")
    assert len(study.distinct) == 20


def test_what_is_known_from_elsewhere_is_told_first_and_not_counted() -> None:
    good = {"train.lr": 10**-2.5, "model.layers": 3, "train.optimizer": "adamw"}
    warm = [(good, Told(state="ok", values=(0.0,)))]
    world = World()
    study = run(world, head(), warm=warm)
    assert (study.trials[0].point, study.trials[0].origin, study.trials[0].state) == (good, "warm", "ok")
    assert len(study.distinct) == 20
    assert course(run(world, head(), warm=warm)) == course(study)


def test_two_slots_try_the_same_number_and_wait_for_no_batch() -> None:
    world = World()
    study = run(world, head("random", pruner=MEDIAN), slots=2)
    assert len(study.distinct) == 20
    asked = [event.number for event in world.log if event.kind == "asked"]
    told = [event.number for event in world.log if event.kind == "told"]
    assert asked == sorted(asked)
    assert any(
        world.log.index(e) < max(i for i, x in enumerate(world.log) if x.kind == "told" and x.number < e.number)
        for e in world.log
        if e.kind == "asked" and e.number > 2
    )
    assert len(told) == len(asked)


def test_known_metrics_have_a_direction() -> None:
    lower = ("val_loss", "val_ece", "parameters", "infer_latency_p50_ms", "train_peak_memory_bytes", "train_time_s")
    assert {usual_direction(name) for name in lower} == {"lower"}
    assert {usual_direction(name) for name in ("val_accuracy", "infer_throughput", "mfu")} == {"higher"}
