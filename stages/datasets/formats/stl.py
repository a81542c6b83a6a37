"""STL, text and binary.

By hand, since trimesh gives nothing, without a word, for a binary file of a wrong count or with bytes after its end.
"""

import re
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry

HEAD = 84  # bytes before the triangles: 80 of any text, 4 of their number
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
VERTEX = re.compile(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def read(content: bytes, path: Path) -> Geometry:
    """The triangles; the file's length decides about their number where the header has another."""
    start = content[:1024].removeprefix(b"\xef\xbb\xbf").lower()
    if start.lstrip().startswith(b"solid") and b"\0" not in start and (b"facet" in start or b"endsolid" in start):
        return _text(content)
    if len(content) < HEAD:
        raise FormatError("too short for binary STL, and not its text form")
    return _binary(content)


def _text(content: bytes) -> Geometry:
    vertices, lower = VERTEX.findall(content), content.lower()
    facets, ended = len(re.findall(rb"\bfacet\b", lower)), len(re.findall(rb"\bendfacet\b", lower))
    if not facets:
        raise FormatError("holds no triangle")
    if facets != ended or len(vertices) != 3 * facets:
        raise FormatError(f"cut short or damaged: {facets} facets begin, {ended} end, {len(vertices)} vertices")
    return _of_triangles(np.array(vertices, np.float64))


def _binary(content: bytes) -> Geometry:
    announced, body = int.from_bytes(content[80:HEAD], "little"), len(content) - HEAD
    whole, left = divmod(body, TRIANGLE.itemsize)
    if left and announced <= whole:
        whole, left = announced, body - announced * TRIANGLE.itemsize
    if left and announced > whole:
        raise FormatError(f"holds {whole} triangles, its header says {announced}")
    if not whole:
        raise FormatError("holds no triangle")
    triangles = np.frombuffer(content, TRIANGLE, whole, HEAD)["corners"].astype(np.float64)
    found = _of_triangles(triangles.reshape(-1, 3))
    if left:
        return found.noted(dropped=f"{left} bytes after the last triangle")
    if announced != whole:
        return found.noted(guessed=f"{whole} triangles by the file's length, its header says {announced}")
    return found


def _of_triangles(vertices: np.ndarray) -> Geometry:
    return Geometry(vertices, np.arange(len(vertices)).reshape(-1, 3))
