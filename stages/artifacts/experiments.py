"""reports/experiments/<name>.csv: what commands and benchmarks measured apart from `dvc repro`, kept in git.

Each file has the columns of one of the row types below, in their order.
"""

import csv
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from stages.artifacts.figures import Figures
from stages.artifacts.files import read_text, write_csv
from stages.core.errors import InputError, first_problem
from stages.core.strict import strict_dataclass


@strict_dataclass
class SweepRow:
    """One protocol under one value of the swept parameter: top-1 in percent, seconds of its search if it was timed."""

    value: str
    dataset: str
    backbone: str
    protocol: str
    top1: float
    seconds: float | None = None


@strict_dataclass
class FewShotRow(Figures):
    """One few-shot method at one number of shots, in percent; `shapes` of the train and of the test split.

    The interval of the gain is empty in rows that were archived before it was measured.
    """

    dataset: str
    backbone: str
    shapes: str
    method: str
    shots: int
    top1_mean: float
    top1_std: float
    top1_low: float
    top1_high: float
    gain_low: float | None = None
    gain_high: float | None = None


@strict_dataclass
class SpeedRow:
    """One benchmark: how long what it is compared with (`against`) takes, and how long ours, in `unit`."""

    what: str
    against: str  # such as "published arithmetic" or "bare tower"
    plain: float
    ours: float
    unit: str
    command: str
    machine: str


Row = TypeVar("Row", SweepRow, FewShotRow, SpeedRow)


def write_rows(path: Path, rows: Sequence[Row], kind: type[Row]) -> None:
    """Write `rows` as CSV; None is an empty cell."""
    columns = zip(*map(astuple, rows), strict=True) if rows else [()] * len(fields(kind))
    write_csv(path, dict(zip(_columns(kind), columns, strict=True)))


def read_rows(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    """Read what `write_rows` wrote; InputError naming `path` where columns or cells are not those of `kind`."""
    reader = csv.DictReader(read_text(path, hint="it comes with the repository").splitlines())
    if tuple(reader.fieldnames or ()) != _columns(kind):
        raise InputError(f"{path}: columns {reader.fieldnames}, expected {', '.join(_columns(kind))}")
    rows = []
    for row in reader:
        try:
            rows.append(TypeAdapter(kind).validate_strings({name: cell for name, cell in row.items() if cell != ""}))
        except ValidationError as error:
            raise InputError(f"{path}: line {reader.line_num}: {first_problem(error, row)}") from error
    return tuple(rows)


def _columns(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
