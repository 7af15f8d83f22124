"""A page as Markdown that reads well on GitHub: tables, and figures as links to their SVG files."""

import re
from itertools import zip_longest

from dlbench.report.cells import as_cell, cell_text
from dlbench.report.page import Page
from dlbench.schema.blocks import (
    Block,
    Code,
    Column,
    Figure,
    Heading,
    KeyValues,
    Pictures,
    Section,
    Table,
    Text,
    TextPairs,
)

_SPECIAL = re.compile(r"([\\`*\[\]<>|~])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LINE_START = re.compile(r"^(\s*)([#>+=-]|\d+[.)])")
PICTURES_A_ROW = 6
_MARKS = {"normal": "", "good": "", "warning": "⚠ ", "error": "✖ "}


def render(page: Page) -> str:
    """The page as GitHub-flavoured Markdown."""
    facts = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in page.facts)
    parts = [f"# {escape(page.title)}", paragraph(page.description), facts]
    parts += [_section(section) for section in page.sections]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Plain text inside a line: nothing in it is markup, HTML or a table's border."""
    line = " ".join(text.split())
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", line.replace("&", "&amp;")).replace("\\<", "&lt;")


def paragraph(text: str) -> str:
    """Plain text as a paragraph of its own, that starts no heading, list or quotation."""
    return _LINE_START.sub(lambda found: found.group(1) + _shielded(found.group(2)), escape(text))


def _shielded(start: str) -> str:
    return f"{start[:-1]}\\{start[-1]}"


def _section(section: Section) -> str:
    return "\n\n".join([f"## {escape(section.title)}", *(block_text(block) for block in section.blocks)])


def block_text(block: Block) -> str:
    """One block as Markdown."""
    match block:
        case Heading():
            return f"### {escape(block.text)}"
        case Text():
            return _text(block)
        case KeyValues():
            return _key_values(block)
        case Table():
            return _table(block)
        case Figure():
            return (
                f"![{escape(block.alt)}](figures/{block.name}.svg)\n\n*{escape(block.title)}.* {escape(block.caption)}"
            )
        case Pictures():
            return _pictures(block)
        case TextPairs():
            return _texts(block)
        case Code():
            return _code(block)


def _text(block: Text) -> str:
    if block.level == "lead":
        return f"**{escape(block.text)}**"
    return paragraph(_MARKS[block.tone] + block.text)


def _key_values(block: KeyValues) -> str:
    lines = [f"| {escape(block.caption) or ' '} | |", "|---|---|"]
    lines += [f"| {escape(name)} | {escape(value)} |" for name, value in block.items]
    return "\n".join(lines)


def _table(block: Table) -> str:
    lines = [
        f"| {' | '.join(escape(column.name) for column in block.columns)} |",
        f"|{'|'.join('---:' if column.numeric else '---' for column in block.columns)}|",
    ]
    for row in block.rows:
        cells = [_cell(value, column) for value, column in zip(row, block.columns, strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{paragraph(block.caption)}"


def _cell(value: object, column: Column) -> str:
    text = escape(cell_text(as_cell(value), column))  # type: ignore[arg-type]
    return f"`{text}`" if column.format == "code" and "`" not in text else text


def _pictures(block: Pictures) -> str:
    """The grid as tables, each a row of pictures over the lines of their captions."""
    tables = []
    for start in range(0, len(block.pictures), PICTURES_A_ROW):
        row = block.pictures[start : start + PICTURES_A_ROW]
        files = [f"figures/{picture_file(block, start + place)}" for place in range(len(row))]
        shown = [f"![{escape(picture.alt)}]({file})" for picture, file in zip(row, files, strict=True)]
        captions = zip_longest(*([escape(line) for line in picture.caption] for picture in row), fillvalue=" ")
        lines = (shown, ["---"] * len(row), *captions)
        tables.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    return "\n\n".join([*tables, paragraph(block.caption)])


def picture_file(block: Pictures, index: int) -> str:
    """File name of a picture of a grid, counted from 0."""
    return f"{block.name}_{index + 1}.png"


def _texts(block: TextPairs) -> str:
    lines = [f"| {' | '.join(escape(label) for label in block.labels)} |", f"|{'---|' * len(block.labels)}"]
    lines += [f"| {' | '.join(escape(text) for text in item)} |" for item in block.items]
    return "\n".join(lines) + f"\n\n{paragraph(block.caption)}"


def _code(block: Code) -> str:
    """A fenced block, its fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", block.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{paragraph(block.caption)}\n\n{fence}{block.language}\n{block.text.rstrip()}\n{fence}"
