"""An invocation in words: the note of its run and of its experiment, and its tables as files that MLflow shows.

Markdown as MLflow renders it. Everything but the suite's own description is plain text, so that no name is markup.
"""

import json
import re
from collections.abc import Mapping, Sequence

from dlbench.schema.invocation import Invocation, Sheet
from dlbench.store.names import LONGEST_TAG

MOST_ROWS = (60, 30, 15, 8, 4, 0)
"""So many rows a table shows at most; the first number with which a note is short enough."""

GAP = "&emsp;"
"""MLflow draws tables without gaps between columns."""

LEADERBOARD, COMPARISONS = "leaderboard.json", "comparisons.json"


def run_note(invocation: Invocation) -> str:
    """What was asked, what was found, what limits it, and the contenders at a glance."""
    return _fitting(invocation, "")


def experiment_note(invocation: Invocation, links: Mapping[str, str]) -> str:
    """The same for the experiment, with the time of the verdict and where to go on from there.

    Args:
        links: what is linked to → address.
    """
    when = f"{invocation.started_at.astimezone():%Y-%m-%d %H:%M}"
    ways = [f"[{escaped(text)}]({address})" for text, address in links.items()]
    return _fitting(invocation, " · ".join([f"Run of {when}", *ways]))


def tables(invocation: Invocation) -> dict[str, str]:
    """File name → content, in the format of MLflow's `log_table`, which its pages show as tables."""
    found = {}
    if invocation.leaderboards:
        found[LEADERBOARD] = _table_file(_joined(invocation.leaderboards))
    if invocation.comparisons is not None:
        found[COMPARISONS] = _table_file(invocation.comparisons)
    return found


def escaped(text: str) -> str:
    """Plain text inside a line of Markdown: nothing in it is markup, HTML or a table's border."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"[\\`*_\[\]|~]", lambda found: f"\\{found.group()}", line)


def _fitting(invocation: Invocation, end: str) -> str:
    """The note with as many rows in its tables as a tag has room for."""
    notes = (_note(invocation, end, most) for most in MOST_ROWS)
    return next((note for note in notes if len(note) <= LONGEST_TAG), _note(invocation, end, 0)[:LONGEST_TAG])


def _note(invocation: Invocation, end: str, most: int) -> str:
    parts = [
        invocation.description,
        f"**{escaped(invocation.verdict)}**" if invocation.verdict else "",
        *(f"⚠ {escaped(caveat)}" for caveat in invocation.caveats),
        *(_table(sheet, most, titled=len(invocation.leaderboards) > 1) for sheet in invocation.leaderboards),
        end,
    ]
    return "\n\n".join(filter(None, parts))


def _table(sheet: Sheet, most: int, *, titled: bool) -> str:
    if not sheet.rows[:most]:
        return ""
    rows = [sheet.columns, ("---",) * len(sheet.columns), *sheet.rows[:most]]
    lines = [f"| {' | '.join(_cell(text) for text in row)} |" for row in rows]
    left = len(sheet.rows) - most
    more = f"\n\n{left} more in {LEADERBOARD}." if left > 0 else ""
    return (f"**{escaped(sheet.title)}**\n\n" if titled else "") + "\n".join(lines) + more


def _cell(text: str) -> str:
    return text if text == "---" else f"{escaped(text)}{GAP}"


def _joined(sheets: Sequence[Sheet]) -> Sheet:
    """All in one; where there are several, what each is of stands in front."""
    if len(sheets) == 1:
        return sheets[0]
    columns = tuple(dict.fromkeys(column for sheet in sheets for column in sheet.columns))
    rows = []
    for sheet in sheets:
        for row in sheet.rows:
            cells = dict(zip(sheet.columns, row, strict=True))
            rows.append((sheet.title, *(cells.get(column, "") for column in columns)))
    return Sheet(title="Leaderboard", columns=("dataset", *columns), rows=tuple(rows))


def _table_file(sheet: Sheet) -> str:
    return json.dumps({"columns": sheet.columns, "data": sheet.rows}, ensure_ascii=False)
