"""A verdict on every published figure: met, by how much not, why it was not run or why nothing compares with it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stages.reporting.comparison import (
    Column,
    ComparisonRow,
    PublishedResult,
    published_figure,
    repeating_figure,
)
from stages.reporting.page import Section
from stages.reporting.tables import Table, number

TOLERANCE = 1.0  # points within which a published figure counts as met
WITHIN, OFF, NOT_RUN, NOT_COMPARABLE = f"within {TOLERANCE}", "off by", "not run", "not comparable"
KINDS = (WITHIN, OFF, NOT_RUN, NOT_COMPARABLE)
HEADER = ("table", "cell", "ours", "published", "verdict", "note")


class Comparison(NamedTuple):
    """Rows of one table of comparisons, the columns of its figures, and why a published figure has none of ours."""

    rows: Sequence[ComparisonRow]
    columns: Sequence[Column]
    why: Callable[[PublishedResult, Column], str]


@dataclass(frozen=True)
class Selection:
    """What one task ran on; `key` of params.yaml names its datasets, `left_out` says why of datasets and backbones."""

    key: str
    datasets: Sequence[str]
    backbones: Sequence[str]
    left_out: Mapping[str, str]

    def why_not(self, result: PublishedResult) -> str | None:
        """Why the dataset or the backbone of a published cell was not run; None when both were."""
        dataset, backbone = result.key[:2]
        for name in (dataset, backbone):
            if name in self.left_out:
                return f"{name}: {self.left_out[name]}"
        if dataset not in self.datasets:
            return f"{dataset} is not in {self.key}"
        return None if backbone in self.backbones else f"{backbone} is not among its backbones"


def verdict_section(report: Mapping[str, Comparison], beyond: Mapping[str, Comparison]) -> Section:
    """Verdicts on the `report`'s tables, and on what else was published of the same, each by the title of its table."""
    tables = (
        verdict_table("verdicts", "Verdict on every published figure", report),
        verdict_table("verdicts_beyond", "Verdicts on the shot curve and on re-runs", beyond),
    )
    text = (
        f"{tables[0].notes[0]} A figure counts as met within {TOLERANCE} points, and is compared only with a row whose "
        "every step is the published one."
    )
    return Section("verdicts", "Verdicts", text, "make paper", tables)


def verdict_table(name: str, title: str, compared: Mapping[str, Comparison]) -> Table:
    """One row a published figure, and how many there are of each kind of verdict."""
    rows = tuple(row for table, comparison in compared.items() for row in verdicts(table, comparison))
    counts = Counter(next(kind for kind in KINDS if row[4].startswith(kind)) for row in rows)
    said = (f"{counts[kind]} {words}" for kind, words in zip(KINDS, (WITHIN, "off by more", *KINDS[2:]), strict=True))
    note = f"{len(rows)} published figures: {', '.join(said)}."
    return Table(name, title, HEADER, rows, numeric_from=len(HEADER), notes=(note,))


def verdicts(table: str, comparison: Comparison) -> list[tuple[str, ...]]:
    """(table, cell, ours, published, verdict, note) of every published figure, those that were run first.

    Where several rows of ours repeat it the first one with a figure counts.
    """
    rows_of: dict[int, list[ComparisonRow]] = {}
    for row in comparison.rows:
        if row.published is not None:
            rows_of.setdefault(id(row.published), []).append(row)
    found = []
    for rows in rows_of.values():
        result = rows[0].published
        for column in comparison.columns:
            published = published_figure(rows[0], column)
            if published is not None:
                figures = (repeating_figure(row, column) for row in rows)
                ours = next((figure for figure in figures if figure is not None), None)
                cell = ", ".join(filter(None, (*result.names, column.name, result.source)))
                verdict = _verdict(ours, published) if ours is not None else _without_run(result, column, comparison)
                found.append((table, cell, number(ours), number(published), verdict, result.note or ""))
    return found


def _verdict(ours: float, published: float) -> str:
    off = ours - published
    return WITHIN if abs(off) <= TOLERANCE else f"{OFF} {off:+.2f}"


def _without_run(result: PublishedResult, column: Column, comparison: Comparison) -> str:
    if result.not_comparable:
        return f"{NOT_COMPARABLE}: {result.not_comparable}"
    return f"{NOT_RUN}: {comparison.why(result, column)}"
