"""A page as one HTML file that needs nothing else: no network, no other file. Everything from outside is escaped."""

import json
from collections.abc import Mapping
from functools import cache
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from dlbench.report.cells import as_cell, cell_text
from dlbench.report.figures import DARK_PALETTE, PALETTE, SHAPES, interactive, series_variable
from dlbench.report.page import Page
from dlbench.report.pictures import data_url, size
from dlbench.schema.base import Json
from dlbench.schema.blocks import Figure

FALLBACK_BYTES = 1_000_000
"""Room for static pictures inside the page, so that a big suite's page stays under 3 MB."""

_SHAPE_PATHS = {
    "circle": "M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10z",
    "square": "M1.5 1.5h9v9h-9z",
    "triangle-up": "M6 1l5.5 10h-11z",
    "diamond": "M6 0l4.5 6l-4.5 6l-4.5-6z",
    "cross": "M4 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
    "triangle-down": "M6 11l5.5-10h-11z",
    "triangle-right": "M11 6l-10-5.5v11z",
}


def render(page: Page, drawn: Mapping[str, str], scripts: str) -> str:
    """The page.

    Args:
        drawn: figure name → its SVG, shown where scripts do not run.
        scripts: Vega, Vega-Lite and Vega-Embed; empty for a page without figures.
    """
    specs = {figure.name: interactive(figure) for figure in page.figures}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            fallbacks=_fallbacks(drawn),
            specs=script_json(specs),
            vega=inline_script(scripts),
            marks={name: _mark(index) for index, name in enumerate(page.series)},
            palettes={"light": PALETTE, "dark": DARK_PALETTE},
            as_cell=as_cell,
            cell_text=cell_text,
            data_url=data_url,
            size=size,
            percent=lambda share: f"{100 * share:.2f}%",
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dlbench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.tests["figure_block"] = lambda block: isinstance(block, Figure)
    loader = environment.loader
    assert loader is not None
    for name in ("page.css", "page.js"):
        environment.globals[name.replace(".", "_")] = Markup(loader.get_source(environment, name)[0])
    return environment


def script_json(value: Json) -> Markup:
    """JSON that can stand inside a script element: no text in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def inline_script(script: str) -> Markup:
    """A script of ours that can stand inside a script element."""
    return Markup(script.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def _fallbacks(drawn: Mapping[str, str]) -> dict[str, str]:
    """Figure → its picture as a data URL, as long as there is room."""
    urls: dict[str, str] = {}
    room = FALLBACK_BYTES
    for name, svg in drawn.items():
        url = "data:image/svg+xml," + quote(svg, safe=" =:/,;()'!*@$+-._~")
        room -= len(url)
        if room < 0:
            break
        urls[name] = url
    return urls


def _mark(index: int) -> Markup:
    """A contender's mark, as it is drawn in the charts."""
    path = _SHAPE_PATHS[SHAPES[index % len(SHAPES)]]
    return Markup(
        f'<svg class="mark" viewBox="0 0 12 12" width="11" height="11" aria-hidden="true">'
        f'<path fill="{series_variable(index)}" d="{path}"/></svg>'
    )
