"""Files and arrays as clouds; folders and patterns as files."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import InputError
from stages.own.results import Read


@dataclass(frozen=True, eq=False)
class Cloud:
    """The points f4 [P, 3] of one object, in the coordinates of its file, and what was read."""

    source: str
    points: np.ndarray
    read: Read


Given = str | Path | np.ndarray | Cloud  # the path of a mesh or cloud, points [P, 3 or more], or one already read


def several(given: Given | Iterable[Given]) -> list[Given]:
    """What was given as a list: one path, one array [P, 3] or one cloud is a list of one."""
    alone = isinstance(given, str | Path | Cloud) or (isinstance(given, np.ndarray) and given.ndim < 3)
    return [given] if alone else list(given)


def source_of(given: Given, number: int) -> str:
    """How an object is called in results and messages: its path, or "array 3"."""
    if isinstance(given, Cloud):
        return given.source
    return f"array {number}" if isinstance(given, np.ndarray) else str(given)


def read_cloud(given: Given, *, source: str, points: int) -> Cloud:
    """`points` points of a file or an array: a mesh is sampled by area, a cloud thinned or repeated.

    A cloud stays as it was read. Raises InputError that names `source` where it is no object (see
    stages/datasets/README.md).
    """
    from stages.datasets.objects import points_of

    if isinstance(given, Cloud):
        return given

    geometry = _geometry(given, source)
    return Cloud(source, points_of(geometry, Path(source), points=points, seed=0), what_was_read(geometry))


def read_scan(given: Given, *, source: str, points: int) -> Cloud:
    """At most `points` points f8 [P, 3] of a scan, drawn at random, with its own coordinates; a mesh is sampled."""
    from stages.datasets.sampling import on_surface

    geometry, rng = _geometry(given, source), np.random.default_rng(0)
    drawn = geometry.vertices
    if geometry.faces is not None:
        drawn = on_surface(geometry.vertices, geometry.faces, count=points, rng=rng)
    if len(drawn) > points:
        drawn = drawn[np.sort(rng.choice(len(drawn), points, replace=False))]
    return Cloud(source, drawn, what_was_read(geometry))


def find_files(given: Sequence[str | Path]) -> list[Path]:
    """The files that paths, folders and patterns name, each once: of a folder all that can be read, at any depth.

    A pattern is one of `glob`, with ** for folders at any depth. Hidden files are left out of folders. InputError for a
    pattern without a match and a folder without an object; a file is not looked at.
    """
    found: dict[Path, None] = {}
    for name in given:
        found |= dict.fromkeys(_named(Path(name)))
    return list(found)


def _named(path: Path) -> list[Path]:
    if path.is_dir():
        return _in_folder(path)
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    if not matches:
        raise InputError(f"{path}: no file matches this pattern")
    return [file for match in matches for file in (_in_folder(match) if match.is_dir() else [match])]


def _in_folder(folder: Path) -> list[Path]:
    from stages.datasets.objects import FORMATS, suffix_of

    files = [
        path
        for path in sorted(folder.rglob("*"))
        if suffix_of(path) in FORMATS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise InputError(f"{folder}: a folder without an object, expected files that end in {', '.join(FORMATS)}")
    return files


def _geometry(given: Given, source: str):
    from stages.datasets.formats.geometry import FormatError, Geometry
    from stages.datasets.objects import checked, read_geometry  # here: it brings every format's reader

    if not isinstance(given, np.ndarray):
        return read_geometry(Path(given))
    if given.ndim != 2 or given.shape[1] < 3 or given.dtype.kind not in "fiu":
        raise InputError(f"{source}: {given.dtype} of shape {list(given.shape)}, expected points [P, 3 or more]")
    try:
        return checked(Geometry(given[:, :3].astype(np.float64)))
    except FormatError as error:
        raise InputError(f"{source}: {error}") from error


def what_was_read(geometry) -> Read:
    """What a geometry is, in words and numbers."""
    return Read(
        kind=geometry.kind,
        vertices=len(geometry.vertices),
        faces=geometry.face_count,
        extent=geometry.extent,
        dropped=geometry.dropped,
        guessed=geometry.guessed,
    )
