"""One object from one file of any common format: a mesh sampled by area, or a point cloud as it is."""

import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh
from tqdm import tqdm

from stages.artifacts.points import Clouds
from stages.config.dataset import Dataset
from stages.core.errors import InputError, one_line
from stages.datasets import pcd
from stages.datasets.layout import read_text
from stages.datasets.precision import in_single
from stages.datasets.sampling import resample

GEOMETRY = (".ply", ".obj", ".off", ".stl", ".glb")  # read through trimesh
TEXT = (".txt", ".xyz", ".pts")
FORMATS = (*GEOMETRY, *TEXT, ".pcd", ".npy", ".npz")
NPZ_KEYS = ("points", "xyz", "pos", "data")


def read_objects(files: Sequence[Path], labels: Sequence[int], entry: Dataset, *, source: Path) -> Clouds:
    """The objects of `files` with their labels, in that order: `entry.points` points each, or as many as all have.

    Raises InputError that names `source` when there is no file, or when `entry` leaves the number open and they differ.
    """
    if not files:
        raise InputError(f"{source}: an empty split, expected at least one object")
    bar = tqdm(files, unit="object", desc=source.name, disable=None)
    clouds = [read_object(file, points=entry.points, seed=entry.seed) for file in bar]
    counts = sorted({len(cloud) for cloud in clouds})
    if len(counts) > 1:
        raise InputError(f"{source}: clouds of {counts[0]} to {counts[-1]} points; set `points` in the dataset's entry")
    return Clouds(np.stack(clouds), np.array(labels, np.int64))


def read_object(path: Path, *, points: int | None, seed: int) -> np.ndarray:
    """Points f4 [P, 3] of one file; a mesh needs `points`, a cloud is brought to that many where it has another number.

    Coordinates that float32 would blur are centred or scaled first, as `in_single` says.

    The draw on a mesh depends on `seed` and the file's name alone, so that more files change no other's points.
    """
    values = read_values(path)
    if isinstance(values, trimesh.Trimesh):
        if points is None:
            raise InputError(f"{path}: a mesh; set `points` in the dataset's entry to say how many are sampled on it")
        rng = np.random.default_rng([seed, zlib.crc32(path.name.encode())])
        return in_single(trimesh.sample.sample_surface(values, points, seed=rng)[0])
    cloud = in_single(values[:, :3])
    return cloud if points is None else cloud[resample(cloud, points)]


def read_values(path: Path) -> np.ndarray | trimesh.Trimesh:
    """What one file holds: rows of x, y, z and maybe more [P, 3 or more], or a mesh with some area."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: format '{suffix}': expected one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise InputError(f"{path}: {'a folder, expected a file' if path.is_dir() else 'no such file'}")
    if suffix in GEOMETRY:
        return _read_geometry(path)
    if suffix == ".pcd":
        return _checked(path, pcd.read(path))
    return _checked(path, _read_text(path) if suffix in TEXT else _read_array(path))


def _read_geometry(path: Path) -> np.ndarray | trimesh.Trimesh:
    options = {"skip_materials": True} if path.suffix.lower() == ".obj" else {}
    try:
        parts = trimesh.load_scene(path, process=False, **options).dump()
    except Exception as error:  # a parser may stumble over a damaged file in any way
        raise InputError(f"{path}: not a readable {path.suffix[1:]} file ({one_line(error)})") from error
    solid = [part for part in parts if len(getattr(part, "faces", ()))]
    vertices = [part.vertices for part in parts if hasattr(part, "vertices")]
    if not vertices:
        raise InputError(f"{path}: holds no vertices")
    if path.suffix.lower() == ".ply":
        _expect_whole_ply(path, vertices=sum(map(len, vertices)))
    _checked(path, np.concatenate(vertices))
    if not solid:
        return np.concatenate(vertices)
    mesh = trimesh.util.concatenate(solid)
    if not mesh.area > 0:
        raise InputError(f"{path}: a mesh without area")
    return mesh


def _expect_whole_ply(path: Path, *, vertices: int) -> None:
    """The parser takes an ASCII file that was cut short for a smaller one; its header knows better."""
    header = path.read_bytes().partition(b"end_header")[0].decode("latin-1")
    promised = re.search(r"element\s+vertex\s+(\d+)", header)
    if promised and int(promised[1]) != vertices:
        raise InputError(f"{path}: holds {vertices} vertices, its header says {promised[1]}")


def _read_text(path: Path) -> np.ndarray:
    lines = [line for line in read_text(path).replace(",", " ").splitlines() if line.strip()]
    if path.suffix.lower() == ".pts" and lines and len(lines[0].split()) == 1:  # the number of points comes first
        if lines[0].strip() != str(len(lines) - 1):
            raise InputError(f"{path}: holds {len(lines) - 1} points, its first line says {lines[0].strip()}")
        lines = lines[1:]
    if not lines:
        raise InputError(f"{path}: empty, expected one point a line")
    try:
        return np.loadtxt(io.StringIO("\n".join(lines)), ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: expected numbers, x y z a line ({one_line(error)})") from error


def _read_array(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        magic = file.read(2)
    if magic not in (b"\x93N", b"PK"):  # all else numpy would take for a pickle, which may run code
        raise InputError(f"{path}: not a {path.suffix[1:]} file of numbers; pickles are not read")
    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else _named_array(loaded)
    except Exception as error:  # a damaged header is read as Python's text and may fail in any way
        raise InputError(f"{path}: not a readable {path.suffix[1:]} file ({one_line(error)})") from error


def _named_array(loaded: np.lib.npyio.NpzFile) -> np.ndarray:
    with loaded:
        key = next((key for key in NPZ_KEYS if key in loaded.files), None)
        if key is None and len(loaded.files) != 1:
            raise ValueError(
                f"arrays {', '.join(loaded.files)}: expected one of {', '.join(NPZ_KEYS)}, or a single one"
            )
        return loaded[key or loaded.files[0]]


def _checked(path: Path, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iuf" or values.ndim != 2 or values.shape[1] < 3 or not len(values):
        raise InputError(f"{path}: {values.dtype} {list(values.shape)}, expected numbers [P, 3 or more]")
    with np.errstate(over="ignore"):
        finite = np.isfinite(values[:, :3].astype(np.float32)).all()
    if not finite:
        raise InputError(f"{path}: values that are not finite in single precision")
    return values
