"""A table as LaTeX that a paper can take in: `\\input{tables/leaderboard}`, with the booktabs package."""

from dlbench.report.cells import as_cell, cell_text
from dlbench.schema.blocks import Cell, Column, Scalar, Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "→": r"$\to$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≈": r"$\approx$",
    "·": r"\textperiodcentered{}",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
    "µ": r"\textmu{}",
    "⁻": r"\textsuperscript{$-$}",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "°": r"\textdegree{}",
    "\u00a0": "~",
    "\u202f": r"\,",
}


def escape(text: str) -> str:
    """Plain text as LaTeX: no character of it is a command. One line; what pdfTeX cannot set becomes its number."""
    return "".join(_SPECIAL.get(character) or _plain(character) for character in " ".join(text.split()))


def _plain(character: str) -> str:
    if character.isprintable() and ord(character) < 0x180:  # Latin letters, in every engine and common font
        return character
    return f"{{[}}U+{ord(character):04X}{{]}}"


def table(block: Table, label: str) -> str:
    """A `table` environment with caption and `\\label{tab:<label>}`."""
    columns = "".join("r" if column.numeric else "l" for column in block.columns)
    lines = [
        "% Needs \\usepackage{booktabs,textcomp} and \\usepackage[T1]{fontenc}.",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escape(block.caption)}}}",
        f"  \\label{{tab:{label}}}",
        f"  \\begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        f"    {_row([escape(column.name) for column in block.columns])}",
        r"    \midrule",
        *(f"    {_row(_cells(row, block.columns))}" for row in block.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cells(row: tuple[Cell | Scalar, ...], columns: tuple[Column, ...]) -> list[str]:
    return [_cell(as_cell(value), column) for value, column in zip(row, columns, strict=True)]


def _cell(cell: Cell, column: Column) -> str:
    """What is coloured on a page is bold here."""
    text = escape(cell_text(cell, column))
    return f"\\textbf{{{text}}}" if cell.tone in ("good", "error") else text


def _row(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
