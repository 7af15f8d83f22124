"""Figures: the theme, the specs of page and picture, and the scripts that draw one. Knows nothing of pages."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs
import vl_convert

from dlbench.jobdir import write_whole
from dlbench.report.drawing import newest
from dlbench.schema.blocks import Figure

PALETTE = ("#3c87c3", "#f07800", "#c30f78", "#2da5b4", "#c31e00", "#005ae1", "#f0785a", "#7d8794")
"""Eight colours that stay apart under protanopia and deuteranopia, at least 2.7 : 1 on white."""
DARK_PALETTE = ("#4c97d4", "#ff8b1f", "#e0499f", "#38bccd", "#ea4a2c", "#5590ff", "#ff9a82", "#97a1ad")
"""The same hues, lighter, for a dark page."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
"""Seven shapes over eight colours: 56 contenders before a pair repeats."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
WIDTH_PX = 600


def theme(ink: str, paper: str, palette: Sequence[str], columns: int) -> dict[str, Any]:
    """Vega-Lite configuration.

    Args:
        ink: colour of text and lines; `currentColor` follows the page, light or dark.
        paper: colour of what lies below, for halos.
        palette: a colour for each contender, in order.
        columns: of a legend.
    """
    words = {"labelColor": ink, "titleColor": ink, "labelFont": FONT, "titleFont": FONT}
    faint_line = {"domain": False, "tickColor": ink, "tickOpacity": 0.25, "gridColor": ink, "gridOpacity": 0.1}
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "range": {"category": list(palette), "symbol": list(SHAPES)},
        "text": {"color": ink, "font": FONT},
        "style": {"halo": {"stroke": paper, "strokeWidth": 4, "strokeOpacity": 0.85, "strokeJoin": "round"}},
        "line": {"strokeCap": "round", "strokeJoin": "round", "color": ink},
        "rule": {"color": ink},
        "tick": {"color": ink},
        "axis": {
            **words,
            **faint_line,
            "labelFontSize": 11,
            "labelOpacity": 0.8,
            "labelOverlap": True,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titleOpacity": 0.8,
            "titlePadding": 10,
        },
        "axisX": {"grid": False, "domain": True, "domainColor": ink, "domainOpacity": 0.25},
        "legend": {**words, "labelFontSize": 12, "symbolSize": 90, "labelLimit": 320, "columns": columns},
    }


def series_variable(index: int) -> str:
    """The colour of the n-th contender on a page that is light or dark: a CSS variable."""
    return f"var(--series-{index % len(PALETTE)})"


def interactive(figure: Figure) -> dict[str, Any]:
    """The spec as a page embeds it: as wide as its box, in the page's own ink.

    The page's script sets the columns of the legend, once it knows how wide the box is.
    """
    return {
        **figure.spec,
        "width": "container",
        "height": figure.height_px,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": theme("currentColor", "var(--card)", [series_variable(i) for i in range(len(PALETTE))], 1),
    }


def static(figure: Figure) -> dict[str, Any]:
    """The spec of a picture on white, so that it reads on any page."""
    return {
        **figure.spec,
        "width": WIDTH_PX,
        "height": figure.height_px,
        "padding": 12,
        "config": {
            **theme("#1c2024", "white", PALETTE, max(1, WIDTH_PX // figure.spec["usermeta"]["legend_entry_px"])),
            "background": "white",
        },
    }


def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script (0.9 MB), the same versions that draw the SVG.

    vl-convert takes 1.4 s to bundle them, so they are kept in the user's cache folder, under its version.
    """
    bundler = version("vl-convert-python")
    cached = Path(platformdirs.user_cache_path("dlbench")) / f"vega-embed-{bundler}-{newest()}.js"
    try:
        return cached.read_text(encoding="utf-8")
    except OSError:
        bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", newest()))
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cached, bundle.encode())
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else
    return bundle
