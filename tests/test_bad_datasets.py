"""Bad raw data: each case is one line that names file and key, exits with an error, and overwrites nothing."""

import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import raw_layouts
import trimesh
import yaml
from checkout import contents
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_layouts import LAYOUTS, OPTIONS, POINTS, clouds, write_shard

from stages import download
from stages.artifacts.points import open_points
from stages.bundled import build_procedural_parts
from stages.bundled.fixed_point import write_fixed_point
from stages.core.errors import InputError
from stages.datasets.objects import read_object

ROOT = Path(__file__).parents[1]


def shard(**changes):
    """Rewrite a shard of three clouds with other keys."""
    return lambda root: write_shard(root / "train0.h5", clouds([0, 1, 1], 0), **changes)


def changed(values, place, value):
    """A copy of `values` with another one at `place`."""
    values = values.copy()
    values[place] = value
    return values


def cut(name, keep=0.5):
    """Cut a file short."""

    def damage(root):
        content = (root / name).read_bytes()
        (root / name).write_bytes(content[: int(len(content) * keep)])

    return damage


def text(name, content):
    """Write a file."""

    def damage(root):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)

    return damage


def content(name, make):
    """Write a file of bytes."""

    def damage(root):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(make())

    return damage


def gone(*names):
    """Remove files."""

    def damage(root):
        for name in names:
            (root / name).unlink()

    return damage


def as_folder(name):
    """A folder where a file should be."""

    def damage(root):
        (root / name).unlink()
        (root / name).mkdir()

    return damage


def numpy_bytes(values, **options):
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


def npz_bytes(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def foreign_part(root):
    """A chair's part on a table."""
    with h5py.File(root / "ply_data_test0.h5", "a") as file:
        file["pid"][0, 3] = 12


def fewer_parts(root):
    with h5py.File(root / "ply_data_test0.h5", "a") as file:
        values = file["pid"][:, :-1]
        del file["pid"]
        file["pid"] = values


def empty_test_shard(root):
    write_shard(root / "test0.h5", (np.empty((0, POINTS, 3), "f4"), np.empty(0, np.int64)))


def no_test_meshes(root):
    for path in root.rglob("test/*.off"):
        path.unlink()


def damaged_chunk(root):
    """A compressed key whose bytes were overwritten in the middle."""
    points, labels, _ = clouds([0, 1, 1], 0)
    with h5py.File(root / "train0.h5", "w") as file:
        file.create_dataset("data", data=points, compression="gzip")
        file["label"] = labels
        place = file["data"].id.get_chunk_info(0)
    with open(root / "train0.h5", "r+b") as file:
        file.seek(place.byte_offset)
        file.write(bytes(place.size))


CHAIR = "train/chair/0"
OFF = "ModelNet2/chair/train/chair_0000.off"
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 3\n"
    + "".join(f"property float {c}\n" for c in "xyz")
    + "end_header\n0 0 0\n"
)
FLAT = "OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n"
XYZ = clouds([0, 1, 1], 0)[0]
PCD = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 2\nDATA ascii\n"

# name: (reader, damage, changes of the entry, what the line must name, what it must say)
CASES = {
    "truncated hdf5": ("modelnet_hdf5", cut("train0.h5"), {}, "train0.h5", "not a readable HDF5 file"),
    "empty file": ("modelnet_hdf5", cut("train0.h5", 0), {}, "train0.h5", "not a readable HDF5 file"),
    "text for hdf5": ("modelnet_hdf5", text("train0.h5", "hello"), {}, "train0.h5", "not a readable HDF5 file"),
    "damaged chunk": ("modelnet_hdf5", damaged_chunk, {}, "train0.h5", "/data is damaged"),
    "missing shard": ("modelnet_hdf5", gone("train1.h5"), {}, "train1.h5", "no such file"),
    "folder for shard": ("modelnet_hdf5", as_folder("train1.h5"), {}, "train1.h5", "a folder, expected a file"),
    "no data": ("modelnet_hdf5", shard(data=None), {}, "train0.h5", "no key /data"),
    "no label": ("modelnet_hdf5", shard(label=None), {}, "train0.h5", "no key /label"),
    "text for points": (
        "modelnet_hdf5",
        shard(data=np.array([b"a"])),
        {},
        "train0.h5",
        "/data is |S1, expected an array",
    ),
    "flat points": ("modelnet_hdf5", shard(data=XYZ[0]), {}, "train0.h5", "/data has shape [16, 3]"),
    "two columns": ("modelnet_hdf5", shard(data=XYZ[:, :, :2]), {}, "train0.h5", "/data has shape [3, 16, 2]"),
    "other points a shard": ("modelnet_hdf5", shard(data=XYZ[:, :9]), {}, "train_files.txt", "shards differ"),
    "nan": ("modelnet_hdf5", shard(data=changed(XYZ, (1, 2, 0), np.nan)), {}, "train0.h5", "data sample 1 has values"),
    "infinity": ("modelnet_hdf5", shard(data=changed(XYZ, (2, 0, 0), np.inf)), {}, "train0.h5", "data sample 2"),
    "label too large": ("modelnet_hdf5", shard(label=[0, 2, 1]), {}, "train0.h5", "label from 0 to 2, expected 0 to 1"),
    "label negative": ("modelnet_hdf5", shard(label=[0, -1, 1]), {}, "train0.h5", "label from -1 to 1"),
    "label a fraction": ("modelnet_hdf5", shard(label=[0, 0.5, 1]), {}, "train0.h5", "label is float64"),
    "label nan": ("modelnet_hdf5", shard(label=[0, np.nan, 1]), {}, "train0.h5", "label is float64"),
    "labels too few": ("modelnet_hdf5", shard(label=[0, 1]), {}, "train0.h5", "label has 2 rows, data has 3"),
    "empty split": ("modelnet_hdf5", empty_test_shard, {}, "raw", "split test is empty"),
    "empty list": ("modelnet_hdf5", text("test_files.txt", "\n"), {}, "test_files.txt", "empty"),
    "listed twice": (
        "modelnet_hdf5",
        text("test_files.txt", "test0.h5\ntest0.h5"),
        {},
        "test_files.txt",
        "more than once",
    ),
    "no list": ("modelnet_hdf5", gone("train_files.txt"), {}, "train_files.txt", "no such file"),
    "no class names": ("modelnet_hdf5", gone("shape_names.txt"), {}, "shape_names.txt", "there is none"),
    "class twice": ("modelnet_hdf5", text("shape_names.txt", "a\na"), {}, "shape_names.txt", "'a' stands there more"),
    "class list mismatch": ("modelnet_hdf5", None, {"classes": ["chair", "sofa"]}, "mine.classes", "differ from"),
    "display name of no class": (
        "modelnet_hdf5",
        None,
        {"display_names": {"sofa": "couch"}},
        "mine.display_names",
        "sofa",
    ),
    "names in no utf-8": (
        "modelnet_hdf5",
        content("shape_names.txt", lambda: b"\xff\xfe"),
        {},
        "shape_names.txt",
        "UTF-8",
    ),
    "two datasets in one folder": (
        "modelnet_hdf5",
        lambda root: [text(f"{name}/shape_names.txt", "a")(root) for name in "ab"] + [gone("shape_names.txt")(root)],
        {},
        "shape_names.txt",
        "expected one folder",
    ),
    "unknown reader": (
        "modelnet_hdf5",
        None,
        {"reader": "modelnet"},
        "dataset.mine.reader",
        "expected one of bundled_clouds",
    ),
    "wrong reader": ("modelnet_hdf5", None, {"reader": "shapenetpart_hdf5"}, "raw", "ply_data_train0.h5"),
    "wrong reader for a file": ("folder", None, {"reader": "bundled_clouds"}, "raw", "a folder, expected a file"),
    "file for folder": ("modelnet_hdf5", None, {"path": "raw/train0.h5"}, "raw/train0.h5", "not a folder"),
    "nothing there": ("modelnet_hdf5", None, {"path": "elsewhere"}, "elsewhere", "dataset.mine.path"),
    "neither path nor files": ("modelnet_hdf5", None, {"path": None}, "dataset.mine", "neither path nor files"),
    "no mirror": ("modelnet_hdf5", None, {"path": None, "files": [{"file": "a.zip"}]}, "mine/a.zip", "no mirror"),
    "wrong type in the entry": ("modelnet_hdf5", None, {"points": "2048"}, "dataset.mine.points", "integer"),
    "unknown key in the entry": ("modelnet_hdf5", None, {"pionts": 2048}, "dataset.mine.pionts", "unknown key"),
    "path in a file name": ("modelnet_hdf5", None, {"files": [{"file": "../a.zip"}]}, "mine.files.0.file", "match"),
    "odd checksum": (
        "modelnet_hdf5",
        None,
        {"files": [{"file": "a.zip", "checksum": "abc"}]},
        "mine.files.0.checksum",
        "match",
    ),
    "unknown variant": ("scanobjectnn", None, {"variant": "hardest"}, "raw", "variant 'hardest'"),
    "no such variant there": ("scanobjectnn", None, {"variant": "obj_only"}, "main_split_nobg", "there is none"),
    "foreign part": ("shapenetpart_hdf5", foreign_part, {}, "ply_data_test0.h5", "part 12, which is none of a table's"),
    "parts too few": ("shapenetpart_hdf5", fewer_parts, {}, "ply_data_test0.h5", "/pid has shape [4, 15]"),
    "no test shard": (
        "shapenetpart_hdf5",
        gone("test_hdf5_file_list.txt", "ply_data_test0.h5"),
        {},
        "raw",
        "no ply_data_test<number>.h5",
    ),
    "unknown synset": (
        "shapenetpart_text",
        text("train_test_split/shuffled_val_file_list.json", '["shape_data/123/a"]'),
        {},
        "shuffled_val_file_list.json",
        "class '123'",
    ),
    "list is no json": (
        "shapenetpart_text",
        text("train_test_split/shuffled_val_file_list.json", "["),
        {},
        "shuffled_val_file_list.json",
        "not valid JSON",
    ),
    "no part column": ("shapenetpart_text", text("02954340/val0.txt", "0 0 0"), {}, "val0.txt", "3 columns, expected"),
    "text without a number": ("shapenetpart_text", None, {"points": None}, "raw", "set `points`"),
    "class of no name": ("modelnet_text", text("modelnet40_test.txt", "sofa_1"), {}, "modelnet40_test.txt", "'sofa'"),
    "listed and not there": (
        "modelnet_text",
        text("modelnet40_test.txt", "chair_9"),
        {},
        "chair_9.txt",
        "no such file",
    ),
    "words for numbers": ("modelnet_text", text("chair/chair_0002.txt", "a,b,c"), {}, "chair_0002.txt", "numbers"),
    "ragged rows": ("modelnet_text", text("chair/chair_0002.txt", "1,2,3\n1,2"), {}, "chair_0002.txt", "numbers"),
    "empty text": ("modelnet_text", text("chair/chair_0002.txt", ""), {}, "chair_0002.txt", "empty"),
    "off without a mesh": (
        "modelnet_off",
        text(OFF, "OFF\n3 1"),
        {"points": 9},
        "chair_0000.off",
        "not a readable off",
    ),
    "off of faces beyond": (
        "modelnet_off",
        text(OFF, "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n"),
        {"points": 9},
        "chair_0000.off",
        "not a readable off",
    ),
    "mesh without area": ("modelnet_off", text(OFF, FLAT), {"points": 9}, "chair_0000.off", "without area"),
    "mesh without a number": ("modelnet_off", None, {}, "chair_0000.off", "set `points`"),
    "no test meshes": ("modelnet_off", no_test_meshes, {"points": 9}, "raw", "an empty split"),
    "pickle in npy": (
        "folder",
        content(f"{CHAIR}.npy", lambda: numpy_bytes(np.array([{}]), allow_pickle=True)),
        {},
        "0.npy",
        "Object arrays",
    ),
    "pickle for npy": (
        "folder",
        content(f"{CHAIR}.npy", lambda: pickle.dumps([1])),
        {},
        "0.npy",
        "pickles are not read",
    ),
    "truncated npy": ("folder", cut(f"{CHAIR}.npy"), {}, "0.npy", "not a readable npy"),
    "flat npy": ("folder", content(f"{CHAIR}.npy", lambda: numpy_bytes(np.zeros(9))), {}, "0.npy", "float64 [9]"),
    "complex npy": (
        "folder",
        content(f"{CHAIR}.npy", lambda: numpy_bytes(np.zeros((9, 3), complex))),
        {},
        "0.npy",
        "complex128 [9, 3]",
    ),
    "npy with nan": (
        "folder",
        content(f"{CHAIR}.npy", lambda: numpy_bytes(np.full((9, 3), np.nan))),
        {},
        "0.npy",
        "finite",
    ),
    "npy beyond floats": (
        "folder",
        content(f"{CHAIR}.npy", lambda: numpy_bytes(np.full((9, 3), 1e300))),
        {},
        "0.npy",
        "not finite in single precision",
    ),
    "npz of several": (
        "folder",
        content("train/chair/a.npz", lambda: npz_bytes(a=XYZ[0], b=XYZ[0])),
        {},
        "a.npz",
        "arrays a, b: expected",
    ),
    "no npz": (
        "folder",
        content("train/chair/a.npz", lambda: b"PK\x03\x04 and so on"),
        {},
        "a.npz",
        "not a readable npz",
    ),
    "truncated ply": ("folder", text("train/chair/a.ply", PLY), {}, "a.ply", "its header says 3"),
    "no ply": ("folder", text("train/chair/a.ply", "hello"), {}, "a.ply", "not a readable ply"),
    "no stl": ("folder", text("train/chair/a.stl", "hello"), {}, "a.stl", "too short for binary STL"),
    "truncated glb": (
        "folder",
        content("train/chair/a.glb", lambda: trimesh.creation.box().export(file_type="glb")[:200]),
        {"points": 9},
        "a.glb",
        "not a readable glb",
    ),
    "pcd too short": (
        "folder",
        text("train/chair/a.pcd", f"{PCD}0 0 0\n"),
        {},
        "a.pcd",
        "holds 1 points, its header says 2",
    ),
    "pcd of words": ("folder", text("train/chair/a.pcd", f"{PCD}a b c\n0 0 0\n"), {}, "a.pcd", "could not convert"),
    "pcd without header": ("folder", text("train/chair/a.pcd", "0 0 0\n"), {}, "a.pcd", "its header has no FIELDS"),
    "pcd compressed": (
        "folder",
        text("train/chair/a.pcd", PCD.replace("ascii", "binary_compressed")),
        {},
        "a.pcd",
        "cut short before its compressed bytes",
    ),
    "pts of another count": ("folder", text("train/chair/a.pts", "5\n0 0 0\n"), {}, "a.pts", "its first line says 5"),
    "clouds of other lengths": (
        "folder",
        content(f"{CHAIR}.npy", lambda: numpy_bytes(XYZ[0, :9])),
        {},
        "raw",
        "clouds of 9 to 16 points; set `points`",
    ),
    "class and split folders": (
        "folder",
        text("sofa/a.xyz", "0 0 0"),
        {},
        "raw",
        "folders sofa, test, train: expected",
    ),
    "empty folder": ("folder", None, {"path": "empty"}, "empty", "no object"),
    "table without columns": ("folder", text("a.csv", "file\nx\n"), {"path": "raw/a.csv"}, "a.csv", "columns file"),
    "table of an odd split": (
        "folder",
        text("a.csv", "path,label,split\na.npy,chair,dev\n"),
        {"path": "raw/a.csv"},
        "a.csv",
        "line 2: split 'dev'",
    ),
    "table of an odd line": ("folder", text("a.csv", "path,label\na.npy\n"), {"path": "raw/a.csv"}, "a.csv", "line 2"),
    "table of a missing file": (
        "folder",
        text("a.csv", "path,label\nno.npy,chair\nno.npy,chair\n"),
        {"path": "raw/a.csv", "test_share": 0.5},
        "no.npy",
        "no such file",
    ),
    "table of another format": (
        "folder",
        text("a.csv", "path,label,split\na.jpg,chair,train\n"),
        {"path": "raw/a.csv"},
        "a.jpg",
        "format '.jpg': expected one of .ply",
    ),
}


def zip_bytes(name, mode=0o100644, content=b"x"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr, info.compress_type = 3, mode << 16, zipfile.ZIP_DEFLATED
        file.writestr(info, content)
    return buffer.getvalue()


def tar_bytes():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc"
        file.addfile(info)
    return buffer.getvalue()


ARCHIVES = {
    "zip slip": (lambda: zip_bytes("../../../evil"), {}, "leads outside"),
    "zip with a symlink": (lambda: zip_bytes("link", 0o120777, b"/etc/passwd"), {}, "is a link or device"),
    "tar with a symlink": (tar_bytes, {}, "is a link or device"),
    "zip bomb": (lambda: zip_bytes("big", content=bytes(101_000_000)), {}, "exceeds"),
    "no archive": (lambda: b"<html>", {}, "is not an archive"),
    "wrong length": (lambda: zip_bytes("a"), {"bytes": 5}, "expected 5"),
    "wrong checksum": (lambda: zip_bytes("a"), {"checksum": "md5:" + "0" * 32}, "expected md5:000"),
    "other layout inside": (lambda: zip_bytes("a.txt"), {}, "shape_names.txt"),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with params.yaml in which the stage runs, and an artifact of an earlier run."""
    (tmp_path / "data/points/mine").mkdir(parents=True)
    (tmp_path / "data/points/mine/00000.h5").write_bytes(b"what was there")
    for name in ("raw", "empty"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_params(reader, changes):
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    entry = {"reader": reader, "path": "raw", "up_axis": "y", "licence": "test"}
    document["dataset"]["mine"] = entry | OPTIONS.get(reader, {}) | changes
    Path("params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def assert_one_line(line, *parts):
    assert "\n" not in line
    assert [part for part in parts if part not in line] == [], line


def assert_untouched(project):
    assert [path.name for path in (project / "data/points").iterdir()] == ["mine"]
    assert contents(project / "data/points", ["mine"]) == {"mine/00000.h5": b"what was there"}


@pytest.mark.parametrize("name", CASES)
def test_bad_raw_data_is_one_line_and_overwrites_nothing(name, project):
    reader, damage, changes, place, message = CASES[name]
    ({"modelnet_off": raw_layouts.modelnet_off} | LAYOUTS)[reader](project / "raw")
    if damage is not None:
        damage(project / "raw")
    write_params(reader, changes)
    with pytest.raises(InputError) as error:
        download.main("mine")
    assert_one_line(str(error.value), place, message)
    assert_untouched(project)


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_bad_archive_that_the_user_brought_is_one_line(name, project):
    make, facts, message = ARCHIVES[name]
    archive = project / "data/raw/mine/things.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(brought := make())
    source = {"path": None, "files": [{"file": "things.zip"} | facts], "signed_form": True, "url": "https://x"}
    write_params("modelnet_hdf5", source)
    with pytest.raises(InputError) as error:
        download.main("mine")
    assert_one_line(str(error.value), "data/raw/mine/things", message)
    assert archive.read_bytes() == brought and not list(project.rglob("evil"))
    assert_untouched(project)


@pytest.mark.parametrize("name", ["truncated hdf5", "pickle for npy", "class list mismatch"])
def test_the_command_ends_with_one_line_and_an_error(name, project):
    reader, damage, changes, place, message = CASES[name]
    LAYOUTS[reader](project / "raw")
    if damage is not None:
        damage(project / "raw")
    write_params(reader, changes)
    command = [sys.executable, "-m", "stages.download", "mine"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert_one_line(done.stderr.removesuffix("\n"), "error: ", place, message)
    assert_untouched(project)


VALID = {
    "ply": lambda: trimesh.creation.box().export(file_type="ply"),
    "obj": lambda: trimesh.creation.box().export(file_type="obj").encode(),
    "off": lambda: trimesh.creation.box().export(file_type="off").encode(),
    "stl": lambda: trimesh.creation.box().export(file_type="stl"),
    "glb": lambda: trimesh.creation.box().export(file_type="glb"),
    "npy": lambda: numpy_bytes(XYZ[0]),
    "npz": lambda: npz_bytes(points=XYZ[0]),
    "xyz": lambda: b"0 0 0\n1 2 3\n4 5 6\n",
    "pts": lambda: b"3\n0 0 0\n1 2 3\n4 5 6\n",
    "pcd": lambda: (PCD + "0 0 0\n1 1 1\n").encode(),
}


@pytest.mark.parametrize("suffix", VALID)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_file_with_any_bytes_changed_is_read_or_refused_in_one_line(suffix, data):
    whole = bytearray(VALID[suffix]())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{suffix}"
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        try:
            points = read_object(path, points=5, seed=0)
        except InputError as error:
            assert_one_line(str(error), str(path))
        else:
            assert points.shape == (5, 3) and np.isfinite(points).all()


def test_too_many_points_asked_for_and_a_part_of_a_dataset(project, capsys):
    raw_layouts.modelnet_hdf5(project / "raw")
    write_params("modelnet_hdf5", {"splits": {"train": 9840, "test": 2468}})
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("num_points: null", "num_points: 17"))
    with pytest.raises(InputError, match=r"download.num_points 17: mine: train has 16 points a cloud"):
        download.main("mine")
    assert_untouched(project)
    write_params("modelnet_hdf5", {"num_points": 17})
    with pytest.raises(InputError, match=r"dataset.mine.num_points 17: mine: train has 16 points a cloud"):
        download.main("mine")
    assert_untouched(project)
    Path("params.yaml").write_text(params)
    download.main("mine")
    assert "note: raw: splits train 5, test 1, published are train 9840, test 2468" in capsys.readouterr().err


@pytest.mark.parametrize(("of_all", "kept"), [("null", 6), ("9", 9)])
def test_a_dataset_keeps_its_own_number_of_first_points_unless_all_have_one(project, of_all, kept):
    raw_layouts.modelnet_hdf5(project / "raw")
    write_params("modelnet_hdf5", {"points": 16})
    download.main("mine")
    with open_points(project / "data/points/mine") as points:
        whole = points.points("train")
    write_params("modelnet_hdf5", {"points": 16, "num_points": 6})
    params = Path("params.yaml").read_text().replace("num_points: null", f"num_points: {of_all}")
    Path("params.yaml").write_text(params)
    download.main("mine")
    with open_points(project / "data/points/mine") as points:
        np.testing.assert_array_equal(points.points("train"), whole[:, :kept])


def test_there_are_at_least_forty_cases():
    assert len(CASES) + len(ARCHIVES) >= 40


def damaged(group, key, values):
    """Replace a key of a bundled file; None removes it, and a name with @ is an attribute."""

    def damage(file):
        where, key_ = file[group], key.removeprefix("@")
        holder = where["points"].attrs if key == "@scale" else where.attrs if key.startswith("@") else where
        del holder[key_]
        if values is not None:
            holder[key_] = values

    return damage


BUNDLED = {
    "no classes": (damaged("/", "@classes", None), "expected the attribute classes, a JSON list of names"),
    "classes no json": (damaged("/", "@classes", "chair"), "expected the attribute classes, a JSON list of names"),
    "no split": (damaged("/", "test", None), "no group test"),
    "no scale": (damaged("train", "@scale", None), "/train/points has no attribute scale"),
    "no points": (damaged("train", "points", None), "no key /train/points"),
    "label beyond": (damaged("train", "labels", np.full(16, 16)), "label from 16 to 16, expected 0 to 15"),
    "part beyond": (damaged("train", "parts", np.full((16, 8), 9)), "/train/parts: expected [16, 8] indices"),
    "parts too few": (damaged("train", "parts", np.zeros((16, 7))), "/train/parts: expected [16, 8] indices"),
}


@pytest.mark.parametrize("name", BUNDLED)
def test_a_damaged_bundled_file_is_one_line(name, project):
    damage, message = BUNDLED[name]
    build_procedural_parts.build(project / "raw/parts.h5", splits={"train": 1, "test": 1}, points=8, seed=1)
    with h5py.File(project / "raw/parts.h5", "a") as file:
        damage(file)
    write_params("bundled_clouds", {"path": "raw/parts.h5"})
    with pytest.raises(InputError) as error:
        download.main("mine")
    assert_one_line(str(error.value), "raw/parts.h5", message)
    assert_untouched(project)


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("boxes", np.zeros((2, 5)), "/train/room has points [9, 3], boxes [2, 5], expected [M, 3] and [K, 6]"),
        ("labels", np.array([0, 1]), "label from 0 to 1, expected 0 to 0"),
        ("labels", np.array([0]), "label has 1 rows, data has 2"),
    ],
)
def test_a_damaged_file_of_scans_is_one_line(key, values, message, project):
    with h5py.File(project / "raw/rooms.h5", "w") as file:
        file.attrs["classes"] = '["bed"]'
        for split in ("train", "test"):
            group = file.create_group(f"{split}/room")
            write_fixed_point(group, np.zeros((9, 3)), scale=1, chunks=True)
            group["boxes"], group["labels"] = np.zeros((2, 6)), np.zeros(2, int)
        damaged("train/room", key, values)(file)
    write_params("bundled_scans", {"path": "raw/rooms.h5"})
    with pytest.raises(InputError) as error:
        download.main("mine")
    assert_one_line(str(error.value), "raw/rooms.h5", message)
    assert_untouched(project)
    with h5py.File(project / "raw/rooms.h5") as file:
        other = threading.Thread(target=lambda: "train" in file, daemon=True)
        other.start()
        other.join(timeout=10)
        assert not other.is_alive(), "the error still holds h5py's lock"


def test_what_was_left_out_of_a_users_file_is_a_note(project, capsys):
    LAYOUTS["folder"](project / "raw")
    path = project / f"raw/{CHAIR}.npy"
    np.save(path, np.concatenate([np.load(path), np.full((1, 3), np.nan, "f4")]))
    write_params("folder", {})
    download.main("mine")
    note = f"note: raw/{CHAIR}.npy: dropped 1 of 17 points that are NaN, infinite or beyond single precision\n"
    assert capsys.readouterr().err == note
