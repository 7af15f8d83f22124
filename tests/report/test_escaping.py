"""Names, reasons and descriptions from anywhere stay text: in HTML, in Markdown, in a spreadsheet."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from poison import PAYLOADS, poisoned
from synthetic import suite

from dlbench.analyze.results import Results
from dlbench.report.build import build_report
from dlbench.report.html import script_json
from dlbench.report.markdown import escape, paragraph
from dlbench.report.plain import plain


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("poisoned")
    return build_report(Results(suite(description=" ".join(PAYLOADS)), poisoned()), folder).parent


class Elements(HTMLParser):
    """Counts elements, and collects attributes that run scripts or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.count: dict[str, int] = {}
        self.active: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.active += [(name, value) for name, value in attrs if name.startswith("on") or name in ("src", "href")]


def test_no_payload_becomes_markup(report: Path) -> None:
    page = Elements()
    page.feed((report / "index.html").read_text())
    assert page.count["script"] == 3
    assert "b" not in page.count
    assert page.count.get("img", 0) == len(list((report / "figures").glob("*.svg")))
    assert not [name for name, _ in page.active if name.startswith("on")]
    assert all(value is not None and re.match(r"#[a-z-]+$|data:", value) for _, value in page.active)


def test_nothing_is_asked_of_the_network(report: Path) -> None:
    html = (report / "index.html").read_text()
    assert "default-src 'none'" in html
    assert '<link rel="stylesheet"' not in html
    assert "@import" not in html


def test_the_specs_survive_their_script_element(report: Path) -> None:
    html = (report / "index.html").read_text()
    found = re.search(r'<script type="application/json" id="specs">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    specs = json.loads(found.group(1))
    names = {row["model"] for spec in specs.values() for row in spec["data"]["values"] if "model" in row}
    assert names == set(plain(PAYLOADS))


def test_pictures_are_sound_and_still(report: Path) -> None:
    for path in (report / "figures").glob("*.svg"):
        tags = {element.tag.rpartition("}")[2] for element in ET.parse(path).iter()}
        assert tags <= {"svg", "g", "path", "text", "rect", "line", "defs", "clipPath", "title", "tspan"}


def test_tables_of_markdown_keep_their_columns(report: Path) -> None:
    text = (report / "report.md").read_text()
    widths: list[int] = []
    for line in text.split("\n"):
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(len(re.split(r"(?<!\\)\|", line)))
        assert widths[0] == widths[-1]
    assert "<" not in text
    assert re.findall(r"^#+ .*", text, re.MULTILINE)[0] == "# synthetic"
    assert "\n# heading" not in text


def test_a_spreadsheet_runs_nothing(report: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((report / "results.csv").read_text())))
    assert len(rows) == len(poisoned())
    for row in rows:
        for value in row.values():
            assert not value.startswith(("=", "+", "-", "@")) or re.fullmatch(r"-?[\d.e+-]+", value)
    assert any(row["label"].startswith("'=HYPERLINK") for row in rows)


@given(st.text())
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    escaped = escape(text)
    assert "\n" not in escaped
    assert not re.search(r"(?<!\\)(\\\\)*[`*\[\]|~<>]", escaped)
    assert not re.match(r"\s*(#|>|[-+=] |\d+[.)] )", paragraph(text))


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_in_a_script_is_the_same_json(value: object) -> None:
    text = str(script_json(value))
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


@given(st.text(st.characters()))
def test_text_is_fit_for_a_page(text: str) -> None:
    fit = plain({text: [text]})
    assert not any((ord(c) < 32 and c not in "\n\t") or 0xD800 <= ord(c) < 0xE000 for c in next(iter(fit)))
    assert plain(fit) == fit
    if text.isascii() and text.isprintable():
        assert fit == {text: [text]}
