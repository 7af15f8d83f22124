"""Over tasks: the same contenders on several of them, by rank, by verdict and by how far runs are behind."""

from typing import Any

from dlbench.analyze.fields import Field, fields
from dlbench.analyze.left_out import reasoned
from dlbench.analyze.over_tasks import Standing, profiles, standings
from dlbench.analyze.quantities import NO_VALUE, listed
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Block, Cell, Column, Figure, Section, Table
from dlbench.sections import _charts, _drawn

POSITION = 35
MOST_RANKS = 6
"""Arenas up to which each has a column."""


def build(results: Results) -> Section | None:
    """A table and a figure for each group of arenas with common contenders; None without one."""
    blocks: list[Block] = []
    for number, field in enumerate(fields(results)):
        blocks += [_table(results, field), _profile(results, field, number)]
    return Section(title="Over tasks", anchor="over-tasks", blocks=tuple(blocks)) if blocks else None


def _table(results: Results, field: Field) -> Table:
    found = standings(results, field)
    each = field.arenas if len(field.arenas) <= MOST_RANKS else ()
    columns = [
        Column(name="Contender"),
        *(Column(name=arena.title, format="number", tooltip="Rank by mean score") for arena in each),
        Column(name="Mean rank", format="number", tooltip="Over these tasks, 1 is the best; 95 % bootstrap interval"),
    ]
    compared = any(standing.words for standing in found)
    if compared:
        columns += [
            Column(name="Against baseline", tooltip="On how many of the tasks it is what"),
            Column(name="Chance to be better", format="number", tooltip="Mean over tasks, 95 % bootstrap interval"),
        ]
    rows = []
    for standing in found:
        ranks = [Cell(value=rank, text=f"{rank:g}") for rank in standing.ranks] if each else []
        cells = [Cell(value=standing.name, series=standing.name), *ranks, _mean_rank(standing, field)]
        rows.append((*cells, *((_words(standing), _chance(standing)) if compared else ())))
    return Table(columns=tuple(columns), rows=tuple(rows), caption=_caption(field, compared))


def _mean_rank(standing: Standing, field: Field) -> Cell:
    text = f"{standing.mean_rank:.2f}"
    if standing.rank_interval is not None:
        low, high = standing.rank_interval
        text += f" ({low:.2f} to {high:.2f})"
    each = [f"{arena.title} {rank:g}" for arena, rank in zip(field.arenas, standing.ranks, strict=True)]
    return Cell(value=standing.mean_rank, text=text, note=", ".join(each))


def _words(standing: Standing) -> Cell:
    parts = [f"{word} {count}" for word, count in sorted(standing.words.items())]
    return Cell(value=", ".join(parts) if parts else "baseline")


def _chance(standing: Standing) -> Cell:
    if standing.improvement is None:
        return Cell(value=None, text=NO_VALUE)
    text = f"{100 * standing.improvement:.0f} %"
    if standing.improvement_interval is not None:
        low, high = standing.improvement_interval
        text += f" ({100 * low:.0f} to {100 * high:.0f})"
    return Cell(value=standing.improvement, text=text)


def _caption(field: Field, compared: bool) -> str:
    seeds = sorted({scores.shape[1] for scores in field.scores})
    parts = [
        f"{len(field.names)} contenders on {len(field.arenas)} tasks ({listed([a.title for a in field.arenas])}), "
        f"{' or '.join(map(str, seeds))} seeds each. Intervals say what other seeds might give on these tasks, "
        "nothing of other tasks."
    ]
    if compared:
        parts.append("Chance to be better: of one training against the baseline's with the same seed, ties as half.")
    if not field.enough:
        parts.append("Too few seeds for intervals.")
    if field.left_out:
        parts.append(f"Contenders left out: {reasoned(field.left_out)}.")
    if field.arenas_left_out:
        parts.append(f"Tasks left out: {reasoned(field.arenas_left_out)}.")
    return " ".join(parts)


def _profile(results: Results, field: Field, number: int) -> Figure:
    everyone = profiles(field)
    closest = sorted(everyone, key=lambda one: -float(one.shares.mean()))[: _drawn.MOST_CONTENDERS]
    found = [one for one in everyone if one in closest]
    unit = field.unit
    points = unit == "fraction"
    rows: list[dict[str, Any]] = []
    for one in found:
        scale = 100 if points or unit is None else 1
        for gap, share, low, high in zip(one.gaps, one.shares, one.low, one.high, strict=True):
            rows.append({"model": one.name, "gap": scale * gap, "share": share, "low": low, "high": high})
    of_what = "points" if points else "per cent of the best" if unit is None else unit
    x = _charts.measure("gap", f"Behind the best mean ({of_what})", "number", zero=True)
    y = _charts.measure("share", "Share of runs", "fraction")
    y["scale"] = {"domain": [0, 1]}
    shown = [one.name for one in found]
    tip = [
        _charts.tooltip("model", "model"),
        _charts.tooltip("gap", f"behind by ({of_what})", ",.3~r"),
        _charts.tooltip("share", "share of runs", ".0%"),
    ]
    hue, shapes = _charts.colour(results.series, shown), _charts.shape(results.series, shown)
    layers = _charts.lines_with_bands(x, y, hue, shapes, tip, point_size=14)
    layers[0]["encoding"]["y"] = {**y, "field": "low"}
    for layer in layers[:2]:
        layer["mark"]["interpolate"] = "step-after"
    middle = {one.name: float(one.shares[len(one.shares) // 2]) for one in found}
    return Figure(
        name=f"over_tasks_profile_{number}" if number else "over_tasks_profile",
        title="Share of runs that come close to the best",
        alt=f"Rising steps: the share of runs of {len(found)} contenders within a distance of the best mean score of "
        f"their task. Half way along the axis {_leader(middle)} has the largest share.",
        caption="Every training with its distance to the best mean score of its task (0: not behind at all); each task "
        "counts the same. A line further up and to the left is better; lines that cross say that no one order holds."
        + (" The band is a 95 % interval over seeds, drawn within tasks." if field.enough else "")
        + ("" if len(found) == len(everyone) else f" The {len(found)} closest contenders are drawn."),
        spec=_charts.chart(rows, layers),
    )


def _leader(shares: dict[str, float]) -> str:
    most = max(shares.values())
    return listed([name for name, share in shares.items() if share == most])
