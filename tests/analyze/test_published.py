"""Published figures: their bands, what counts as evidence, and the words PASS, FAIL and not enough data."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from synthetic import quality, suite

from dlbench.analyze.published import Score, published, read
from dlbench.analyze.quantities import titled
from dlbench.analyze.results import Results
from dlbench.analyze.standing import band_text, counted, here_text, judged, published_text, standing
from dlbench.analyze.summary import summarise
from dlbench.catalog import Catalog
from dlbench.errors import UsageError
from dlbench.schema.blocks import Cell, Table
from dlbench.schema.record import Result
from dlbench.sections import published as section

LENET = next(score for score in published().scores if score.label == "lenet5 on mnist")
RNN = next(score for score in published().scores if score.model == "rnn")
RESNET = next(score for score in published().scores if score.model == "resnet")


def trained(score: Score, values: list[float | None], *, official: bool = True, **fields: Any) -> list[Result]:
    """Results of just what a figure asks for, but for `fields`."""
    dataset = {"name": score.dataset, "params": score.dataset_params, "official": official}
    given: dict[str, Any] = {"params": score.params, "train": score.train, "task": score.task, **fields}
    return quality(score.model, values, dataset={**dataset, **given.pop("dataset", {})}, **given)


# --- the figures ------------------------------------------------------------------------------------------------------


def test_every_figure_is_of_something_on_the_shelves() -> None:
    catalog = Catalog()
    for count in published().counts:
        presets = catalog.load("models", count.model).PRESETS
        assert count.preset is None or count.preset in presets
    for score in published().scores:
        catalog.require("tasks", score.task)
        params = catalog.load("models", score.model).Params
        assert {*score.params, *score.absent} <= set(params.model_fields)
        params.model_validate(score.params)
        catalog.load("datasets", score.dataset).Params.model_validate(score.dataset_params)
    labels = [score.label for score in published().scores]
    assert len(set(labels)) == len(labels)


def test_band_of_one_run_is_what_chance_leaves_on_its_test_examples() -> None:
    low, high = LENET.limits
    margin = 1.96 * math.sqrt(0.9905 * 0.0095 / 10_000)
    assert (low, high) == pytest.approx((0.9905 - margin, 0.9905 + margin))


def test_band_of_several_figures_reaches_from_the_lowest_to_the_highest() -> None:
    linear = next(score for score in published().scores if score.label == "linear on mnist")
    low, high = linear.limits
    assert low == pytest.approx(0.88 - 1.96 * math.sqrt(0.88 * 0.12 / 10_000))
    assert high == pytest.approx(0.924 + 1.96 * math.sqrt(0.924 * 0.076 / 10_000))


def test_band_that_is_stated_is_taken_with_its_reason() -> None:
    assert RESNET.limits == (0.9125, 0.9260)
    assert RESNET.reason == RESNET.why != ""


def test_who_knows_one_of_two_symbols_has_not_solved_temporal_order() -> None:
    lstm = next(score for score in published().scores if score.label == "lstm at lag 100")
    assert RNN.limits[1] == 0.5 < lstm.limits[0]
    assert RNN.train == lstm.train  # it fails for want of memory, not of training


@pytest.mark.parametrize(
    "change", ["", "test_size = 0", "band = [0.9, 0.1]\nwhy = 'w'", "band = [0.1, 0.9]", "surprise = 1"]
)
def test_a_figure_without_a_sound_band_is_refused(change: str, tmp_path: Path) -> None:
    entry = "label = 'a'\ntask = 't'\ndataset = 'd'\nmodel = 'm'\npublished = [0.5]\n"
    path = tmp_path / "figures.toml"
    path.write_text(f"[[scores]]\n{entry}source = 's'\nconvention = 'c'\nhow = 'h'\n{change}\n")
    with pytest.raises(UsageError, match=r"figures\.toml: "):
        read(path)


@pytest.mark.parametrize("text", ["counts = 1", "[[figures]]", "no toml", "[[counts]]\npresets = {a = 1}"])
def test_a_file_of_anything_else_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "figures.toml").write_text(text)
    with pytest.raises(UsageError, match=r"figures\.toml: "):
        read(tmp_path / "figures.toml")


SCORE = {"label": "x", "task": "t", "dataset": "d", "model": "m", "source": "s", "convention": "c", "how": "h"}
COUNT = {"model": "mlp", "source": "s", "convention": "c"}


def file_of(folder: Path, *tables: tuple[str, dict[str, Any]]) -> Path:
    """A file of these tables; what starts with `=` is TOML as it stands."""
    lines = []
    for name, entry in tables:
        lines += [f"[[{name}]]", *(f"{key} = {toml(value)}" for key, value in entry.items())]
    (folder / "figures.toml").write_text("\n".join(lines))
    return folder / "figures.toml"


def toml(value: Any) -> str:
    return value.removeprefix("=") if isinstance(value, str) and value.startswith("=") else json.dumps(value)


@pytest.mark.parametrize(
    ("tables", "problems"),
    [
        (
            [("scores", {**SCORE, "published": [99.1], "test_size": 10_000})],
            ["[[scores]] 1 (x): published: 99.1 is no fraction (0 to 1). Was 0.991 meant?"],
        ),
        (
            [("scores", {**SCORE, "published": [0.9], "band": [91.2, 92.6], "why": "w"})],
            ["[[scores]] 1 (x): band: 91.2 is no fraction (0 to 1). Was 0.912 meant?"],
        ),
        (
            [("scores", {**SCORE, "metric": "test_mae", "published": [320.0], "band": [300, 340], "why": "w"})],
            ['[[scores]] 1 (x): published: 320 is no fraction (0 to 1). Say `unit = "…"` if it is none.'],
        ),
        (
            [("scores", {**SCORE, "metric": "test_perplexity", "published": [120.0], "test_size": 100})],
            ["[[scores]] 1 (x): test_size: chance gives a band to a fraction alone: write the band and its"],
        ),
        (
            [("scores", {**SCORE, "published": "=[nan]", "test_size": 10})],
            ["[[scores]] 1 (x): published.0: must be a finite number, not nan"],
        ),
        (
            [("scores", {**SCORE, "published": 0.9, "test_size": 10, "bands": [0.1, 0.2]})],
            [
                "[[scores]] 1 (x): published: must be a list, not 0.9",
                "[[scores]] 1 (x): there is no key 'bands'. Did you mean 'band'?",
            ],
        ),
        (
            [("scores", {**SCORE, "metric": "accuracy", "published": [0.9], "test_size": 10})],
            ["[[scores]] 1 (x): metric: 'accuracy' is not of the test split. Was 'test_accuracy' meant?"],
        ),
        (
            [("counts", {**COUNT, "parameters": 3}), ("counts", {**COUNT, "presets": 3})],
            ["[[counts]] 2 (mlp): presets: must be a table, preset → number (`{ vgg11 = 132_863_336 }`), not 3"],
        ),
        ([("counts", COUNT)], ["[[counts]] 1 (mlp): needs `parameters`, or `presets` with a number for each"]),
        (
            [("counts", {**COUNT, "presets": {}})],
            ["[[counts]] 1 (mlp): needs `parameters`, or `presets` with a number"],
        ),
        (
            [("counts", {"model": "mlp", "presets": "={ a = 'many', b = 0 }", "source": "s"})],
            [
                "[[counts]] 1 (mlp): needs 'convention'",
                "[[counts]] 1 (mlp): presets.a: must be a whole number, not 'many'",
                "[[counts]] 1 (mlp): presets.b: must be more than 0, not 0",
            ],
        ),
        ([("counts", {"parameters": 3, "source": "s", "convention": "c"})], ["[[counts]] 1: needs 'model'"]),
        ([("count", {**COUNT, "parameters": 3})], ["there is no table [[count]]. Did you mean 'counts'?"]),
    ],
)
def test_every_mistake_in_a_file_is_a_line_that_says_where_and_what_was_meant(
    tables: list[tuple[str, dict[str, Any]]], problems: list[str], tmp_path: Path
) -> None:
    path = file_of(tmp_path, *tables)
    with pytest.raises(UsageError) as caught:
        read(path)
    found = str(caught.value).splitlines()
    assert len(found) == len(problems)
    for line, problem in zip(sorted(found), sorted(problems), strict=True):
        assert line.startswith(f"{path}: {problem}")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("counts = 5", "counts: must be tables, each below a line [[counts]], not 5"),
        ("scores = [1]", "scores: must be tables, each below a line [[scores]], not 1"),
        ("", "holds no figure: it needs a [[counts]] (a number of parameters) or a [[scores]] (a test score)"),
        ("counts = []", "holds no figure"),
    ],
)
def test_a_file_without_a_figure_is_refused(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "figures.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {what}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_figure_is_told_in_the_unit_of_its_metric(tmp_path: Path) -> None:
    loss = {"metric": "test_loss", "published": [0.31], "band": [0.3, 0.325], "why": "w"}
    perplexity = {**SCORE, "metric": "test_perplexity", "published": [114.5, 120.0], "band": [100, 140.25], "why": "w"}
    own = {**SCORE, "metric": "test_delay", "unit": "ms", "published": [3.0], "band": [2, 4], "why": "w"}
    tables = [
        ("scores", entry)
        for entry in (perplexity, {**SCORE, **loss}, own, {**SCORE, "published": [0.5], "test_size": 99})
    ]
    scores = read(file_of(tmp_path, *tables)).scores
    assert [score.unit for score in scores] == ["number", "nats", "ms", "fraction"]
    assert [published_text(score) for score in scores] == ["114.5 to 120", "0.31", "3.00 ms", "50.00 %"]
    assert [band_text(score) for score in scores[:3]] == ["100 to 140.2", "0.3 to 0.325", "2.00 ms to 4.00 ms"]
    ours = standing(scores[0], trained(scores[0], [118.0, 120.0, 122.0], name="perplexity", better="lower"))
    assert (ours.word, here_text(ours)) == ("PASS", "120.0 ± 5.0, n = 3")


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "word", "side"),
    [
        ([0.90, 0.91, 0.92], "PASS", ""),
        ([0.1, 0.91, 1.72], "PASS", ""),  # however wide
        ([0.95, 0.95, 0.95], "PASS", ""),  # the ends belong to the band
        ([0.89, 0.898, 0.899], "not enough data", "below"),
        ([0.80, 0.801, 0.802], "FAIL", "below"),
        ([0.99, 0.991, 0.992], "FAIL", "above"),
        ([0.94, 0.96, 0.98], "not enough data", "above"),
        ([0.5], "FAIL", "below"),  # no interval to hide behind
    ],
)
def test_the_word_depends_on_where_mean_and_interval_lie(values: list[float], word: str, side: str) -> None:
    ours = summarise(values)
    assert ours is not None
    found, reason = judged(ours, (0.9, 0.95))
    assert found == word
    assert side in reason
    assert bool(reason) == (word != "PASS")


def test_counts_are_exact() -> None:
    count = next(count for count in published().counts if count.metric == "trainable_parameters")
    answer = {"parameters": 6_624_904, "trainable_parameters": 13_004_888}
    assert counted(count, answer).word == "PASS"
    off = counted(count, answer | {"trainable_parameters": 13_004_887})
    assert (off.word, off.reason) == ("FAIL", "off by -1")
    broken = counted(count, {"error": "no such preset"})
    assert (broken.word, broken.here, broken.reason) == ("FAIL", None, "no such preset")


# --- evidence ---------------------------------------------------------------------------------------------------------

GOOD: list[float | None] = [0.990, 0.991, 0.992]
BAD: list[float | None] = [0.90, 0.91, 0.92]


def test_what_was_trained_as_asked_passes_or_fails() -> None:
    assert standing(LENET, trained(LENET, GOOD)).word == "PASS"
    assert standing(LENET, trained(LENET, BAD)).word == "FAIL"


def test_fp32_is_evidence_where_less_would_do() -> None:
    reduced = LENET.model_copy(update={"precision": "bf16"})
    assert standing(reduced, trained(reduced, GOOD, precision="bf16")).word == "PASS"
    assert standing(reduced, trained(reduced, GOOD)).word == "PASS"
    assert standing(reduced, trained(reduced, GOOD, precision="int8")).reason == "precision int8 instead of bf16"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"official": False}, "an unofficial copy of mnist of 19,930 training examples"),
        ({"train": {**LENET.train, "epochs": 1}}, "epochs 1 instead of 4"),
        ({"precision": "bf16"}, "precision bf16 instead of fp32"),
        ({"dataset": {"name": "digits"}}, "no result on mnist: dlbench verify"),
        ({"params": {**LENET.params, "activation": "tanh"}}, "no result on mnist"),
        ({"task": "other"}, "no result on mnist"),
        ({"splits": ("val",)}, "no result on mnist"),
    ],
)
def test_what_differs_is_no_evidence_however_bad_it_is(fields: dict[str, Any], reason: str) -> None:
    found = standing(LENET, trained(LENET, BAD, **fields))
    assert found.word == "not enough data"
    assert reason in found.reason


def test_nothing_is_shown_under_the_name_of_data_that_it_was_not_trained_on() -> None:
    assert standing(LENET, trained(LENET, BAD, dataset={"name": "digits"})).ours is None
    shorter = standing(RNN, trained(RNN, BAD, dataset={"params": {"length": 10, "relevant": 2}}))
    assert shorter.ours is None
    assert shorter.reason == "length 10 instead of 100"
    unofficial = standing(LENET, trained(LENET, BAD, official=False)).ours
    assert unofficial is not None
    assert unofficial.n == 3


def test_seeds_that_are_missing_do_not_count() -> None:
    found = standing(LENET, trained(LENET, [0.99, 0.99, None]))
    assert (found.word, found.reason) == ("not enough data", "2 of at least 3 seeds")
    assert standing(LENET, trained(LENET, [*GOOD, None])).word == "PASS"


def test_seeds_that_survived_others_do_not_stand_for_them() -> None:
    diverged = trained(LENET, [*GOOD, None])
    assert diverged[0].record is not None
    end = diverged[0].record.model_copy(update={"status": "diverged", "metrics": ()})
    diverged[3] = diverged[3].model_copy(update={"record": end})
    found = standing(LENET, diverged)
    assert (found.word, found.reason) == ("not enough data", "some seeds ended as diverged")


def test_the_same_files_from_elsewhere_are_the_same_data() -> None:
    cached = trained(LENET, [*GOOD, 0.991, 0.992], dataset={"source": "cache"})[3:]
    found = standing(LENET, [*trained(LENET, GOOD), *cached])
    assert found.ours is not None
    assert found.ours.n == 5


def test_what_differs_in_more_than_the_seed_is_not_pooled_and_the_most_seeds_stand() -> None:
    warm = {**LENET.train, "warmup": 0.1}
    found = standing(LENET, [*trained(LENET, BAD, train=warm), *trained(LENET, [*GOOD, 0.991])])
    assert found.word == "PASS"
    assert found.ours is not None
    assert found.ours.n == 4


def test_what_counts_goes_before_more_of_what_does_not() -> None:
    unofficial = trained(LENET, [0.9] * 9, official=False)
    assert standing(LENET, [*unofficial, *trained(LENET, GOOD)]).word == "PASS"


def test_a_parameter_that_must_be_null_tells_models_apart() -> None:
    bag = next(score for score in published().scores if score.absent)
    assert standing(bag, trained(bag, [0.92, 0.921, 0.922])).word == "PASS"
    with_units = trained(bag, [0.1, 0.2, 0.3], params={**bag.params, "hidden_size": 10})
    assert standing(bag, with_units).ours is None


def test_candidates_of_a_study_are_no_evidence() -> None:
    results = [
        result.model_copy(update={"entry": result.entry.model_copy(update={"study": "s"})})
        for result in trained(LENET, GOOD)
    ]
    assert standing(LENET, results).word == "not enough data"


# --- the section ------------------------------------------------------------------------------------------------------


def rows(results: list[Result]) -> list[list[str]]:
    built = section.build(Results(suite(), results))
    assert built is not None
    (table,) = built.blocks
    assert isinstance(table, Table)
    return [[str((cell.text or cell.value) if isinstance(cell, Cell) else cell) for cell in row] for row in table.rows]


def test_the_report_shows_published_figures_beside_ours() -> None:
    (row,) = rows(trained(LENET, GOOD))
    assert row[:6] == [
        "lenet5 on mnist", "99.05 %", "LeCun et al. 1998, figure 9", "98.86 % to 99.24 %", "99.10 % ± 0.25, n = 3",
        "PASS",
    ]  # fmt: skip
    assert row[6].startswith(f"{titled(LENET.convention)}. Band: ")
    assert "1.96 standard errors on 10,000 test examples" in row[6]


def test_the_report_says_why_a_figure_cannot_be_compared() -> None:
    (row,) = rows(trained(LENET, BAD, official=False))
    assert row[5] == "not enough data"
    assert row[6].startswith("An unofficial copy of mnist of 19,930 training examples.")


def test_the_report_is_silent_where_nothing_is_published() -> None:
    assert section.build(Results(suite(), trained(LENET, GOOD, dataset={"name": "digits"}))) is None
