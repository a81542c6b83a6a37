"""Our figures beside the published ones: one row a cell that either has, with the difference where both do."""

from collections.abc import Sequence
from typing import NamedTuple

from stages.reporting.tables import number

Key = tuple[str, ...]
Figures = dict[str, float | None]
TOLERANCE = 1.0  # points within which a published figure counts as met


class Cited(NamedTuple):
    """Published figures of one cell and the id of their source."""

    key: Key
    figures: Figures
    source: str


class Beside(NamedTuple):
    """One cell: our figures (empty where it was not run) and the cited ones (None where nobody published any)."""

    key: Key
    ours: Figures
    cited: Cited | None


def beside(ours: dict[Key, Figures], published: Sequence[Cited]) -> list[Beside]:
    """Every cell of ours with each source that published it, then the published cells without a run, in their order."""
    rows = []
    for key, figures in ours.items():
        cited = [one for one in published if one.key == key]
        rows += [Beside(key, figures, one) for one in cited] or [Beside(key, figures, None)]
    return rows + [Beside(one.key, {}, one) for one in published if one.key not in ours]


def comparison_header(columns: Sequence[str], *, alone: Sequence[str]) -> tuple[str, ...]:
    """The source, then three columns a figure: ours, published, difference; last what is only ours (`alone`)."""
    titles = [title for name in columns for title in (f"{name}, ours", f"{name}, published", "difference")]
    return ("source", *titles, *(f"{name}, ours" for name in alone))


def comparison_cells(row: Beside, columns: Sequence[str], *, alone: Sequence[str]) -> tuple[str, ...]:
    """The cells under `comparison_header`, without the key's."""
    cells = [row.cited.source if row.cited else ""]
    for name in columns:
        ours, theirs = row.ours.get(name), row.cited and row.cited.figures.get(name)
        difference = None if ours is None or theirs is None else ours - theirs
        cells += [number(ours), number(theirs), number(difference, sign=True)]
    return (*cells, *(number(row.ours.get(name)) for name in alone))


def verdicts(title: str, rows: Sequence[Beside], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Every published cell that was run: (table, cell, ours, published, within the tolerance or by how much not)."""
    found = []
    for row in rows:
        for name in columns:
            ours, theirs = row.ours.get(name), row.cited and row.cited.figures.get(name)
            if ours is not None and theirs is not None:
                cell = ", ".join((*row.key, name, row.cited.source))
                off = ours - theirs
                verdict = f"within {TOLERANCE}" if abs(off) <= TOLERANCE else f"off by {off:+.2f}"
                found.append((title, cell, number(ours), number(theirs), verdict))
    return found
