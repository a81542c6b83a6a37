"""The Point Cloud Library's PCD files: ASCII, binary and compressed binary.

By hand but for the decompression, since pypcd4 takes neither upper-case fields nor lower-case types nor tabs, stops at
ten header lines, and gives rows of zeros for a file that was cut short.
"""

from pathlib import Path

import lzf
import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry
from stages.datasets.formats.words import numbers

REQUIRED = ("FIELDS", "SIZE", "TYPE", "DATA")
MOST_EXPANSION = 300  # the compression cannot do better: 264 bytes for a reference of 3


def read(content: bytes, path: Path) -> Geometry:
    """The coordinates; FormatError when the header is incomplete or the rows are not those it announces."""
    header, body = _header(content)
    count, dtype = _count(header), _dtype(header)
    rows = {"ascii": _ascii, "binary": _binary, "binary_compressed": _compressed}.get(header["DATA"][0].lower())
    if rows is None:
        raise FormatError(f"DATA {header['DATA'][0]}: expected ascii, binary or binary_compressed")
    axes, left = rows(body, dtype, count)
    geometry = Geometry(np.stack([np.asarray(values, np.float64) for values in axes], axis=1))
    return geometry.noted(dropped=f"{left} bytes after the last point") if left else geometry


def _short(rows: int, count: int) -> FormatError:
    return FormatError(f"holds {rows} points, its header says {count}")


def _ascii(body: bytes, dtype: np.dtype, count: int) -> tuple[list[np.ndarray], int]:
    widths = [int(np.prod(dtype[name].shape)) for name in dtype.names]
    places = dict(zip(dtype.names, np.cumsum([0, *widths]), strict=False))
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) != count:
        raise _short(len(lines), count)
    odd = next((length for line in lines if (length := len(line.split())) != sum(widths)), None)
    if odd is not None:
        raise FormatError(f"{odd} numbers a row, its header says {sum(widths)}")
    return list(numbers(lines, [places[axis] for axis in "xyz"]).T), 0


def _binary(body: bytes, dtype: np.dtype, count: int) -> tuple[list[np.ndarray], int]:
    whole = len(body) // dtype.itemsize
    if whole < count:
        raise _short(whole, count)
    rows = np.frombuffer(body, dtype, count)
    return [rows[axis] for axis in "xyz"], len(body[count * dtype.itemsize :].strip(b"\0\r\n"))


def _compressed(body: bytes, dtype: np.dtype, count: int) -> tuple[list[np.ndarray], int]:
    """All values of the first field, then all of the second, compressed together by LZF; two sizes come first."""
    if len(body) < 8:
        raise FormatError("cut short before its compressed bytes")
    packed, unpacked = (int.from_bytes(body[place : place + 4], "little") for place in (0, 4))
    if len(body) < 8 + packed:
        raise FormatError(f"holds {max(0, len(body) - 8)} compressed bytes, its header says {packed}")
    if unpacked < count * dtype.itemsize or unpacked > MOST_EXPANSION * packed:
        raise FormatError(f"{unpacked} bytes uncompressed, {count} points need {count * dtype.itemsize}")
    columns = lzf.decompress(body[8 : 8 + packed], unpacked)
    if columns is None or len(columns) != unpacked:
        raise FormatError("its compressed bytes are damaged")
    axes, start = {}, 0
    for name in dtype.names:
        axes[name] = np.frombuffer(columns, dtype[name].base, count, start) if name in "xyz" else None
        start += count * dtype[name].itemsize
    return [axes[axis] for axis in "xyz"], len(body[8 + packed :].strip(b"\0\r\n"))


def _header(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    """The header's lines by their first word, and what follows the line DATA."""
    header, end = {}, 0
    while "DATA" not in header and end < len(content):
        line, newline, _ = content[end : end + 4096].partition(b"\n")
        end += len(line) + len(newline)
        words = line.decode("latin-1").split()
        if words and not words[0].startswith("#"):
            header[words[0].upper()] = words[1:]
    header.setdefault("FIELDS", header.get("COLUMNS", []))
    missing = [key for key in REQUIRED if not header.get(key)]
    if missing:
        raise FormatError(f"its header has no {missing[0]}")
    return header, content[end:]


def _count(header: dict[str, list[str]]) -> int:
    """The number of points, by POINTS or by WIDTH and HEIGHT."""
    if header.get("POINTS"):
        return int(header["POINTS"][0])
    if not header.get("WIDTH"):
        raise FormatError("its header has no POINTS")
    return int(header["WIDTH"][0]) * int((header.get("HEIGHT") or ["1"])[0])


def _dtype(header: dict[str, list[str]]) -> np.dtype:
    """One point's record, with the names of the fields in lower case; a field with a count above one is an array."""
    names, kinds = [name.lower() for name in header["FIELDS"]], {"F": "f", "I": "i", "U": "u"}
    counts = header.get("COUNT") or ["1"] * len(names)
    if any(names.count(axis) != 1 for axis in "xyz"):
        raise FormatError(f"FIELDS {' '.join(header['FIELDS'])}: expected x, y and z among them")
    fields = [
        (name if name in "xyz" else f"{name}{place}", f"<{kinds[kind.upper()]}{width}", int(count))
        for place, (name, kind, width, count) in enumerate(
            zip(names, header["TYPE"], header["SIZE"], counts, strict=True)
        )
    ]
    return np.dtype([(name, kind) if count == 1 else (name, kind, (count,)) for name, kind, count in fields])
