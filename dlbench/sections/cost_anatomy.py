"""What a step is made of: where its time goes, and what its memory holds, for each contender and phase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.quantities import listed
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Block, Cell, Column, Figure, Format, Heading, Section, Table
from dlbench.sections import _charts, _cost, _drawn

POSITION = 52

REST = "unattributed"


@dataclass(frozen=True)
class Anatomy:
    """Something that has parts.

    Attributes:
        parts: end of a metric's name → what the part is called; at most eight, for each has a colour of its own.
        whole: what is marked beside the stacked parts, and how it is read.
        more: further columns of the table: end of a metric's name → column.
    """

    name: str
    title: str
    axis: str
    format: Format
    parts: dict[str, str]
    whole: str
    caption: str
    more: dict[str, Column]


STEP = Anatomy(
    name="step",
    title="Time of a step",
    axis="Time of a step (ms)",
    format="milliseconds",
    parts={
        "data_ms": "data",
        "transfer_ms": "transfer",
        "forward_ms": "forward",
        "backward_ms": "backward",
        "optimizer_ms": "optimiser",
    },
    whole="whole step",
    caption="Parts are timed within single steps, each of which ends with the device brought to a stop. The upright "
    "mark is the whole step as throughput knows it, without such stops: parts that reach beyond it overlap then.",
    more={
        "first_step_ms": Column(name="first step", format="milliseconds", tooltip="The very first, with all set-up"),
        "compile_s": Column(name="compile", format="seconds", tooltip="Time that torch.compile takes"),
        "break_even_steps": Column(
            name="break-even", format="count", tooltip="Steps after which compiling has paid for itself"
        ),
    },
)
MEMORY = Anatomy(
    name="memory",
    title="Memory",
    axis="Memory",
    format="bytes",
    parts={
        "weights_bytes": "weights",
        "gradients_bytes": "gradients",
        "optimizer_state_bytes": "optimiser state",
        "activations_bytes": "activations",
        "temporaries_bytes": "temporaries",
        "buffers_bytes": "buffers",
        "unattributed_bytes": REST,
    },
    whole="peak",
    caption="Parts are counted tensor by tensor; temporaries are what else tensors take when they take most. The "
    "upright mark is the measured peak. What no tensor explains is unattributed: memory that the system's allocator "
    "holds between and behind tensors. It is below zero, in the table alone, where not all parts live at once.",
    more={
        "peak_reserved_bytes": Column(name="reserved", format="bytes", tooltip="Peak that the allocator held"),
        "peak_process_bytes": Column(name="process", format="bytes", tooltip="Peak of the process as the driver sees"),
    },
)
COLOURS = {STEP.name: (*STEP.parts.values(),), MEMORY.name: (*list(MEMORY.parts.values())[:-1], "", REST)}
"""Part → place of its colour among the palette's eight, of which the last is grey."""


def build(results: Results) -> Section | None:
    """For each arena, what steps and memory are made of; None where no cost job has measured parts."""
    blocks: list[Block] = []
    for arena in results.arenas:
        for anatomy in (STEP, MEMORY):
            found = [_Shown(arena, anatomy, phase) for phase in _cost.PHASES if _size(arena, anatomy, phase)]
            if found:
                where = f", {arena.title}" if len(results.arenas) > 1 else ""
                blocks.append(Heading(text=f"{anatomy.title}{where}"))
                blocks += [figure for shown in found if (figure := shown.figure()) is not None]
                blocks += [shown.table() for shown in found]
                blocks += _cost.missing(
                    arena.contenders, {key: word for one in found for key, word in one.words.items()}
                )
    return Section(title="What a step costs", anchor="anatomy", blocks=tuple(blocks)) if blocks else None


def _size(arena: Arena, anatomy: Anatomy, phase: str) -> int | None:
    """The largest batch size at which a part was measured."""
    sizes = _cost.sizes_of(arena, [f"{phase}_{part}" for part in anatomy.parts])
    return max(sizes, default=None)


class _Shown:
    """One anatomy of one phase in an arena, at its largest batch size."""

    def __init__(self, arena: Arena, anatomy: Anatomy, phase: str) -> None:
        self.arena, self.anatomy, self.phase = arena, anatomy, phase
        self.size = _size(arena, anatomy, phase) or 0
        names = {f"{phase}_{part}": word for part, word in anatomy.parts.items()}
        self.contenders = [c for c in arena.ordered if any(c.rounds(name, self.size) for name in names)]
        self.parts = {name: word for name, word in names.items() if self._any(name)}
        self.words = names | {f"{phase}_{end}": column.name for end, column in anatomy.more.items()}

    def _any(self, metric: str) -> bool:
        """Whether anyone has a value that is not nothing."""
        return any(value for c in self.contenders for value in c.rounds(metric, self.size).values())

    def whole(self, contender: Contender) -> float | None:
        """What the parts should add up to: the measured peak, or batch over throughput."""
        if self.anatomy is MEMORY:
            return _cost.median(contender, f"{self.phase}_peak_memory_bytes", self.size)
        throughput = _cost.median(contender, f"{self.phase}_throughput", self.size)
        return 1e3 * self.size / throughput if throughput else None

    def table(self) -> Table:
        """Every part, the whole, and what belongs to it."""
        columns: list[tuple[Column, list[Cell]]] = [
            (Column(name="Contender"), [_cost.name_cell(contender) for contender in self.contenders])
        ]
        for metric, word in self.parts.items():
            cells = [_cost.cell(contender, metric, self.size) for contender in self.contenders]
            columns.append((Column(name=word.capitalize(), format=self.anatomy.format), cells))
        wholes = [self.whole(contender) for contender in self.contenders]
        if any(value is not None for value in wholes):
            column = Column(name=self.anatomy.whole.capitalize(), format=self.anatomy.format)
            columns.insert(1, (column, [Cell(value=value) for value in wholes]))
        for end, column in self.anatomy.more.items():
            metric = f"{self.phase}_{end}"
            if any(contender.rounds(metric, self.size) for contender in self.contenders):
                named = column.model_copy(update={"name": column.name.capitalize()})
                columns.append((named, [_cost.cell(contender, metric, self.size) for contender in self.contenders]))
        return Table(
            columns=tuple(column for column, _ in columns),
            rows=tuple(zip(*(cells for _, cells in columns), strict=True)),
            caption=f"{_title(self)}: medians over rounds.",
        )

    def figure(self) -> Figure | None:
        """A bar for each contender, its parts one after the other; None where every part is nothing."""
        rows: list[dict[str, Any]] = []
        shown: list[str] = []
        contenders, note = _drawn.drawn(self.arena, self.contenders)
        for contender in contenders:
            end = 0.0
            for metric, word in self.parts.items():
                value = _cost.median(contender, metric, self.size)
                if value is not None and value > 0:
                    rows.append({"model": contender.name, "part": word, "start": end, "end": end + value})
                    rows[-1]["value"] = value
                    shown.append(word)
                    end += value
            whole = self.whole(contender)
            if end and whole is not None:
                rows.append({"model": contender.name, "whole": whole})
        if not shown:
            return None
        names = list(dict.fromkeys(row["model"] for row in rows))
        words = [word for word in self.parts.values() if word in shown]
        anatomy = self.anatomy
        return Figure(
            name=f"{anatomy.name}_{self.phase}_{self.arena.anchor}",
            title=_title(self),
            alt=f"Stacked bars of {anatomy.title.lower()} in {_cost.PHASES[self.phase]} for "
            f"{_counted(names)} on {self.arena.title}. {_finding(rows, names)}",
            caption=f"{anatomy.caption}{note}",
            spec=_charts.chart(rows, _layers(anatomy, names, words), legend="part"),
            height_px=max(70, 34 * len(names)),
        )


def _title(shown: _Shown) -> str:
    return f"{shown.anatomy.title} of {_cost.PHASES[shown.phase]}, batch {shown.size}".replace("step of", "step in")


def _counted(names: Sequence[str]) -> str:
    return "one contender" if len(names) == 1 else f"{len(names)} contenders"


def _finding(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Which part is the largest, of whom."""
    whose: dict[str, list[str]] = {}
    for name in names:
        parts = [row for row in rows if row["model"] == name and "part" in row]
        whose.setdefault(max(parts, key=lambda row: float(row["value"]))["part"], []).append(name)
    if len(whose) == 1:
        return f"The largest part is {next(iter(whose))}{' everywhere' if len(names) > 1 else ''}."
    return f"The largest part is {listed([f'{part} for {listed(found)}' for part, found in whose.items()])}."


def _layers(anatomy: Anatomy, names: Sequence[str], words: Sequence[str]) -> list[_charts.Spec]:
    # The order is a domain, not a sort: Vega-Lite turns sorts into code, and a name could be any text.
    y = {"field": "model", "type": "nominal", "scale": {"domain": names}, "axis": _charts.NAMES}
    x = _charts.measure("start", anatomy.axis, anatomy.format, zero=True)
    hue = {
        "field": "part",
        "type": "nominal",
        "scale": {"domain": list(COLOURS[anatomy.name])},
        "legend": {"title": None, "orient": "top", "values": list(words), "symbolType": "square"},
    }
    name = _charts.tooltip("model", "model")
    return [
        {
            "transform": [{"filter": "isValid(datum.part)"}],
            "mark": {"type": "bar", "height": {"band": 0.62}},
            "encoding": {
                "x": x,
                "x2": {"field": "end"},
                "y": y,
                "color": hue,
                "tooltip": [name, _charts.tooltip("part", "part"), _charts.tooltip("value", "median", ".4~s")],
            },
        },
        {
            "transform": [{"filter": "isValid(datum.whole)"}],
            "mark": {"type": "tick", "thickness": 3, "size": 26},
            "encoding": {
                "x": {"field": "whole", "type": "quantitative"},
                "y": y,
                "tooltip": [name, _charts.tooltip("whole", anatomy.whole, ".4~s")],
            },
        },
    ]
