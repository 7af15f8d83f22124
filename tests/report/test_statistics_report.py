"""What the statistics of a report say, as its sections have it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import costs, job, quality, result, suite, with_artifact

from dlbench.analyze.results import Results
from dlbench.schema.blocks import Cell, Figure, Section, Table
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result
from dlbench.sections import accuracy_vs_cost, comparisons, over_tasks, time_to_target

FIVE = [0.90, 0.91, 0.905, 0.912, 0.903]


def tables(section: Section | None) -> list[Table]:
    assert section is not None
    return [block for block in section.blocks if isinstance(block, Table)]


def texts(table: Table, row: int = 0) -> list[str]:
    """A line of a table as it is read."""
    cells = [cell if isinstance(cell, Cell) else Cell(value=cell) for cell in table.rows[row]]
    return [str(cell.value) if cell.text is None else cell.text for cell in cells]


def rows_of(figure: Figure) -> list[dict[str, Any]]:
    """The data behind a figure."""
    data: Any = figure.spec["data"]
    return list(data["values"])


def shifted(by: float) -> list[float]:
    return [value + by + 0.0003 * (-1) ** seed for seed, value in enumerate(FIVE)]


def test_a_comparison_says_how_sure_it_is() -> None:
    results = Results(suite(), [*quality("base", FIVE), *quality("new", shifted(0.004))])
    verdicts, sure = tables(comparisons.build(results))
    assert texts(verdicts)[2:4] == ["better", "+0.41 points"]
    assert texts(sure)[:2] == ["new", "base"]
    assert texts(sure)[2:] == ["+0.38 to +0.43", "100 % (48 to 100)", "+9.86 (+3.4 to +16.5)"]


def test_few_seeds_say_nothing_of_certainty() -> None:
    results = Results(suite(), [*quality("base", FIVE[:4]), *quality("new", FIVE[1:])])
    assert len(tables(comparisons.build(results))) == 1


def answered(label: str, right: NDArray[np.bool_], folder: Path) -> list[Result]:
    """Networks, (seeds, examples), whose answers were kept."""

    def kept(one: Result, row: NDArray[np.bool_]) -> Result:
        def write(path: Path) -> None:
            np.savez_compressed(path, target=np.zeros(len(row), dtype=int), predicted=(~row).astype(int))

        return with_artifact(one, folder, "predictions", "predictions.npz", write)

    lines = quality(label, [float(row.mean()) for row in right])
    return [kept(one, row) for one, row in zip(lines, right, strict=True)]


def test_where_the_two_opinions_differ_that_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    luck = np.array([0.06, -0.02, 0.05, -0.03, 0.08])[:, None]
    lines = [
        *answered("base", rng.random((5, 4000)) < 0.85, tmp_path),
        *answered("new", rng.random((5, 4000)) < 0.85 + luck, tmp_path),
    ]
    found = tables(comparisons.build(Results(suite(), lines)))
    assert texts(found[0])[2] == "indistinguishable"
    assert texts(found[2])[2] == "better"
    assert "training again may turn it round" in texts(found[2])[-1]
    assert "whether the recipe is better" in found[2].caption


def test_a_place_on_the_front_has_a_probability() -> None:
    """The small one is cheapest, whatever the seeds; the large one is best or not, as they fall; the slow one never."""
    near = [value + (0.004 if seed == 1 else -0.0005) for seed, value in enumerate(FIVE)]
    lines = [*quality("small", FIVE), *quality("large", near), *quality("slow", shifted(-0.05))]
    for label, speed, size in (("small", 100.0, 1e4), ("large", 50.0, 1e5), ("slow", 10.0, 1e6)):
        lines += costs(label, {"infer_throughput": [speed, speed * 1.02], "parameters": [size, size]})
    section = accuracy_vs_cost.build(Results(suite(), lines))
    (fronts,) = tables(section)
    assert [column.name for column in fronts.columns] == ["Contender", "Inference throughput", "Parameters"]
    chances = {texts(fronts, row)[0]: float(texts(fronts, row)[1]) for row in range(3)}
    assert (chances["small"], chances["slow"]) == (1.0, 0.0)
    assert 0.3 < chances["large"] < 0.9
    assert section is not None
    figures = [block for block in section.blocks if isinstance(block, Figure)]
    assert [figure.name for figure in figures] == ["infer_throughput_ag-news", "parameters_ag-news"]
    assert "the cost does not vary" in figures[1].caption


def test_who_lacks_seeds_is_on_no_front() -> None:
    lines = [*quality("a", FIVE), *quality("b", shifted(-0.01)), *quality("half", [0.99, None, None, None, None])]
    for label, speed in (("a", 100.0), ("b", 120.0), ("half", 500.0)):
        lines += costs(label, {"infer_throughput": [speed]})
    section = accuracy_vs_cost.build(Results(suite(), lines))
    assert section is not None
    (figure,) = (block for block in section.blocks if isinstance(block, Figure))
    assert "On the Pareto front: a and b." in figure.alt
    assert "of those with the same seeds nothing is better in both respects" in figure.caption
    assert "Drawn, but not ranked: half (1 of 5 seeds)." in figure.caption
    assert [texts(table, row)[0] for table in tables(section) for row in range(len(table.rows))] == ["a", "b"]


def plane(lines: list[Result]) -> tuple[Figure, Table]:
    """The one figure of scores against a cost, and the table of fronts."""
    section = accuracy_vs_cost.build(Results(suite(), lines))
    assert section is not None
    (figure,) = (block for block in section.blocks if isinstance(block, Figure))
    (table,) = tables(section)
    return figure, table


def speeds(label: str, **by_size: float) -> list[Result]:
    """Two rounds of inference at each batch size: `b64=100.0`."""
    return [
        line
        for size, speed in by_size.items()
        for line in costs(label, {"infer_throughput": [speed, 1.01 * speed]}, batch_size=int(size[1:]))
    ]


def test_scores_stand_against_costs_at_the_largest_batch_that_all_have_been_measured_at() -> None:
    lines = [*quality("small", FIVE), *quality("good", shifted(0.05))]
    lines += [*speeds("small", b1=1.0, b64=100.0, b512=900.0), *speeds("good", b1=0.9, b64=90.0)]
    lines.append(result(job("good", kind="cost", batch_size=512), "good", status="oom", reason="out of memory"))
    figure, table = plane(lines)
    assert {row["model"] for row in rows_of(figure)} == {"small", "good"}
    assert figure.caption.startswith("Batch 64, the largest that all were measured at. ")
    assert "nothing is better in both respects than what lies on it" in figure.caption
    assert [texts(table, row) for row in range(2)] == [["good", "1.0"], ["small", "1.0"]]
    assert table.columns[1].tooltip == "Batch 64"


def test_who_has_no_cost_where_most_have_is_named_with_the_reason() -> None:
    lines = [line for n, label in enumerate("abcde") for line in quality(label, shifted(0.01 * n))]
    lines += [*speeds("a", b64=100.0, b512=500.0), *speeds("b", b64=90.0, b512=900.0), *speeds("c", b512=50.0)]
    lines.append(result(job("d", kind="cost", batch_size=512), "d", status="oom", reason="out of memory"))
    lines += quality("f", [0.99, None, None, None, None]) + speeds("f", b512=700.0)
    lines += quality("g", [None] * 5) + speeds("g", b512=800.0)
    figure, table = plane(lines)
    assert {row["model"] for row in rows_of(figure)} == {"a", "b", "c", "f"}
    assert figure.caption.startswith("Batch 512. ")
    assert "of those drawn with the same seeds nothing is better in both respects" in figure.caption
    assert "Drawn, but not ranked: f (1 of 5 seeds)." in figure.caption
    missing = "d (out of memory at batch 512), e (not measured at batch 512) and g (not run yet)"
    assert f"Left out: {missing}." in figure.caption
    assert [texts(table, row)[0] for row in range(len(table.rows))] == ["c", "b", "a"]
    assert f"Left out: {missing.replace(' and g', ', g')} and f (1 of 5 seeds)." in table.caption


def test_nothing_is_said_to_be_unbeaten_by_those_that_cannot_be_ranked() -> None:
    lines = [*quality("a", FIVE), *quality("b", shifted(-0.05)), *quality("half", [0.99, 0.99, None, None, None])]
    lines += [*speeds("a", b64=100.0), *speeds("b", b64=80.0), *speeds("half", b64=500.0)]
    figure, _ = plane(lines)
    assert "Of those with the same seeds nothing beats a in either respect." in figure.caption
    figure, _ = plane([*lines[:10], *quality("b", shifted(-0.05)), *speeds("a", b64=100.0), *speeds("b", b64=80.0)])
    assert "Nothing beats a in either respect." in figure.caption


def timed(label: str, times: list[float], dataset: str, target: float = 0.9) -> list[Result]:
    """Train results with a target; inf missed it."""
    lines = []
    for seed, time in enumerate(times):
        data = {"name": dataset, "digest": f"sha256:{dataset}"}
        one = job(label, number=seed, train={"target": target}, dataset=data)
        given = {"value": None, "reason": "the best was 0.8"} if time == float("inf") else {"value": time}
        metrics = [
            Metric(name="test_accuracy", value=0.9, unit="fraction", better="higher", n=100),
            Metric.model_validate({"name": "time_to_target_s", "unit": "s", "better": "lower", **given}),
            Metric.model_validate({"name": "steps_to_target", "unit": "steps", "better": "lower", **given}),
        ]
        lines.append(result(one, label, metrics))
    return lines


def test_a_missed_target_is_infinite_and_the_profile_shows_it() -> None:
    inf = float("inf")
    lines = [
        *timed("fast", [1.0, 2.0, 3.0], "ag_news"),
        *timed("late", [4.0, inf, inf], "ag_news"),
        *timed("fast", [30.0, 20.0, 10.0], "sst2"),
        *timed("late", [10.0, 11.0, 10.0], "sst2"),
    ]
    section = time_to_target.build(Results(suite(), lines))
    news, _ = tables(section)
    assert news.caption.startswith("Target: 90.0 % validation accuracy.")
    assert texts(news, 0) == ["fast", "3 of 3", "2.00 s (1.00 s to 3.00 s)", "2 (1 to 3)"]
    assert texts(news, 1) == ["late", "1 of 3", "∞ (4.00 s to ∞)", "∞ (4 to ∞)"]
    assert section is not None
    steps, _, over = (block for block in section.blocks if isinstance(block, Figure))
    shares = [(row["time"], row["share"]) for row in rows_of(steps) if row["model"] == "late"]
    assert shares == [(0.0, 0.0), (4.0, pytest.approx(1 / 3)), (4.2, pytest.approx(1 / 3))]
    assert "All seeds of fast did." in steps.alt
    profiles = {(row["model"], row["times"]): row["share"] for row in rows_of(over)}
    assert profiles["fast", 1.0] == 0.5
    assert profiles["fast", 2.0] == 1.0
    assert profiles["late", 2.2] == 0.5


def test_a_task_on_which_targets_differ_is_in_no_profile_and_that_is_said() -> None:
    lines = [line for dataset in ("a", "b", "c") for line in timed("slow", [4.0, 5.0, 6.0], dataset)]
    lines += [line for name, at in (("a", 0.9), ("b", 0.5), ("c", 0.9)) for line in timed("fast", [0.0] * 3, name, at)]
    section = time_to_target.build(Results(suite(), lines))
    assert section is not None
    over = [block for block in section.blocks if isinstance(block, Figure)][-1]
    assert over.caption.endswith("Over a and c; left out, for the contenders' targets differ there: b.")
    shares = {(row["model"], row["times"]): row["share"] for row in rows_of(over)}
    assert shares["fast", 1.0] == 1.0
    assert shares["slow", 1.0] == 0.0


def test_without_a_target_there_is_no_such_section() -> None:
    assert time_to_target.build(Results(suite(), [*quality("a", FIVE), *quality("b", FIVE)])) is None


def test_the_same_contenders_on_two_tasks_are_looked_at_together() -> None:
    lines = []
    for dataset, by in (("ag_news", 0.004), ("sst2", -0.02)):
        data = {"name": dataset, "digest": f"sha256:{dataset}"}
        lines += [*quality("base", FIVE, dataset=data), *quality("new", shifted(by), dataset=data)]
    section = over_tasks.build(Results(suite(), lines))
    (table,) = tables(section)
    assert [column.name for column in table.columns] == [
        "Contender",
        "ag_news",
        "sst2",
        "Mean rank",
        "Against baseline",
        "Chance to be better",
    ]
    assert texts(table, 0) == ["base", "2", "1", "1.50 (1.50 to 1.50)", "baseline", "–"]
    assert texts(table, 1) == ["new", "1", "2", "1.50 (1.50 to 1.50)", "better 1, worse 1", "50 % (19 to 81)"]
    assert "2 contenders on 2 tasks (ag_news and sst2), 5 seeds each." in table.caption
    assert over_tasks.build(Results(suite(), lines[:10])) is None


def test_what_is_left_out_over_tasks_is_named_with_the_reason() -> None:
    lines = []
    for dataset in ("a", "b", "c", "d"):
        data = {"name": dataset, "digest": f"sha256:{dataset}"}
        lines += [*quality("base", FIVE, dataset=data)]
        lines += quality("new", [*FIVE[:4], None] if dataset == "c" else shifted(0.01), dataset=data)
        lines += quality("e", FIVE, dataset=data, flags=["emulated: fp8 rounds in float32"])
        lines += quality("cnn", FIVE, dataset=data) if dataset == "d" else []
    (table,) = tables(over_tasks.build(Results(suite(), lines)))
    assert "2 contenders on 3 tasks (a, b and d), 5 seeds each." in table.caption
    assert "Contenders left out: e (emulated precision) and cnn (not on a and b)." in table.caption
    assert "Tasks left out: c (new: 4 of 5 seeds)." in table.caption


def test_of_very_many_contenders_some_are_drawn_and_all_are_listed() -> None:
    lines = []
    for dataset in ("ag_news", "sst2"):
        for number in range(45):
            times = [10.0 + number, 12.0] if number != 3 else [float("inf"), float("inf")]
            lines += timed(f"m{number}", times, dataset)
    results = Results(suite(), lines)
    for module, rows, words in (
        (time_to_target, 45, "The 40 that reach most targets are drawn."),
        (over_tasks, 45, "The 40 closest contenders are drawn."),
    ):
        section = module.build(results)
        assert section is not None
        assert len(tables(section)[0].rows) == rows
        figures = [block for block in section.blocks if isinstance(block, Figure)]
        assert {len({row["model"] for row in rows_of(figure)}) for figure in figures} == {40}
        assert words in figures[-1].caption
