"""Precisions: what was asked for, what ran, and what it costs and gains against the same model without it."""

from typing import Any

from dlbench.analyze.compare import Paired, Ratio, compare
from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.precisions import ran
from dlbench.analyze.quantities import SPEEDS, difference, format_of, listed, significant, titled
from dlbench.analyze.results import Results
from dlbench.analyze.summary import summarise
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Cell, Column, Figure, Section, Table, Text, Tone
from dlbench.schema.record import Result
from dlbench.sections import _charts, _cost

POSITION = 28

_WORD_TONES: dict[str, Tone] = {"better": "good", "worse": "error"}
RATIOS = (
    *((metric, titled(name), False) for metric, name in SPEEDS.items()),
    ("train_peak_memory_bytes", "Training memory", True),
    ("infer_peak_memory_bytes", "Inference memory", True),
)
"""Metric, name, and whether less of it is better."""


def build(results: Results) -> Section | None:
    """A table and figures for each arena; of a suite with a single precision only what did not run as it was asked."""
    varied = len({result.entry.job.precision for result in results.compared}) > 1
    blocks: list[Block] = []
    for arena in results.arenas:
        table = _table(results, arena) if varied else None
        figures = [f for phase in ("infer", "train") if (f := _figure(results, arena, phase)) is not None]
        found = [*([table] if table is not None else []), *_astray(arena), *figures]
        blocks += _cost.headed(results.arenas, arena, found)
    blocks += _cost.skipped(results.compared, lambda result: _skipped(results, result))
    return Section(title="Precision", anchor="precision", blocks=tuple(blocks)) if blocks else None


def _same_without(results: Results, arena: Arena, contender: Contender) -> Contender | None:
    """The same label at the suite's own precision, on the same device; None for that one itself."""
    reference = results.reference(arena, contender)
    same = reference is not None and (reference.label, reference.device) == (contender.label, contender.device)
    return reference if same else None


def _paired(results: Results, arena: Arena, contender: Contender) -> Paired | None:
    """The difference to the same label at the suite's own precision, corrected where the comparison is declared."""
    reference, score = _same_without(results, arena, contender), arena.score
    if reference is None or score is None or score.better == "neither":
        return None
    declared = results.comparison(contender)
    if declared is not None:
        return declared.paired
    higher = score.better == "higher"
    return compare(contender.values(score.name), reference.values(score.name), higher_is_better=higher)


def _ratio(results: Results, arena: Arena, contender: Contender, metric: str) -> tuple[Ratio, int] | None:
    """A cost over that of the same label at the suite's own precision, at the largest common batch size."""
    reference = _same_without(results, arena, contender)
    for size in reversed(contender.batch_sizes if reference is not None else ()):
        assert reference is not None
        ratio = results.cost_ratio(contender, reference, metric, size)
        if ratio is not None:
            return ratio, size
    return None


def _table(results: Results, arena: Arena) -> Table | None:
    labels = list(dict.fromkeys(contender.label for contender in arena.ordered))
    known = [contender for contender in arena.ordered if contender.seeds or contender.batch_sizes]
    contenders = sorted(
        known, key=lambda one: (labels.index(one.label), _same_without(results, arena, one) is not None)
    )
    if not contenders:
        return None
    columns: list[tuple[Column, list[Cell]]] = [
        (Column(name="Contender"), [_cost.name_cell(contender) for contender in contenders]),
        (Column(name="Asked"), [Cell(value=contender.precision) for contender in contenders]),
    ]
    if arena.score is not None:
        columns += [_score_column(arena, contenders), _difference_column(results, arena, contenders)]
    for metric, name, less in RATIOS:
        ratios = [_ratio(results, arena, contender, metric) or (None, 0) for contender in contenders]
        cells = [_cost.ratio_cell(ratio, size, less) for ratio, size in ratios]
        tooltip = "Over the same model at the suite's own precision, rounds paired by number"
        columns.append((Column(name=name, format="number", tooltip=tooltip), cells))
    ran_column = Column(name="Ran", tooltip="Dtypes of the weights of matrix operators in a forward pass")
    columns.append((ran_column, [_ran_cell(contender) for contender in contenders]))
    kept = [column for column in columns if any(cell.value is not None for cell in column[1])]
    return Table(
        columns=tuple(column for column, _ in kept),
        rows=tuple(zip(*(cells for _, cells in kept), strict=True)),
        caption=f"Against the same model at {results.precision}, with the same seeds. A speed or a size is "
        "coloured where its interval leaves 1 out and the ratio is beyond the noise floor. An emulated precision shows "
        "what rounding does to the score; its speed is that of the emulation, and it is never ranked.",
    )


def _ran_cell(contender: Contender) -> Cell:
    found = ran(contender)
    return Cell(value=found.words or None, tone="warning" if found.astray else "normal", note=found.astray)


def _score_column(arena: Arena, contenders: list[Contender]) -> tuple[Column, list[Cell]]:
    assert arena.score is not None
    summaries = [summarise(list(contender.values(arena.score.name).values())) for contender in contenders]
    cells = [Cell(value=None) if s is None else Cell(value=s.mean, margin=s.margin) for s in summaries]
    name = titled(score_name(arena))
    return Column(name=name, format=format_of(arena.score.unit), tooltip="Mean over seeds, 95 % interval"), cells


def _difference_column(results: Results, arena: Arena, contenders: list[Contender]) -> tuple[Column, list[Cell]]:
    cells = []
    for contender in contenders:
        paired = _paired(results, arena, contender)
        if paired is None:
            cells.append(Cell(value=None))
            continue
        word = "not ranked" if contender.emulated else paired.word
        text = f"{word} ({_signed(arena, paired.difference)})"
        note = None if paired.low is None else f"95 % interval {_signed(arena, paired.low)} to "
        if note is not None and paired.high is not None:
            note += f"{_signed(arena, paired.high)}, n = {paired.n}"
        cells.append(Cell(value=paired.difference, text=text, note=note, tone=_WORD_TONES.get(word, "normal")))
    return Column(name="Difference", format="number", tooltip="Mean difference over common seeds"), cells


def _signed(arena: Arena, value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return sign + difference(value, format_of(arena.score.unit if arena.score else ""))


def _astray(arena: Arena) -> list[Block]:
    """Who asked for a precision and got another, those of one story in one line."""
    whose: dict[tuple[str, str, str], list[str]] = {}
    for contender in arena.contenders:
        found = ran(contender)
        if found.astray is not None:
            whose.setdefault((contender.precision, found.astray, found.words), []).append(contender.name)
    return [
        Text(text=f"{listed(names)} asked for {precision}, but {told}: {words}.", tone="warning")
        for (precision, told, words), names in whose.items()
    ]


def _skipped(results: Results, result: Result) -> str | None:
    """The precision of a job, where it is not the suite's own."""
    precision = result.entry.job.precision
    return None if precision == results.precision else precision


def _figure(results: Results, arena: Arena, phase: str) -> Figure | None:
    """Difference in score against speed-up, one point for each contender at another precision."""
    rows: list[dict[str, Any]] = []
    sizes = set()
    for contender in arena.contenders:
        paired, found = _paired(results, arena, contender), _ratio(results, arena, contender, f"{phase}_throughput")
        if paired is None or found is None or contender.emulated:
            continue
        ratio, size = found
        sizes.add(size)
        rows.append(
            {
                "model": contender.name,
                "speed": ratio.ratio,
                "speed_low": ratio.ratio if ratio.low is None else ratio.low,
                "speed_high": ratio.ratio if ratio.high is None else ratio.high,
                "gain": paired.difference,
                "low": paired.difference if paired.low is None else paired.low,
                "high": paired.difference if paired.high is None else paired.high,
                "n": paired.n,
            }
        )
    if not rows or arena.score is None:
        return None
    name, what = score_name(arena), _cost.PHASES[phase]
    spots = zip(
        _charts.pixels([*(row["speed"] for row in rows), 1.0], _charts.NARROW_PX)[:-1],
        [260 - y for y in _charts.pixels([*(row["gain"] for row in rows), 0.0], 260)][:-1],
        strict=True,
    )
    for row, place in zip(rows, _charts.place_labels(list(spots), [row["model"] for row in rows]), strict=True):
        row |= place
    fastest = max(rows, key=lambda row: float(row["speed"]))
    return Figure(
        name=f"precision_{phase}_{arena.anchor}",
        title=f"{titled(name)} lost or won against speed of {what}",
        alt=f"Scatter plot of {len(rows)} contenders at another precision on {arena.title}: difference in {name} "
        f"against speed. The fastest is {fastest['model']}, {significant(fastest['speed'])} times as fast.",
        caption=f"Against the same model at {results.precision}, at batch "
        f"{listed([str(size) for size in sorted(sizes)])}. Bars are 95 % intervals. Right of the upright line is "
        f"faster, {'above' if arena.score.better == 'higher' else 'below'} the level one is a better {name}.",
        spec=_charts.chart(rows, _layers(results, arena, rows, what, name)),
        height_px=260,
    )


def _layers(results: Results, arena: Arena, rows: list[dict[str, Any]], what: str, name: str) -> list[_charts.Spec]:
    assert arena.score is not None
    format = "points" if arena.score.unit == "fraction" else "number"
    x = _charts.measure("speed", f"Speed of {what}", "times")
    y = _charts.measure("gain", f"Difference in {name}{' (points)' if format == 'points' else ''}", format)
    for axis in (x, y):
        axis["scale"]["padding"] = 20
    shown = [row["model"] for row in rows]
    hue = _charts.colour(results.series, shown, legend=False)
    shapes = _charts.shape(results.series, shown, legend=False)
    tip = [
        _charts.tooltip("model", "contender"),
        _charts.tooltip("gain", f"difference in {name}", ".4~s"),
        _charts.tooltip("n", "seeds"),
        _charts.tooltip("speed", "times as fast", ".3~s"),
    ]
    level = {"mark": {"type": "rule", "opacity": 0.4, "strokeDash": [4, 4]}}
    return [
        {**level, "encoding": {"x": {"datum": 1, "type": "quantitative"}}},
        {**level, "encoding": {"y": {"datum": 0, "type": "quantitative"}}},
        *_charts.named_points(x, y, ("speed_low", "speed_high"), hue, shapes, tip),
    ]
