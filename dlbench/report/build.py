"""Results → the files of a report. The one place in which a report is written."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from dlbench.analyze.results import Results
from dlbench.analyze.table import job_rows
from dlbench.catalog import Catalog
from dlbench.jobdir import write_whole
from dlbench.report import figures, html, latex, markdown, pictures, spreadsheet
from dlbench.report.drawing import Artists, Drawing
from dlbench.report.page import Page
from dlbench.report.plain import plain
from dlbench.schema.blocks import Block, Figure, Pictures, Section

MANY_JOBS = 100
"""From so many on there are figures enough to draw them in several processes."""
OWN_SUFFIXES = (".svg", ".png", ".pdf", ".tex")
"""Of files that a report writes into its folders, and takes away when it writes them anew."""


def build_report(results: Results, out: Path, catalog: Catalog | None = None) -> Path:
    """Write `index.html`, `report.md`, `results.csv`, `results.parquet`, `suite.yaml`, `figures/`, `tables/`.

    Each figure is there as SVG, PNG and PDF, each table as LaTeX; those of an earlier report in the folder are
    replaced.

    Args:
        out: the folder; made if it is missing.
        catalog: where sections come from; the installed ones by default.

    Returns:
        The path of `index.html`.
    """
    with Artists(many=len(results.results) >= MANY_JOBS) as artists:
        page = compose(results, catalog or Catalog(results.suite.plugins))
        drawn = artists.draw({figure.name: figures.static(figure) for figure in page.figures})
    jobs = job_rows(results)
    out.mkdir(parents=True, exist_ok=True)
    _fill(out / "figures", _figure_files(page, drawn))
    _fill(out / "tables", {f"{name}.tex": latex.table(table, name).encode() for name, table in page.tables.items()})
    write_whole(out / "results.csv", spreadsheet.to_csv(jobs).encode())
    write_whole(out / "results.parquet", spreadsheet.to_parquet(jobs))
    if results.written:
        write_whole(out / "suite.yaml", results.written.encode())
    write_whole(out / "report.md", markdown.render(page).encode())
    index = out / "index.html"
    write_whole(
        index,
        html.render(page, {name: one.svg for name, one in drawn.items()}, figures.scripts() if drawn else "").encode(),
    )
    return index


def _figure_files(page: Page, drawn: Mapping[str, Drawing]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name, (svg, png, pdf) in drawn.items():
        files |= {f"{name}.svg": svg.encode(), f"{name}.png": png, f"{name}.pdf": pdf}
    for grid in page.grids:
        for index, picture in enumerate(grid.pictures):
            files[markdown.picture_file(grid, index)] = pictures.drawn(picture, grid.width_px)
    return files


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder of a report, in the place of those of the report before; without any, remove it."""
    if folder.exists():
        for old in folder.iterdir():
            if old.suffix in OWN_SUFFIXES and old.name not in files:
                old.unlink()
    if files:
        folder.mkdir(exist_ok=True)
    elif folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)  # not synced to the disk, one by one: `dlbench report` makes them again


def compose(results: Results, catalog: Catalog) -> Page:
    """The page: every section that has something to say, in order of its position."""
    modules = [catalog.load("sections", name) for name in catalog.names("sections")]
    modules.sort(key=lambda module: int(module.POSITION))
    built: list[Section | None] = [module.build(results) for module in modules]
    page = Page(
        title=results.suite.name,
        description=results.suite.description,
        facts=_facts(results),
        series=results.series,
        sections=_told_apart([section for section in built if section is not None]),
    )
    fit: Page = plain(page)
    return fit


def _told_apart(sections: Sequence[Section]) -> tuple[Section, ...]:
    """The sections, with a number behind every name of a figure or a grid of pictures that has been there before."""
    taken: set[str] = set()

    def own(block: Block) -> Block:
        if not isinstance(block, Figure | Pictures):
            return block
        names = (block.name if number == 1 else f"{block.name}_{number}" for number in count(1))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        return block.model_copy(update={"name": name})

    return tuple(section.model_copy(update={"blocks": tuple(map(own, section.blocks))}) for section in sections)


def _facts(results: Results) -> tuple[tuple[str, str], ...]:
    done = sum(result.status == "ok" for result in results.compared)
    records = [result.record for result in results.results if result.record is not None]
    facts = [("Jobs", f"{done} of {len(results.compared)} finished")] if results.compared or not results.studies else []
    if results.series:
        facts.append(("Contenders", str(len(results.series))))
    if results.studies:
        tried = sum(len(study.distinct) for study in results.studies)
        facts.append(("Studies", f"{len(results.studies)} ({tried:,} candidate{'' if tried == 1 else 's'})"))
    seeds = {result.entry.job.seed for result in results.compared if result.entry.job.seed is not None}
    if seeds:
        facts.append(("Seeds", str(len(seeds))))
    hardware = sorted({str(name) for record in records if (name := _hardware(record.machine))})
    if hardware:
        facts.append(("Hardware", "; ".join(hardware)))
    if records:
        facts.append(("Last job", max(record.started_at for record in records).strftime("%Y-%m-%d")))
    return tuple(facts)


def _hardware(machine: dict[str, object]) -> object:
    gpus = machine.get("gpus")
    if isinstance(gpus, list) and gpus and isinstance(gpus[0], dict):
        return gpus[0].get("name")
    return machine.get("cpu")
