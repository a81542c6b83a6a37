"""glTF 2.0, .glb and .gltf: positions and faces of all nodes of a scene, in their places.

By hand, since trimesh leaves sparse values and instances out, skips fans and integer scales, and reads no file without
a scene; Draco by DracoPy, which comes with the extra `formats`.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry
from stages.datasets.formats.gltf_data import DRACO, Document, Primitive, buffers_of

MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
READABLE = (DRACO, "KHR_mesh_quantization", "EXT_mesh_gpu_instancing")
LOOKS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_", "MSFT_texture_", "KHR_animation_")
INSTANCES = "EXT_mesh_gpu_instancing"
MOST_VERTICES = 20_000_000
POINTS, LINES = (0,), (1, 2, 3)


def read_glb(content: bytes, path: Path) -> Geometry:
    """The binary form: a JSON chunk, and mostly one of bytes."""
    if content[:4] != b"glTF" or len(content) < 20:
        raise FormatError("does not begin as binary glTF does")
    version, length = struct.unpack_from("<2I", content, 4)
    if version != 2:
        raise FormatError(f"glTF {version}, only version 2 is read")
    if length > len(content):
        raise FormatError(f"cut short: {len(content)} bytes, its header says {length}")
    chunks, place = {}, 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<2I", content, place)
        chunks.setdefault(kind, content[place + 8 : place + 8 + size])
        place += 8 + size
    if 0x4E4F534A not in chunks:
        raise FormatError("no JSON chunk")
    return _read(chunks[0x4E4F534A].rstrip(b"\0 "), path, binary=chunks.get(0x004E4942))


def read_gltf(content: bytes, path: Path) -> Geometry:
    """The text form: its bytes are in it, or in files beside it."""
    return _read(content, path, binary=None)


def _read(text: bytes, path: Path, *, binary: bytes | None) -> Geometry:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"its JSON is damaged ({error})") from error
    if not isinstance(tree, dict):
        raise FormatError("its JSON is no object")
    required = set(tree.get("extensionsRequired", ()))
    if required & set(MESHOPT):
        raise FormatError("compressed by meshopt, which is not read; export it without compression")
    foreign = sorted(name for name in required - set(READABLE) if not name.startswith(LOOKS))
    if foreign:
        raise FormatError(f"needs the extension {foreign[0]}, which is not read")
    document = Document(tree, buffers_of(tree, path.parent, binary=binary))
    return _scene(document)


def _scene(document: Document) -> Geometry:
    """The faces of all placed meshes, or their points where there is no face."""
    solid, clouds, lines, without, total = [], [], 0, 0, 0
    for index, matrix in _placed_meshes(document):
        primitives = document.primitives(index)
        empty = [primitive for primitive in primitives if primitive is None]
        if len(empty) == len(primitives):
            raise FormatError(f"mesh {index} has no POSITION: a part of the object is missing")
        without += len(empty)
        for primitive in primitives:
            if primitive is None:
                continue
            if primitive.mode in LINES:
                lines += 1
                continue
            total += len(primitive.vertices)
            if total > MOST_VERTICES:
                raise FormatError(f"more than {MOST_VERTICES} vertices in all places")
            moved = primitive.vertices @ matrix[:3, :3].T + matrix[:3, 3]
            (clouds if primitive.mode in POINTS else solid).append(Primitive(primitive.mode, moved, primitive.faces))
    left_out = {
        "primitives without POSITION": without,
        "sets of lines": lines,
        "clouds of points beside meshes": len(clouds) if solid else 0,
    }
    dropped = tuple(f"{count} {what}" for what, count in left_out.items() if count)
    if solid:
        starts = np.cumsum([0, *(len(part.vertices) for part in solid)])
        faces = [part.faces + start for part, start in zip(solid, starts, strict=False)]
        return Geometry(np.concatenate([part.vertices for part in solid]), np.concatenate(faces), dropped)
    if clouds:
        return Geometry(np.concatenate([part.vertices for part in clouds]), None, dropped)
    raise FormatError("lines only, no face and no point" if lines else "holds no mesh")


def _placed_meshes(document: Document) -> Iterator[tuple[int, np.ndarray]]:
    """Index of a mesh and the matrix f8 [4, 4] of its place, for every place in the scene.

    The scene is the default one, else the first; without any, all nodes that are no other's children.
    """
    tree = document.tree
    nodes = tree.get("nodes", [])
    if not nodes:
        yield from ((index, np.eye(4)) for index in range(len(tree.get("meshes", []))))
    children = {child for node in nodes for child in node.get("children", ())}
    roots = [index for index in range(len(nodes)) if index not in children]
    if tree.get("scenes"):
        roots = tree["scenes"][tree.get("scene", 0)].get("nodes", [])
    waiting, visited = [(index, np.eye(4)) for index in reversed(roots)], set()
    while waiting:
        index, above = waiting.pop()
        if not 0 <= index < len(nodes) or index in visited:
            raise FormatError(f"node {index} is not there, or is in two places")
        visited.add(index)
        node, matrix = nodes[index], above @ _matrix(nodes[index])
        if "mesh" in node:
            instances = node.get("extensions", {}).get(INSTANCES)
            yield from ((node["mesh"], matrix @ inner) for inner in _instances(document, instances))
        waiting += [(child, matrix) for child in reversed(node.get("children", ()))]


def _instances(document: Document, extension: dict | None) -> Iterator[np.ndarray]:
    """The matrices of a node's instances in the node; one that changes nothing where it has none."""
    if extension is None:
        yield np.eye(4)
        return
    accessors = extension["attributes"]
    moves, turns, scales = (
        document.accessor(accessors[name]) if name in accessors else None
        for name in ("TRANSLATION", "ROTATION", "SCALE")
    )
    given = [values for values in (moves, turns, scales) if values is not None]
    for n in range(max(map(len, given), default=0)):
        yield _compose(
            (0, 0, 0) if moves is None else moves[n],
            (0, 0, 0, 1) if turns is None else turns[n],
            (1, 1, 1) if scales is None else scales[n],
        )


def _matrix(node: dict) -> np.ndarray:
    """A node's place in its parent f8 [4, 4]."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    return _compose(
        node.get("translation", (0, 0, 0)), node.get("rotation", (0, 0, 0, 1)), node.get("scale", (1, 1, 1))
    )


def _compose(translation, rotation, scale) -> np.ndarray:
    """Scale, then a turn by the quaternion (x, y, z, w), then a move."""
    x, y, z, w = np.array(rotation, np.float64) / max(np.linalg.norm(rotation), 1e-12)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * np.array(scale, np.float64), translation
    return matrix
