"""How costs grow with the batch: throughput, memory, and the largest batch that fits."""

from dataclasses import dataclass
from typing import Any

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.largest import Largest
from dlbench.analyze.quantities import listed, quantity
from dlbench.analyze.results import Results
from dlbench.analyze.scaling import LEAST_SIZES, LITTLE, Knee, knee
from dlbench.schema.blocks import Block, Cell, Column, Figure, Format, Section, Table
from dlbench.sections import _charts, _cost

POSITION = 54

_LITTLE = quantity(LITTLE, "fraction", 0)
_BOUNDS = {"memory": "memory", "examples": "the number of examples"}


@dataclass(frozen=True, eq=False)
class Scaled:
    """A contender in one phase, over batch sizes."""

    contender: Contender
    throughput: dict[int, float]
    memory: dict[int, float]
    largest: Largest | None

    @property
    def knee(self) -> Knee | None:
        """Where throughput flattens."""
        return knee(self.throughput)


def build(results: Results) -> Section | None:
    """Figures and a table for each arena and phase with three batch sizes, or a search for the largest one."""
    blocks: list[Block] = []
    for arena in results.arenas:
        found: list[Block] = []
        for phase in _cost.PHASES:
            scaled = [one for contender in arena.ordered if (one := _scaled(contender, phase)) is not None]
            if scaled:
                figures = _throughput(results, arena, phase, scaled), _memory(results, arena, phase, scaled)
                found += [*(figure for figure in figures if figure is not None), _table(phase, scaled)]
                found += _cost.missing(arena.contenders, {f"{phase}_largest_batch": "largest batch"})
        blocks += _cost.headed(results.arenas, arena, found)
    return Section(title="How costs grow with the batch", anchor="batches", blocks=tuple(blocks)) if blocks else None


def _scaled(contender: Contender, phase: str) -> Scaled | None:
    sizes = contender.batch_sizes
    largest = Largest.found(contender, phase)
    throughput = {s: value for s in sizes if (value := _cost.median(contender, f"{phase}_throughput", s))}
    memory = {size: peak for size, peak in (largest.tried if largest else {}).items() if peak}
    memory |= {s: value for s in sizes if (value := _cost.median(contender, f"{phase}_peak_memory_bytes", s))}
    if largest is None and max(len(throughput), len(memory)) < LEAST_SIZES:
        return None
    return Scaled(contender, throughput, memory, largest)


def _throughput(results: Results, arena: Arena, phase: str, scaled: list[Scaled]) -> Figure | None:
    kept = [one for one in scaled if len(one.throughput) >= 2]
    rows = [
        {"model": one.contender.name, "batch": size, "value": value}
        for one in kept
        for size, value in sorted(one.throughput.items())
    ]
    if not rows:
        return None
    knees = [f"{one.contender.name} {one.knee.batch}" for one in kept if one.knee and one.knee.batch]
    what = _cost.PHASES[phase]
    return Figure(
        name=f"batches_throughput_{phase}_{arena.anchor}",
        title=f"Throughput of {what} against batch size",
        alt=f"Lines of the throughput of {what} against batch size for {_counted(kept)} on {arena.title}."
        + (f" Doubling gains less than {_LITTLE} from batch: {listed(knees)}." if knees else ""),
        caption="Medians over rounds; both axes are logarithmic. A level line gains nothing by a larger batch.",
        spec=_charts.chart(rows, _lines(results, kept, rows, "Samples/s", "rate")),
    )


def _memory(results: Results, arena: Arena, phase: str, scaled: list[Scaled]) -> Figure | None:
    kept = [one for one in scaled if len(one.memory) >= 2]
    rows: list[dict[str, Any]] = [
        {"model": one.contender.name, "batch": size, "value": value}
        for one in kept
        for size, value in sorted(one.memory.items())
    ]
    if not rows:
        return None
    limits = sorted({one.largest.limit_bytes for one in kept if one.largest and one.largest.limit_bytes})
    refused = [
        {"model": one.contender.name, "batch": size, "refused": one.largest.limit_bytes}
        for one in kept
        if one.largest is not None and one.largest.limit_bytes
        for size, peak in one.largest.tried.items()
        if peak is None
    ]
    layers = _lines(results, kept, rows, "Peak memory", "bytes")
    x, y = layers[0]["encoding"]["x"], layers[0]["encoding"]["y"]
    if limits:
        level = {"type": "rule", "opacity": 0.5, "strokeDash": [4, 4]}
        layers += [{"mark": level, "encoding": {"y": {"datum": limit, "type": "quantitative"}}} for limit in limits]
    if refused:
        layers.append(
            {
                "transform": [{"filter": "isValid(datum.refused)"}],
                "mark": {"type": "text", "text": "×", "fontSize": 18, "fontWeight": "bold"},
                "encoding": {"x": x, "y": {**y, "field": "refused"}, "color": layers[0]["encoding"]["color"]},
            }
        )
    what = _cost.PHASES[phase]
    return Figure(
        name=f"batches_memory_{phase}_{arena.anchor}",
        title=f"Peak memory of {what} against batch size",
        alt=f"Lines of the peak memory of {what} against batch size for {_counted(kept)} on {arena.title}.",
        caption="Medians over rounds"
        + (", and what the search for the largest batch tried" if any(one.largest for one in kept) else "")
        + "; both axes are logarithmic."
        + (" The dashed line is the limit." if limits else "")
        + (" A cross is a batch that did not fit." if refused else ""),
        spec=_charts.chart([*rows, *refused], layers),
    )


def _lines(
    results: Results, scaled: list[Scaled], rows: list[dict[str, Any]], title: str, format: Format
) -> list[_charts.Spec]:
    x = _charts.measure("batch", "Batch size", "number", log=True)
    x["axis"] |= {"values": sorted({row["batch"] for row in rows}), "labelOverlap": True}
    y = _charts.measure("value", title, format, log=True)
    shown = [one.contender.name for one in scaled]
    hue, shapes = _charts.colour(results.series, shown), _charts.shape(results.series, shown)
    tip = [
        _charts.tooltip("model", "contender"),
        _charts.tooltip("batch", "batch size"),
        _charts.tooltip("value", title.lower(), ".4~s"),
    ]
    only = [{"filter": "isValid(datum.value)"}]
    return [
        {
            "transform": only,
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "color": hue},
        },
        {
            "transform": only,
            "mark": {"type": "point", "filled": True, "size": 50},
            "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "tooltip": tip},
        },
    ]


def _table(phase: str, scaled: list[Scaled]) -> Table:
    columns: list[tuple[Column, list[Cell]]] = [
        (Column(name="Contender"), [_cost.name_cell(one.contender) for one in scaled])
    ]
    if any(one.largest is not None for one in scaled):
        columns += [
            (Column(name="Largest batch", format="count"), [_largest_cell(one.largest) for one in scaled]),
            (Column(name="Bounded by"), [Cell(value=_bound(one.largest)) for one in scaled]),
            (
                Column(name="Limit", format="bytes", tooltip="Memory that a job may use"),
                [Cell(value=one.largest.limit_bytes if one.largest else None) for one in scaled],
            ),
        ]
    tooltip = f"From this batch on, doubling it gains less than {_LITTLE} of throughput"
    columns.append((Column(name="Enough", format="count", tooltip=tooltip), [_knee_cell(one.knee) for one in scaled]))
    best = [max(one.throughput.items(), key=lambda item: item[1], default=None) for one in scaled]
    fastest = [Cell(value=found[1], note=f"at batch {found[0]}") if found else Cell(value=None) for found in best]
    columns.append((Column(name="Best throughput", format="rate", tooltip="At the best of the batch sizes"), fastest))
    kept = [column for column in columns if any(cell.value is not None or cell.text for cell in column[1])]
    return Table(
        columns=tuple(column for column, _ in kept),
        rows=tuple(zip(*(cells for _, cells in kept), strict=True)),
        caption=f"Batches of {_cost.PHASES[phase]}. “Enough” is the batch from which doubling it gains less than "
        f"{_LITTLE} of throughput; it is one of those that were measured.",
    )


def _largest_cell(largest: Largest | None) -> Cell:
    if largest is None:
        return Cell(value=None)
    peak = largest.tried.get(largest.batch) if largest.batch is not None else None
    refused = [size for size, found in largest.tried.items() if found is None]
    note = [f"peak {quantity(peak, 'bytes')}"] if peak else []
    note += [f"{min(refused)} did not fit"] if refused else []
    note += [largest.reason] if largest.reason else []
    return Cell(value=largest.batch, note="; ".join(note) or None)


def _bound(largest: Largest | None) -> str | None:
    if largest is None or largest.bounded_by is None:
        return None
    return _BOUNDS.get(largest.bounded_by, str(largest.bounded_by))


def _knee_cell(found: Knee | None) -> Cell:
    if found is None:
        return Cell(value=None)
    if found.batch is None:
        return Cell(value=found.last + 1, text=f"above {found.last:,}", note="the last doubling still gained more")
    return Cell(value=found.batch)


def _counted(scaled: list[Scaled]) -> str:
    return "one contender" if len(scaled) == 1 else f"{len(scaled)} contenders"
