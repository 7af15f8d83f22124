"""The table of the best candidates: values, constraints and axes."""

from collections.abc import Sequence

from dlbench.analyze.quantities import quantity, titled
from dlbench.analyze.results import Results
from dlbench.analyze.studies import Candidate, StudyGroup
from dlbench.schema.blocks import Cell, Column, Table
from dlbench.sections import _search

TOP = 10
"""Candidates in the table."""
MOST_AXES = 8
"""Axes with a column of their own; more share one."""


def best_candidates(results: Results, group: StudyGroup) -> Table:
    """The best of all studies of a task; there must be one with a value."""
    top = group.ranked[:TOP]
    head = group.studies[0].head
    axes = [axis.name for axis in group.space.axes if any(axis.name in candidate.point for candidate in top)]
    several = len(group.studies) > 1
    columns = [Column(name="Candidate", format="count", tooltip="Its number in its study")]
    columns += [Column(name="Study")] if several else []
    for goal in head.objectives:
        format = _search.format_of_metric(results, goal.metric)
        digits = 2 if format == "fraction" else None
        columns.append(Column(name=titled(_search.words(goal.metric)), format=format, digits=digits))
    for limit in head.constraints:
        format = _search.format_of_metric(results, limit.metric)
        bound = limit.at_most if limit.at_most is not None else limit.at_least
        sign = "≤" if limit.at_most is not None else "≥"
        name = f"{titled(_search.words(limit.metric))} {sign} {quantity(bound, format)}"
        columns.append(Column(name=name, format=format))
    apart = len(axes) <= MOST_AXES
    columns += [Column(name=_search.short(axis, axes)) for axis in axes] if apart else [Column(name="Values")]
    rows = [_row(group, candidate, axes, apart, several) for candidate in top]
    ranked = len(group.ranked)
    return Table(
        columns=tuple(columns),
        rows=tuple(rows),
        caption=f"The best {len(top)} of {ranked:,} finished candidates that keep every constraint"
        + (", over all studies." if several else "."),
    )


def _row(
    group: StudyGroup, candidate: Candidate, axes: Sequence[str], apart: bool, several: bool
) -> tuple[Cell | str | float | int | None, ...]:
    told, head = candidate.trial.told, group.studies[0].head
    assert told is not None
    values = told.values or ()
    row: list[Cell | str | float | int | None] = [candidate.trial.number]
    row += [_search.series_of(group, candidate.study)] if several else []
    row += [values[place] if place < len(values) else None for place in range(len(head.objectives))]
    for limit in head.constraints:
        broken = told.violations.get(limit.metric, 0.0) > 0
        value = told.metrics.get(limit.metric)
        row.append(Cell(value=value, text=None if value is not None else "kept", tone="error" if broken else "normal"))
    cells = [_axis(candidate, axis) for axis in axes]
    if apart:
        return (*row, *cells)
    names = [f"{_search.short(a, axes)} {_search.of_axis(candidate.point[a])}" for a in axes if a in candidate.point]
    return (*row, ", ".join(names))


def _axis(candidate: Candidate, axis: str) -> Cell:
    if axis not in candidate.point:
        return Cell(value=None, note="does not apply to this candidate")
    value = candidate.point[axis]
    return Cell(value=value if _search.number(value) else None, text=_search.of_axis(value))
