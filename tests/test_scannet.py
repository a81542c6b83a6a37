"""ScanNet's reader on both layouts: boxes and splits come out as written, and a bad file is one line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import trimesh

from stages.artifacts.types import Scenes
from stages.config.dataset import Dataset
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.datasets import scannet
from stages.datasets.registry import read

SLICES = Path(os.environ.get("SLICES_DIR", Path(__file__).parents[2] / "shared/data"))
CLASSES = tuple(scannet.CLASSES.values())
ENTRY = load_params(Path(__file__).parents[1]).dataset_entry("scannet")
BOXES = np.array([[0, 0, 0.5, 1, 1, 1, 5], [1, 1, 0.5, 1, 2, 1, 39], [2, 2, 1, 1, 1, 2, 40]], float)


def write_prepared(folder, name, *, points=None, boxes=BOXES):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    np.save(folder / f"{name}_vert.npy", rng.random((50, 6), "f4") if points is None else points)
    np.save(folder / f"{name}_bbox.npy", boxes)


def write_raw(root, name, *, label="office chair", alignment="1 0 0 2 0 1 0 0 0 0 1 0 0 0 0 1", segments=(0, 0, 1, 1)):
    """Four vertices in two segments, of which segment 1 is an object; everything moves by 2 m along x."""
    folder = root / name
    folder.mkdir(parents=True)
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 3, 2]], float)
    trimesh.Trimesh(vertices, [[0, 1, 2], [1, 2, 3]], process=False).export(folder / f"{name}_vh_clean_2.ply")
    (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps({"segIndices": list(segments)}))
    (folder / f"{name}.aggregation.json").write_text(
        json.dumps({"segGroups": [{"objectId": 0, "label": label, "segments": [1]}]})
    )
    (folder / f"{name}.txt").write_text(f"axisAlignment = {alignment}\nnumColorFrames = 1\n")
    (root / scannet.LABELS).write_text(
        "id\traw_category\tnyu40id\n1\toffice chair\t5\n2\twall\t1\n3\tceiling fan\t40\n4\tnew thing\t41\n"
        "5\tunnamed\t\n"
    )


def test_prepared_scans_keep_the_boxes_of_the_18_classes(tmp_path):
    write_prepared(tmp_path, "scene0001_00")
    scenes = scannet.read(tmp_path, ENTRY)
    (scan,) = scenes.splits["train"]
    assert scenes.classes == CLASSES and len(CLASSES) == 18 and scenes.up_axis == "z"
    np.testing.assert_array_equal(scan.labels, [CLASSES.index("chair"), CLASSES.index("garbage_bin")])
    np.testing.assert_array_equal(scan.boxes, BOXES[:2, :6].astype("f4"))
    np.testing.assert_array_equal(scan.points, np.random.default_rng(0).random((50, 6), "f4")[:, :3])


@pytest.mark.parametrize("place", [".", "..", "../meta_data"])
def test_the_list_files_give_the_splits(place, tmp_path):
    folder = tmp_path / "scans"
    for name in ("scene0000_00", "scene0001_00", "scene0002_00"):
        write_prepared(folder, name)
    (folder / place).mkdir(exist_ok=True)
    (folder / place / "scannetv2_train.txt").write_text("scene0001_00\nscene0500_00\n")
    (folder / place / "scannetv2_val.txt").write_text("scene0000_00\n")
    names = {split: [scan.name for scan in scans] for split, scans in scannet.read(folder, ENTRY).splits.items()}
    assert names == {"train": ["scene0001_00"], "test": ["scene0000_00"]}


@pytest.mark.parametrize("moved", [0.0, 1000.0, 5e6])
def test_a_scan_in_coordinates_of_the_earth_keeps_its_shape(moved, tmp_path):
    points = np.random.default_rng(0).random((50, 3))
    write_prepared(tmp_path, "scene0001_00", points=points + moved, boxes=BOXES + np.array([moved] * 3 + [0] * 4))
    (scan,) = scannet.read(tmp_path, ENTRY).splits["train"]
    first = scan.points[0] - points[0]
    np.testing.assert_allclose(scan.points - first, points, atol=1e-4)
    np.testing.assert_allclose(scan.boxes[:, :3] - first, BOXES[:2, :3], atol=1e-4)
    np.testing.assert_array_equal(scan.boxes[:, 3:], BOXES[:2, 3:6])
    assert np.abs(scan.points).max() < 2 if moved > 2000 else scan.points.min() >= moved


def test_lists_that_name_no_scan_are_one_line(tmp_path):
    write_prepared(tmp_path, "scene0000_00")
    (tmp_path / "scannetv2_val.txt").write_text("scene0500_00\n")
    with pytest.raises(InputError, match=r"no scan that scannetv2_train.txt or scannetv2_val.txt names"):
        scannet.read(tmp_path, ENTRY)


def test_raw_scans_are_aligned_and_their_objects_enclosed(tmp_path):
    write_raw(tmp_path, "scene0000_00")
    (scan,) = scannet.read(tmp_path, ENTRY).splits["train"]
    np.testing.assert_allclose(scan.points, [[2, 0, 0], [3, 0, 0], [3, 1, 0], [3, 3, 2]])
    np.testing.assert_allclose(scan.boxes, [[3, 2, 1, 0, 2, 2]])
    assert CLASSES[scan.labels[0]] == "chair"


def test_a_raw_object_of_another_class_is_dropped(tmp_path):
    write_raw(tmp_path, "scene0000_00", label="ceiling fan")
    (scan,) = scannet.read(tmp_path, ENTRY).splits["train"]
    assert scan.boxes.shape == (0, 6) and scan.labels.shape == (0,)


def test_an_object_whose_label_has_no_nyu40_id_is_dropped(tmp_path):
    write_raw(tmp_path, "scene0000_00", label="unnamed")
    (scan,) = scannet.read(tmp_path, ENTRY).splits["train"]
    assert scan.boxes.shape == (0, 6)


def test_scans_without_list_files_are_never_test(tmp_path):
    for name in ("scene0000_00", "scene0001_00"):
        write_prepared(tmp_path, name)
    scenes = scannet.read(tmp_path, ENTRY)
    assert {split: len(scans) for split, scans in scenes.splits.items()} == {"train": 2}
    note = f"{tmp_path}: no scannetv2_train.txt and scannetv2_val.txt: its 2 scans are called train, none test"
    assert scenes.notes == (note,)


def test_scans_without_alignment_stay_as_they_are_and_are_counted(tmp_path):
    for name in ("scene0000_00", "scene0001_00"):
        write_raw(tmp_path, name)
    (tmp_path / "scene0001_00/scene0001_00.txt").write_text("numColorFrames = 1\n")
    scenes = scannet.read(tmp_path, ENTRY)
    moved, unmoved = scenes.splits["train"]
    np.testing.assert_allclose(moved.points - unmoved.points, np.tile([2, 0, 0], (4, 1)))
    np.testing.assert_allclose(unmoved.boxes, [[1, 2, 1, 0, 2, 2]])
    assert scenes.notes[0] == f"{tmp_path}: 1 of 2 scans without axisAlignment, left as they are: first scene0001_00"


def test_text_that_is_not_utf_8_is_read(tmp_path):
    write_raw(tmp_path, "scene0000_00", label="caf\u00e9 chair")
    folder = tmp_path / "scene0000_00"
    table = (tmp_path / scannet.LABELS).read_text() + "6\tcaf\u00e9 chair\t5\n"
    (tmp_path / scannet.LABELS).write_bytes(table.encode("latin-1"))
    groups = folder / "scene0000_00.aggregation.json"
    groups.write_bytes(json.dumps(json.loads(groups.read_text()), ensure_ascii=False).encode("latin-1"))
    (tmp_path / "scannetv2_val.txt").write_bytes(b"scene0000_00\nsc\xe8ne\n")
    (scan,) = scannet.read(tmp_path, ENTRY).splits["test"]
    assert CLASSES[scan.labels[0]] == "chair"


def test_the_label_table_may_lie_where_the_downloader_puts_it(tmp_path):
    write_raw(tmp_path / "scans", "scene0000_00")
    (tmp_path / "scans" / scannet.LABELS).rename(tmp_path / scannet.LABELS)
    assert len(scannet.read(tmp_path / "scans", ENTRY).splits["train"]) == 1


def test_a_large_scan_is_thinned_the_same_way_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(scannet, "MOST_POINTS", 20)
    write_prepared(tmp_path, "scene0000_00")
    first, again = (scannet.read(tmp_path, ENTRY).splits["train"][0].points for _ in range(2))
    assert first.shape == (20, 3)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": np.empty((0, 6), "f4")}, "scene0000_00_vert.npy: no points"),
        ({"points": np.full((4, 6), np.nan, "f4")}, "scene0000_00_vert.npy: has values that are not finite"),
        ({"points": np.zeros((4, 2), "f4")}, r"scene0000_00_vert.npy: shape \[4, 2\], expected \[N, 3 or more\]"),
        ({"boxes": np.zeros((4, 6))}, r"scene0000_00_bbox.npy: shape \[4, 6\], expected \[N, 7 or more\]"),
        ({"boxes": BOXES * [1, 1, 1, -1, 1, 1, 1]}, r"scene0000_00_bbox.npy: box 0 is .*no size below 0"),
        ({"boxes": BOXES + [0, 0, 0, 0, 0, 0, 1]}, "scene0000_00_bbox.npy: nyu40 id 41, expected a whole number"),
        ({"boxes": BOXES + [0, 0, 0, 0, 0, 0, 0.5]}, "scene0000_00_bbox.npy: nyu40 id 5.5, expected a whole number"),
    ],
)
def test_a_bad_prepared_scan_is_one_line(changes, message, tmp_path):
    write_prepared(tmp_path, "scene0000_00", **changes)
    with pytest.raises(InputError, match=message):
        scannet.read(tmp_path, ENTRY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "throne"}, "aggregation.json: label 'throne' is not in scannetv2-labels.combined.tsv"),
        ({"label": "new thing"}, "aggregation.json: nyu40 id 41"),
        ({"alignment": "1 0 0"}, "scene0000_00.txt: expected a line 'axisAlignment = ' with 16 numbers"),
        ({"segments": (0, 1)}, "4 vertices, but its segs.json has 2 segIndices"),
    ],
)
def test_a_bad_raw_scan_is_one_line(changes, message, tmp_path):
    write_raw(tmp_path, "scene0000_00", **changes)
    with pytest.raises(InputError, match=message):
        scannet.read(tmp_path, ENTRY)


@pytest.mark.parametrize("missing", ["scene0000_00.txt", "scene0000_00.aggregation.json", scannet.LABELS])
def test_a_missing_raw_file_is_named(missing, tmp_path):
    write_raw(tmp_path, "scene0000_00")
    next(tmp_path.rglob(missing)).unlink()
    with pytest.raises(InputError, match=missing):
        scannet.read(tmp_path, ENTRY)


def test_a_damaged_mesh_and_a_folder_without_scans_are_one_line(tmp_path):
    with pytest.raises(InputError, match="no scan, expected <scan>_vert.npy or"):
        scannet.read(tmp_path, ENTRY)
    write_raw(tmp_path, "scene0000_00")
    (tmp_path / "scene0000_00/scene0000_00_vh_clean_2.ply").write_text("not a mesh")
    with pytest.raises(InputError, match="scene0000_00_vh_clean_2.ply: not a readable PLY file"):
        scannet.read(tmp_path, ENTRY)


def test_the_official_slice_reads_whole():
    folder = SLICES / "scannet_train_detection_data"
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} in SLICES_DIR ({SLICES})")
    entry = Dataset(reader="scannet", path=str(folder), up_axis="z", licence="signed terms")
    scenes = read("scannet", entry)
    assert isinstance(scenes, Scenes)
    boxes = {scan.name: len(scan.boxes) for scan in scenes.splits["train"]}
    assert boxes["scene0000_00"] == 27
