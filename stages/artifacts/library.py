"""library.parquet: the objects of a folder, encoded once, one row a file, for searches.

A file that could not be read has a row too, with its `error` and without features, so that it is not tried again. How
the objects were encoded and which scores mean nothing stand in the file's metadata as JSON.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from stages.artifacts.files import complete_file, must_exist
from stages.core.errors import InputError, first_problem, one_line
from stages.core.strict import strict_dataclass

FORMAT = 1
KEY = b"pointclip_library"
MADE_BY = "`pointclip index <folder> --out <file>` makes one"
FACTS = ("path", "sha256", "kind", "points", "triangles", "up", "notes", "error")
THUMBNAIL, FEATURES = "thumbnail", "features"

NullScores = dict[str, dict[str, list[float]]]  # by kind of query and pooling


@strict_dataclass
class Encoding:
    """Everything that an object's features depend on beside its file.

    `weights` are names or hashes of the backbone's files, `projection` the constants of the depth maps of `views`, of
    whose features each has `dimension` numbers; `points` are sampled on a mesh by `seed`. `templates` are the sentences
    that the words of a search are put into.
    """

    format: int = FORMAT
    backbone: str
    weights: dict[str, str]
    projection: str
    views: tuple[str, ...]
    dimension: int
    points: int
    seed: int
    up: str
    templates: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One file of the folder: its path below it, the hash of its content, and what was read from it.

    `points` counts the vertices of a mesh or the points of a cloud, `up` is the axis that was taken as upward, `notes`
    are what was dropped or guessed, in words. The `thumbnail` is a PNG of one depth map; `features` are f2 [V, D]. Both
    are None where `error` says what is wrong.
    """

    path: str
    sha256: str
    kind: str = ""
    points: int = 0
    triangles: int = 0
    up: str = ""
    notes: str = ""
    error: str | None = None
    thumbnail: bytes | None = None
    features: np.ndarray | None = None


@dataclass(frozen=True)
class Library:
    """What a search needs: the readable objects [N] without thumbnails and features, the features f2 [N, V, D]."""

    path: Path
    encoding: Encoding
    null_scores: NullScores
    entries: tuple[Entry, ...]
    rejects: tuple[Entry, ...]
    features: np.ndarray

    def thumbnails(self, rows: Sequence[int]) -> list[bytes]:
        """The PNGs of the objects at `rows`."""
        names = [self.entries[row].path for row in rows]
        table = _read(self.path, ("path", THUMBNAIL), filters=pc.field("path").isin(names))
        found = dict(zip(table["path"].to_pylist(), table[THUMBNAIL].to_pylist(), strict=True))
        return [found[name] for name in names]


def write_library(path: Path, entries: Iterable[Entry], encoding: Encoding, null_scores: NullScores) -> None:
    """Write `entries`, by path. InputError where the features of one have another shape than `encoding` says."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    columns = [[getattr(entry, name) for entry in ordered] for name in (*FACTS, THUMBNAIL)]
    document = {"encoding": json.loads(to_json(encoding)), "null_scores": null_scores}
    table = pa.table(
        [*columns, _feature_column(path, ordered, encoding)],
        schema=_schema(encoding).with_metadata({KEY: json.dumps(document, sort_keys=True)}),
    )
    packed = {name: "none" if name in (THUMBNAIL, f"{FEATURES}.list.element") else "zstd" for name in _leaves()}
    with complete_file(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression=packed,
            use_dictionary=["kind", "up"],
            row_group_size=8192,
            write_page_checksum=True,
        )


def read_library(path: Path) -> Library:
    """Read what `write_library` wrote; InputError where `path` is no library, or a damaged one."""
    encoding, null_scores = read_metadata(path)
    table = _read(path, (*FACTS, FEATURES))
    entries = _entries(table.select(FACTS))
    rows = table[FEATURES].combine_chunks().drop_null()
    features = rows.values.to_numpy(zero_copy_only=False).astype(np.float16, copy=False)
    return Library(
        path,
        encoding,
        null_scores,
        tuple(entry for entry in entries if entry.error is None),
        tuple(entry for entry in entries if entry.error is not None),
        features.reshape(-1, len(encoding.views), encoding.dimension),
    )


def read_entries(path: Path) -> tuple[Encoding, list[Entry]]:
    """The encoding and every row of what `write_library` wrote, with thumbnails and features; errors as above."""
    encoding, _ = read_metadata(path)
    table, library = _read(path, (*FACTS, THUMBNAIL)), read_library(path)
    features = iter(library.features)
    entries = _entries(table)
    return encoding, [
        entry if entry.error is not None else Entry(**(vars(entry) | {FEATURES: next(features)})) for entry in entries
    ]


def read_metadata(path: Path) -> tuple[Encoding, NullScores]:
    """How the objects of a library were encoded, and its scores that mean nothing; errors as above."""
    must_exist(path, hint=MADE_BY)
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a library, or a damaged one ({one_line(error)[:160]})") from error
    if KEY not in (schema.metadata or {}):
        raise InputError(f"{path}: a Parquet file, but not a library; {MADE_BY}")
    try:
        document = json.loads(schema.metadata[KEY])
        written, null_scores = document["encoding"], document["null_scores"]
    except (ValueError, LookupError) as error:
        raise InputError(f"{path}: a damaged library ({one_line(error)[:160]})") from error
    if written.get("format") != FORMAT:
        raise InputError(f"{path}: a library of format {written.get('format')}, this version reads {FORMAT}")
    try:
        encoding = TypeAdapter(Encoding).validate_json(to_json(written))
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error, written)}") from error
    if not schema.equals(_schema(encoding)):
        raise InputError(f"{path}: columns {schema.names}, expected {_schema(encoding).names} of a library")
    return encoding, null_scores


def first_difference(stored: Encoding, wanted: Encoding) -> str | None:
    """The first setting in which two encodings differ, in words; None where they are the same."""
    for name in (field.name for field in fields(Encoding)):
        old, new = getattr(stored, name), getattr(wanted, name)
        if old != new:
            return f"{name} {old}, not {new}"
    return None


def _schema(encoding: Encoding) -> pa.Schema:
    text, count = pa.string(), pa.int64()
    kinds = {"points": count, "triangles": count, THUMBNAIL: pa.binary()}
    numbers = pa.list_(pa.float16(), len(encoding.views) * encoding.dimension)
    return pa.schema([*((name, kinds.get(name, text)) for name in (*FACTS, THUMBNAIL)), (FEATURES, numbers)])


def _leaves() -> tuple[str, ...]:
    """The columns as Parquet names them when it is told how to compress each."""
    return (*FACTS, THUMBNAIL, f"{FEATURES}.list.element")


def _feature_column(path: Path, entries: Sequence[Entry], encoding: Encoding) -> pa.FixedSizeListArray:
    shape = (len(encoding.views), encoding.dimension)
    rows = np.zeros((len(entries), *shape), np.float16)
    for row, entry in zip(rows, entries, strict=True):
        if (entry.features is None) != (entry.error is not None):
            raise InputError(f"{path}: {entry.path}: expected features or an error")
        if entry.features is not None:
            if entry.features.shape != shape or entry.features.dtype != np.float16:
                found = f"{entry.features.dtype} {list(entry.features.shape)}"
                raise InputError(f"{path}: features of {entry.path} are {found}, expected float16 {list(shape)}")
            row[:] = entry.features
    missing = pa.array([entry.features is None for entry in entries], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), shape[0] * shape[1], mask=missing)


def _read(path: Path, columns: Sequence[str], **options) -> pa.Table:
    options |= {"memory_map": True, "page_checksum_verification": True}
    try:
        return pq.read_table(path, columns=list(columns), **options)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: a damaged library ({one_line(error)[:160]})") from error


def _entries(table: pa.Table) -> list[Entry]:
    columns = [table[name].to_pylist() for name in table.column_names]
    return [Entry(**dict(zip(table.column_names, row, strict=True))) for row in zip(*columns, strict=True)]
