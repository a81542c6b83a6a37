"""A table of the report and the three forms it is written in: Markdown, CSV and LaTeX (booktabs)."""

import csv
import io
from dataclasses import dataclass, replace

from stages.artifacts.figures import Change

DAGGER = "\N{DAGGER}"
ORACLE_NOTE = f"{DAGGER} saw the labels it is scored on: an upper bound, not a result."
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    DAGGER: r"$\dagger$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "<": r"$<$",
    ">": r"$>$",
}


@dataclass(frozen=True)
class Table:
    """Cells as they are shown, row by row under `header`; columns from `numeric_from` on hold numbers."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric_from: int
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"table {self.name}: a row of {len(row)} cells under {len(self.header)} columns")

    def without_empty_columns(self) -> "Table":
        """The same without the columns of numbers that have a value in no row."""
        filled = [at for at in range(len(self.header)) if at < self.numeric_from or any(row[at] for row in self.rows)]
        header, *rows = (tuple(row[at] for at in filled) for row in (self.header, *self.rows))
        return replace(self, header=header, rows=tuple(rows))


def markdown(table: Table) -> str:
    """The table and its notes in Markdown; numbers stand right."""
    rule = ["---" if column < table.numeric_from else "---:" for column in range(len(table.header))]
    lines = ["| " + " | ".join(cells) + " |\n" for cells in (table.header, rule, *table.rows)]
    return "".join(lines) + "".join(f"\n{note}\n" for note in table.notes)


def as_csv(table: Table) -> str:
    """The cells as CSV, header first; notes are left out."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows((table.header, *table.rows))
    return out.getvalue()


def latex(table: Table) -> str:
    """The table as a LaTeX `table` for the package booktabs; the notes follow the cells."""
    columns = "l" * table.numeric_from + "r" * (len(table.header) - table.numeric_from)
    rows = [" & ".join(map(_escaped, cells)) + r" \\" for cells in (table.header, *table.rows)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(table.title)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par {_escaped(note)}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


FORMATS = {"md": markdown, "csv": as_csv, "tex": latex}


def number(value: float | None, *, digits: int = 2, sign: bool = False) -> str:
    """A figure as a cell; None is an empty one."""
    return "" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def interval(change: Change) -> str:
    """The interval of a change as a cell."""
    return f"{change.low:+.2f} to {change.high:+.2f}"


def marked(name: str, *, oracle: bool) -> str:
    """A name as a table shows it: with a dagger when it saw the labels it is scored on."""
    return f"{name} {DAGGER}" if oracle else name


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
