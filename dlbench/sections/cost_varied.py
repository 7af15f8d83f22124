"""What varying does to costs: each value of what is varied against the first, for each model alike in all else.

Precisions have a section of their own, and what makes another arena (a dataset's length) is not held against the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dlbench.analyze.compare import Ratio
from dlbench.analyze.contenders import Arena, canonical
from dlbench.analyze.cost_effects import ANOTHER_PLACE, Effect, cost_keys, effects
from dlbench.analyze.largest import Largest
from dlbench.analyze.quantities import SPEEDS, listed, significant, titled
from dlbench.analyze.results import Results
from dlbench.schema.base import Json
from dlbench.schema.blocks import Block, Cell, Column, Figure, Heading, Section, Table
from dlbench.schema.record import Result
from dlbench.sections import _charts, _cost

POSITION = 27


@dataclass(frozen=True)
class Measure:
    """A cost whose ratio is shown; `less` of it may be better."""

    metric: str
    name: str
    less: bool


MEASURES = (
    *(Measure(metric, titled(name), False) for metric, name in SPEEDS.items()),
    Measure("infer_latency_p50_ms", "Latency", True),
    Measure("train_peak_memory_bytes", "Training memory", True),
    Measure("train_activations_bytes", "Activations", True),
)
_PX_A_DOT = 17
_SWITCHED = {"true": "on", "false": "off"}


def build(results: Results) -> Section | None:
    """A table and a figure for each arena and varied key; None where nothing that costs depend on is varied."""
    blocks: list[Block] = []
    keys = [key for key in cost_keys(results) if key != "precision"]
    for key in keys:
        found = _of_key(results, key)
        blocks += [*([Heading(text=titled(_words(key)))] if found and len(keys) > 1 else []), *found]
    return Section(title="What varying does to costs", anchor="cost-varied", blocks=tuple(blocks)) if blocks else None


def _of_key(results: Results, key: str) -> list[Block]:
    blocks: list[Block] = []
    for arena in results.arenas:
        shown = _Shown(results, arena, key)
        blocks += _cost.headed(results.arenas, arena, [*shown.tables(), *shown.figures()])
    return [*blocks, *_cost.skipped(results.compared, partial(_gone, key, _had(results, key)))]


def _had(results: Results, key: str) -> set[str]:
    """Values of a key that some job was not skipped with: what is skipped at these is so for another reason."""
    kept = [result.entry for result in results.compared if result.status != "skipped"]
    return {canonical(entry.varied[key]) for entry in kept if key in entry.varied}


def _gone(key: str, had: set[str], result: Result) -> str | None:
    """The value of a key that could not be had at all, in words."""
    varied = result.entry.varied
    return _assigned(key, varied[key]) if key in varied and canonical(varied[key]) not in had else None


def _assigned(key: str, value: Json) -> str:
    """`grad checkpointing on`: a value with the last part of its key; a device speaks for itself."""
    text = value if isinstance(value, str) else _SWITCHED.get(canonical(value), canonical(value))
    return text if key == "device" else f"{_words(key)} {text}"


def _words(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")


class _Shown:
    """The effects of a key in an arena, at every batch size that both sides have."""

    def __init__(self, results: Results, arena: Arena, key: str) -> None:
        self.results, self.arena, self.key = results, arena, key
        found = [(effect, size) for effect in effects(arena, key) for size in effect.batch_sizes]
        self.rows = [pair for pair in found if any(self._ratio(*pair, measure) for measure in MEASURES)]
        self.first = _assigned(key, self.rows[0][0].first) if self.rows else ""
        self.values = list(dict.fromkeys(canonical(effect.value) for effect, _ in self.rows))

    def _ratio(self, effect: Effect, size: int, measure: Measure) -> Ratio | None:
        return effect.ratio(self.results, measure.metric, size)

    def tables(self) -> list[Block]:
        """One table, and a line on what is missing in it."""
        if not self.rows:
            return []
        columns: list[tuple[Column, list[Cell]]] = [
            (Column(name="Model"), [Cell(value=effect.series) for effect, _ in self.rows]),
            (Column(name="Batch", format="count"), [Cell(value=size) for _, size in self.rows]),
        ]
        if len(self.values) > 1:
            words = [Cell(value=_assigned(self.key, effect.value)) for effect, _ in self.rows]
            columns.insert(1, (Column(name="With"), words))
        for measure in MEASURES:
            cells = [self._cell(effect, size, measure) for effect, size in self.rows]
            columns.append((Column(name=measure.name, format="number"), cells))
        columns.append((Column(name="Largest batch", format="number"), [_largest(effect) for effect, _ in self.rows]))
        kept = [column for column in columns if any(cell.value is not None for cell in column[1])]
        concerned = dict.fromkeys(one for effect, _ in self.rows for one in (effect.reference, effect.contender))
        values = listed(list(dict.fromkeys(_assigned(self.key, effect.value) for effect, _ in self.rows)))
        caption = (
            f"Costs with {values} over those of the same model with {self.first}; in brackets the 95 % interval over "
            "rounds, paired by number, where it is wider than the digits. Coloured where it may be told, ≈ where it "
            "may not: the interval holds 1, the ratio lies within the noise floor, or the machine has drifted."
        )
        if any(column.name == "Largest batch" for column, _ in kept):
            caption += " The largest batch was looked for once; it is that of training, and belongs to no batch size."
        if self.key == ANOTHER_PLACE:
            caption += " Memory is measured in other ways on another device, and not compared."
        table = Table(
            columns=tuple(column for column, _ in kept),
            rows=tuple(zip(*(cells for _, cells in kept), strict=True)),
            caption=caption,
        )
        names = {measure.metric: measure.name for measure in MEASURES}
        return [table, *_cost.missing(list(concerned), names)]

    def _cell(self, effect: Effect, size: int, measure: Measure) -> Cell:
        ratio = self._ratio(effect, size, measure)
        cell = _cost.ratio_cell(ratio, size, measure.less)
        if ratio is None:
            return cell
        text = f"{'' if ratio.told else '≈ '}{cell.text}"
        if ratio.low is not None and ratio.high is not None:
            low, high = significant(ratio.low), significant(ratio.high)
            text += f" ({low}–{high})" if low != high else ""
        return cell.model_copy(update={"text": text})

    def figures(self) -> list[Block]:
        """A figure for each value of the key, at the largest batch size of each model."""
        return [figure for value in self.values if (figure := self._figure(value)) is not None]

    def _figure(self, value: str) -> Figure | None:
        sizes: dict[Effect, int] = {
            effect: size for effect, size in self.rows if canonical(effect.value) == value
        }  # ascending: the last is the largest
        rows: list[dict[str, Any]] = []
        for effect, size in sizes.items():
            for measure in MEASURES:
                ratio = self._ratio(effect, size, measure)
                if ratio is not None:
                    ends = {"low": ratio.low or ratio.ratio, "high": ratio.high or ratio.ratio}
                    told = "clear" if ratio.told else "not clear"
                    rows.append({"model": effect.series, "cost": measure.name, "ratio": ratio.ratio, **ends})
                    rows[-1] |= {"batch": size, "n": ratio.n, "told": told}
        if not rows:
            return None
        names = list(dict.fromkeys(row["model"] for row in rows))
        costs = [measure.name for measure in MEASURES if any(row["cost"] == measure.name for row in rows)]
        word = _assigned(self.key, next(iter(sizes)).value)
        batches = listed([f"{size:,}" for size in sorted(set(sizes.values()))])
        return Figure(
            name=f"cost_varied_{_plain(self.key)}_{_plain(value)}_{self.arena.anchor}",
            title=f"Costs with {word} over those with {self.first}",
            alt=f"Dots of costs with {word} over those with {self.first} on {self.arena.title}, for {listed(names)}.",
            caption=f"Batch {batches}. A dot is a ratio, its bar the 95 % interval over rounds; pale where it may not "
            "be told from 1, the dashed line.",
            spec=_charts.chart(rows, _layers(rows, names, costs), legend="cost"),
            height_px=max(70, len(names) * (12 + _PX_A_DOT * len(costs))),
        )


def _layers(rows: Sequence[dict[str, Any]], names: Sequence[str], costs: Sequence[str]) -> list[_charts.Spec]:
    # The order is a domain, not a sort: Vega-Lite turns sorts into code, and a name could be any text.
    y = {
        "field": "model",
        "type": "nominal",
        "scale": {"domain": list(names), "paddingInner": 0.15},
        "axis": {"title": None, "labelLimit": 110},
    }
    offset = {"field": "cost", "type": "nominal", "scale": {"domain": list(costs)}}
    log = _charts.spans_decades([1.0, *(row["ratio"] for row in rows)], 4.0)
    x = _charts.measure("ratio", "Ratio", "times", log=log)
    if log:
        x["axis"]["values"] = _ticks([1.0, *(row[end] for row in rows for end in ("low", "high"))])
    every = [measure.name for measure in MEASURES]
    hue = _charts.colour(every, costs, field="cost")
    shapes = _charts.shape(every, costs, field="cost")
    pale = {"condition": {"test": "datum.told == 'clear'", "value": 1}, "value": 0.4}
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("cost", "cost"),
        _charts.tooltip("ratio", "ratio", ".3~r"),
        _charts.tooltip("low", "from", ".3~r"),
        _charts.tooltip("high", "to", ".3~r"),
        _charts.tooltip("n", "rounds"),
        _charts.tooltip("batch", "batch"),
        _charts.tooltip("told", "told from 1"),
    ]
    place = {"y": y, "yOffset": offset, "color": hue, "opacity": pale}
    return [
        {
            "mark": {"type": "rule", "opacity": 0.5, "strokeDash": [4, 4]},
            "encoding": {"x": {"datum": 1, "type": "quantitative"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2.5},
            "encoding": {**place, "x": {**x, "field": "low"}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70},
            "encoding": {**place, "x": x, "shape": shapes, "tooltip": tip},
        },
    ]


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of every power of ten that the values reach, for a logarithmic axis on which 1 is always told."""
    steps = [digit * 10.0**power for power in range(-6, 7) for digit in (1, 2, 5)]
    return [step for step in steps if min(values) <= step <= max(values)]


def _largest(effect: Effect) -> Cell:
    """The largest batch of training over that at the first value; at least so much where memory was not its bound."""
    ours, theirs = (Largest.found(contender, "train") for contender in (effect.contender, effect.reference))
    if ours is None or theirs is None or not ours.batch or not theirs.batch:
        return Cell(value=None)
    if effect.key == ANOTHER_PLACE or ours.limit_bytes != theirs.limit_bytes:
        return Cell(value=None)
    ratio = ours.batch / theirs.batch
    least, most = ours.bounded_by != "memory", theirs.bounded_by != "memory"
    note = f"{ours.batch:,} instead of {theirs.batch:,}"
    if least and most:
        return Cell(value=None, text="all examples", note=f"both fit {ours.batch:,}, which are all there are")
    mark = "≥ " if least else "≤ " if most else ""
    return Cell(value=ratio, text=f"{mark}{significant(ratio)}× ({theirs.batch:,} → {ours.batch:,})", note=note)


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text.lower())
