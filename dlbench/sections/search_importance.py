"""Which searched axes mattered: bars of their importance with intervals."""

from typing import Any

from dlbench.analyze.results import Results
from dlbench.analyze.studies import StudyGroup
from dlbench.schema.blocks import Block, Figure, Section, Text
from dlbench.sections import _charts, _search

POSITION = 13
MOST_BARS = 20


def build(results: Results) -> Section | None:
    """A figure for each task with enough candidates."""
    blocks: list[Block] = []
    for group in results.searches:
        blocks += _search.heading(results, group, _blocks(group))
    title = "What mattered in the search"
    return Section(title=title, anchor="search-importance", blocks=tuple(blocks)) if blocks else None


def _blocks(group: StudyGroup) -> list[Block]:
    from dlbench.analyze.importance import BEST, LEAST, SURE, importances

    found = importances(group)
    if found is None:
        done = len(group.ranked)
        if 0 < done < LEAST:
            text = f"On {group.title}, {done} finished candidate{'s are' if done > 1 else ' is'} too few to say which"
            return [Text(text=f"{text} axes mattered: that takes {LEAST}.", level="note")]
        return []
    axes = [one.axis for one in found.shares]
    rows: list[dict[str, Any]] = [
        {
            "axis": _search.short(one.axis, axes),
            "value": one.share,
            "low": min(one.low, one.share),
            "high": max(one.high, one.share),
        }
        for one in found.shares[:MOST_BARS]
    ]
    first = rows[0]
    doubt = f" {found.n} candidates are few: see how wide the intervals are." if found.n < SURE else ""
    more = f" The first {MOST_BARS} of {len(axes)} axes." if len(axes) > MOST_BARS else ""
    figure = Figure(
        name=f"search_importance_{group.anchor}",
        title=f"Importance for {_search.words(group.goal.metric)} on {group.title}",
        alt=f"Bars of the importance of {len(axes)} axes on {group.title}; {first['axis']} has the largest share, "
        f"{100 * first['value']:.0f} %.",
        caption=f"Share of each axis in what tells the best {100 * BEST:.0f} % of {found.n:,} candidates from all of "
        f"them ({found.method}, Watanabe et al. 2023). Bars are 95 % bootstrap intervals over candidates. An axis of "
        f"which a search tried few values looks less important than it is.{doubt}{more}{_search.first_alone(group)}",
        spec=_charts.chart(rows, _layers([str(row["axis"]) for row in rows])),
        height_px=max(120, 60 + 24 * len(rows)),
    )
    return [figure]


def _layers(order: list[str]) -> list[_charts.Spec]:
    y = {
        "field": "axis",
        "type": "nominal",
        "sort": order,
        "axis": {"title": None, "labelLimit": 170, "ticks": False, "domain": False},
    }
    x = {"field": "value", "type": "quantitative", "axis": {"title": "Share", "format": ".0%", "tickCount": 5}}
    tip = [
        _charts.tooltip("axis", "axis"),
        _charts.tooltip("value", "share", ".1%"),
        _charts.tooltip("low", "from", ".1%"),
        _charts.tooltip("high", "to", ".1%"),
    ]
    return [
        {
            "mark": {"type": "bar", "color": "#3c87c3", "opacity": 0.75, "height": {"band": 0.6}},
            "encoding": {"x": x, "y": y, "tooltip": tip},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.7, "style": ["line"]},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y},
        },
    ]
