"""The report before it is rendered: what HTML and Markdown both show."""

from dlbench.schema.base import Value
from dlbench.schema.blocks import Figure, Pictures, Section, Table


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

    @property
    def grids(self) -> tuple[Pictures, ...]:
        """Every grid of pictures, in order."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, Pictures))

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by a name for its file: its section's anchor, with a number from the second one on."""
        found: dict[str, Table] = {}
        for section in self.sections:
            tables = [block for block in section.blocks if isinstance(block, Table)]
            found |= {f"{section.anchor}{f'-{n}' if n > 1 else ''}": table for n, table in enumerate(tables, 1)}
        return found
