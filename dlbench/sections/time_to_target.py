"""Time to target: what share of the seeds has got there by when, and over several tasks who is never far behind."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbench.analyze.contenders import Arena
from dlbench.analyze.quantities import format_of, listed, quantity
from dlbench.analyze.results import Results
from dlbench.analyze.summary import MedianSummary
from dlbench.analyze.targets import Profile, Reaching, profile, reaching, share_reached, targets
from dlbench.analyze.verdict import score_name
from dlbench.schema.blocks import Block, Cell, Column, Figure, Format, Heading, Section, Table
from dlbench.sections import _charts, _drawn

POSITION = 45
TIME = "time_to_target_s"
STEPS = "steps_to_target"


def build(results: Results) -> Section | None:
    """A table and a figure for each arena with a target, and a profile over several; None without a target."""
    blocks: list[Block] = []
    for arena in results.arenas:
        found = reaching(arena, TIME)
        if found:
            blocks += [Heading(text=arena.title)] if len(results.arenas) > 1 else []
            blocks.append(_table(arena, found))
            blocks += _figure(results, arena, found)
    over = profile(results.arenas, TIME)
    if over is not None:
        blocks += [Heading(text="Over these tasks"), _profile(results, over)]
    return Section(title="Time to target", anchor="time-to-target", blocks=tuple(blocks)) if blocks else None


def _table(arena: Arena, found: Sequence[Reaching]) -> Table:
    steps = {one.contender: one.median for one in reaching(arena, STEPS)}
    rows = tuple(
        (
            Cell(value=one.contender.name, series=one.contender.name),
            Cell(
                value=one.reached,
                text=f"{one.reached} of {len(one.times)}",
                tone="normal" if one.reached == len(one.times) else "warning",
            ),
            _median(one.median, "seconds"),
            _median(steps.get(one.contender), "count"),
        )
        for one in found
    )
    return Table(
        columns=(
            Column(name="Contender"),
            Column(name="Reached", format="count", tooltip="Seeds that reached the target"),
            Column(name="Time", format="seconds", tooltip="Median over seeds, validations included, with its interval"),
            Column(name="Steps", format="count", tooltip="Median over seeds, with its interval"),
        ),
        rows=rows,
        caption=f"{_target(arena, found)} A missed target counts as ∞, and so does a training that failed. Intervals "
        "of medians are distribution-free, of 95 % (below six seeds: their whole range).",
    )


def _target(arena: Arena, found: Sequence[Reaching]) -> str:
    wanted = targets(found)
    format = format_of(arena.score.unit) if arena.score is not None else "number"
    name = f"validation {score_name(arena)}"
    if len(wanted) == 1:
        return f"Target: {quantity(wanted[0], format)} {name}."
    return f"The targets differ ({listed([quantity(one, format) for one in wanted])} {name}): compare no times."


def _median(summary: MedianSummary | None, format: Format) -> Cell:
    if summary is None:
        return Cell(value=None)
    text = quantity(summary.median, format)
    if summary.low is not None and summary.high is not None and summary.low != summary.high:
        text += f" ({quantity(summary.low, format)} to {quantity(summary.high, format)})"
    return Cell(value=summary.median if math.isfinite(summary.median) else None, text=text)


def _figure(results: Results, arena: Arena, found: Sequence[Reaching]) -> list[Block]:
    kept, note = _drawn.drawn(arena, [one.contender for one in found])
    found = [one for one in found if one.contender in kept]
    finite = [time for one in found for time in one.times.values() if math.isfinite(time)]
    if not finite or max(finite) <= 0:
        return []
    log = _charts.spans_decades(finite, 10.0)
    start, end = (0.9 * min(finite) if log else 0.0), 1.05 * max(finite)
    rows: list[dict[str, Any]] = []
    for one in found:
        corners = [(start, 0.0), *share_reached(list(one.times.values()))]
        corners.append((end, corners[-1][1]))
        rows += [
            {"model": one.contender.name, "time": time, "share": share, "n": len(one.times)} for time, share in corners
        ]
    x = _charts.measure("time", "Seconds of training", "number", log=log)
    x["scale"] |= {"domain": [start, end], "nice": False, "padding": 0}
    last = {one.contender.name: one.reached / len(one.times) for one in found}
    all_there = [name for name, share in last.items() if share == 1]
    return [
        Figure(
            name=f"time_to_target_{arena.anchor}",
            title="Share of seeds at the target",
            alt=f"Rising steps: the share of seeds of {len(found)} contenders that reached the target on "
            f"{arena.title}, against time. All seeds of {listed(all_there) if all_there else 'none'} did.",
            caption="A line rises where a seed reaches the target; one that ends below 100 % has seeds that never did."
            + (" Logarithmic time." if log else "")
            + note,
            spec=_charts.chart(rows, _stairs(results, rows, x, "Share of seeds", "seconds", ",.3~r")),
        )
    ]


def _stairs(
    results: Results, rows: Sequence[dict[str, Any]], x: _charts.Spec, title: str, unit: str, format: str
) -> list[_charts.Spec]:
    """A stepped line for each contender, with a point at each of its corners."""
    shown = list(dict.fromkeys(str(row["model"]) for row in rows))
    y = _charts.measure("share", title, "fraction")
    y["scale"] = {"domain": [0, 1]}
    hue, shapes = _charts.colour(results.series, shown), _charts.shape(results.series, shown)
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip(x["field"], unit, format),
        _charts.tooltip("share", title.lower(), ".0%"),
        _charts.tooltip("n", "of"),
    ]
    return [
        {
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "color": hue},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 30},
            "encoding": {"x": x, "y": y, "color": hue, "shape": shapes, "tooltip": tip},
        },
    ]


def _profile(results: Results, found: Profile) -> Figure:
    order = np.argsort(-np.isfinite(found.ratios).sum(axis=1), kind="stable")[: _drawn.MOST_CONTENDERS]
    lines = [(found.names[place], found.ratios[place]) for place in sorted(order)]
    finite = found.ratios[np.isfinite(found.ratios)]
    end = 1.1 * float(finite.max(initial=1.0))
    rows: list[dict[str, Any]] = []
    for name, ratios in lines:
        corners = [(float(ratio), share) for ratio, share in share_reached(list(ratios))]
        corners = corners if corners and corners[0][0] == 1 else [(1.0, 0.0), *corners]
        corners.append((end, corners[-1][1]))
        rows += [{"model": name, "times": t, "share": share, "n": len(found.arenas)} for t, share in corners]
    x = _charts.measure("times", "Times the fastest's median time", "times", log=True)
    x["scale"] |= {"domain": [1, end], "padding": 0}
    first = [name for name, ratios in zip(found.names, found.ratios, strict=True) if (ratios == 1).any()]
    return Figure(
        name="time_to_target_profile",
        title="Tasks solved within a multiple of the fastest's time",
        alt=f"Performance profiles of {len(found.names)} contenders over {len(found.arenas)} tasks; fastest on one or "
        f"more of them: {listed(first) if first else 'none'}.",
        caption="Performance profiles (Dolan & Moré 2002): the share of tasks on which a contender's median time to "
        "target is at most so many times that of the fastest. At the left edge stands how often it is the fastest; a "
        f"missed target is never within. Over {listed([arena.title for arena in found.arenas])}{_left_out(found)}."
        + ("" if len(lines) == len(found.names) else f" The {len(lines)} that reach most targets are drawn."),
        spec=_charts.chart(rows, _stairs(results, rows, x, "Share of tasks", "times the fastest", ".3~r")),
    )


def _left_out(found: Profile) -> str:
    """What else has targets, and why it does not count."""
    if not found.left_out:
        return ""
    return f"; left out, for the contenders' targets differ there: {listed([arena.title for arena in found.left_out])}"
