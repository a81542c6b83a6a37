"""Our figures beside the published ones: a row a cell that either has, with the difference where ours repeats theirs.

A published figure is compared with a figure of ours only where every step is the published one; our own protocols
stand in columns of their own.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stages.reporting.tables import Table, number

Key = tuple[str, ...]
Figures = dict[str, float | None]


class PublishedResult(NamedTuple):
    """Published figures of one cell and the id of their source.

    `repeated_by` names, by figure, the figure of ours that repeats it where that is not the column's. `not_comparable`
    says why no figure of ours can. `label` stands for the key where that does not tell the cell from others.
    """

    key: Key
    figures: Figures
    source: str
    note: str | None = None
    not_comparable: str | None = None
    repeated_by: Mapping[str, str] = {}
    label: str | None = None

    @property
    def names(self) -> Key:
        """The names that tell the cell from all others."""
        return (*self.key[:2], self.label) if self.label else self.key


class ComparisonRow(NamedTuple):
    """One cell: our figures (empty where it was not run) and the published ones (None where there are none)."""

    key: Key
    ours: Figures
    published: PublishedResult | None


class Column(NamedTuple):
    """A figure by its `name`, of ours and published; `repeated_by` names ours that repeats the published steps.

    It is shown under `title`. Without one the figure of that name itself repeats them.
    """

    name: str
    repeated_by: str | None = None
    title: str = ""


def compare(ours: Mapping[Key, Figures], published: Sequence[PublishedResult]) -> list[ComparisonRow]:
    """Every cell of ours with each source that published it, then the published cells without a run, in their order.

    A published key that is shorter than ours is compared with every cell of ours that starts with it; one that is not
    comparable with none.
    """
    rows, compared = [], set()
    for key, figures in ours.items():
        results = [one for one in published if not one.not_comparable and one.key == key[: len(one.key)]]
        compared |= {id(result) for result in results}
        rows += [ComparisonRow(key, figures, result) for result in results] or [ComparisonRow(key, figures, None)]
    return rows + [ComparisonRow(result.key, {}, result) for result in published if id(result) not in compared]


def comparison_table(
    name: str,
    title: str,
    keys: Sequence[str],
    columns: Sequence[Column],
    rows: Sequence[ComparisonRow],
    *,
    ours_only: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Table:
    """Rows of `compare` as a table: the key's columns, the source, then ours, published and difference of every figure.

    Where another figure of ours repeats the published steps it stands between the two, and the difference is its own.
    Last come the figures that are only ours; columns of figures without a value are left out. What is odd about
    published cells follows the notes.
    """
    cells = tuple(
        (*row.key, *[""] * (len(keys) - len(row.key)), *_cells(row, columns, ours_only=ours_only)) for row in rows
    )
    titles = [title for column in columns for title in _titles(column)]
    header = (*keys, "source", *titles, *(f"{name}, ours" for name in ours_only))
    notes = (*notes, *_published_notes(rows))
    return Table(name, title, header, cells, numeric_from=len(keys) + 1, notes=notes).without_empty_columns()


def repeating_figure(row: ComparisonRow, column: Column) -> float | None:
    """Our figure by the published steps, None where there is none."""
    own = row.published.repeated_by.get(column.name) if row.published else None
    return row.ours.get(own or column.repeated_by or column.name)


def published_figure(row: ComparisonRow, column: Column) -> float | None:
    """The published figure, None where there is none."""
    return row.published.figures.get(column.name) if row.published else None


def _published_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    """What is odd about published cells or not stated, each once with the names and sources that its cells share."""
    cells: dict[str, list[PublishedResult]] = {}
    for row in rows:
        if row.published and row.published.note:
            cells.setdefault(row.published.note, []).append(row.published)
    lines = []
    for note, results in cells.items():
        shared = [name for name in results[0].names if name and all(name in one.names for one in results)]
        sources = ", ".join(dict.fromkeys(one.source for one in results))
        lines.append(f"{', '.join(shared)} ({sources}): {note}.")
    return lines


def _titles(column: Column) -> tuple[str, ...]:
    repeating = (column.title,) if column.repeated_by else ()
    return (f"{column.name}, ours", *repeating, f"{column.name}, published", "difference")


def _cells(row: ComparisonRow, columns: Sequence[Column], *, ours_only: Sequence[str]) -> tuple[str, ...]:
    """The source and the figures of one row."""
    cells = [row.published.source if row.published else ""]
    for column in columns:
        repeating, published = repeating_figure(row, column), published_figure(row, column)
        difference = None if repeating is None or published is None else repeating - published
        shown = (row.ours.get(column.name), repeating) if column.repeated_by else (repeating,)
        cells += [*map(number, shown), number(published), number(difference, sign=True)]
    return (*cells, *(number(row.ours.get(name)) for name in ours_only))
