"""Pictures, boxes and texts of a report, in every format, with labels that try to be markup."""

import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from poison import PAYLOADS
from synthetic import suite

from dlbench.analyze.results import Results
from dlbench.report import html, latex, markdown, pictures
from dlbench.report.build import build_report
from dlbench.report.page import Page
from dlbench.report.plain import plain
from dlbench.schema.blocks import Box, Cell, Code, Column, Picture, Pictures, Section, Table, TextPairs


def png(width: int = 4, height: int = 2) -> bytes:
    """A grey image, all black but for its first pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    rows = bytearray((width + 1) * height)
    rows[1] = 255
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    )


def grid(*labels: str) -> Pictures:
    boxes = tuple(Box(left=0.1, top=0.2, width=0.5, height=0.5, label=label, tone="good") for label in labels)
    shown = [Picture(png=png(), alt=label, caption=(label, f"taken for {label}"), boxes=boxes) for label in labels]
    return Pictures(name="mistakes_digits", pictures=tuple(shown), caption=" ".join(labels))


def texts(*texts: str) -> TextPairs:
    return TextPairs(labels=("Text", "True"), items=tuple((text, text) for text in texts), caption="Texts.")


def page(*blocks: Pictures | TextPairs | Table | Code) -> Page:
    section = Section(title="Samples", anchor="samples", blocks=blocks)
    return Page(title="t", description="", facts=(), series=(), sections=(section,))


def test_a_page_shows_pictures_with_their_boxes() -> None:
    text = html.render(page(grid("seven", "two")), {}, "")
    assert text.count("data:image/png;base64,") == 2
    assert 'alt="seven"' in text
    assert text.count('class="box good" style="left: 10.00%; top: 20.00%; width: 50.00%; height: 50.00%"') == 4
    assert "<p>taken for two</p>" in text


def test_markdown_shows_pictures_over_their_captions() -> None:
    block = grid(*"abcdefgh")
    text = markdown.render(page(block))
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert [row.count("|") for row in rows] == [7] * 4 + [3] * 4
    assert rows[0].startswith("| ![a](figures/mistakes_digits_1.png) |")
    assert rows[3].startswith("| taken for a | taken for b |")
    assert markdown.picture_file(block, 7) in rows[4]


def test_a_picture_becomes_a_file_that_can_be_looked_at() -> None:
    block = grid("seven")
    file = pictures.drawn(block.pictures[0], block.width_px)
    assert pictures.size(file) == (112, 56)
    assert file != pictures.drawn(block.pictures[0].model_copy(update={"boxes": ()}), 112)


def test_what_is_no_png_is_refused() -> None:
    with pytest.raises(ValueError, match="no PNG"):
        pictures.size(b"GIF89a")


def test_items_are_as_long_as_their_labels() -> None:
    with pytest.raises(ValueError, match="item 1 of texts with 2 parts has 1"):
        TextPairs(labels=("Text", "True"), items=(("a", "b"), ("c",)), caption="")


def test_labels_of_pictures_and_texts_stay_text() -> None:
    block, pairs = plain((grid(*PAYLOADS[:8]), texts(*PAYLOADS)))
    written = html.render(page(block, pairs), {}, "")
    assert written.count("<script") == 2
    assert "onerror=alert" not in re.sub(r"&lt;.*?&gt;", "", written)
    told = markdown.render(page(block, pairs))
    assert "<" not in told
    assert "\n# heading" not in told
    widths = [len(re.split(r"(?<!\\)\|", line)) for line in told.split("\n") if line.startswith("|")]
    assert widths == [8] * 4 + [4] * 4 + [4] * (2 + len(PAYLOADS))
    for picture in block.pictures:
        assert pictures.drawn(picture, 112).startswith(b"\x89PNG")


@given(st.text())
def test_latex_is_text_alone(text: str) -> None:
    escaped = latex.escape(text)
    assert "\n" not in escaped
    known = re.sub(r"\\(text[a-z]+\{\}|textsuperscript\{(\$-\$|\d)\}|ldots\{\}|[{}$&#_%,])", "", escaped)
    known = re.sub(r"\$(-|\\(pm|times|infty|to|geq|leq|approx))\$|\{\[\}|\{\]\}", "", known)
    assert not set(known) & set('\\{}$&#_%^<>|[]"`')


def test_a_table_of_latex_has_its_columns() -> None:
    block = Table(
        columns=(Column(name="Model & co"), Column(name="Accuracy", format="fraction")),
        rows=(("a_b", Cell(value=0.91, margin=0.002)), (Cell(value="c", tone="good"), None)),
        caption="50 % of {all}",
    )
    lines = latex.table(block, "leaderboard").split("\n")
    assert r"  \caption{50 \% of \{all\}}" in lines
    assert r"  \begin{tabular}{lr}" in lines
    assert r"    Model \& co & Accuracy \\" in lines
    assert r"    a\_b & 91.0 \% $\pm$ 0.2 \\" in lines
    assert r"    \textbf{c} & -- \\" in lines


def test_figures_of_the_report_before_are_replaced(tmp_path: Path) -> None:
    for folder, name in (("figures", "old.png"), ("tables", "old.tex"), ("figures", "notes.txt")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text("old")
    build_report(Results(suite(), []), tmp_path)
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["notes.txt"]
    assert not (tmp_path / "tables").exists()


def test_code_stays_as_it_is() -> None:
    text = "name: x\n```\n  deep: <b>\n"
    block = Code(text=text, caption="The suite.", language="yaml")
    assert markdown.render(page(block)).endswith("The suite.\n\n````yaml\nname: x\n```\n  deep: <b>\n````\n")
    assert "name: x\n```\n  deep: &lt;b&gt;\n" in html.render(page(block), {}, "")
