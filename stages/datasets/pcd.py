"""Reader of the Point Cloud Library's PCD files, ASCII and binary."""

import io
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, one_line

REQUIRED = ("FIELDS", "SIZE", "TYPE", "POINTS", "DATA")


def read(path: Path) -> np.ndarray:
    """Coordinates f8 [P, 3]; InputError when the header is incomplete or the rows are not those it announces."""
    header, body = _header(path)
    try:
        count, dtype = int(header["POINTS"][0]), _dtype(header)
        values = _rows(path, header["DATA"][0], body, dtype)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a readable pcd file ({one_line(error)})") from error
    if len(values) != count:
        raise InputError(f"{path}: holds {len(values)} points, its header says {count}")
    return values


def _rows(path: Path, kind: str, body: bytes, dtype: np.dtype) -> np.ndarray:
    """Coordinates of all whole rows after the header."""
    if kind == "binary":
        rows = np.frombuffer(body, dtype, count=len(body) // dtype.itemsize)
        return np.stack([rows[axis].astype(float) for axis in "xyz"], axis=1)
    if kind != "ascii":
        raise InputError(f"{path}: DATA {kind}: expected ascii or binary")
    widths = [int(np.prod(dtype[name].shape)) for name in dtype.names]
    places = dict(zip(dtype.names, np.cumsum([0, *widths]), strict=False))
    rows = np.loadtxt(io.BytesIO(body), ndmin=2) if body.strip() else np.empty((0, sum(widths)))
    if rows.shape[1] != sum(widths):
        raise InputError(f"{path}: {rows.shape[1]} numbers a row, its header says {sum(widths)}")
    return rows[:, [places[axis] for axis in "xyz"]]


def _header(path: Path) -> tuple[dict[str, list[str]], bytes]:
    """The header's lines by their first word, and what follows the line DATA."""
    content, header, end = path.read_bytes(), {}, 0
    while "DATA" not in header and end < len(content):
        line, newline, _ = content[end:].partition(b"\n")
        end += len(line) + len(newline)
        words = line.decode("latin-1").split()
        if words and not words[0].startswith("#"):
            header[words[0]] = words[1:]
    missing = [key for key in REQUIRED if not header.get(key)]
    if missing:
        raise InputError(f"{path}: not a PCD file, its header has no {missing[0]}")
    return header, content[end:]


def _dtype(header: dict[str, list[str]]) -> np.dtype:
    """One point's record; a field with a count above one is an array."""
    names, kinds = header["FIELDS"], {"F": "f", "I": "i", "U": "u"}
    counts = header.get("COUNT") or ["1"] * len(names)
    if not set("xyz") <= set(names):
        raise ValueError(f"FIELDS {' '.join(names)}: expected x, y and z among them")
    fields = zip(names, header["TYPE"], header["SIZE"], counts, strict=True)
    return np.dtype(
        [
            (f"{name}{place}" if name == "_" else name, f"<{kinds[kind]}{width}", () if count == "1" else (int(count),))
            for place, (name, kind, width, count) in enumerate(fields)
        ]
    )
