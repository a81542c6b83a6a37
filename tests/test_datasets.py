"""Readers: what is in the files comes out in the files' order, for every layout, of generated files and real slices."""

import csv
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import raw_layouts
import trimesh
import yaml
from hypothesis import given
from hypothesis import strategies as st
from raw_layouts import LAYOUTS, OPTIONS, clouds
from scipy.spatial.distance import cdist

from stages.artifacts.files import read_json
from stages.artifacts.points import open_points, write_points
from stages.artifacts.prompts import read_prompts
from stages.artifacts.types import Clouds
from stages.config.dataset import Dataset
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.core.sampling import farthest_points
from stages.core.splits import stratified_cut
from stages.datasets import shapenetpart
from stages.datasets.objects import read_object
from stages.datasets.registry import READERS, published_mismatch, read
from stages.datasets.sampling import on_surface, thin
from stages.datasets.splits import with_validation

ROOT = Path(__file__).parents[1]
SLICES = Path(os.environ.get("SLICES_DIR", ROOT.parent / "shared/data"))


def entry(path, reader="modelnet_hdf5", **options):
    return Dataset(reader=reader, path=str(path), up_axis="y", licence="test", **options)


def slice_folder(name):
    folder = SLICES / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in SLICES_DIR ({SLICES})")
    return folder


def assert_holds(points, expected):
    assert set(points.splits) == set(expected)
    for split, (cloud, labels, parts) in expected.items():
        found = points.splits[split]
        assert (found.points.dtype, found.labels.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(found.points, cloud)
        np.testing.assert_array_equal(found.labels, labels)
        assert (found.parts is None) == (parts is None)
        if parts is not None:
            np.testing.assert_array_equal(found.parts, parts)


@pytest.mark.parametrize("reader", LAYOUTS)
def test_every_layout_comes_out_as_it_went_in(reader, tmp_path):
    expected = LAYOUTS[reader](tmp_path)
    points = read("mine", entry(tmp_path, reader, **OPTIONS.get(reader, {})))
    assert_holds(points, expected)
    write_points(tmp_path / "written", points)
    with open_points(tmp_path / "written") as written:
        assert (written.classes, written.part_names) == (points.classes, points.part_names)


@pytest.mark.parametrize("reader", LAYOUTS)
def test_an_archive_may_put_a_folder_between(reader, tmp_path):
    inner = tmp_path / "as/unpacked" if reader != "folder" else tmp_path
    inner.mkdir(parents=True, exist_ok=True)
    expected = LAYOUTS[reader](inner)
    (tmp_path / "__MACOSX").mkdir()
    assert_holds(read("mine", entry(tmp_path, reader, **OPTIONS.get(reader, {}))), expected)


def test_every_reader_is_tested_and_every_entry_of_params_names_one():
    assert {*LAYOUTS, "modelnet_off", "objaverse", "bundled_clouds", "bundled_scans"} <= set(READERS)
    entries = load_params(ROOT).dataset
    assert {one.reader for one in entries.values()} <= set(READERS)
    for name, one in entries.items():
        assert one.path is not None or one.files, f"dataset.{name} says neither path nor files"


def test_modelnet_meshes_are_sampled_by_area_with_the_seed(tmp_path):
    expected = raw_layouts.modelnet_off(tmp_path)
    first, again, other = (read("m", entry(tmp_path, "modelnet_off", points=4000, seed=seed)) for seed in (0, 0, 1))
    assert first.classes == raw_layouts.MODELNET
    for split, (sizes, labels, _) in expected.items():
        found = first.splits[split]
        np.testing.assert_array_equal(found.labels, labels)
        np.testing.assert_allclose(np.ptp(found.points, axis=1), sizes, rtol=2e-2)
        np.testing.assert_array_equal(found.points, again.splits[split].points)
        assert not np.array_equal(found.points, other.splits[split].points)
    a, b, c = expected["train"][0][0]
    ends = np.isclose(np.abs(first.splits["train"].points[0][:, 0]), a / 2, atol=1e-6).mean()
    assert ends == pytest.approx(b * c / (a * b + b * c + c * a), abs=0.03)


def test_points_on_a_surface_are_those_that_trimesh_draws():
    for mesh in (trimesh.creation.box((1, 2, 3)), trimesh.creation.icosphere(2), trimesh.creation.torus(1, 0.3)):
        drawn = on_surface(mesh.vertices, mesh.faces, count=500, rng=np.random.default_rng(1))
        wanted, _ = trimesh.sample.sample_surface(mesh, 500, seed=np.random.default_rng(1))
        np.testing.assert_allclose(drawn, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", raw_layouts.scanobjectnn.VARIANTS)
def test_scanobjectnn_has_three_variants_in_one_folder(variant, tmp_path):
    expected = {name: raw_layouts.scanobjectnn_h5(tmp_path, name) for name in raw_layouts.scanobjectnn.VARIANTS}
    points = read("scans", entry(tmp_path, "scanobjectnn", variant=variant))
    assert len(points.classes) == 15 and points.classes[14] == "toilet"
    assert_holds(points, expected[variant])


def test_shapenetpart_without_lists_reads_the_shards_by_number(tmp_path):
    expected = raw_layouts.shapenetpart_h5(tmp_path, lists=False)
    shutil.copy(tmp_path / "ply_data_train1.h5", tmp_path / "ply_data_train10.h5")
    (tmp_path / "ply_data_val0.h5").unlink()
    points = read("parts", entry(tmp_path, "shapenetpart_hdf5"))
    assert set(points.splits) == {"train", "test"} and len(points.splits["train"].labels) == 12
    np.testing.assert_array_equal(points.splits["train"].points[:8], expected["train"][0])
    np.testing.assert_array_equal(points.splits["train"].points[8:], expected["train"][0][4:])


def test_shapenetparts_categories_and_part_counts_are_the_published_ones():
    counts = (4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3)
    assert tuple(map(len, shapenetpart.PART_NAMES)) == counts and sum(counts) == 50
    assert len(set(shapenetpart.SYNSETS)) == len(shapenetpart.CLASSES) == 16


def test_text_shapes_of_other_lengths_are_brought_to_the_entrys_points_with_their_parts(tmp_path):
    expected = raw_layouts.shapenetpart_text(tmp_path)["train"]
    for points in (5, 40):
        found = read("parts", entry(tmp_path, "shapenetpart_text", points=points)).splits["train"]
        for row in range(len(found.labels)):
            where = cdist(found.points[row], expected[0][row]).argmin(axis=1)
            assert len(set(where)) == min(points, raw_layouts.POINTS)
            np.testing.assert_array_equal(found.parts[row], expected[2][row][where])


def test_both_layouts_of_shapenetpart_give_the_same_points_parts_and_order_of_the_same_shapes(tmp_path):
    as_text, as_hdf5 = tmp_path / "text", tmp_path / "hdf5"
    for folder in (as_text, as_hdf5):
        folder.mkdir()
    expected = raw_layouts.shapenetpart_text(as_text)
    read_text = read("parts", entry(as_text, "shapenetpart_text", points=raw_layouts.POINTS))
    for split, shapes in read_text.splits.items():
        numbers = shapes.parts + raw_layouts.offsets()[shapes.labels][:, None]
        shard = (shapes.points, shapes.labels)
        raw_layouts.write_shard(as_hdf5 / f"ply_data_{split}0.h5", shard, pid=numbers.astype("u1"))
    read_hdf5 = read("parts", entry(as_hdf5, "shapenetpart_hdf5"))
    assert (read_text.classes, read_text.part_names) == (read_hdf5.classes, read_hdf5.part_names)
    for split, shapes in read_hdf5.splits.items():
        for found in (shapes, read_text.splits[split]):
            np.testing.assert_array_equal(found.points, expected[split][0])
            np.testing.assert_array_equal(found.labels, expected[split][1])
            np.testing.assert_array_equal(found.parts, expected[split][2])


FORMATS = {
    "xyz.npy": lambda path, points: np.save(path, points),
    "with normals.npy": lambda path, points: np.save(path, np.hstack([points, points])),
    "one array.npz": lambda path, points: np.savez(path, anything=points),
    "named.npz": lambda path, points: np.savez(path, colours=points + 1, xyz=points),
    "spaces.xyz": lambda path, points: np.savetxt(path, points, fmt="%.9g"),
    "commas.txt": lambda path, points: np.savetxt(path, points, fmt="%.9g", delimiter=",", header="x y z"),
    "counted.pts": lambda path, points: np.savetxt(path, points, fmt="%.9g", header=str(len(points)), comments=""),
    "cloud.ply": lambda path, points: trimesh.PointCloud(points).export(path),
    "ascii.ply": lambda path, points: path.write_bytes(
        trimesh.PointCloud(points).export(file_type="ply", encoding="ascii")
    ),
    "cloud.glb": lambda path, points: trimesh.Scene([trimesh.PointCloud(points)]).export(path),
    "vertices.obj": lambda path, points: path.write_text("".join("v {} {} {}\n".format(*row) for row in points)),
    "vertices.off": lambda path, points: path.write_text(
        f"OFF\n{len(points)} 0 0\n" + "".join("{} {} {}\n".format(*row) for row in points)
    ),
    "ascii.pcd": lambda path, points: path.write_bytes(pcd(points, binary=False)),
    "binary.pcd": lambda path, points: path.write_bytes(pcd(points, binary=True)),
}


def pcd(points, *, binary):
    """A PCD file with a colour before and an array of three after the coordinates."""
    fields = [("rgb", "<u4"), ("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("normal", "<f4", 3)]
    rows = np.zeros(len(points), fields)
    rows["x"], rows["y"], rows["z"] = points.T
    header = "# .PCD v0.7\nVERSION 0.7\nFIELDS rgb x y z normal\nSIZE 4 4 4 4 4\nTYPE U F F F F\nCOUNT 1 1 1 1 3\n"
    header += f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\n"
    if binary:
        return header.encode() + b"DATA binary\n" + rows.tobytes()
    lines = ["0 {} {} {} 0 0 0".format(*row) for row in points]
    return (header + "DATA ascii\n" + "\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_cloud_of_any_format_is_read_as_it_is(name, tmp_path):
    points = clouds([0], 0)[0][0]
    FORMATS[name](tmp_path / name, points)
    np.testing.assert_allclose(read_object(tmp_path / name, points=None, seed=0), points, rtol=1e-6)
    fewer = read_object(tmp_path / name, points=7, seed=0)
    np.testing.assert_array_equal(
        fewer, read_object(tmp_path / name, points=None, seed=0)[farthest_points(points, 7, 0)]
    )
    again = read_object(tmp_path / name, points=20, seed=0)
    np.testing.assert_array_equal(again[16:], again[:4])


@pytest.mark.parametrize("suffix", ["ply", "obj", "off", "stl", "glb"])
def test_a_mesh_of_any_format_is_sampled_on_its_surface(suffix, tmp_path):
    path = tmp_path / f"box.{suffix}"
    trimesh.creation.box((2, 4, 6)).export(path)
    points = read_object(path, points=500, seed=0)
    assert points.shape == (500, 3) and points.dtype == np.float32
    np.testing.assert_allclose(np.abs(points / (1, 2, 3)).max(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(points, read_object(path, points=500, seed=0))
    with pytest.raises(InputError, match=f"box.{suffix}: a mesh; set `points`"):
        read_object(path, points=None, seed=0)


def test_the_parts_of_a_scene_keep_their_places(tmp_path):
    there = np.eye(4)
    there[:3, 3] = 10
    scene = trimesh.Scene([trimesh.creation.box()])
    scene.add_geometry(trimesh.creation.box(), transform=there)
    scene.export(tmp_path / "two.glb")
    points = read_object(tmp_path / "two.glb", points=1000, seed=0)
    assert 400 < (points.min(axis=1) > 5).sum() < 600


def test_a_folder_without_splits_is_cut_as_the_entry_says_and_not_else(tmp_path):
    for name, count in (("chair", 10), ("sofa", 5)):
        for number in range(count):
            (tmp_path / name).mkdir(exist_ok=True)
            np.save(tmp_path / name / f"{number}.npy", clouds([0], 10 * count + number)[0][0])
    with pytest.raises(InputError, match="no train and test split; set `test_share`"):
        read("mine", entry(tmp_path, "folder"))
    points = read("mine", entry(tmp_path, "folder", test_share=0.2, seed=3))
    np.testing.assert_array_equal(np.bincount(points.splits["test"].labels), [2, 1])
    np.testing.assert_array_equal(np.bincount(points.splits["train"].labels), [8, 4])
    assert_holds(
        read("mine", entry(tmp_path, "folder", test_share=0.2, seed=3)),
        {split: (one.points, one.labels, None) for split, one in points.splits.items()},
    )


def scan(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, clouds([0], seed)[0][0], fmt="%.9g")


@pytest.mark.parametrize(
    "layout", ["{split}/{name}/{n}.xyz", "{name}/{split}/{name}_{n}.xyz"], ids=["splits first", "classes first"]
)
@pytest.mark.parametrize("case", [str.lower, str.title, str.upper])
def test_a_folders_splits_may_lie_above_or_below_the_classes_in_any_case(layout, case, tmp_path):
    for n, (split, name) in enumerate([("train", "a"), ("train", "b"), ("test", "a"), ("test", "b"), ("val", "b")]):
        scan(tmp_path / layout.format(split=case(split), name=name, n=n), n)
    (tmp_path / layout.format(split=case("train"), name="a", n="README").replace(".xyz", ".txt")).write_text("who")
    (tmp_path / layout.format(split=case("train"), name="a", n=0)).with_name("ReadMe.txt").write_text("who made this")
    (tmp_path / layout.format(split=case("train"), name="a", n=0)).with_name(".b.xyz").write_text("hidden")
    (tmp_path / "README.txt").write_text("who made this")
    if layout.startswith("{name}"):
        (tmp_path / "a/license.txt").write_text("who may")
        (tmp_path / layout.format(split=case("train"), name="a", n="README").replace(".xyz", ".txt")).unlink()
    found = read("mine", entry(tmp_path, "folder"))
    assert {split: one.labels.tolist() for split, one in found.splits.items()} == {
        "train": [0, 1],
        "test": [0, 1],
        "val": [1],
    }
    np.testing.assert_allclose(found.splits["test"].points[1], clouds([0], 3)[0][0], rtol=1e-6)


def test_an_object_outside_the_splits_of_its_class_is_one_line(tmp_path):
    for n, place in enumerate(("a/train", "a/test", "b")):
        scan(tmp_path / place / "x.xyz", n)
    with pytest.raises(InputError, match=r"b/x.xyz: in no split, but other classes have folders train, val, test"):
        read("mine", entry(tmp_path, "folder"))
    (tmp_path / "a/Train").mkdir()
    with pytest.raises(InputError, match=r"a: folders Train and train: expected one of each split"):
        read("mine", entry(tmp_path, "folder"))


@pytest.mark.parametrize("again", ["train/a/again.xyz", "train/b/again.xyz", "test/a/again.xyz"])
def test_the_same_content_twice_names_both_files(again, tmp_path):
    for n, place in enumerate(("train/a", "train/b", "test/a", "test/b")):
        scan(tmp_path / place / "x.xyz", n)
    shutil.copy(tmp_path / "train/a/x.xyz", tmp_path / again)
    with pytest.raises(InputError, match="the same content as .*expected every object once") as error:
        read("mine", entry(tmp_path, "folder"))
    assert all(str(tmp_path / name) in str(error.value) for name in ("train/a/x.xyz", again))


def test_what_is_left_out_of_a_users_objects_is_one_note(tmp_path):
    for n, place in enumerate(("train/a", "test/a")):
        scan(tmp_path / place / "x.xyz", n)
        with open(tmp_path / place / "x.xyz", "a") as file:
            file.write("nan nan nan\n")
    [note] = read("mine", entry(tmp_path, "folder")).notes
    assert note.startswith(f"{tmp_path}/train/a/x.xyz: dropped 1 of 17 points that are NaN")
    assert note.endswith(", and 1 more such notes")


def test_a_table_names_files_classes_and_splits_in_its_order(tmp_path):
    rows = [("b.xyz", "sofa", "train"), ("deep/a.npy", "chair", "train"), ("c.ply", "chair", "test")]
    (tmp_path / "deep").mkdir()
    points = clouds([1, 0, 0], 0)[0]
    np.savetxt(tmp_path / "b.xyz", points[0], fmt="%.9g")
    np.save(tmp_path / "deep/a.npy", points[1])
    trimesh.PointCloud(points[2]).export(tmp_path / "c.ply")
    with open(tmp_path / "all.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    found = read("mine", entry(tmp_path / "all.csv", "folder"))
    assert found.classes == ("chair", "sofa")
    np.testing.assert_allclose(found.splits["train"].points, points[:2], rtol=1e-6)
    np.testing.assert_array_equal(found.splits["train"].labels, [1, 0])
    np.testing.assert_array_equal(found.splits["test"].labels, [0])


@pytest.mark.parametrize(
    ("name", "train", "test", "classes"), [("modelnet40", 127, 29, 40), ("modelnet10", 400, 200, 10)]
)
def test_the_official_modelnet_slices_read_whole(name, train, test, classes):
    folder = slice_folder(f"{name}_ply_hdf5_2048")
    points = read(name, entry(folder))
    assert (len(points.splits["train"].points), len(points.splits["test"].points)) == (train, test)
    assert len(points.classes) == classes
    with h5py.File(folder / "ply_data_test0.h5") as file:
        np.testing.assert_array_equal(points.splits["test"].points, file["data"])
        np.testing.assert_array_equal(points.splits["test"].labels, file["label"][:, 0])
    radius = np.linalg.norm(points.splits["train"].points, axis=2).max(axis=1)
    assert radius.min() > 0.98 and radius.max() < 1.01


def test_the_official_shapenetpart_slice_reads_whole():
    folder = slice_folder("shapenet_part_seg_hdf5_data")
    points = read("shapenetpart", entry(folder, "shapenetpart_hdf5"))
    assert [len(points.splits[split].labels) for split in ("train", "test")] == [7, 6]
    for split, found in points.splits.items():
        with h5py.File(folder / f"ply_data_{split}0.h5") as file:
            np.testing.assert_array_equal(found.points, file["data"])
            numbers = found.parts + raw_layouts.offsets()[found.labels][:, None]
            np.testing.assert_array_equal(numbers, file["pid"])
    assert {points.classes[label] for label in points.splits["train"].labels} <= {"cap", "skateboard", "table"}


def test_published_counts_are_held_against_what_is_found(tmp_path):
    raw_layouts.modelnet_hdf5(tmp_path)
    points = read("mine", entry(tmp_path))
    assert published_mismatch(points, entry(tmp_path, splits={"train": 5, "test": 1}, points=16)) is None
    odd = published_mismatch(points, entry(tmp_path, splits={"train": 9840, "test": 2468}))
    assert odd == "splits train 5, test 1, published are train 9840, test 2468"
    assert published_mismatch(points, entry(tmp_path, points=2048)) == "clouds of 16 points, published are 2048"


def test_farthest_points_equal_the_definition():
    points = np.random.default_rng(0).normal(size=(60, 3)).astype("f4")
    chosen = farthest_points(points, 12, 5)
    assert chosen[0] == 5
    for k in range(1, 12):
        distance = cdist(points, points[chosen[:k]]).min(axis=1)
        assert distance[chosen[k]] == pytest.approx(distance.max(), rel=1e-5)
    assert sorted(farthest_points(points, 60, 0)) == list(range(60))


@pytest.mark.parametrize("method", ["first", "farthest", "random"])
def test_fewer_points_are_some_of_the_clouds_with_their_parts(method):
    points = np.random.default_rng(0).normal(size=(4, 30, 3)).astype("f4")
    parts = np.arange(120).reshape(4, 30)
    thinned, again, other = (
        thin(Clouds(points, np.arange(4), parts), count=8, method=method, rng=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert thinned.points.shape == (4, 8, 3) and all(len(set(row)) == 8 for row in thinned.parts)
    np.testing.assert_array_equal(thinned.points.reshape(-1, 3), points.reshape(-1, 3)[thinned.parts.ravel()])
    np.testing.assert_array_equal(thinned.parts // 30, np.arange(4)[:, None].repeat(8, axis=1))
    np.testing.assert_array_equal(thinned.points, again.points)
    assert np.array_equal(thinned.points, other.points) == (method == "first")
    if method == "first":
        np.testing.assert_array_equal(thinned.points, points[:, :8])


def test_a_stratified_cut_takes_a_share_of_every_class():
    labels = np.array([0] * 20 + [1] * 5 + [2])
    kept, cut = stratified_cut(labels, fraction=0.2, seed=0)
    assert sorted([*kept, *cut]) == list(range(26))
    np.testing.assert_array_equal(np.bincount(labels[cut], minlength=3), [4, 1, 0])
    np.testing.assert_array_equal(stratified_cut(labels, fraction=0.2, seed=0)[1], cut)
    assert not np.array_equal(stratified_cut(labels, fraction=0.2, seed=1)[1], cut)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0, 0.9), st.integers(0, 9))
def test_the_validation_split_comes_from_train_alone(labels, fraction, seed):
    labels = np.array(labels)
    train = Clouds(np.arange(len(labels) * 3, dtype="f4").reshape(-1, 1, 3), labels)
    splits = {"train": train, "test": train}
    cut = with_validation(splits, fraction=fraction, seed=seed)
    assert cut["test"] is train
    if not fraction:
        assert cut == splits
        return
    rows = [cut[split].points[:, 0, 0] / 3 for split in ("train", "val")]
    assert sorted(np.concatenate(rows)) == list(range(len(labels)))
    assert set(cut["train"].labels) == set(labels)
    assert with_validation(cut, fraction=0.5, seed=0) is cut


def test_a_users_own_meshes_run_after_one_entry_in_params(tiny, tmp_path):
    checkout = tiny.copy(tmp_path / "copy")
    shapes = {"box": trimesh.creation.box, "round_thing": trimesh.creation.icosphere, "rod": trimesh.creation.cylinder}
    for name, make in shapes.items():
        folder = tmp_path / "scans" / name
        folder.mkdir(parents=True)
        for number in range(4):
            mesh = make(radius=1, height=9) if name == "rod" else make()
            mesh.apply_scale((1, 1 + number, 1)).export(folder / f"{number}.stl")
    path = checkout.root / "params.yaml"
    document = yaml.safe_load(path.read_text())
    document["dataset"]["my_scans"] = {
        "reader": "folder",
        "path": str(tmp_path / "scans"),
        "up_axis": "z",
        "points": 300,
        "test_share": 0.25,
        "display_names": {"round_thing": "ball"},
        "licence": "my own",
    }
    for axis in ("datasets", "classification"):
        document["select"][axis].append("my_scans")
    # no language model has written about these classes, so the pipeline does without its sentences
    document["generate"]["sets"] = []
    for section, key in (("embed", "sets"), ("search", "candidates")):
        document[section][key] = [name for name in document[section][key] if not name.startswith("llm_")]
    protocols = document["evaluate"]["protocols"]
    document["evaluate"]["protocols"] = {name: one for name, one in protocols.items() if not one.startswith("llm_")}
    document["segment"]["protocols"] = {"templates": "parts"}
    document["download"] |= {"num_points": 200, "sampling": "farthest", "validation_fraction": 0.34}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    for stage in checkout.stages():
        if "my_scans" in stage.name:
            checkout.run_stage(stage)
    with open_points(checkout.root / "data/points/my_scans") as points:
        assert (points.classes, points.up_axis) == (("box", "rod", "round_thing"), "z")
        found = {split: points.points(split).shape for split in points.splits}
    assert found == {"train": (6, 200, 3), "val": (3, 200, 3), "test": (3, 200, 3)}
    texts = read_prompts(checkout.root / "data/features/my_scans/bundled/prompts.parquet").texts
    assert any("ball" in text for text in texts) and not any("round thing" in text for text in texts)
    assert read_json(checkout.root / "reports/metrics/my_scans/bundled.json")["samples"] == 3


OUTSIDE = """
import numpy as np
from stages.artifacts.types import Clouds, PointCloudDataset

def read(path, entry):
    points = np.loadtxt(path, dtype="f4")[None]
    clouds = Clouds(points, np.zeros(1, int))
    return PointCloudDataset(("thing",), entry.up_axis, {"train": clouds, "test": clouds})
"""


def test_a_reader_from_outside_is_named_in_the_entry(tmp_path, monkeypatch):
    (tmp_path / "someones_reader.py").write_text(OUTSIDE)
    np.savetxt(tmp_path / "points.txt", np.eye(3))
    monkeypatch.syspath_prepend(tmp_path)
    dataset = read("theirs", entry(tmp_path / "points.txt", "someones_reader:read"))
    np.testing.assert_array_equal(dataset.splits["test"].points, np.eye(3)[None])
    with pytest.raises(InputError, match=r"dataset.theirs.reader 'someones_reader:raed': not found \(module"):
        read("theirs", entry(tmp_path, "someones_reader:raed"))
    with pytest.raises(InputError, match=r"dataset.theirs.reader 'nobodys:read': not found \(No module named"):
        read("theirs", entry(tmp_path, "nobodys:read"))
