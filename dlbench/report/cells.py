"""A table cell in words, the same in every format. Escapes nothing: that is the renderers'."""

from dlbench.analyze.quantities import NO_VALUE, with_margin
from dlbench.schema.blocks import Cell, Column, Scalar


def as_cell(value: Cell | Scalar) -> Cell:
    """A bare value as a cell."""
    return value if isinstance(value, Cell) else Cell(value=value)


def cell_text(cell: Cell, column: Column) -> str:
    """What stands in the cell: its own text, or its value in the column's format, with its margin."""
    if cell.text is not None:
        return cell.text
    if cell.value is None:
        return NO_VALUE
    if isinstance(cell.value, str):
        return cell.value
    return with_margin(float(cell.value), cell.margin, column.format, column.digits)
