"""Numpy's files: arrays of any usual shape, named fields and named arrays; pickles are not read."""

import io
import zipfile
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry, mesh

POINTS = (
    *("points", "xyz", "pos", "position", "positions", "coords", "coord", "coordinates", "pointcloud", "point_cloud"),
    *("pc", "cloud", "vertices", "verts", "v", "data", "arr_0"),
)
FACES = ("faces", "triangles", "face", "f")
OCCUPANCY = ("occupancies", "occupancy", "occ")
LONGEST_ROW = 12  # values of a point; an array [3 to 12, P] has its points in columns
MOST_BYTES = 1 << 30


def read_npy(content: bytes, path: Path) -> Geometry:
    """The array as a cloud."""
    if content[:6] != b"\x93NUMPY":  # all else numpy would take for a pickle, which may run code
        raise FormatError("not an array of numbers; pickles are not read")
    return cloud(_array(io.BytesIO(content)))


def read_npz(content: bytes, path: Path) -> Geometry:
    """The array named `points` or alike, or the only one; a mesh with `faces`, of occupancy samples those inside."""
    if content[:2] != b"PK":
        raise FormatError("not an archive of arrays; pickles are not read")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if sum(info.file_size for info in infos.values()) > MOST_BYTES:
            raise FormatError(f"more than {MOST_BYTES} bytes unpacked")
        by_name = {name.lower(): name for name in infos}

        def array(key: str) -> np.ndarray:
            with archive.open(infos[by_name[key]]) as file:
                return _array(io.BytesIO(file.read()))

        key = next((key for key in POINTS if key in by_name), None)
        if key is None and len(infos) != 1:
            raise FormatError(f"arrays {', '.join(infos)}: expected one of {', '.join(POINTS)}, or a single one")
        found = cloud(array(key or next(iter(by_name))))
        faces = next((key for key in FACES if key in by_name), None)
        if faces:
            return _with_faces(found, array(faces))
        inside = next((key for key in OCCUPANCY if key in by_name), None)
        return _inside(found, array(inside)) if inside else found


def cloud(values: np.ndarray) -> Geometry:
    """The points of an array [P, 3 or more], [1, P, 3], [H, W, 3], [3, P] or with the fields x, y and z."""
    shape = list(values.shape)
    if values.dtype.names:
        values = _fields(values)
    if values.dtype.kind not in "iuf" or values.ndim < 2 or not values.size:
        raise FormatError(f"{values.dtype} {shape}, expected numbers [P, 3 or more]")
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    guessed = None
    if values.ndim == 3 and values.shape[2] in (3, 4):
        values, guessed = values.reshape(-1, values.shape[2]), f"{shape} is one organised cloud, [rows, columns, xyz]"
    elif values.ndim == 3 and values.shape[0] == 3:
        values, guessed = values.reshape(3, -1).T, f"{shape} is one organised cloud, [xyz, rows, columns]"
    elif values.ndim == 2 and 3 <= values.shape[0] <= LONGEST_ROW < values.shape[1]:
        values, guessed = values.T, f"{shape} has its points in columns"
    if values.ndim != 2 or values.shape[1] < 3:
        raise FormatError(f"{values.dtype} {shape}, expected numbers [P, 3 or more]")
    found = Geometry(np.ascontiguousarray(values[:, :3], np.float64))
    return found.noted(guessed=guessed) if guessed else found


def _array(file: io.BytesIO) -> np.ndarray:
    """One array; its header may announce no more than is there."""
    length = len(file.getbuffer())
    major, _ = np.lib.format.read_magic(file)
    header = {1: np.lib.format.read_array_header_1_0}.get(major, np.lib.format.read_array_header_2_0)(file)
    shape, _, dtype = header
    needed = dtype.itemsize * int(np.prod(shape, dtype=object))
    if not dtype.hasobject and needed > length - file.tell():
        raise FormatError(f"cut short: {length - file.tell()} bytes of {needed}")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def _fields(values: np.ndarray) -> np.ndarray:
    names = {name.lower(): name for name in values.dtype.names}
    axes = [names.get(axis) for axis in "xyz"]
    if None in axes or any(values.dtype[name].kind not in "iuf" or values.dtype[name].shape for name in axes):
        raise FormatError(f"fields {', '.join(values.dtype.names)}: expected numbers x, y and z among them")
    return np.stack([values[name].reshape(-1) for name in axes], axis=1)


def _with_faces(found: Geometry, faces: np.ndarray) -> Geometry:
    if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] < 3:
        raise FormatError(f"faces {faces.dtype} {list(faces.shape)}, expected indices [F, 3 or more]")
    return mesh(found.vertices, faces.reshape(-1), np.full(len(faces), faces.shape[1]))


def _inside(found: Geometry, occupancy: np.ndarray) -> Geometry:
    """Of points drawn in space those inside the object; eight to a byte, as Occupancy Networks packs them, or a value
    each."""
    count = len(found.vertices)
    if occupancy.dtype == np.uint8 and occupancy.size == -(-count // 8) != count:
        inside = np.unpackbits(occupancy)[:count].astype(bool)
    elif occupancy.size == count:
        inside = occupancy.reshape(-1) > 0.5
    else:
        raise FormatError(f"{occupancy.size} occupancies for {count} points")
    if not inside.any():
        raise FormatError("no point inside the object")
    text = f"{int((~inside).sum())} of {count} samples of space, outside the object"
    return Geometry(found.vertices[inside], found.faces, found.dropped, found.guessed).noted(
        dropped=text, guessed="the samples inside the object stand for its surface"
    )
