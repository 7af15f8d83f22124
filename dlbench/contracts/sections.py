"""What a file in `sections/` must look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from dlbench.schema.blocks import Section


class SectionModule(Protocol):
    """A file in `sections/`: one part of a report.

    Attributes:
        POSITION: where it stands among the others; lower is earlier.
    """

    POSITION: ClassVar[int]

    def build(self, results: Any) -> Section | None:
        """The section, or None when the results hold nothing for it."""
