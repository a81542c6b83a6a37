"""Wavefront OBJ: vertices and faces, whatever the line ends, indents, comments and signs of the indices.

By hand, since trimesh resolves negative indices only after the last vertex, takes tabs for no face and cuts concave
polygons into fans.
"""

from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry, mesh
from stages.datasets.formats.words import decode

ELSEWHERE = ("curv", "curv2", "surf", "cstype")  # free-form curves and surfaces


def read(content: bytes, path: Path) -> Geometry:
    """The mesh of all faces, or the cloud of all vertices where there is no face."""
    vertices, corners, sizes, keywords = [], [], [], set()
    for number, line in enumerate(_lines(content), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        keywords.add(words[0])
        try:
            if words[0] == "v":
                x, y, z = words[1:4]
                vertices.append((float(x), float(y), float(z)))
            elif words[0] == "f":
                corners += [_corner(word, len(vertices)) for word in words[1:]]
                sizes.append(len(words) - 1)
        except ValueError as error:
            raise FormatError(f"line {number}: '{line.strip()[:40]}'") from error
    if not vertices:
        raise FormatError("holds no vertices")
    if not sizes and "l" in keywords:
        raise FormatError("lines only, no face")
    if not sizes and keywords & set(ELSEWHERE):
        raise FormatError("free-form surfaces only, no face")
    return mesh(np.array(vertices), np.array(corners, np.int64), np.array(sizes, np.int64))


def _lines(content: bytes) -> list[str]:
    text = decode(content).replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\\\n", " ").split("\n")


def _corner(word: str, so_far: int) -> int:
    """The vertex that a corner such as "7/1/2" names, from 0; a negative one counts back from the last one read."""
    index = int(word.partition("/")[0])
    if index == 0 or index < -so_far:
        raise ValueError("no such vertex")
    return index - 1 if index > 0 else so_far + index
