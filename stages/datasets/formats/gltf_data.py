"""The values in a glTF document: its buffers, accessors and primitives."""

import base64
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from stages.datasets.formats.geometry import FormatError, strip_faces

DRACO = "KHR_draco_mesh_compression"
TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
MOST_VALUES = 100_000_000
TRIANGLES, STRIP, FAN = 4, 5, 6


@dataclass(frozen=True)
class Primitive:
    """A piece of a mesh: what it is drawn as, vertices f8 [V, 3], and its faces i8 [F, 3] if it has some."""

    mode: int
    vertices: np.ndarray
    faces: np.ndarray | None


class Document:
    """A glTF tree with its buffers."""

    def __init__(self, tree: dict, buffers: list[bytes | None]):
        self.tree, self.buffers = tree, buffers
        self.primitives = cache(self._primitives)  # a mesh may stand in many places

    def _primitives(self, mesh: int) -> list[Primitive | None]:
        """The primitives of a mesh; None for one without positions."""
        return [self._primitive(primitive) for primitive in _item(self.tree, "meshes", mesh)["primitives"]]

    def _primitive(self, primitive: dict) -> Primitive | None:
        position, mode = primitive.get("attributes", {}).get("POSITION"), primitive.get("mode", TRIANGLES)
        if position is None:
            return None
        extension = primitive.get("extensions", {}).get(DRACO)
        if extension is not None:
            vertices, indices = self._draco(extension)
            mode = TRIANGLES if mode == STRIP else mode
        else:
            vertices = self.accessor(position)
            indices = primitive.get("indices")
            indices = np.arange(len(vertices)) if indices is None else self.accessor(indices)[:, 0].astype(np.int64)
        if vertices.shape[1] != 3:
            raise FormatError(f"POSITION of {vertices.shape[1]} values a vertex")
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(vertices):
            raise FormatError(f"a face of vertex {indices.max()}, there are {len(vertices)}")
        if mode not in (TRIANGLES, STRIP, FAN):
            return Primitive(mode, vertices, None)
        return Primitive(mode, vertices, _faces(indices, mode))

    def _draco(self, extension: dict) -> tuple[np.ndarray, np.ndarray]:
        try:
            draco = importlib.import_module("DracoPy")
        except ImportError as error:
            raise FormatError("compressed by Draco: its reader is not installed: pip install '.[formats]'") from error
        decoded = draco.decode(bytes(self._view(extension["bufferView"])))
        faces = getattr(decoded, "faces", None)
        vertices = np.asarray(decoded.points, np.float64).reshape(-1, 3)
        return vertices, np.arange(len(vertices)) if faces is None else np.asarray(faces, np.int64).reshape(-1)

    def accessor(self, index: int) -> np.ndarray:
        """Values f8 [count, width] of an accessor: from its buffer view or 0, then the sparse ones, then its scale."""
        entry = _item(self.tree, "accessors", index)
        dtype, width, count = np.dtype(TYPES[entry["componentType"]]), WIDTHS[entry["type"]], int(entry["count"])
        if not 0 <= count * width <= MOST_VALUES:
            raise FormatError(f"accessor {index} of {count} values")
        if "bufferView" in entry:
            values = self._values(entry["bufferView"], entry.get("byteOffset", 0), dtype, count, width)
        else:
            values = np.zeros((count, width), dtype)
        sparse = entry.get("sparse")
        if sparse:
            where, what = sparse["indices"], sparse["values"]
            number, kind = int(sparse["count"]), np.dtype(TYPES[where["componentType"]])
            rows = self._values(where["bufferView"], where.get("byteOffset", 0), kind, number, 1)[:, 0]
            values = values.copy()
            values[rows] = self._values(what["bufferView"], what.get("byteOffset", 0), dtype, number, width)
        if entry.get("normalized") and dtype.kind in "iu":
            return np.maximum(values / np.iinfo(dtype).max, -1.0)
        return values.astype(np.float64)

    def _values(self, view: int, offset: int, dtype: np.dtype, count: int, width: int) -> np.ndarray:
        content, stride = self._view(view), _item(self.tree, "bufferViews", view).get("byteStride")
        row = dtype.itemsize * width
        stride = stride or row
        needed = offset + (count - 1) * stride + row if count else 0
        if offset < 0 or stride < row or needed > len(content):
            raise FormatError(f"buffer view {view} has {len(content)} bytes of {needed}")
        numbers = np.ndarray((count, width), dtype, content, offset, (stride, dtype.itemsize))
        return numbers

    def _view(self, index: int) -> memoryview:
        view = _item(self.tree, "bufferViews", index)
        buffer, start = view["buffer"], view.get("byteOffset", 0)
        content = self.buffers[buffer] if 0 <= buffer < len(self.buffers) else None
        if content is None:
            raise FormatError(f"buffer {buffer} has no bytes")
        if start < 0 or start + view["byteLength"] > len(content):
            raise FormatError(f"buffer {buffer} has {len(content)} bytes of {start + view['byteLength']}")
        return memoryview(content)[start : start + view["byteLength"]]


def buffers_of(tree: dict, folder: Path, *, binary: bytes | None) -> list[bytes | None]:
    """The bytes of every buffer: the binary chunk's, those in its address, or of a file in `folder`."""
    return [
        _buffer(entry.get("uri"), folder) if entry.get("uri") else (binary if number == 0 else None)
        for number, entry in enumerate(tree.get("buffers", []))
    ]


def _buffer(uri: str, folder: Path) -> bytes:
    if uri.startswith("data:"):
        head, _, body = uri.partition(",")
        return base64.b64decode(body) if head.endswith(";base64") else unquote(body).encode("latin-1")
    file = folder / unquote(uri)
    if "://" in uri or not file.resolve().is_relative_to(folder.resolve()):
        raise FormatError(f"its buffer '{uri[:60]}' is not in its folder")
    if not file.is_file():
        raise FormatError(f"its buffer {file} is missing")
    return file.read_bytes()


def _item(tree: dict, key: str, index: int) -> dict:
    items = tree.get(key, [])
    if not isinstance(index, int) or not 0 <= index < len(items):
        raise FormatError(f"{key} has no item {index}")
    return items[index]


def _faces(indices: np.ndarray, mode: int) -> np.ndarray:
    if mode == STRIP:
        return strip_faces(indices)
    if mode == FAN:
        ends = np.stack([indices[1:-1], indices[2:]], axis=1)
        return np.column_stack([np.full(len(ends), indices[0] if len(indices) else 0), ends])
    return indices[: len(indices) // 3 * 3].reshape(-1, 3)
