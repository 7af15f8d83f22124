"""Hyperparameter effects: what each varied setting does by itself, how much it explains, and how two play together."""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from dlbench.analyze.contenders import canonical
from dlbench.analyze.effects import Effect, Grid, ValueEffect, grids
from dlbench.analyze.quantities import difference, format_of, listed, quantity, share, titled
from dlbench.analyze.results import Results
from dlbench.analyze.varied import words_of
from dlbench.analyze.verdict import score_name, seeds_phrase
from dlbench.schema.base import Json
from dlbench.schema.blocks import Block, Cell, Column, Figure, Heading, Section, Table, Text, Tone
from dlbench.sections import _charts

POSITION = 26
MOST_PAIRS = 3
"""Pairs of settings that are drawn: those of the settings that explain most."""
MOST_WRITTEN = 80
"""Up to this many cells the score is written into each."""

_TONES: dict[str, Tone] = {"better": "good", "worse": "error"}


def build(results: Results) -> Section | None:
    """A table for each grid, and a map of scores for its most telling pairs of settings."""
    blocks: list[Block] = []
    found = grids(results.arenas)
    for number, grid in enumerate(found, start=1):
        if len(found) > 1:
            blocks.append(Heading(text=_which(grid)))
        blocks += [_finding(grid), _table(grid), *_maps(grid, number)]
    return Section(title="Hyperparameter effects", anchor="effects", blocks=tuple(blocks)) if blocks else None


def _which(grid: Grid) -> str:
    """`lstm on ag_news (fp32, cpu): train lr, model hidden size`."""
    settings = listed([words_of(key) for key in grid.keys])
    return f"{listed(list(grid.models))} on {grid.arena.title} ({grid.precision}, {grid.device}): {settings}"


def _finding(grid: Grid) -> Text:
    """Which setting matters most, in sentences."""
    best_values, best = max(grid.cells, key=lambda cell: cell[1] if _higher(grid) else -cell[1])
    chosen = ", ".join(f"{words_of(key)} {_word(value)}" for key, value in zip(grid.keys, best_values, strict=True))
    count, n = len(grid.cells), f"n = {grid.seeds}"
    parts = [
        f"{words_of(effect.key)} explains {share(effect.share)}" for effect in grid.effects if effect.share is not None
    ]
    if not grid.whole:
        first = f"{count} combinations have a score for every seed, others have not: shares of settings are not known."
    elif not parts:
        first = f"All {count} combinations have the same mean ({n})."
    else:
        rest = f"; {share(grid.interplay or 0.0)} is interplay and the noise of seeds" if len(parts) > 1 else ""
        first = f"Of the differences between the means of {count} combinations ({n}), {'; '.join(parts)}{rest}."
    last = f" The best mean, {_score(grid, best)}, is that of {chosen}; as the best of {count} it flatters."
    left = f" Left out for want of seeds: {listed(list(grid.left_out))}." if grid.left_out else ""
    return Text(text=f"{first}{last if parts or not grid.whole else ''}{left}")


def _higher(grid: Grid) -> bool:
    return grid.arena.score is None or grid.arena.score.better != "lower"


def _unit(grid: Grid) -> str:
    return grid.arena.score.unit if grid.arena.score else ""


def _score(grid: Grid, value: float) -> str:
    return quantity(value, format_of(_unit(grid)))


def _table(grid: Grid) -> Table:
    rows = [_row(grid, effect, value) for effect in grid.effects for value in effect.values]
    format = format_of(_unit(grid))
    return Table(
        columns=(
            Column(name="Setting"),
            Column(name="Explains", format="fraction", tooltip="Share of the variance between combinations", digits=0),
            Column(name="Value"),
            Column(name=f"Mean {score_name(grid.arena)}", format=format, tooltip="Over all other settings and seeds"),
            Column(name="Of", format="count", tooltip="Combinations that have the value, each with all seeds"),
            Column(name="Against the first", format="number", tooltip="Difference ± half a 95 % t interval"),
            Column(name="Verdict", tooltip="Paired over seeds, 5 % level after Holm's correction over this table"),
            Column(name="Seeds", format="count"),
            Column(name="Note", tooltip="What more seeds would tell"),
        ),
        rows=tuple(rows),
        caption="A value is compared with the first one over the combinations that have both; a pair is one "
        "seed's mean over them.",
    )


def _row(grid: Grid, effect: Effect, value: ValueEffect) -> tuple[Cell, ...]:
    plain = isinstance(value.value, str | int | float)
    written = Cell(value=value.value if plain else canonical(value.value), text=_word(value.value))
    front = (Cell(value=words_of(effect.key)), Cell(value=effect.share), written, Cell(value=value.mean))
    return (*front, Cell(value=value.settings), *_against_the_first(grid, value, value is effect.values[0]))


def _against_the_first(grid: Grid, value: ValueEffect, first: bool) -> tuple[Cell, ...]:
    """Difference, verdict, seeds and note."""
    paired, unit, nothing = value.paired, _unit(grid), Cell(value=None)
    if paired is None:
        return nothing, Cell(value="first" if first else None), nothing, nothing
    sign = "+" if paired.difference > 0 else "−" if paired.difference < 0 else "±"
    margin = "" if paired.high is None else f" ± {difference(paired.high - paired.difference, format_of(unit))}"
    apart = Cell(value=paired.difference, text=f"{sign}{difference(paired.difference, format_of(unit))}{margin}")
    word = Cell(value=paired.word, tone=_TONES.get(paired.word, "normal"))
    return apart, word, Cell(value=paired.n), Cell(value=seeds_phrase(paired, unit))


def _maps(grid: Grid, number: int) -> list[Figure]:
    """Mean score over each pair of settings, the others averaged out."""
    ranked = [effect.key for effect in grid.effects]
    pairs = list(combinations(ranked, 2))[:MOST_PAIRS]
    return [_map(grid, number, *sorted(pair, key=grid.keys.index)) for pair in pairs]


def _map(grid: Grid, number: int, down: str, across: str) -> Figure:
    cells: dict[tuple[str, str], list[float]] = {}
    for values, mean in grid.cells:
        named = dict(zip(grid.keys, values, strict=True))
        cells.setdefault((_word(named[down]), _word(named[across])), []).append(mean)
    rows: list[dict[str, Any]] = [
        {"down": y, "across": x, "score": fmean(found), "n": len(found)} for (y, x), found in cells.items()
    ]
    name, what = score_name(grid.arena), f"{listed(list(grid.models))} over {words_of(down)} and {words_of(across)}"
    best = max(rows, key=lambda row: row["score"] if _higher(grid) else -row["score"])
    return Figure(
        name=f"effects_{number}_{_plain(down)}_{_plain(across)}",
        title=f"{titled(name)} of {what}",
        alt=f"Map of {name} of {what} on {grid.arena.title}; the best cell is {best['down']}, {best['across']} "
        f"with {_score(grid, best['score'])}.",
        caption="Mean over seeds" + (" and all other settings" if len(grid.keys) > 2 else "") + "; darker is higher.",
        spec=_charts.chart(rows, _layers(rows, down, across, format_of(_unit(grid))), legend="down"),
        height_px=max(110, 44 * len({row["down"] for row in rows})),
    )


def _layers(rows: Sequence[dict[str, Any]], down: str, across: str, format: str) -> list[_charts.Spec]:
    axis = {"grid": False, "ticks": False, "domain": False, "labelLimit": 140}
    y_words = list(dict.fromkeys(row["down"] for row in rows))
    x_words = list(dict.fromkeys(row["across"] for row in rows))
    angle = 0 if len(x_words) <= 6 else -45
    x = {
        "field": "across",
        "type": "nominal",
        "scale": {"domain": x_words},
        "axis": {
            **axis,
            "title": words_of(across).capitalize(),
            "orient": "top",
            "labelAngle": angle,
        },
    }
    y = {
        "field": "down",
        "type": "nominal",
        "scale": {"domain": y_words},
        "axis": {**axis, "title": words_of(down).capitalize()},
    }
    low, high = min(row["score"] for row in rows), max(row["score"] for row in rows)
    shade = {
        "field": "score",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [low, high if high > low else low + 1], "range": [0.08, 0.75]},
    }
    tip = [
        _charts.tooltip("down", words_of(down)),
        _charts.tooltip("across", words_of(across)),
        _charts.tooltip("score", "mean", _charts.tooltip_format(format)),
        _charts.tooltip("n", "combinations"),
    ]
    cell = {"type": "rect", "color": "#3c87c3", "cornerRadius": 2}
    layers: list[_charts.Spec] = [{"mark": cell, "encoding": {"x": x, "y": y, "opacity": shade, "tooltip": tip}}]
    if len(rows) <= MOST_WRITTEN:
        number = ".1%" if format == "fraction" else ".3~r"
        text = {"field": "score", "type": "quantitative", "format": number}
        layers.append({"mark": {"type": "text", "fontSize": 12}, "encoding": {"x": x, "y": y, "text": text}})
    return layers


def _word(value: Json) -> str:
    return value if isinstance(value, str) else canonical(value)


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text.lower())
