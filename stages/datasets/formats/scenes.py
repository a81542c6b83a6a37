"""COLLADA and 3MF, by trimesh with pycollada and lxml, which come with the extra `formats`; Draco, by DracoPy."""

import importlib
import io
import zipfile
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry, mesh

MOST_BYTES = 1 << 29
NEEDED = {"dae": ("collada",), "3mf": ("lxml", "networkx")}


def read_trimesh(content: bytes, path: Path) -> Geometry:
    """All meshes of the scene in their places."""
    kind = path.suffix.lower().lstrip(".")
    for name in NEEDED[kind]:
        _expect_module(name)
    if kind == "3mf":
        _check_archive(content)
    import trimesh  # here: it takes most of a second, and other formats do without it

    scene = trimesh.load_scene(io.BytesIO(content), file_type=kind, process=False)
    return of_scene(scene)


def read_draco(content: bytes, path: Path) -> Geometry:
    """A mesh or cloud compressed by Draco."""
    decoded = _expect_module("DracoPy").decode(content)
    faces = np.asarray(getattr(decoded, "faces", ()), np.int64).reshape(-1, 3)
    return mesh(decoded.points, faces.reshape(-1), np.full(len(faces), 3))


def of_scene(scene) -> Geometry:
    """The meshes of a trimesh.Scene as one, or its points where it has no mesh; FormatError where it has neither."""
    import trimesh

    parts = [part for part in scene.dump() if len(getattr(part, "vertices", ()))]
    solid = [part for part in parts if len(getattr(part, "faces", ()))]
    clouds = [part for part in parts if isinstance(part, trimesh.PointCloud)]
    lines = len(parts) - len(solid) - len(clouds)
    left_out = {"clouds of points beside meshes": len(clouds) if solid else 0, "sets of lines": lines}
    dropped = tuple(f"{count} {what}" for what, count in left_out.items() if count)
    if solid:
        offsets = np.cumsum([0, *(len(part.vertices) for part in solid)])
        faces = np.concatenate([part.faces + start for part, start in zip(solid, offsets, strict=False)])
        return Geometry(np.concatenate([part.vertices for part in solid]).astype(np.float64), faces, dropped)
    if clouds:
        return Geometry(np.concatenate([part.vertices for part in clouds]).astype(np.float64), None, dropped)
    raise FormatError("lines only, no face and no point" if lines else "holds no vertices")


def _expect_module(name: str):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise FormatError("its reader is not installed: pip install '.[formats]'") from error


def _check_archive(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(info.file_size for info in archive.infolist()) > min(MOST_BYTES, 200 * len(content) + 10**6):
            raise FormatError("more bytes unpacked than a mesh of its length has")
