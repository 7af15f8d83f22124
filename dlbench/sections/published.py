"""Against the literature: what papers report for the same model on the same data, beside what was found here."""

from dlbench.analyze.published import published
from dlbench.analyze.quantities import titled
from dlbench.analyze.results import Results
from dlbench.analyze.standing import Standing, band_text, here_text, published_text, standing
from dlbench.schema.blocks import Cell, Column, Section, Table, Tone

POSITION = 34

_TONES: dict[str, Tone] = {"PASS": "good", "FAIL": "error"}
COLUMNS = (
    Column(name="Figure"),
    Column(name="Published", format="number"),
    Column(name="Source"),
    Column(name="Band", format="number", tooltip="Where the figure is taken to be reproduced"),
    Column(name="Here", format="number", tooltip="Mean over seeds, 95 % interval"),
    Column(name="Word", tooltip="PASS: the mean lies in the band; FAIL: the whole interval lies outside"),
    Column(
        name="Note", tooltip="Why there is no verdict; what was published and how ours differs; where the band is from"
    ),
)


def build(results: Results) -> Section | None:
    """A line for each published score whose model was scored on its dataset; None where there is none."""
    standings = [standing(score, results.compared) for score in published().scores]
    rows = tuple(_row(each) for each in standings if each.ours is not None)
    if not rows:
        return None
    caption = "Test scores. Not enough data: what was run differs from what the figure asks, or more seeds must tell."
    table = Table(columns=COLUMNS, rows=rows, caption=caption, sortable=False)
    return Section(title="Against the literature", anchor="published", blocks=(table,))


def _row(each: Standing) -> tuple[Cell | str, ...]:
    score = each.score
    notes = (f"{each.reason}." if each.reason else "", f"{score.convention}.", f"Band: {score.reason}.")
    return (
        score.label,
        Cell(value=max(score.published, default=None), text=published_text(score)),
        score.source,
        Cell(value=score.limits[0], text=band_text(score)),
        Cell(value=each.ours.mean if each.ours else None, text=here_text(each)),
        Cell(value=each.word, tone=_TONES.get(each.word, "normal")),
        " ".join(titled(note) for note in notes if note),
    )
