"""LAS and LAZ of laser scanners, by laspy, which comes with the extra `formats`."""

import io
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry

MOST_POINTS = 20_000_000


def read(content: bytes, path: Path) -> Geometry:
    """The coordinates, scaled and moved as the header says."""
    try:
        import laspy
    except ImportError as error:
        raise FormatError("its reader is not installed: pip install '.[formats]'") from error
    with laspy.open(io.BytesIO(content), closefd=False) as file:
        header = file.header
        if not 0 < header.point_count <= MOST_POINTS:
            raise FormatError(f"{header.point_count} points, expected 1 to {MOST_POINTS}")
        body = len(content) - header.offset_to_point_data
        if not header.are_points_compressed and body < header.point_count * header.point_format.size:
            raise FormatError(f"holds {body // header.point_format.size} points, its header says {header.point_count}")
        points = file.read()
    if len(points) != header.point_count:
        raise FormatError(f"holds {len(points)} points, its header says {header.point_count}")
    return Geometry(np.asarray(points.xyz, np.float64))
