"""Leaderboard: for each task and dataset every contender with its score, its verdict and its costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.quantities import difference, digits_for, format_of, titled
from dlbench.analyze.results import Comparison, Results
from dlbench.analyze.summary import summarise, summarise_rounds
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Cell, Column, Figure, Format, Heading, Section, Table, Text, Tone
from dlbench.sections import _charts, _cost, _drawn

POSITION = 30

_WORD_TONES: dict[str, Tone] = {"better": "good", "worse": "error"}


@dataclass(frozen=True)
class CostColumn:
    """A column of a cost metric: at the smallest or the largest batch size that was measured."""

    metric: str
    name: str
    format: Format
    largest: bool
    tooltip: str


COSTS = (
    CostColumn("train_throughput", "Training speed", "rate", True, "Samples per second in a training step"),
    CostColumn("infer_throughput", "Inference speed", "rate", True, "Samples per second in inference"),
    CostColumn("decode_throughput", "Decoding speed", "rate", True, "Samples per second, each of a fixed length"),
    CostColumn("infer_latency_p50_ms", "Latency", "milliseconds", False, "Median time of one inference call"),
    CostColumn("train_peak_memory_bytes", "Training memory", "bytes", True, "Peak memory of training steps"),
    CostColumn("infer_peak_memory_bytes", "Inference memory", "bytes", True, "Peak memory of inference"),
    CostColumn("parameters", "Parameters", "count", True, "Numbers in the model, buffers excluded"),
    CostColumn("flops_per_sample", "FLOPs/sample", "flop", True, "Floating-point operations of one forward pass"),
    CostColumn("mfu", "MFU", "fraction", True, "Share of this machine's measured matrix rate that training reaches"),
    CostColumn("energy_per_sample_j", "Energy/sample (J)", "number", True, "Energy of a training step over its batch"),
)


def build(results: Results) -> Section | None:
    """A figure of the scores and a table for each arena with a result."""
    blocks: list[Block] = []
    arenas = [arena for arena in results.arenas if any(c.seeds or c.batch_sizes for c in arena.contenders)]
    for arena in arenas:
        if len(arenas) > 1:
            blocks.append(Heading(text=arena.title))
        blocks += [_table(results, arena), *_cost.missing(arena.contenders, {cost.metric: cost.name for cost in COSTS})]
        figure = _scores(results, arena)
        if figure is not None:
            blocks.append(figure)
    return Section(title="Leaderboard", anchor="leaderboard", blocks=tuple(blocks)) if blocks else None


def _table(results: Results, arena: Arena) -> Table | Text:
    ordered = arena.ordered
    columns: list[tuple[Column, list[Cell]]] = [
        (Column(name="Model"), [Cell(value=contender.name, series=contender.name) for contender in ordered])
    ]
    if arena.score is not None:
        columns += _quality_columns(results, arena, ordered)
    columns += [column for cost in COSTS if (column := _cost_column(arena, ordered, cost)) is not None]
    return Table(
        columns=tuple(column for column, _ in columns),
        rows=tuple(zip(*(cells for _, cells in columns), strict=True)),
        caption=_caption(results, arena),
    )


def _caption(results: Results, arena: Arena) -> str:
    if arena.measured_only:
        return "Costs are medians over rounds; nothing is trained."
    parts = ["Scores are means over seeds ± half a 95 % t interval; costs are medians over rounds."]
    baseline = results.baseline_label(arena)
    compared = arena.score is not None and len(arena.contenders) > 1
    if compared and baseline is not None:
        declared = "the declared baseline" if results.suite.report.baseline else "the suite's first model"
        parts.append(f"Verdicts are against {baseline}, {declared}, paired over common seeds, Holm-corrected.")
    elif compared:
        parts.append(f"The declared baseline {results.suite.report.baseline} is not among these contenders.")
    if len({contender.precision for contender in arena.contenders}) > 1:
        parts.append("Another precision is compared with the same model at the suite's own precision.")
    if arena.score is not None and not arena.ranked and len(arena.contenders) > 1:
        parts.append("Nothing is ranked: the contenders do not have the same seeds.")
    return " ".join(parts)


def _quality_columns(results: Results, arena: Arena, ordered: Sequence[Contender]) -> list[tuple[Column, list[Cell]]]:
    score = arena.score
    assert score is not None
    name = score_name(arena)
    columns = [
        _mean_column(ordered, score.name, titled(name), f"Test {name}: mean over seeds, 95 % interval"),
        _count_column(ordered, score.name),
    ]
    if any(comparison.arena is arena for comparison in results.comparisons):
        columns.append(_verdict_column(results, arena, ordered))
    if score.name != "test_f1_macro" and any(contender.values("test_f1_macro") for contender in ordered):
        columns.append(_mean_column(ordered, "test_f1_macro", "Macro F1", "Mean over classes of the F1 score"))
    if any(contender.reached("time_to_target_s") for contender in ordered):
        columns.append(_target_column(ordered))
    if any(contender.values("train_time_s") for contender in ordered):
        columns.append(_time_column(ordered))
    return columns


def _mean_column(ordered: Sequence[Contender], metric: str, title: str, tooltip: str) -> tuple[Column, list[Cell]]:
    summaries = [summarise(list(contender.values(metric).values())) for contender in ordered]
    unit = next((found.unit for c in ordered for r in c.train if r.record and (found := r.record.metric(metric))), "")
    format = format_of(unit)
    margins = [summary.margin for summary in summaries if summary is not None and summary.margin]
    scale = 100 if format == "fraction" else 1
    digits = digits_for(min(margins, default=None), scale=scale, most=2 if scale == 100 else 4)
    cells = [
        Cell(value=None, text="no result")
        if summary is None
        else Cell(
            value=summary.mean,
            margin=summary.margin,
            note=f"median {summary.median:.4g}, quartiles {summary.q1:.4g} and {summary.q3:.4g}, "
            f"range {summary.low:.4g} to {summary.high:.4g}",
        )
        for summary in summaries
    ]
    return Column(name=title, format=format, tooltip=tooltip, digits=digits), cells


def _count_column(ordered: Sequence[Contender], metric: str) -> tuple[Column, list[Cell]]:
    cells = []
    for contender in ordered:
        done, planned = len(contender.values(metric)), len(contender.train)
        missing = done < planned
        cells.append(
            Cell(value=done, text=f"{done} of {planned}" if missing else None, tone="warning" if missing else "normal")
        )
    return Column(name="Seeds", format="count", tooltip="Finished train jobs, one a seed"), cells


def _verdict_column(results: Results, arena: Arena, ordered: Sequence[Contender]) -> tuple[Column, list[Cell]]:
    cells = []
    for contender in ordered:
        comparison = results.comparison(contender)
        if comparison is not None:
            cells.append(_verdict_cell(comparison))
        elif contender.label == results.baseline_label(arena) and results.reference(arena, contender) is None:
            cells.append(Cell(value="baseline"))
        elif contender.emulated:
            cells.append(Cell(value=None, text="not ranked", note="Emulated precision"))
        else:
            cells.append(Cell(value=None, text="no pairs", note="No seed in common with the baseline"))
    return Column(name="Against baseline", tooltip="Paired over common seeds, 5 % level after Holm's correction"), cells


def _verdict_cell(comparison: Comparison) -> Cell:
    paired, unit = comparison.paired, comparison.arena.score.unit if comparison.arena.score else ""
    sign = "+" if paired.difference > 0 else "−" if paired.difference < 0 else "±"
    text = f"{paired.word} ({sign}{difference(paired.difference, format_of(unit))})"
    return Cell(value=paired.word, text=text, tone=_WORD_TONES.get(paired.word, "normal"))


def _target_column(ordered: Sequence[Contender]) -> tuple[Column, list[Cell]]:
    cells = []
    for contender in ordered:
        times = list(contender.reached("time_to_target_s").values())
        missed = sum(math.isinf(time) for time in times)
        summary = summarise_rounds(times)
        if summary is None:
            cells.append(Cell(value=None))
        elif math.isinf(summary.median):
            cells.append(Cell(value=None, text="not reached", note=f"missed by {missed} of {len(times)} seeds"))
        else:
            note = f"reached by {len(times) - missed} of {len(times)} seeds"
            cells.append(Cell(value=summary.median, note=note, tone="warning" if missed else "normal"))
    return Column(name="Time to target", format="seconds", tooltip="Median; a missed target counts as infinite"), cells


def _time_column(ordered: Sequence[Contender]) -> tuple[Column, list[Cell]]:
    summaries = [summarise(list(contender.values("train_time_s").values())) for contender in ordered]
    cells = [
        Cell(value=None) if s is None else Cell(value=s.median, note=f"range {s.low:.3g} to {s.high:.3g} s")
        for s in summaries
    ]
    return Column(name="Training time", format="seconds", tooltip="Median over seeds, validation included"), cells


def _cost_column(arena: Arena, ordered: Sequence[Contender], cost: CostColumn) -> tuple[Column, list[Cell]] | None:
    sizes = _cost.sizes_of(arena, [cost.metric])
    if not sizes:
        return None
    size = max(sizes) if cost.largest else min(sizes)
    cells = [_cost.cell(contender, cost.metric, size) for contender in ordered]
    return Column(name=cost.name, format=cost.format, tooltip=f"{cost.tooltip}, batch {size}"), cells


def _scores(results: Results, arena: Arena) -> Figure | None:
    """Every seed as a dot, the mean with its interval over it."""
    if arena.score is None:
        return None
    name, format = score_name(arena), format_of(arena.score.unit)
    rows, shown = [], []
    contenders, note = _drawn.drawn(arena, [one for one in arena.ordered if one.seeds])
    for contender in contenders:
        values = contender.values(arena.score.name)
        summary = summarise(list(values.values()))
        if summary is None:
            continue
        shown.append(contender.name)
        rows += [{"model": contender.name, "seed": seed, "score": value} for seed, value in values.items()]
        rows.append(
            {
                "model": contender.name,
                "mean": summary.mean,
                **_charts.ends(summary.mean, summary.margin, arena.score.unit),
                "n": summary.n,
            }
        )
    if not rows:
        return None
    # The order is a domain, not a sort: Vega-Lite turns sorts into code, and a name could be any text.
    y = {"field": "model", "type": "nominal", "scale": {"domain": shown}, "axis": _charts.NAMES}
    hue = _charts.colour(results.series, shown, legend=False)
    title = f"{'Test' if arena.score.name.startswith('test') else 'Validation'} {name}"
    x = _charts.measure("score", title, format)
    layers = [
        {
            "transform": [{"filter": "isValid(datum.score)"}],
            "mark": {"type": "point", "filled": True, "size": 38, "opacity": 0.45},
            "encoding": {
                "x": x,
                "y": y,
                "color": hue,
                "tooltip": [
                    _charts.tooltip("model", "model"),
                    _charts.tooltip("seed", "seed"),
                    _charts.tooltip("score", name, _charts.tooltip_format(format)),
                ],
            },
        },
        {
            "transform": [{"filter": "isValid(datum.mean)"}],
            "mark": {"type": "rule", "strokeWidth": 3},
            "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y, "color": hue},
        },
        {
            "transform": [{"filter": "isValid(datum.mean)"}],
            "mark": {"type": "tick", "thickness": 3, "size": 18},
            "encoding": {
                "x": {"field": "mean", "type": "quantitative"},
                "y": y,
                "color": hue,
                "tooltip": [
                    _charts.tooltip("model", "model"),
                    _charts.tooltip("mean", "mean", _charts.tooltip_format(format)),
                    _charts.tooltip("n", "seeds"),
                ],
            },
        },
    ]
    counted = "one contender" if len(shown) == 1 else f"{len(shown)} contenders"
    return Figure(
        name=f"scores_{arena.anchor}",
        title=f"{titled(name)} of every seed",
        alt=f"Dot plot of the {name} of every seed of {counted} on {arena.title}, with means.",
        caption=f"A dot is a seed; the upright mark is the mean and the bar its 95 % interval.{note}",
        spec=_charts.chart(rows, layers),
        height_px=max(70, 34 * len(shown)),
    )
