"""Our figures compared with the published ones: a row a cell that either has, with the difference where both do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stages.reporting.page import Section
from stages.reporting.tables import Table, number

Key = tuple[str, ...]
Figures = dict[str, float | None]
TOLERANCE = 1.0  # points within which a published figure counts as met


class PublishedResult(NamedTuple):
    """Published figures of one cell and the id of their source."""

    key: Key
    figures: Figures
    source: str


class ComparisonRow(NamedTuple):
    """One cell: our figures (empty where it was not run) and the published ones (None where there are none)."""

    key: Key
    ours: Figures
    published: PublishedResult | None


Comparison = tuple[Sequence[ComparisonRow], Sequence[str]]  # rows, and the figures that both sides have


def compare(ours: Mapping[Key, Figures], published: Sequence[PublishedResult]) -> list[ComparisonRow]:
    """Every cell of ours with each source that published it, then the published cells without a run, in their order.

    A published key that is shorter than ours is compared with every cell of ours that starts with it.
    """
    rows, compared = [], set()
    for key, figures in ours.items():
        results = [result for result in published if result.key == key[: len(result.key)]]
        compared |= {result.key for result in results}
        rows += [ComparisonRow(key, figures, result) for result in results] or [ComparisonRow(key, figures, None)]
    return rows + [ComparisonRow(result.key, {}, result) for result in published if result.key not in compared]


def comparison_table(
    name: str,
    title: str,
    keys: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[ComparisonRow],
    *,
    ours_only: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Table:
    """Rows of `compare` as a table: the key's columns, the source, then ours, published and difference of every figure.

    Last come the figures that are only ours; columns of figures without a value are left out.
    """
    cells = tuple(
        (*row.key, *[""] * (len(keys) - len(row.key)), *_cells(row, columns, ours_only=ours_only)) for row in rows
    )
    titles = [title for name in columns for title in (f"{name}, ours", f"{name}, published", "difference")]
    header = (*keys, "source", *titles, *(f"{name}, ours" for name in ours_only))
    return Table(name, title, header, cells, numeric_from=len(keys) + 1, notes=tuple(notes)).without_empty_columns()


def verdict_section(compared: Mapping[str, Comparison]) -> Section:
    """Every published cell that was run: met within the tolerance, or by how much not."""
    rows = tuple(row for title, (cells, columns) in compared.items() for row in verdicts(title, cells, columns))
    cells = sum(
        row.published is not None and row.published.figures.get(name) is not None
        for comparison, columns in compared.values()
        for row in comparison
        for name in columns
    )
    note = f"{len(rows)} of {cells} published figures have a run here; the others need CLIP's weights and the datasets."
    header = ("table", "cell", "ours", "published", "verdict")
    table = Table("verdicts", "Verdict on the published figures", header, rows, numeric_from=len(header), notes=(note,))
    text = f"A published figure counts as met within {TOLERANCE} points."
    return Section("verdicts", "Verdicts", text, "make paper", (table,))


def verdicts(title: str, rows: Sequence[ComparisonRow], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Every published cell that was run: (table, cell, ours, published, within the tolerance or by how much not)."""
    found = []
    for row in rows:
        for name in columns:
            ours, published = _figures(row, name)
            if ours is not None and published is not None:
                cell = ", ".join(filter(None, (*row.key, name, row.published.source)))
                off = ours - published
                verdict = f"within {TOLERANCE}" if abs(off) <= TOLERANCE else f"off by {off:+.2f}"
                found.append((title, cell, number(ours), number(published), verdict))
    return found


def _cells(row: ComparisonRow, columns: Sequence[str], *, ours_only: Sequence[str]) -> tuple[str, ...]:
    """The source and the figures of one row."""
    cells = [row.published.source if row.published else ""]
    for name in columns:
        ours, published = _figures(row, name)
        difference = None if ours is None or published is None else ours - published
        cells += [number(ours), number(published), number(difference, sign=True)]
    return (*cells, *(number(row.ours.get(name)) for name in ours_only))


def _figures(row: ComparisonRow, name: str) -> tuple[float | None, float | None]:
    return row.ours.get(name), row.published.figures.get(name) if row.published else None
