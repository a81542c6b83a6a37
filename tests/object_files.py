"""The same chair as files of every format that is read, each written as a common tool would."""

import gzip
import io
import json
import struct

import laspy
import lzf
import numpy as np
import trimesh

PIECES = (  # extents and centres of a chair's boxes, y up
    ((0.45, 0.05, 0.45), (0, 0.45, 0)),
    ((0.45, 0.55, 0.05), (0, 0.75, -0.2)),
    *(((0.05, 0.44, 0.05), (x, 0.22, z)) for x in (-0.2, 0.2) for z in (-0.2, 0.2)),
)
EXTENT = (0.45, 1.025, 0.45)


def chair() -> trimesh.Trimesh:
    """Six boxes: 48 vertices and 72 triangles."""
    at = trimesh.transformations.translation_matrix
    return trimesh.util.concatenate([trimesh.creation.box(size, transform=at(place)) for size, place in PIECES])


def points(count: int = 3000) -> np.ndarray:
    """A cloud f8 [count, 3] on the chair's surface."""
    return trimesh.sample.sample_surface(chair(), count, seed=0)[0].astype(np.float64)


def table(values: np.ndarray, separator: str = " ", *, before: str = "") -> bytes:
    """Rows of text."""
    return (before + "\n".join(separator.join(f"{value:.6f}" for value in row) for row in values) + "\n").encode()


def obj() -> bytes:
    """Vertices and triangles."""
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in chair().vertices]
    return "\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in chair().faces + 1)]).encode() + b"\n"


def off() -> bytes:
    """Vertices and triangles."""
    return chair().export(file_type="off").encode()


def ply_header(form: str, elements: str) -> bytes:
    """The header of a PLY file; `elements` are lines such as "element vertex 3"."""
    return f"ply\nformat {form} 1.0\n{elements}\nend_header\n".encode()


XYZ = "property float x\nproperty float y\nproperty float z"
FACES = "property list uchar int vertex_indices"


def ply_mesh(order: str = "<") -> bytes:
    """Binary triangles."""
    form = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    faces = b"".join(struct.pack(f"{order}B3i", 3, *face) for face in chair().faces.tolist())
    header = ply_header(form, f"element vertex 48\n{XYZ}\nelement face 72\n{FACES}")
    return header + chair().vertices.astype(f"{order}f4").tobytes() + faces


def pcd(kind: str, *, count: int = 3000, fields: str = "x y z", types: str = "F F F") -> bytes:
    """A point cloud as the Point Cloud Library writes it."""
    values = points(count).astype("<f4")
    header = f"VERSION .7\nFIELDS {fields}\nSIZE 4 4 4\nTYPE {types}\nCOUNT 1 1 1\nWIDTH {count}\nHEIGHT 1\n"
    header += f"POINTS {count}\nDATA {kind}\n"
    if kind == "ascii":
        return header.encode() + table(values)
    if kind == "binary":
        return header.encode() + values.tobytes()
    packed = lzf.compress(values.T.tobytes())
    return header.encode() + struct.pack("<2I", len(packed), values.nbytes) + packed


def glb(tree: dict, binary: bytes) -> bytes:
    """A binary glTF file of a tree, of which the first buffer is `binary`."""
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<2I", len(text), 0x4E4F534A) + text + struct.pack("<2I", len(binary), 0x004E4942) + binary
    return b"glTF" + struct.pack("<2I", 2, 12 + len(chunks)) + chunks


def gltf_tree(**changes) -> tuple[dict, bytes]:
    """The chair as one unit box in six places; `changes` replace keys of the tree, None removes one."""
    box = trimesh.creation.box()
    binary = box.vertices.astype("<f4").tobytes() + box.faces.astype("<u2").tobytes()
    tree = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [{"buffer": 0, "byteLength": 96}, {"buffer": 0, "byteOffset": 96, "byteLength": 72}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 36, "type": "SCALAR"},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "nodes": [{"mesh": 0, "scale": list(size), "translation": list(place)} for size, place in PIECES],
        "scenes": [{"nodes": list(range(len(PIECES)))}],
        "scene": 0,
    }
    return {key: value for key, value in (tree | changes).items() if value is not None}, binary


def npy(values: np.ndarray) -> bytes:
    """An array."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def npz(**arrays) -> bytes:
    """Named arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def las(*, compress: bool) -> bytes:
    """A scanner's cloud in steps of a tenth of a millimetre."""
    header = laspy.LasHeader(point_format=3, version="1.2")
    header.scales, header.offsets = [1e-4] * 3, [500_000, 5_000_000, 0]
    cloud = laspy.LasData(header)
    cloud.xyz = points() + header.offsets
    buffer = io.BytesIO()
    cloud.write(buffer, do_compress=compress)
    return buffer.getvalue()


def ptx() -> bytes:
    """A scan of a grid with its matrix, where every third ray came back without a point."""
    values = np.column_stack([points(), np.full(3000, 0.5)])
    values[::3, :3] = 0
    head = "50\n60\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n5 0 0 1\n"
    return table(values, before=head)


def dae() -> bytes:
    """COLLADA."""
    return chair().export(file_type="dae")


def threemf() -> bytes:
    """3MF."""
    return chair().export(file_type="3mf")


def draco() -> bytes:
    """A mesh compressed by Draco."""
    import DracoPy

    return DracoPy.encode(chair().vertices.astype("f4"), chair().faces.astype("u4"))


def glb_draco() -> bytes:
    """glTF with its mesh compressed by Draco."""
    return trimesh.exchange.gltf.export_glb(trimesh.Scene([chair()]), extension_draco=True)


FILES = {  # name: content; every one is the chair
    "mesh.ply": ply_mesh,
    "ascii.ply": lambda: chair().export(file_type="ply", encoding="ascii"),
    "cloud.ply": lambda: trimesh.PointCloud(points()).export(file_type="ply"),
    "mesh.obj": obj,
    "mesh.off": off,
    "binary.stl": lambda: chair().export(file_type="stl"),
    "text.stl": lambda: chair().export(file_type="stl_ascii").encode(),
    "nodes.glb": lambda: glb(*gltf_tree()),
    "draco.glb": glb_draco,
    "mesh.drc": draco,
    "mesh.dae": dae,
    "mesh.3mf": threemf,
    "ascii.pcd": lambda: pcd("ascii"),
    "binary.pcd": lambda: pcd("binary"),
    "compressed.pcd": lambda: pcd("binary_compressed"),
    "cloud.xyz": lambda: table(points()),
    "cloud.csv": lambda: table(points(), ",", before="x,y,z\n"),
    "cloud.ptx": ptx,
    "cloud.npy": lambda: npy(points()),
    "cloud.npz": lambda: npz(points=points()),
    "scan.las": lambda: las(compress=False),
    "scan.laz": lambda: las(compress=True),
    "mesh.obj.gz": lambda: gzip.compress(obj(), mtime=0),
}
