"""Variants of the chair's files as tools write them, with what is dropped and guessed of each."""

import base64
import gzip
import json
import re
import struct

import numpy as np
import object_files as files
from object_files import FACES, XYZ, chair, glb, gltf_tree, npy, npz, ply_header, points, table


def text_ply(vertices="", *, elements=f"element vertex 48\n{XYZ}\nelement face 72\n{FACES}", tail="", faces=None):
    faces = chair().faces.tolist() if faces is None else faces
    body = table(chair().vertices).decode() + "".join(f"3 {a} {b} {c}{tail}\n" for a, b, c in faces)
    return ply_header("ascii", elements) + body.encode()


QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]  # of a box's corners


def boxes():
    """Corners f8 [6, 8, 3] of the chair's boxes, in the order that QUADS names them."""
    corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    return np.stack([corners * size + place for size, place in files.PIECES])


def mixed_ply():
    """Quads but for the first box, which has triangles, as binary lists of different length."""
    lists = [face for a, b, c, d in QUADS for face in ((a, b, c), (a, c, d))]
    lists += [tuple(8 * n + corner for corner in quad) for n in range(1, 6) for quad in QUADS]
    header = ply_header("binary_little_endian", f"element vertex 48\n{XYZ}\nelement face {len(lists)}\n{FACES}")
    body = boxes().astype("<f4").tobytes()
    return header + body + b"".join(struct.pack(f"<B{len(face)}i", len(face), *face) for face in lists)


def strips_ply():
    """A strip of eight triangles around each box and two for each lid, with -1 between."""
    strip = [0, 1, 2, 3, 6, 7, 4, 5, 0, 1, -1, 0, 2, 4, 6, -1, 1, 5, 3, 7]
    whole = [-1 if corner < 0 else 8 * n + corner for n in range(6) for corner in [*strip, -1]]
    elements = f"element vertex 48\n{XYZ}\nelement tristrips 1\nproperty list int int vertex_indices"
    body = boxes().astype("<f4").tobytes() + struct.pack(f"<i{len(whole)}i", len(whole), *whole)
    return ply_header("binary_little_endian", elements) + body


def obj_by_blocks(*, tab=" ", indent="", end="\n", comment="", negative=True):
    """Each box's vertices and then its quads, counted back from the last vertex."""
    lines = []
    for n, corners in enumerate(boxes()):
        lines += [indent + "v" + tab + tab.join(f"{value:.6f}" for value in corner) + comment for corner in corners]
        start = -8 if negative else 8 * n + 1
        lines += [indent + "f" + tab + tab.join(f"{start + corner}//1" for corner in quad) + comment for quad in QUADS]
    return (end.join(lines) + end).encode()


def concave_obj():
    """The chair's outline from the side as one concave polygon, front and back, and its edge in quads."""
    side = [(-0.225, 0), (-0.175, 0), (-0.175, 0.42), (0.175, 0.42), (0.175, 0), (0.225, 0), (0.225, 0.47)]
    side += [(-0.175, 0.47), (-0.175, 1.025), (-0.225, 1.025)]
    count = len(side)
    lines = [f"v {x} {y} {z}" for z in (-0.225, 0.225) for x, y in side]
    lines += ["f " + " ".join(map(str, range(1, count + 1)))]
    lines += ["f " + " ".join(map(str, range(2 * count, count, -1)))]
    lines += [f"f {n + 1} {(n + 1) % count + 1} {(n + 1) % count + 1 + count} {n + 1 + count}" for n in range(count)]
    return "\n".join(lines).encode()


def off_words(header, *, per_line):
    """All numbers wrapped, `per_line` to a line, after those of the vertices and faces."""
    counts, words = files.off().split()[1:4], files.off().split()[4:]
    lines = [b" ".join(words[n : n + per_line]) for n in range(0, len(words), per_line)]
    return header.encode() + b"\n".join([b" ".join(counts), *lines])


def coloured_off():
    lines = files.off().decode().split("\n")
    vertices = [f"{line} 255 0 0 255" for line in lines[2:50]]
    return "\n".join(
        ["COFF", lines[1], "# made by hand", *vertices, *(f"{line} 0.1 0.2 0.3" for line in lines[50:122])]
    ).encode()


def stl_with(count=None, tail=b"", head=None):
    content = bytearray(chair().export(file_type="stl"))
    if count is not None:
        content[80:84] = struct.pack("<I", count)
    if head is not None:
        content[: len(head)] = head
    return bytes(content) + tail


def glb_with(change):
    tree, binary = gltf_tree()
    binary = change(tree, binary) or binary
    tree["buffers"][0]["byteLength"] = len(binary)
    return glb(tree, binary)


def without_scene(tree, binary):
    del tree["scene"], tree["scenes"]


def sparse(tree, binary):
    """Every corner at 0 but for the sparse values, which are those of the box."""
    positions = tree["accessors"][0]
    del positions["bufferView"]
    tree["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": 8})
    positions["sparse"] = {
        "count": 8,
        "indices": {"bufferView": 2, "componentType": 5121},
        "values": {"bufferView": 0},
    }
    return binary + bytes(range(8))


def second_primitive(**primitive):
    def change(tree, binary):
        tree["meshes"][0]["primitives"].append(primitive)

    return change


def instanced(tree, binary):
    values = np.array([place for _, place in files.PIECES], "<f4"), np.array([size for size, _ in files.PIECES], "<f4")
    for number in range(2):
        tree["bufferViews"].append({"buffer": 0, "byteOffset": len(binary) + 72 * number, "byteLength": 72})
        tree["accessors"].append({"bufferView": 2 + number, "componentType": 5126, "count": 6, "type": "VEC3"})
    tree["nodes"] = [
        {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 2, "SCALE": 3}}}}
    ]
    tree["scenes"] = [{"nodes": [0]}]
    return binary + values[0].tobytes() + values[1].tobytes()


def stripped(mode, indices):
    def change(tree, binary):
        tree["meshes"][0]["primitives"] = [
            {"attributes": {"POSITION": 0}, "indices": 1 + number, "mode": mode} for number in range(len(indices))
        ]
        tree["accessors"], tree["bufferViews"], corners = tree["accessors"][:1], tree["bufferViews"][:1], boxes()[0]
        unit = (corners - corners.mean(axis=0)) / np.ptp(corners, axis=0)
        binary = unit.astype("<f4").tobytes()
        for number, row in enumerate(indices):
            tree["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(row)})
            tree["accessors"].append(
                {"bufferView": 1 + number, "componentType": 5121, "count": len(row), "type": "SCALAR"}
            )
            binary += bytes(row)
        return binary

    return change


def quantised(tree, binary):
    """Positions as normalised bytes, of which the nodes' scales make up."""
    box = np.frombuffer(binary[:96], "<f4").reshape(8, 3)
    stored = np.zeros((8, 4), "i1")
    stored[:, :3] = np.round(box * 2 * 127)
    tree["accessors"][0] |= {"componentType": 5120, "normalized": True}
    tree["bufferViews"][0] = {"buffer": 0, "byteOffset": len(binary), "byteLength": 32, "byteStride": 4}
    tree["extensionsRequired"] = ["KHR_mesh_quantization"]
    for node in tree["nodes"]:
        node["scale"] = [size / 2 for size in node["scale"]]
    return binary + stored.tobytes()


def nested(tree, binary):
    """All nodes in one that moves, turns and doubles them."""
    tree["nodes"] = [*tree["nodes"], {"children": list(range(6)), "matrix": np.diag([2, 2, 2, 1.0]).T.ravel().tolist()}]
    tree["nodes"].append({"children": [6], "scale": [0.5] * 3, "translation": [9, 9, 9]})
    tree["scenes"] = [{"nodes": [7]}]


def gltf_embedded():
    tree, binary = gltf_tree()
    tree["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    return json.dumps(tree).encode()


def with_rows(values, rows, value):
    values = np.array(values)
    values[rows] = value
    return values


def named(values):
    fields = np.zeros(len(values), [("intensity", "f4"), ("X", "f8"), ("Y", "f8"), ("Z", "f8")])
    fields["X"], fields["Y"], fields["Z"] = values.T
    return fields


def occupancy(*, packed):
    """Points in space around the chair and whether they are inside, as Occupancy Networks' files have them."""
    space = np.random.default_rng(0).uniform((-0.3, -0.05, -0.3), (0.3, 1.1, 0.3), (200_000, 3))
    inside = np.any([(np.abs(space - place) <= np.array(size) / 2).all(axis=1) for size, place in files.PIECES], axis=0)
    return npz(points=space.astype("f4"), occupancies=np.packbits(inside) if packed else inside)


CLOUD = points()
COMMA = table(CLOUD).replace(b".", b",")
NAN = f"{1000} of 3000 points that are NaN, infinite or beyond single precision"
READ = {  # name: (content, what is dropped, what is guessed); every one is the chair
    "texture_each_face.ply": (
        lambda: text_ply(
            elements=f"element vertex 48\n{XYZ}\nelement face 72\n{FACES}\nproperty list uchar float texcoord",
            tail=" 6 0 0 1 0 0 1",
        ),
        "",
        "",
    ),
    "mixed.ply": (mixed_ply, "", ""),
    "big_endian.ply": (lambda: files.ply_mesh(">"), "", ""),
    "strips.ply": (strips_ply, "", ""),
    "trailing.ply": (lambda: files.ply_mesh() + b"more", "4 bytes after the last element", ""),
    "latin_comment.ply": (
        lambda: files.ply_mesh().replace(b"1.0\n", b"1.0\ncomment caf\xe9\nobj_info \xfc\n", 1),
        "",
        "",
    ),
    "upper.ply": (
        lambda: (
            files.ply_mesh().replace(b"float x", b"float X").replace(b"float y", b"float Y").replace(b"t z", b"t Z")
        ),
        "",
        "",
    ),
    "crlf.ply": (lambda: text_ply().replace(b"\n", b"\r\n"), "", ""),
    "point.ply": (lambda: ply_header("ascii", f"element point 3000\n{XYZ}") + table(CLOUD), "", ""),
    "nan.ply": (
        lambda: ply_header("ascii", f"element vertex 3000\n{XYZ}") + table(with_rows(CLOUD, slice(0, None, 3), np.nan)),
        NAN,
        "",
    ),
    "inf.ply": (
        lambda: ply_header("ascii", f"element vertex 3000\n{XYZ}") + table(with_rows(CLOUD, slice(0, None, 3), np.inf)),
        NAN,
        "",
    ),
    "mark.obj": (lambda: b"\xef\xbb\xbf" + files.obj(), "", ""),
    "cr.obj": (lambda: files.obj().replace(b"\n", b"\r"), "", ""),
    "blocks.obj": (obj_by_blocks, "", ""),
    "tabs.obj": (lambda: obj_by_blocks(tab="\t", indent="  ", comment="\t# a comment", negative=False), "", ""),
    "continued.obj": (lambda: files.obj().replace(b"\nf ", b"\nf \\\n", 5), "", ""),
    "utf16.obj": (lambda: files.obj().decode().encode("utf-16"), "", ""),
    "lower.off": (lambda: files.off().replace(b"OFF", b"off", 1), "", ""),
    "no_header.off": (lambda: files.off().replace(b"OFF\n", b"", 1), "", ""),
    "glued.off": (lambda: files.off().replace(b"OFF\n", b"OFF", 1), "", ""),
    "coloured.off": (coloured_off, "", ""),
    "wrapped.off": (lambda: off_words("OFF\n", per_line=11), "", ""),
    "one_line.off": (lambda: off_words("OFF ", per_line=10_000), "", ""),
    "trailing.stl": (lambda: stl_with(tail=b"created by"), "10 bytes after the last triangle", ""),
    "zero_count.stl": (lambda: stl_with(0), "", "72 triangles by the file's length, its header says 0"),
    "wrong_count.stl": (
        lambda: stl_with(2**32 - 1),
        "",
        "72 triangles by the file's length, its header says 4294967295",
    ),
    "mark.stl": (lambda: b"\xef\xbb\xbf" + files.FILES["text.stl"](), "", ""),
    "upper.stl": (lambda: files.FILES["text.stl"]().upper(), "", ""),
    "binary_solid.stl": (lambda: stl_with(head=b"solid facet"), "", ""),
    "no_scene.glb": (lambda: glb_with(without_scene), "", ""),
    "no_default.glb": (lambda: glb(*gltf_tree(scene=None)), "", ""),
    "nested.glb": (lambda: glb_with(nested), "", ""),
    "sparse.glb": (lambda: glb_with(sparse), "", ""),
    "no_position.glb": (lambda: glb_with(second_primitive(attributes={})), "6 primitives without POSITION", ""),
    "lines_too.glb": (lambda: glb_with(second_primitive(attributes={"POSITION": 0}, mode=1)), "6 sets of lines", ""),
    "points_too.glb": (
        lambda: glb_with(second_primitive(attributes={"POSITION": 0}, mode=0)),
        "6 clouds of points beside meshes",
        "",
    ),
    "instanced.glb": (lambda: glb_with(instanced), "", ""),
    "strip.glb": (
        lambda: glb_with(stripped(5, [[0, 1, 2, 3, 6, 7, 4, 5, 0, 1], [0, 2, 4, 6], [1, 5, 3, 7]])),
        "",
        "",
    ),
    "fan.glb": (lambda: glb_with(stripped(6, QUADS)), "", ""),
    "quantised.glb": (lambda: glb_with(quantised), "", ""),
    "embedded.gltf": (gltf_embedded, "", ""),
    "upper.pcd": (lambda: files.pcd("ascii", fields="X Y Z"), "", ""),
    "lower_type.pcd": (lambda: files.pcd("binary", types="f f f"), "", ""),
    "padded.pcd": (lambda: files.pcd("binary") + bytes(100), "", ""),
    "padded_compressed.pcd": (lambda: files.pcd("binary_compressed") + bytes(100), "", ""),
    "trailing.pcd": (lambda: files.pcd("binary") + b"end", "3 bytes after the last point", ""),
    "crlf.pcd": (lambda: files.pcd("ascii").replace(b"\n", b"\r\n"), "", ""),
    "no_points.pcd": (lambda: files.pcd("ascii").replace(b"POINTS 3000\n", b""), "", ""),
    "header.xyz": (lambda: table(CLOUD, before="X Y Z\n"), "", ""),
    "named_in_comment.xyz": (lambda: table(CLOUD[:, ::-1], before="# z y x\n"), "", ""),
    "swapped.csv": (lambda: table(CLOUD[:, ::-1], ",", before="z,y,x\n"), "", ""),
    "quoted.csv": (lambda: b'"x","y","z"\n' + re.sub(rb"[^,\n]+", rb'"\g<0>"', table(CLOUD, ",")), "", ""),
    "paraview.csv": (lambda: table(CLOUD, ",", before='"Points:0","Points:1","Points:2"\n'), "", ""),
    "cloudcompare.asc": (lambda: table(CLOUD, ";", before="//X;Y;Z\n"), "", ""),
    "cloudcompare_count.asc": (lambda: table(CLOUD, " ", before="//X Y Z\n3000\n"), "", ""),
    "count_first.xyz": (lambda: table(CLOUD, before="3000\n"), "", ""),
    "count_first.pts": (lambda: table(CLOUD, before="3000\n"), "", ""),
    "named_last.txt": (lambda: table(CLOUD).replace(b"\n", b" chair\n"), "columns of words: 1", ""),
    "named_first.txt": (lambda: b"chair " + table(CLOUD).replace(b"\n", b"\nchair ")[:-6], "columns of words: 1", ""),
    "utf16.txt": (lambda: table(CLOUD).decode().encode("utf-16"), "", ""),
    "utf16_no_mark.txt": (lambda: table(CLOUD).decode().encode("utf-16-le"), "", ""),
    "latin.txt": (lambda: b"# caf\xe9\n" + table(CLOUD), "", ""),
    "index.txt": (
        lambda: table(np.column_stack([np.arange(3000), CLOUD])),
        "",
        "the first column counts the rows, x y z follow",
    ),
    "index_with_gaps.txt": (
        lambda: table(np.column_stack([7 * np.arange(3000) + 3, CLOUD])),
        "",
        "the first column counts the rows, x y z follow",
    ),
    "named_index.csv": (lambda: table(np.column_stack([np.arange(3000), CLOUD]), ",", before="id,x,y,z\n"), "", ""),
    "comma.xyz": (lambda: COMMA, "", "commas are decimal signs"),
    "comma.csv": (lambda: b"x;y;z\n" + COMMA.replace(b" ", b";"), "", "commas are decimal signs"),
    "tabs.txt": (lambda: table(CLOUD, "\t"), "", ""),
    "comma_and_blank.txt": (lambda: table(CLOUD, " , "), "", ""),
    "cr.txt": (lambda: table(CLOUD).replace(b"\n", b"\r"), "", ""),
    "normals.xyzn": (lambda: table(np.hstack([CLOUD, CLOUD])), "", ""),
    "colours.xyzrgb": (lambda: table(np.hstack([CLOUD, np.zeros((3000, 3))])), "", ""),
    "nan.xyz": (lambda: table(with_rows(CLOUD, slice(0, None, 3), np.nan)), NAN, ""),
    "microsoft_nan.xyz": (
        lambda: table(with_rows(CLOUD, slice(0, None, 3), np.nan)).replace(b"nan", b"-1.#IND"),
        NAN,
        "",
    ),
    "zeros.xyz": (
        lambda: table(with_rows(CLOUD + (0, 0, 5), slice(0, None, 3), 0)),
        "1000 of 3000 points at exactly 0 0 0, a scanner's missing returns",
        "",
    ),
    "stray.xyz": (
        lambda: table(with_rows(CLOUD, [7], 90)),
        "1 of 3000 points, 3 times as far out as all others or farther",
        "",
    ),
    "batch.npy": (lambda: npy(CLOUD[None]), "", ""),
    "organised.npy": (
        lambda: npy(CLOUD.reshape(50, 60, 3)),
        "",
        "[50, 60, 3] is one organised cloud, [rows, columns, xyz]",
    ),
    "image.npy": (
        lambda: npy(CLOUD.T.reshape(3, 50, 60)),
        "",
        "[3, 50, 60] is one organised cloud, [xyz, rows, columns]",
    ),
    "columns.npy": (lambda: npy(CLOUD.T), "", "[3, 3000] has its points in columns"),
    "columns_batch.npy": (lambda: npy(CLOUD.T[None]), "", "[1, 3, 3000] has its points in columns"),
    "fortran.npy": (lambda: npy(np.asfortranarray(CLOUD)), "", ""),
    "big_endian.npy": (lambda: npy(CLOUD.astype(">f8")), "", ""),
    "fields.npy": (lambda: npy(named(CLOUD)), "", ""),
    **{
        f"{key}.npz": (lambda key=key: npz(**{key: CLOUD, "colors": CLOUD + 1}), "", "")
        for key in ("coords", "position", "pointcloud", "Points", "xyz")
    },
    "faces.npz": (lambda: npz(vertices=chair().vertices, faces=chair().faces), "", ""),
    "utm.xyz": (lambda: table(CLOUD + (500_000, 5_400_000, 300)), "", ""),
    "compressed.ply.gz": (lambda: gzip.compress(files.ply_mesh()), "", ""),
    "compressed_unsaid.obj": (lambda: gzip.compress(files.obj()), "", ""),
}
