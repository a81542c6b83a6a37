"""LAS and LAZ of laser scanners, by laspy with lazrs, which come with the extra `formats`."""

import io
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry

MOST_POINTS = 10_000_000
SHORTEST_RECORD = 54  # bytes


def read(content: bytes, path: Path) -> Geometry:
    """The coordinates, scaled and moved as the header says."""
    try:
        import laspy
    except ImportError as error:
        raise FormatError("its reader is not installed: pip install '.[formats]'") from error
    _check_records(content)
    with laspy.open(io.BytesIO(content), closefd=False, laz_backend=laspy.LazBackend.Lazrs) as file:
        header = file.header
        if not 0 < header.point_count <= MOST_POINTS:
            raise FormatError(f"{header.point_count} points, expected 1 to {MOST_POINTS}")
        if header.are_points_compressed:
            _check_chunks(content, header.offset_to_point_data, header.point_count)
        whole = (len(content) - header.offset_to_point_data) // header.point_format.size
        if not header.are_points_compressed and whole < header.point_count:
            raise FormatError(f"holds {whole} points, its header says {header.point_count}")
        points = file.read()
    if len(points) != header.point_count:
        raise FormatError(f"holds {len(points)} points, its header says {header.point_count}")
    return Geometry(np.asarray(points.xyz, np.float64))


def _check_records(content: bytes) -> None:
    """The header's records are read one after the other, as many as it says, also where the file has ended."""
    records = int.from_bytes(content[100:104], "little")
    extended = int.from_bytes(content[243:247], "little") if content[24:26] >= b"\1\4" else 0
    if content[:4] != b"LASF" or (records + extended) * SHORTEST_RECORD > len(content):
        raise FormatError(f"damaged: its header says {records + extended} records")


def _check_chunks(content: bytes, start: int, points: int) -> None:
    """The decompressor allocates as many chunks as the file says, and ends the process where memory is too small."""
    table = int.from_bytes(content[start : start + 8], "little", signed=True)
    if table == -1:
        table = int.from_bytes(content[-8:], "little", signed=True)
    count = int.from_bytes(content[table + 4 : table + 8], "little") if 0 < table <= len(content) - 8 else None
    if count is None or count > points:
        raise FormatError(f"damaged: its table of compressed chunks at byte {table} says {count}")
