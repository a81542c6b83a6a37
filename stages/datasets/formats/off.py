"""OFF: with or without its first word, one row a line or wrapped anyhow.

By hand, since trimesh reads rows by lines alone, and takes a file that was cut short for a smaller one.
"""

import re
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry, mesh
from stages.datasets.formats.words import decode, numbers

HEADER = re.compile(r"\s*(?P<texture>ST)?(?P<colour>C)?(?P<normal>N)?(?P<four>4)?(?P<dimension>n)?OFF", re.IGNORECASE)
MORE = {"texture": 2, "colour": 4, "normal": 3}  # numbers after x y z


def read(content: bytes, path: Path) -> Geometry:
    """Vertices and faces; FormatError where fewer are there than announced, or for a variant that is not 3D text."""
    text = re.sub(r"#[^\n\r]*", "", decode(content))
    header = HEADER.match(text)
    if header and (header["four"] or header["dimension"]):
        raise FormatError("vertices of four or more coordinates")
    rest = text[header.end() :] if header else text
    if re.match(r"\s*BINARY", rest, re.IGNORECASE):
        raise FormatError("binary OFF, only its text form is read")
    lines = [line for line in rest.splitlines() if line.strip()]
    counts = lines[0].split() if lines else []
    if len(counts) < 2:
        raise FormatError("no line with the numbers of vertices and faces")
    vertices, faces = int(counts[0]), int(counts[1])
    if vertices < 1 or faces < 0:
        raise FormatError(f"{vertices} vertices and {faces} faces")
    more = sum(count for name, count in MORE.items() if header and header[name])
    rows = _by_lines(lines[1:], vertices, faces)
    points, corners, sizes = rows or _by_words(" ".join(lines[1:]).split(), vertices, faces, 3 + more)
    return mesh(points, corners, sizes)


def _by_lines(lines: list[str], vertices: int, faces: int):
    """Points, corners and sizes where every row has a line of its own; None where the lines are wrapped."""
    of_vertices, of_faces = lines[:vertices], lines[vertices : vertices + faces]
    widths = {len(line.split()) for line in of_vertices}
    if len(of_vertices) < vertices or len(widths) > 1 or not 3 <= max(widths) <= 12:
        return None
    corners, sizes = [], []
    for line in of_faces:
        words = line.split()
        size = int(words[0])
        if len(words) <= size:
            return None
        corners += map(int, words[1 : size + 1])
        sizes.append(size)
    if len(of_faces) < faces:
        raise FormatError(f"holds {len(of_faces)} faces, its header says {faces}")
    return numbers(of_vertices, (0, 1, 2)), np.array(corners, np.int64), np.array(sizes, np.int64)


def _by_words(words: list[str], vertices: int, faces: int, width: int):
    if len(words) < width * vertices:
        raise FormatError(f"holds {len(words) // width} vertices, its header says {vertices}")
    points = np.array(words[: width * vertices], float).reshape(vertices, width)[:, :3]
    corners, sizes, place = [], [], width * vertices
    for face in range(faces):
        size = int(words[place]) if place < len(words) else 0
        row = words[place + 1 : place + 1 + size]
        if size < 1 or len(row) < size:
            raise FormatError(f"holds {face} faces, its header says {faces}")
        corners += map(int, row)
        sizes.append(size)
        place += 1 + size
    return points, np.array(corners, np.int64), np.array(sizes, np.int64)
