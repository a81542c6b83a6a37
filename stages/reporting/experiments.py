"""A set of DVC experiments -> a table: one row an experiment, from what `dvc exp show --csv` printed."""

import csv
import io
from collections.abc import Sequence

from stages.errors import InputError
from stages.reporting.tables import markdown, marked, ordered_protocols

TOP1 = ".top1"


def experiment_table(text: str, *, param: str, protocols: Sequence[str]) -> str:
    """A row per value of `param` and the top-1 of every protocol, of the experiments listed in CSV `text`.

    InputError when a column is missing, or the experiments have one value twice or none.
    """
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row.get("Experiment")]
    names = [column.removesuffix(TOP1) for column in (rows[0] if rows else ()) if column.endswith(TOP1)]
    if not rows or param not in rows[0] or not set(protocols) <= set(names):
        raise InputError(f"experiments of {param}: no rows with that column and {TOP1} of every protocol")
    values = [row[param] for row in rows]
    if not all(values) or len(set(values)) < len(values):
        raise InputError(f"experiments of {param}: values {', '.join(values)}, expected every one once")
    columns = ordered_protocols(names, first=protocols)
    cells = [
        (row[param], *(f"{float(row[name + TOP1]):.2f}" for name in columns))
        for row in sorted(rows, key=lambda row: row[param])
    ]
    return markdown((f"{param}, top-1 %", *map(marked, columns)), cells, numeric_from=1)
