"""Parquet as every artifact uses it: fixed columns packed by Zstandard, feature vectors as fixed-size lists.

The numbers of vectors differ too much for a dictionary; by bytes (all first ones, then all second ones) they pack.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.artifacts.files import complete_file, must_exist
from stages.core.errors import InputError

Value = TypeVar("Value")


def vectors(rows: np.ndarray) -> pa.FixedSizeListArray:
    """Rows f4 [T, D] as a column of vectors."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def vectors_of(column: pa.ChunkedArray) -> np.ndarray:
    """What `vectors` made a column of."""
    whole = column.combine_chunks()
    return whole.values.to_numpy().reshape(len(whole), whole.type.list_size)


def write_parquet(path: Path, columns: dict, *, metadata: dict[str, str] | None = None) -> None:
    table = pa.table(columns, metadata=metadata or None)
    with new_parquet(path, table.schema) as writer:
        writer.write_table(table)


@contextmanager
def new_parquet(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """What writes tables of `schema` one below the other; the file has its name once the block succeeds."""
    by_byte = [f"{field.name}.list.element" for field in schema if pa.types.is_fixed_size_list(field.type)]
    whole = [field.name for field in schema if not pa.types.is_fixed_size_list(field.type)]
    packed = {"compression": "zstd", "use_dictionary": whole, "use_byte_stream_split": by_byte}
    with complete_file(path) as temporary, pq.ParquetWriter(temporary, schema, **packed) as writer:
        yield writer


def with_json(values: dict[str, object]) -> dict[str, str]:
    """Metadata of the `values` that are not empty, as JSON."""
    return {name: json.dumps(value) for name, value in values.items() if value}


def json_metadata(table: pa.Table, name: str, default: Value) -> Value:
    """The value `name` of the metadata that `with_json` made, `default` where there is none."""
    text = (table.schema.metadata or {}).get(name.encode())
    return default if text is None else json.loads(text)


def read_parquet(
    path: Path, columns: tuple[str, ...], *, only: Sequence[str] | None = None, where: tuple[str, object] | None = None
) -> pa.Table:
    """The table at `path`, which must have these `columns`; of it `only` some, and the rows `where` one has a value."""
    must_exist(path)
    rows = where and [(where[0], "==", where[1])]
    try:
        names = pq.read_schema(path).names
        if tuple(names) != columns:
            raise InputError(f"{path}: columns {names}, expected {list(columns)}")
        return pq.read_table(path, columns=only and list(only), filters=rows)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({' '.join(str(error).split())})") from error
