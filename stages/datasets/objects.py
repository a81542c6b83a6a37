"""One object from one file of any common format: a mesh sampled by area, or a point cloud."""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds
from stages.config.dataset import Dataset
from stages.core.errors import InputError, one_line
from stages.core.precision import in_single
from stages.datasets.formats import arrays, gltf, las, obj, off, pcd, ply, scenes, stl, text
from stages.datasets.formats.geometry import FormatError, Geometry, without_bad_points
from stages.datasets.reading import CloudsOnDisk, Reading, stacked
from stages.datasets.sampling import on_surface, resample, triangle_areas

# To add a format: a module in formats/ and a line here.
FORMATS: dict[str, Callable[[bytes, Path], Geometry]] = {
    ".ply": ply.read,
    ".obj": obj.read,
    ".off": off.read,
    ".stl": stl.read,
    ".glb": gltf.read_glb,
    ".gltf": gltf.read_gltf,
    ".dae": scenes.read_trimesh,
    ".3mf": scenes.read_trimesh,
    ".drc": scenes.read_draco,
    ".pcd": pcd.read,
    **dict.fromkeys((".txt", ".xyz", ".xyzn", ".xyzrgb", ".pts", ".asc", ".csv"), text.read),
    ".ptx": text.read_ptx,
    ".npy": arrays.read_npy,
    ".npz": arrays.read_npz,
    ".las": las.read,
    ".laz": las.read,
}
MOST_BYTES = 1 << 27  # of a file, and of what a compressed one unpacks to
MOST_POINTS = 400_000  # of a cloud from which farthest points are chosen: they take time for each of them
FOREIGN = (  # how content begins in lower case, what it is, and the endings under which it may be
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself (git lfs pull fetches it)", ()),
    (b"<!doctype html", "an HTML page", ()),
    (b"<html", "an HTML page", ()),
    (b"<", "XML", (".dae",)),
    (b"{", "JSON", (".gltf",)),
    (b"pk\x03\x04", "a zip archive", (".npz", ".3mf")),
    (b"iso-10303-21", "a STEP file of CAD surfaces", ()),
    (b"%pdf-", "a PDF", ()),
    (b"\x89png", "a picture", ()),
    (b"\xff\xd8\xff", "a picture", ()),
    (b"ply\n", "a PLY file", (".ply",)),
    (b"ply\r", "a PLY file", (".ply",)),
    (b"gltf", "a binary glTF file", (".glb",)),
    (b"# .pcd", "a PCD file", (".pcd",)),
    (b"\x93numpy", "a numpy array", (".npy",)),
    (b"lasf", "a LAS file", (".las", ".laz")),
    (b"draco", "a file compressed by Draco", (".drc",)),
)


def object_files(
    files: Sequence[Path],
    labels: Sequence[int],
    entry: Dataset,
    *,
    source: Path,
    clean: bool = False,
    refused: Mapping[Path, str] | None = None,
) -> CloudsOnDisk:
    """The objects of `files` with their labels, in that order: `entry.points` points each, or as many as all have.

    With `clean`, what no surface has is left out, as `without_bad_points` says, and noted with all else that was
    dropped or guessed. `refused` says of files that are no good for other reasons why. Raises InputError that names
    `source` when there is no file or one of no known format, and, while reading, when `entry` leaves the number open
    and they differ.
    """
    if not files:
        raise InputError(f"{source}: an empty split, expected at least one object")
    for file in files:
        _known_suffix(file)
    labels, refused = np.array(labels, np.int64), refused or {}

    def read(rows: np.ndarray, reading: Reading) -> Clouds:
        clouds, kept = [], []
        for row in rows:
            file = files[row]
            try:
                if file in refused:
                    raise InputError(f"{file}: {refused[file]}")
                geometry = read_geometry(file, clean=clean)
            except InputError as error:
                reading.reject(str(file), error)
                continue
            for note in notes_of(geometry) if clean else ():
                reading.note(f"{file}: {note}")
            clouds.append(points_of(geometry, file, points=entry.points, seed=entry.seed))
            kept.append(row)
        return stacked(clouds, labels[kept], source=source)

    alone = not any(suffix_of(file) == ".gltf" for file in files)  # which has its numbers in files beside it
    return CloudsOnDisk(labels, source, read, entry.points, files if alone else ())


def read_object(path: Path, *, points: int | None, seed: int) -> np.ndarray:
    """Points f4 [P, 3] of one file: `read_geometry`, then `points_of`."""
    return points_of(read_geometry(path), path, points=points, seed=seed)


def read_geometry(path: Path, *, clean: bool = True) -> Geometry:
    """What one file holds, a mesh or a cloud, without points that no surface has unless `clean` is false.

    Raises InputError for a file of no format in FORMATS, one that is something else than its name says, one that is cut
    short or damaged, a mesh without area, a cloud of one point.
    """
    suffix, content = _content(path)
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    try:
        with np.errstate(all="ignore"):
            geometry = checked(FORMATS[suffix](content, inner), clean=clean)
    except FormatError as error:
        raise InputError(f"{path}: not a readable {suffix[1:]} file: {one_line(error)}") from error
    except Exception as error:  # a parser may stumble over a damaged file in any way
        what = one_line(error) or type(error).__name__
        raise InputError(f"{path}: not a readable {suffix[1:]} file ({what[:200]})") from error
    return geometry


def points_of(geometry: Geometry, path: Path, *, points: int | None, seed: int) -> np.ndarray:
    """Points f4 [P, 3]; a mesh needs `points`, a cloud is brought to that many where it has another number.

    Coordinates that float32 would blur are centred or scaled first, as `in_single` says. The draw on a mesh depends on
    `seed` and the file's name alone, so that more files change no other's points.
    """
    rng = np.random.default_rng([seed, zlib.crc32(os.fsencode(path.name))])
    if geometry.faces is not None:
        if points is None:
            raise InputError(f"{path}: a mesh; set `points` in the dataset's entry to say how many are sampled on it")
        return in_single(on_surface(geometry.vertices, geometry.faces, count=points, rng=rng))
    cloud = in_single(geometry.vertices)
    if points is None:
        return cloud
    if len(cloud) > MOST_POINTS:
        cloud = cloud[np.sort(rng.choice(len(cloud), MOST_POINTS, replace=False))]
    return cloud[resample(cloud, points)]


def checked(geometry: Geometry, *, clean: bool = True) -> Geometry:
    """The geometry as a surface, unless `clean` is false without points that none has.

    FormatError without two different points, with values that are not finite, or for a mesh without area.
    """
    geometry = without_bad_points(geometry) if clean else geometry
    _expect_surface(geometry)
    return geometry


def notes_of(geometry: Geometry) -> tuple[str, ...]:
    """What was dropped and guessed, a line each."""
    return (*(f"dropped {what}" for what in geometry.dropped), *(f"guessed that {what}" for what in geometry.guessed))


def read_columns(path: Path) -> np.ndarray:
    """All columns of numbers f8 [P, 3 or more] of a text table, as they are."""
    _, content = _content(path)
    try:
        return text.read_columns(content)
    except FormatError as error:
        raise InputError(f"{path}: {one_line(error)}") from error


def suffix_of(path: Path) -> str:
    """The ending that tells the format, in lower case: that before .gz where it is compressed."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _known_suffix(path: Path) -> str:
    suffix = suffix_of(path)
    if suffix not in FORMATS:
        raise InputError(f"{path}: format '{suffix}': expected one of {', '.join(FORMATS)}, or these with .gz")
    return suffix


def _content(path: Path) -> tuple[str, bytes]:
    """The ending that tells the format, and the bytes, unpacked where they are compressed by gzip."""
    suffix = _known_suffix(path)
    if not path.is_file():
        raise InputError(f"{path}: {'a folder, expected a file' if path.is_dir() else 'no such file'}")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes, expected at most {MOST_BYTES}")
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = _unpacked(path, content)
    if not content.strip(b"\0 \t\r\n"):
        raise InputError(f"{path}: empty, expected a {suffix[1:]} file")
    start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what, allowed in FOREIGN:
        if start.startswith(beginning) and suffix not in allowed:
            raise InputError(f"{path}: its content is {what}, not a {suffix[1:]} file")
    return suffix, content


def _unpacked(path: Path, content: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: its gzip compression is damaged ({one_line(error)})") from error
    if len(unpacked) > MOST_BYTES:
        raise InputError(f"{path}: unpacks to more than {MOST_BYTES} bytes")
    return unpacked


def _expect_surface(geometry: Geometry) -> None:
    if not len(geometry.vertices):
        raise FormatError("holds no points")
    if not np.isfinite(geometry.vertices).all():
        raise FormatError("values that are not finite")
    if geometry.faces is None:
        if not (geometry.vertices != geometry.vertices[0]).any():
            raise FormatError(
                f"a single point, {len(geometry.vertices)} times" if len(geometry.vertices) > 1 else "a single point"
            )
        return
    if not triangle_areas(geometry.vertices[geometry.faces]).sum() > 0:
        raise FormatError("a mesh without area")
