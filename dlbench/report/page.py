"""The report before it is rendered: what HTML and Markdown both show."""

from dlbench.schema.base import Value
from dlbench.schema.blocks import Figure, Section


class Page(Value):
    """A whole report.

    Attributes:
        facts: what the page says of itself at its top: `("Jobs", "48 of 50 finished")`.
        series: names of all contenders; the n-th has the n-th colour and shape everywhere.
        sections: in the order in which they are read.
    """

    title: str
    description: str
    facts: tuple[tuple[str, str], ...]
    series: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure, in order."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, Figure))
