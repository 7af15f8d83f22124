"""`search:` in a suite: what is read of it, and what is wrong with it, with line and column, before anything runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_describe import PLUGINS, FakeDescribe, make_files
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbench.errors import SuiteError, UsageError
from dlbench.plan.load import load_suite
from dlbench.plan.space import Searchable, combination, space_of
from dlbench.schema.search import Constraint, Objective, PrunerEntry, SearchBudget, SearchSettings
from dlbench.schema.space import Axis, Space

Load = Callable[..., SearchSettings]
SUITE = "name: s\ntasks: [sorting]\nmodels: [net]\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)

    def load(search: str, *, suite: str = SUITE, sweep: bool = False) -> SearchSettings:
        Path("s.yaml").write_text(f"{suite}{search}\n{PLUGINS}")
        found = load_suite(Path("s.yaml"), (), FakeDescribe(), sweep=sweep).search
        assert found is not None
        return found

    return load


def problems(load: Load, search: str, suite: str = SUITE) -> str:
    with pytest.raises(SuiteError) as error:
        load(search, suite=suite)
    return str(error.value)


def test_everything_at_once(load: Load) -> None:
    found = load(
        """\
search:
  space:
    train.lr: {low: 1e-4, high: 1e-1, log: true}
    model.layers: {low: 1, high: 4}
    model.dropout: {low: 0, high: 1e-1}
    train.optimizer: [adamw, sgd]
    train.momentum: {low: 0.0, high: 0.95, when: {train.optimizer: sgd}}
    model.*: own
  strategy: [random, {strategy: random, times: 2}, {tpe: {startup: 7}}]
  pruner: {hyperband: {reduction: 4}}
  objectives: [val_accuracy, {metric: infer_latency_p50_ms, batch_size: 1}]
  constraints: {parameters: 1e5, infer_throughput: 100, val_ece: {at_most: 0.1}}
  budget: {trials: 40, seconds: 10m}
  seeds: 3
  study_seeds: [4, 5]
  winners: 2
"""
    )
    assert found.own
    assert found.space == (
        Axis(name="train.lr", low=1e-4, high=1e-1, log=True),
        Axis(name="model.layers", low=1, high=4, integer=True),
        Axis(name="model.dropout", low=0, high=0.1),
        Axis(name="train.optimizer", choices=("adamw", "sgd")),
        Axis(name="train.momentum", low=0.0, high=0.95, when={"train.optimizer": ("sgd",)}),
    )
    assert [(s.name, s.label, s.times) for s in found.strategies] == [
        ("random", "random", 1),
        ("random", "random-2x", 2),
        ("tpe", "tpe", 1),
    ]
    assert found.strategies[2].params["startup"] == 7
    assert found.pruner == PrunerEntry(name="hyperband", params={"reduction": 4})
    assert found.objectives == (
        Objective(metric="val_accuracy", better="higher"),
        Objective(metric="infer_latency_p50_ms", better="lower", batch_size=1),
    )
    assert found.constraints == (
        Constraint(metric="parameters", at_most=1e5),
        Constraint(metric="infer_throughput", at_least=100),
        Constraint(metric="val_ece", at_most=0.1),
    )
    assert found.budget == SearchBudget(trials=40, seconds=600)
    assert (found.seeds, found.studies, found.winners) == ((1000, 1001, 1002), (4, 5), 2)


def test_a_search_that_says_nothing_takes_the_models_own_space(load: Load) -> None:
    found = load("search: {}")
    assert found.space is None
    assert found.strategies[0].name == "tpe"
    assert found.budget.trials == 32
    assert load("", sweep=True) == found


def test_whole_numbers_of_a_float_parameter_are_no_whole_numbers(load: Load) -> None:
    (axis,) = load("search: {space: {model.dropout: {low: 0, high: 0.9}}}").space or ()
    assert not axis.integer
    (axis,) = load("search: {space: {train.weight_decay: {low: 0, high: 1}}}").space or ()
    assert not axis.integer


BAD = {
    "unknown parameter": (
        "model.width: [1, 2]",
        "4:18 search.space: no model of this suite has the parameter 'model.width'.",
    ),
    "unknown setting": (
        "train.rl: [1, 2]",
        "4:18 search.space: there is no setting 'train.rl'. Did you mean 'train.lr'",
    ),
    "bare name": ("lr: [1, 2]", "4:18 search.space.lr: 'lr' cannot vary by this name. Did you mean 'train.lr'?"),
    "low above high": ("train.lr: {low: 1, high: 0.1}", "low (1) is above high (0.1)."),
    "no high": ("train.lr: {low: 1}", "a range needs `high:`."),
    "logarithm of nothing": ("train.lr: {low: 0, high: 1, log: true}", "a logarithmic range begins above 0, not at 0."),
    "logarithmic steps": ("train.lr: {low: 1, high: 2, log: true, step: 1}", "a logarithmic range has no step."),
    "step of nothing": ("model.layers: {low: 1, high: 2, step: 0}", "the step must be more than 0, not 0."),
    "a word for a number": ("train.lr: {low: small, high: 1}", "must be a number, not 'small'."),
    "neither": ("train.lr: 3", "must be a list of choices, or {low: …, high: …} with log or step, not 3."),
    "choice that does not fit": (
        "model.pooling: [mean, middle]",
        "for net: must be 'last', 'mean' or 'max', not 'middle'",
    ),
    "end that does not fit": ("model.layers: {low: 1, high: 99}", "for net: must be at most 8, not 99"),
    "setting that does not fit": ("train.optimizer: [adamw, lion]", "not 'lion'"),
    "part of a whole number": ("model.layers: {low: 1, high: 2.5}", "model.layers is a whole number"),
    "listed twice": ("train.lr: [0.1, 0.1]", "0.1 is listed twice."),
    "condition on nothing": (
        "train.momentum: {low: 0, high: 0.9, when: {train.optimizer: sgd}}",
        "it can never hold: nothing searched is called 'train.optimizer'.",
    ),
    "condition on what is never so": (
        "{train.optimizer: [adam, adamw], train.momentum: {low: 0, high: 0.9, when: {train.optimizer: sgd}}}",
        "it can never hold: train.optimizer is never 'sgd'.",
    ),
    "condition on itself": (
        "{model.layers: {choices: [1, 2], when: {model.pooling: mean}},"
        " model.pooling: {choices: [mean, max], when: {model.layers: 1}}}",
        "it can never hold: model.layers depends on itself.",
    ),
    "conditions against each other": (
        "{train.optimizer: [sgd, adam], train.momentum: {choices: [0.1], when: {train.optimizer: sgd}},"
        " train.nesterov: {choices: [true], when: {train.momentum: 0.1, train.optimizer: adam}}}",
        "it can never hold: train.optimizer would have to be two things at once.",
    ),
    "empty": ("{}", "is empty: nothing would be searched."),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_spaces_are_refused_with_their_place(load: Load, what: str) -> None:
    space, message = BAD[what]
    space = space if space.startswith("{") else f"{{{space}}}"
    told = problems(load, f"search: {{space: {space}}}")
    assert message in told
    assert told.startswith("s.yaml:4:")


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("{strategy: tpee}", "there is no strategy 'tpee'. Did you mean 'tpe'?"),
        ("{strategy: {tpe: {startups: 3}}}", "the strategy tpe has no parameter 'startups'. Did you mean 'startup'"),
        ("{strategy: [tpe, tpe]}", "two strategies are called 'tpe'; give one a `label:`."),
        ("{strategy: {strategy: tpe, times: 0}}", "must be more than 0, not 0"),
        ("{pruner: mean}", "there is no pruner 'mean'."),
        ("{pruner: {median: {warm: 3}}}", "the pruner median has no parameter 'warm'. Did you mean 'warmup'?"),
        ("{pruner: {median: {on: val_loss}}}", "it judges an objective, and there is none called 'val_loss'."),
        ("{pruner: wilcoxon}", "wilcoxon compares seeds: give the search several (`seeds: 5`)."),
        ("{objectives: [test_accuracy]}", "a search never sees the test split. Did you mean 'val_accuracy'?"),
        ("{objectives: [val_acuracy]}", "sorting gives no score 'val_acuracy'. Did you mean 'val_accuracy'?"),
        ("{constraints: {val_bleu: 1}}", "sorting gives no score 'val_bleu'."),
        (
            "{strategy: {evolution: {population: -3}}}",
            "evolution.population: for evolution: must be at least 2, not -3.",
        ),
        ("{seeds: [0]}", "seed 0 would choose the winner and judge it, as one of the suite's seeds"),
        ("{space: {dataset.length: [5, 9]}}", "the data that judges candidates cannot be searched"),
        ("{space: {model: [net, wide]}}", "'model' is no setting: list the models under `models:`"),
        ("{objectives: [accuracy]}", "a search knows no metric 'accuracy'. Did you mean 'val_accuracy'?"),
        ("{objectives: [{metric: val_loss, goal: down}]}", "must be maximize or minimize, not 'down'."),
        (
            "{objectives: [val_loss, val_ece], strategy: evolution}",
            "evolution cannot search this: it searches for one objective",
        ),
        ("{constraints: {parameters: few}}", "must be a number, or {at_most: …} or {at_least: …}, not 'few'."),
        ("{constraints: {val_loss: {at_most: 1, at_least: 0}}}", "a constraint has one bound: at_most or at_least"),
        ("{budget: {}}", "names no limit: give trials, epochs, seconds or flops."),
        ("{budget: {trials: 0}}", "must be more than 0, not 0"),
        ("{budget: {seconds: soon}}", "must be a time such as 90s, 10m or 2h, or a number of seconds, not 'soon'."),
        ("{trials: 3}", "there is no key 'trials'."),
        ("{table: nas_digit}", "there is no table 'nas_digit'."),
        ("{first: [{model.layers: 9, model.pooling: last}]}", "is no candidate on sorting: model.layers cannot be 9."),
        ("{first: [{model.layers: 2}]}", "is no candidate on sorting: model.pooling is missing."),
        ("{strategy: grid, space: {train.lr: {low: 0.1, high: 1}}}", "grid cannot search this:"),
        ("{strategy: darts}", "darts cannot search this:"),
        ("[tpe]", "must be a mapping (`key: value`), not a list."),
    ],
)
def test_bad_searches_are_refused_with_their_place(load: Load, search: str, message: str) -> None:
    told = problems(load, f"search: {search}")
    assert message in told
    assert told.startswith("s.yaml:4:")


def test_nothing_to_search_is_said(load: Load) -> None:
    told = problems(load, "search: {}", suite="name: s\ntasks: [sorting]\nmodels: [wide]\n")
    assert "nothing is searched on sorting: give a `space:`, a `vary:`, or several models." in told


def test_what_varies_cannot_be_searched_by_another_range(load: Load) -> None:
    told = problems(load, "vary: {train.lr: [0.1, 0.2]}\nsearch: {space: {train.lr: [0.3]}}")
    assert "train.lr stands in `vary:` as well" in told


# --- spaces of whole suites -----------------------------------------------------------------------------------

NET = Searchable("net", ("layers", "size"), {"layers": {"low": 1, "high": 4}})
WIDE = Searchable("wide", ("size", "width"), {"width": [1, 2], "depth": {"choices": [1, 2], "when": {"width": 2}}})
DEEP = Searchable("deep", ("layers",), {"layers": {"low": 8, "high": 16}})
NOTHING: dict[str, tuple[str, ...]] = {"task": (), "dataset": ()}


def names(space: Space) -> list[str]:
    return [axis.name for axis in space.axes]


def test_several_models_are_an_axis_and_own_axes_depend_on_it() -> None:
    space = space_of(SearchSettings(own=True), [NET, WIDE], {"train.lr": (0.1, 0.2)}, NOTHING)
    assert names(space) == ["model", "model.layers", "model.width", "model.depth", "train.lr"]
    assert space.axis("model.layers").when == {"model": ("net",)}
    assert space.axis("model.depth").when == {"model": ("wide",), "model.width": (2,)}
    assert space.size() == 2 * (4 + 1 + 2)


def test_models_that_declare_the_same_parameter_differently_have_their_own_axes() -> None:
    space = space_of(SearchSettings(own=True), [NET, DEEP], {}, NOTHING)
    assert names(space) == ["model", "net/model.layers", "deep/model.layers"]
    assert combination({"model": "deep", "deep/model.layers": 9}) == {"model.layers": 9}


def test_a_search_that_names_no_space_takes_what_varies_before_what_models_declare() -> None:
    assert names(space_of(SearchSettings(), [NET], {}, NOTHING)) == ["model.layers"]
    assert names(space_of(SearchSettings(), [NET], {"train.lr": (0.1, 0.2)}, NOTHING)) == ["train.lr"]
    assert names(space_of(SearchSettings(), [NET, WIDE], {}, NOTHING)) == ["model"]


def test_a_given_space_leaves_out_what_models_do_not_have() -> None:
    given_axes = (Axis(name="model.layers", low=1, high=2, integer=True), Axis(name="model.size", choices=(8, 16)))
    space = space_of(SearchSettings(space=given_axes), [NET, WIDE], {}, NOTHING)
    assert space.axis("model.layers").when == {"model": ("net",)}
    assert space.axis("model.size").when == {}
    assert names(space_of(SearchSettings(space=given_axes), [DEEP], {}, NOTHING)) == ["model.layers"]


def test_axes_that_wait_for_each_other_are_refused() -> None:
    axes = (
        Axis(name="train.lr", choices=(1,), when={"train.eps": (1,)}),
        Axis(name="train.eps", choices=(1,), when={"train.lr": (1,)}),
    )
    with pytest.raises(UsageError, match="depend on what is not searched here, or on each other"):
        space_of(SearchSettings(space=axes), [NET], {}, NOTHING)


def test_steps_end_where_the_range_does() -> None:
    axis = Axis(name="model.dropout", low=0.1, high=0.3, step=0.1)  # 0.1 + 2 * 0.1 is more than 0.3
    assert axis.values is not None
    assert len(axis.values) == 3
    assert all(axis.holds(value) for value in axis.values)


AXES = st.lists(
    st.one_of(
        st.builds(lambda n: tuple(range(n)), st.integers(1, 4)),
        st.tuples(st.integers(-3, 3), st.integers(0, 5)).map(lambda t: (t[0], t[0] + t[1])),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(AXES, st.data())
def test_a_space_counts_what_it_lists_and_takes_back_what_it_gives(
    kinds: list[tuple[int, ...]], data: st.DataObject
) -> None:
    axes: list[Axis] = []
    for number, kind in enumerate(kinds):
        when = {}
        if axes and data.draw(st.booleans()):
            parent = data.draw(st.sampled_from(axes))
            allowed = data.draw(st.lists(st.sampled_from(list(parent.values or ())), min_size=1, unique=True))
            when = {parent.name: tuple(allowed)}
        if data.draw(st.booleans()) or len(kind) != 2 or kind[0] > kind[1]:
            axes.append(Axis(name=f"model.a{number}", choices=tuple(dict.fromkeys(kind)), when=when))
        else:
            axes.append(Axis(name=f"model.a{number}", low=kind[0], high=kind[1], integer=True, when=when))
    space = Space(axes=tuple(axes))
    points = list(space.points())
    assert space.size() == len(points)
    assert len({str(point) for point in points}) == len(points)
    assert all(space.complaint(point) is None for point in points)
    assert all(space.walk(lambda axis, point=point: point[axis.name]) == point for point in points)
    stranger = {**points[0], "model.nobody": 1}
    assert space.complaint(stranger) == "model.nobody is not searched"
