"""What Optuna is told of a space and of a candidate's end, and that nothing is random but by seed."""

import math

import optuna
import pytest
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import TrialState

from dlbench.schema.base import Json
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import Told
from dlbench.strategies import tpe
from dlbench.strategies._coding import Code
from dlbench.strategies._optuna import OptunaStrategy, quiet, random_states

LOSS = (Objective(metric="val_loss", better="lower"),)
ODD: tuple[Json, ...] = (True, 1, 1.0, "1", None, [1, 2], [True, 2], {"a": [1]}, {"a": [True]}, False, 0)
SPACE = Space(axes=(Axis(name="kind", choices=("good", "bad")), Axis(name="x", low=0.0, high=1.0)))


def searched(sampler: BaseSampler | None = None, space: Space = SPACE) -> OptunaStrategy:
    return OptunaStrategy(sampler or RandomSampler(), space, LOSS)


def test_choices_that_python_takes_for_equal_stay_apart() -> None:
    code = Code(Axis(name="odd", choices=ODD))
    parameters = [code.parameter(value) for value in ODD]
    assert parameters == list(range(len(ODD)))
    for value, parameter in zip(ODD, parameters, strict=True):
        assert repr(code.value(parameter)) == repr(value)


@pytest.mark.parametrize(
    "axis",
    [
        Axis(name="a", low=0.1, high=0.9, step=0.1),
        Axis(name="a", low=0.1, high=0.3, step=0.1),
        Axis(name="a", low=3, high=17, step=4, integer=True),
        Axis(name="a", low=32, high=512, step=32, integer=True, log=True),
        Axis(name="a", low=1, high=64, integer=True, log=True),
        Axis(name="a", low=5, high=5, integer=True),
    ],
)
def test_steps_are_whole_numbers_for_optuna(axis: Axis) -> None:
    """Optuna warns of ranges that a step does not divide; warnings are errors here."""
    strategy = searched(TPESampler(n_startup_trials=5), Space(axes=(axis,)))
    values = axis.values or ()
    for number in range(30):
        proposal = strategy.ask(number, number)
        assert proposal is not None
        value = proposal.point["a"]
        assert axis.holds(value)
        assert min(abs(value - other) for other in values) < 1e-12
        strategy.tell(number, Told(state="ok", values=(float(value),)))
    code = Code(axis)
    assert [code.parameter(code.value(code.parameter(value))) for value in values] == [*map(code.parameter, values)]


@pytest.mark.parametrize("sampler", [RandomSampler, TPESampler, CmaEsSampler, NSGAIISampler, NSGAIIISampler, GPSampler])
def test_all_that_a_sampler_draws_from_is_seeded(sampler: type[BaseSampler]) -> None:
    """Two samplers, seeded differently by chance, draw the same after `seed`, each source its own."""
    with quiet():
        one, other = searched(sampler()), searched(sampler())
    for seed in (0, 5, 2**64):
        draws = []
        for strategy in (one, other):
            strategy.seed(seed)
            states = random_states(strategy.sampler)
            draws.append([state.rng.randint(2**31) for state in states])
        assert draws[0] == draws[1]
        assert len(set(draws[0])) == len(draws[0]) >= 1


def test_another_seed_has_another_answer() -> None:
    points = [searched().ask(0, seed) for seed in (1, 1, 2)]
    assert points[0] == points[1] != points[2]


@pytest.mark.parametrize(
    ("told", "state", "constraints"),
    [
        (Told(state="ok", values=(0.5,)), TrialState.COMPLETE, {}),
        (Told(state="ok", values=(0.5,), violations={"ms": -0.5}), TrialState.COMPLETE, {"ms": -0.5}),
        (Told(state="ok", values=(math.nan,)), TrialState.FAIL, {}),
        (Told(state="ok"), TrialState.FAIL, {}),
        (Told(state="failed", values=(0.5,)), TrialState.FAIL, {}),
        (Told(state="pruned"), TrialState.PRUNED, {}),
        (Told(state="infeasible", violations={"ms": 0.5}), TrialState.PRUNED, {"ms": 0.5}),
        (Told(state="infeasible", violations={"ms": math.nan}), TrialState.PRUNED, {"ms": math.inf}),
        (Told(state="infeasible"), TrialState.PRUNED, {"infeasible": 1.0}),
        (Told(state="infeasible", values=(0.5,), violations={"ms": 0.5}), TrialState.COMPLETE, {"ms": 0.5}),
    ],
)
def test_how_optuna_hears_of_an_end(told: Told, state: TrialState, constraints: dict[str, float]) -> None:
    strategy = searched()
    strategy.asked(11, {"kind": "good", "x": 0.5}, 0)
    strategy.tell(11, told)
    (trial,) = strategy.study.trials
    assert (trial.state, trial.constraints) == (state, constraints)
    assert trial.values == ([0.5] if state is TrialState.COMPLETE else None)


def test_optuna_ranks_what_was_pruned_by_its_last_value() -> None:
    strategy = searched()
    strategy.asked(0, {"kind": "good", "x": 0.5}, 0)
    strategy.tell(0, Told(state="pruned", curve=((1, 0.9), (2, 0.7))))
    assert strategy.study.trials[0].intermediate_values == {2: 0.7}


def test_a_sampler_without_constraints_takes_what_breaks_one_for_failed() -> None:
    strategy = OptunaStrategy(CmaEsSampler(), SPACE, LOSS, constraints=False)
    for number, told in enumerate(
        [
            Told(state="ok", values=(0.1,), violations={"ms": 0.5}),
            Told(state="infeasible", violations={"ms": 0.5}),
            Told(state="ok", values=(0.1,), violations={"ms": -0.5}),
        ]
    ):
        strategy.asked(number, {"kind": "good", "x": 0.5}, 0)
        strategy.tell(number, told)
    assert [trial.state for trial in strategy.study.trials] == [TrialState.FAIL, TrialState.FAIL, TrialState.COMPLETE]


def test_tpe_stays_away_from_what_is_infeasible_without_values() -> None:
    strategy = tpe.build(tpe.Params(), SPACE, LOSS, 0)
    kinds = []
    for number in range(50):
        proposal = strategy.ask(number, number)
        assert proposal is not None
        kinds.append(proposal.point["kind"])
        bad = kinds[-1] == "bad"
        told = Told(state="infeasible", violations={"ms": 0.5}) if bad else Told(state="ok", values=(1.0,))
        strategy.tell(number, told)
    assert kinds[:10].count("bad") >= 2
    assert kinds[10:].count("bad") <= 12  # by chance it is 20, and so few in one of a hundred cases


def test_nobody_is_told_twice_or_untold() -> None:
    strategy = searched()
    with pytest.raises(KeyError):
        strategy.tell(0, Told(state="failed"))
    strategy.ask(0, 0)
    strategy.tell(0, Told(state="failed"))
    with pytest.raises(ValueError, match="Cannot tell a FAIL trial"):
        strategy.tell(0, Told(state="failed"))


def test_optuna_says_nothing() -> None:
    assert not optuna.logging.get_logger("optuna").isEnabledFor(optuna.logging.ERROR)
