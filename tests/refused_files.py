"""Files that hold no object, are damaged or cut short, with what the one line must say of each."""

import gzip

import object_files as files
from object_files import XYZ, glb, gltf_tree, npy, npz, table
from object_variants import CLOUD, glb_with, stl_with, text_ply


def meshopt(tree, binary):
    tree["extensionsRequired"] = ["EXT_meshopt_compression"]


def circle(tree, binary):
    tree["nodes"][0]["children"] = [0]


def lines_only(tree, binary):
    tree["meshes"][0]["primitives"] = [{"attributes": {"POSITION": 0}, "mode": 1}]


def no_positions(tree, binary):
    tree["meshes"].append({"primitives": [{"attributes": {}}]})
    tree["nodes"][5]["mesh"] = 1


REFUSED = {  # name: (content, what the line says)
    "page.stl": (lambda: b"<!DOCTYPE html><html>404</html>", "its content is an HTML page, not a stl file"),
    "page.glb": (lambda: b"\n<html>404</html>", "its content is an HTML page"),
    "pointer.obj": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
    "error.ply": (lambda: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "its content is XML"),
    "error.xyz": (lambda: b'{"message": "Not Found"}', "its content is JSON"),
    "zipped.obj": (lambda: npz(a=CLOUD), "its content is a zip archive"),
    "renamed.obj": (files.ply_mesh, "its content is a PLY file, not a obj file"),
    "empty.glb": (lambda: b"", "empty, expected a glb file"),
    "zeros.stl": (lambda: bytes(684), "empty, expected a stl file"),
    "cad.step": (lambda: b"ISO-10303-21;", "format '.step': expected one of .ply"),
    "damaged.obj.gz": (lambda: gzip.compress(files.obj())[:-20], "its gzip compression is damaged"),
    "cut.ply": (lambda: files.ply_mesh()[:-100], "rows of face, its header says 72"),
    "cut_cloud.ply": (lambda: files.FILES["cloud.ply"]()[:-1], "holds 2999 rows of vertex, its header says 3000"),
    "cut_text.ply": (lambda: text_ply()[:-60], "rows of face, its header says 72"),
    "no_x.ply": (
        lambda: text_ply(elements=f"element vertex 48\n{XYZ}".replace("float x", "float a")),
        "element vertex has no property x",
    ),
    "beyond.ply": (lambda: text_ply(faces=[(0, 1, 48)] * 72), "a face of vertex 48, there are 48"),
    "negative.ply": (lambda: text_ply(faces=[(0, 1, -1)] * 72), "a face of vertex -1"),
    "beyond.obj": (lambda: files.obj() + b"f 1 2 9999\n", "a face of vertex 9998, there are 48"),
    "zero.obj": (lambda: files.obj() + b"f 0 1 2\n", "line 121: 'f 0 1 2'"),
    "lines.obj": (lambda: b"v 0 0 0\nv 1 0 0\nv 1 1 0\nl 1 2 3\n", "lines only"),
    "short.obj": (lambda: b"v 0 0\n", "line 1: 'v 0 0'"),
    "cut.off": (lambda: files.off()[:-300], "faces, its header says 72"),
    "cut_vertices.off": (lambda: files.off()[:700], "vertices, its header says 48"),
    "beyond.off": (lambda: files.off().replace(b"3 1 3 0", b"3 1 3 99", 1), "a face of vertex 99, there are 48"),
    "four.off": (lambda: files.off().replace(b"OFF", b"4OFF", 1), "vertices of four or more coordinates"),
    "cut.stl": (lambda: stl_with()[:-70], "holds 70 triangles, its header says 72"),
    "empty.stl": (lambda: b"solid Empty\nendsolid Empty\n", "holds no triangle"),
    "cut_text.stl": (lambda: files.FILES["text.stl"]()[:-200], "cut short or damaged"),
    "meshopt.glb": (lambda: glb_with(meshopt), "compressed by meshopt"),
    "no_positions.glb": (lambda: glb_with(no_positions), "mesh 1 has no POSITION"),
    "lines.glb": (lambda: glb_with(lines_only), "lines only"),
    "circle.glb": (lambda: glb_with(circle), "node 0 is not there, or is in two places"),
    "cut.glb": (lambda: glb(*gltf_tree())[:-40], "cut short"),
    "cut.pcd": (lambda: files.pcd("binary")[:-13], "holds 2998 points, its header says 3000"),
    "cut_compressed.pcd": (lambda: files.pcd("binary_compressed")[:-13], "compressed bytes, its header says"),
    "one_line.txt": (lambda: table(CLOUD[:10]).replace(b"\n", b" "), "30 columns, expected numbers"),
    "flat.txt": (lambda: table(CLOUD[:, :2]), "2 columns of numbers"),
    "landmarks.pts": (lambda: b"version: 1\nn_points: 2\n{\n1 2\n3 4\n}\n", "landmarks of a picture"),
    "count.xyz": (lambda: table(CLOUD, before="3001\n"), "holds 3000 points, its first line says 3001"),
    "cut.ptx": (lambda: files.ptx()[:-40], "points, its header says 50 x 60"),
    "header.ptx": (lambda: b"50\n60\n0 0 0\n1 0 0\n", "its header ends after 4 lines, expected 10"),
    "pickle.npy": (lambda: b"\x80\x04K\x01.", "pickles are not read"),
    "bool.npy": (lambda: npy(CLOUD > 0), "bool [3000, 3], expected numbers"),
    "cut.npy": (lambda: npy(CLOUD)[:-9], "cut short"),
    "words.npz": (lambda: npz(a=CLOUD, b=CLOUD), "arrays a, b: expected one of points"),
    "one.xyz": (lambda: b"1 1 1\n", "a single point"),
    "same.xyz": (lambda: b"1 1 1\n" * 9, "a single point, 9 times"),
    "all_nan.xyz": (lambda: b"nan nan nan\nnan 1 1\n1 1 nan\n", "none of its 3 points is finite"),
    "flat.obj": (lambda: b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "without area"),
    "cut.las": (lambda: files.las(compress=False)[:-50], "points, its header says 3000"),
    "cut.laz": (lambda: files.las(compress=True)[:-2000], "table of compressed chunks"),
    "not.drc": (lambda: b"DRACO" + bytes(range(40)), "not a readable drc file"),
    "not.dae": (lambda: b"<COLLADA>", "not a readable dae file"),
    "not.3mf": (lambda: npz(a=CLOUD), "not a readable 3mf file"),
}
