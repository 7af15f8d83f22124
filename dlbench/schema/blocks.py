"""Neutral blocks of a report: what is said, not how it looks. Each renderer turns them into one format.

Every string is plain text from anywhere (labels, error messages, file names): renderers escape it.
"""

from typing import Literal

from pydantic import model_validator

from dlbench.schema.base import Json, Value

Tone = Literal["normal", "good", "warning", "error"]
Format = Literal["text", "code", "number", "fraction", "count", "bytes", "seconds", "milliseconds", "rate", "flop"]
"""What a number is, hence how it is written: a `fraction` as per cent, a `rate` in samples per second, …"""


class Heading(Value):
    """A heading inside a section."""

    text: str


class Text(Value):
    """A paragraph.

    Attributes:
        level: `lead` is the one sentence to read if only one is read, `note` small print.
    """

    text: str
    tone: Tone = "normal"
    level: Literal["lead", "body", "note"] = "body"


class Cell(Value):
    """A table cell that is more than its value.

    Attributes:
        value: sorts the table; None is shown as a dash.
        margin: half width of the 95 % interval, in the unit of the value.
        low: lower end of an interval that is not symmetric, such as that of a median.
        high: upper end of it.
        text: shown instead of the formatted value.
        note: explains the cell: a tooltip where there are tooltips.
        series: name of the contender whose colour marks the cell.
    """

    value: str | float | int | None
    margin: float | None = None
    low: float | None = None
    high: float | None = None
    text: str | None = None
    note: str | None = None
    tone: Tone = "normal"
    series: str | None = None


Scalar = str | float | int | None


class Column(Value):
    """A column of a table.

    Attributes:
        tooltip: what the column means, for who does not know.
        digits: decimals of every number in it; None leaves that to each number.
    """

    name: str
    format: Format = "text"
    tooltip: str | None = None
    digits: int | None = None

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers, which stand at the right."""
        return self.format not in ("text", "code")


class Table(Value):
    """A table of raw values; rows are as long as `columns`."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell | Scalar, ...], ...]
    caption: str
    sortable: bool = True

    @model_validator(mode="after")
    def _rectangular(self) -> "Table":
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} of a table of {len(self.columns)} columns has {len(row)} cells")
        return self


class KeyValues(Value):
    """Facts as name and value, in order."""

    items: tuple[tuple[str, str], ...]
    caption: str = ""


class Figure(Value):
    """A chart.

    Attributes:
        name: file name without suffix, `[a-z0-9_-]+`, unique in a report.
        title: what is shown, as a heading.
        alt: the same for who cannot see it, with the finding.
        caption: how to read it.
        spec: Vega-Lite with inline data; without width, theme and background, which are the renderer's.
        height_px: height of the plot's inside.
    """

    name: str
    title: str
    alt: str
    caption: str
    spec: dict[str, Json]
    height_px: int = 320


class Code(Value):
    """Text that a machine reads, line by line as it is.

    Attributes:
        language: what a reader's highlighter calls it.
    """

    text: str
    caption: str
    language: str = ""


class Box(Value):
    """A box on a picture, in fractions of its width and height, from its upper left corner.

    Attributes:
        label: what is in it.
        tone: `good` for what is there, `normal` for what was found, `error` for what was missed or made up.
    """

    left: float
    top: float
    width: float
    height: float
    label: str
    tone: Tone = "normal"


class Picture(Value):
    """An image in a grid.

    Attributes:
        png: the file, in pixels as they are; renderers enlarge small ones.
        alt: what it shows, for who cannot see it.
        caption: lines below it.
    """

    png: bytes
    alt: str
    caption: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()


class Pictures(Value):
    """A grid of images.

    Attributes:
        name: file name of each image before its number, `[a-z0-9_-]+`, unique in a report.
        width_px: of an image in the grid; a phone may show it smaller.
    """

    name: str
    pictures: tuple[Picture, ...]
    caption: str
    width_px: int = 112


class TextPairs(Value):
    """Texts beside what belongs to them: a source, what was expected, what came out.

    Attributes:
        labels: of the parts of an item, such as `("Text", "True", "Predicted")`.
        items: each as long as `labels`.
    """

    labels: tuple[str, ...]
    items: tuple[tuple[str, ...], ...]
    caption: str

    @model_validator(mode="after")
    def _complete(self) -> "TextPairs":
        for number, item in enumerate(self.items):
            if len(item) != len(self.labels):
                raise ValueError(f"item {number} of texts with {len(self.labels)} parts has {len(item)}")
        return self


Block = Heading | Text | KeyValues | Table | Figure | Pictures | TextPairs | Code


class Section(Value):
    """One part of a report.

    Attributes:
        anchor: `[a-z0-9-]+`, unique in a report.
        tone: of the whole section; `warning` and `error` stand out.
    """

    title: str
    anchor: str
    blocks: tuple[Block, ...]
    tone: Tone = "normal"
