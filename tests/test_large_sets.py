"""Large sets: read piece by piece, bad objects listed and left out, the readers of layouts of that scale."""

import csv
import gzip
import json
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import raw_layouts
import yaml
from hypothesis import given
from hypothesis import strategies as st
from raw_layouts import clouds

from stages import download
from stages.artifacts.points import open_points
from stages.artifacts.types import Clouds
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.datasets import reading
from stages.datasets.formats.geometry import FormatError
from stages.datasets.formats.pickled import read_dictionary
from stages.datasets.reading import CloudsOnDisk, Reading, pieces
from stages.datasets.registry import open_dataset, read
from stages.datasets.sampling import thin

ROOT = Path(__file__).parents[1]


def entry(path, reader, **options):
    return Dataset(reader=reader, path=str(path), up_axis="y", licence="test", **options)


@pytest.fixture
def project(tmp_path):
    """A folder with params.yaml in which `run(reader, ...)` downloads what lies in raw/."""
    (tmp_path / "raw").mkdir()

    def run(reader, *, options=None, **settings):
        document = yaml.safe_load((ROOT / "params.yaml").read_text())
        document["dataset"]["mine"] = {"reader": reader, "path": str(tmp_path / "raw"), "up_axis": "y", "licence": "t"}
        document["dataset"]["mine"] |= options or {}
        document["download"] |= settings
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
        download.main("mine", root=tmp_path)

    return tmp_path, run


def contents_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rejected(root):
    with (root / "data/points/mine.rejected.csv").open() as file:
        return list(csv.reader(file))


# pieces


@pytest.mark.parametrize("method", ["first", "farthest", "random"])
def test_pieces_are_thinned_as_the_whole_is(method):
    points = np.random.default_rng(0).normal(size=(7, 30, 3)).astype("f4")
    whole, rng = Clouds(points, np.arange(7)), np.random.default_rng(3)
    parts = [whole.rows(slice(start, start + 2)) for start in range(0, 7, 2)]
    thinned = [thin(part, count=8, method=method, rng=rng).points for part in parts]
    expected = thin(whole, count=8, method=method, rng=np.random.default_rng(3)).points
    np.testing.assert_array_equal(np.concatenate(thinned), expected)


@given(st.integers(0, 12), st.integers(1, 5), st.sets(st.integers(0, 11)))
def test_pieces_hold_every_cloud_once_in_order_but_the_rejected(samples, piece, bad):
    def read_rows(rows, found):
        kept = [row for row in rows if row not in bad]
        for row in rows:
            if row in bad:
                found.reject(f"object {row}", InputError(f"object {row}: bad"))
        return Clouds(np.full((len(kept), 2, 3), 0, "f4"), np.array(kept, np.int64))

    split, found = (
        CloudsOnDisk(np.arange(samples), Path("mine"), read_rows),
        Reading(objects=samples, reject_at_most=12),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PIECE", piece)
        labels = [label for part in pieces(split, found) for label in part.labels]
    assert labels == [row for row in range(samples) if row not in bad]
    assert found.rejected == [(f"object {row}", "bad") for row in range(samples) if row in bad]


def test_a_download_is_the_same_in_pieces_of_any_length(project, monkeypatch):
    root, run = project
    raw_layouts.modelnet_hdf5(root / "raw")
    written = []
    for piece in (1, 2, 256):
        monkeypatch.setattr(reading, "PIECE", piece)
        run("modelnet_hdf5", options={"num_points": 9}, sampling="random", validation_fraction=0.3)
        with open_points(root / "data/points/mine") as points:
            written.append({split: (points.points(split), points.labels(split)) for split in points.splits})
    for found in written[1:]:
        for split, arrays in written[0].items():
            for first, other in zip(arrays, found[split], strict=True):
                np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("reader", ["modelnet_hdf5", "folder", "modelnet40_c", "objaverse_openshape", "parquet"])
def test_a_split_is_read_when_it_is_asked_for(reader, tmp_path):
    expected = raw_layouts.LAYOUTS[reader](tmp_path)
    splits = open_dataset("mine", entry(tmp_path, reader)).splits
    for name, (points, labels, _) in expected.items():
        assert isinstance(splits[name], CloudsOnDisk)
        some = splits[name].rows(np.arange(0, len(labels), 2))
        [piece] = pieces(some, Reading())
        np.testing.assert_array_equal(piece.points, points[::2])
        np.testing.assert_array_equal(piece.labels, labels[::2])


def test_memory_does_not_grow_with_the_number_of_clouds(tmp_path):
    peaks = []
    for samples in (1000, 8000):
        path = tmp_path / f"{samples}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("data", (samples, 200, 3), "f4", fillvalue=1.0)
            file["label"] = np.zeros(samples, "u1")
        folder = tmp_path / str(samples)
        folder.mkdir()
        (folder / "shape_names.txt").write_text("thing\n")
        for split in ("train", "test"):
            (folder / f"{split}_files.txt").write_text("a.h5\n")
        path.rename(folder / "a.h5")
        tracemalloc.start()
        for split in open_dataset("mine", entry(folder, "modelnet_hdf5")).splits.values():
            assert sum(len(piece.labels) for piece in pieces(split, Reading())) == samples
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20 < 8000 * 200 * 12 / 4  # the labels of 7,000 more, and not their points


# bad objects


def mixed_folder(root):
    """Train and test clouds of two classes, of which a test and a train one cannot be read."""
    raw_layouts.folder(root / "raw")
    (root / "raw/test/chair/0.npy").write_bytes(b"no array")
    (root / "raw/train/night_stand/9.off").write_text("OFF\n3 1 0\n0 0 0\n")


def test_the_first_bad_object_ends_the_run_by_default(project):
    root, run = project
    mixed_folder(root)
    with pytest.raises(InputError, match=r"^\S+/train/night_stand/9\.off: not a readable off file"):
        run("folder")
    assert not (root / "data/points").exists() or list((root / "data/points").iterdir()) == []


def test_bad_objects_up_to_the_limit_are_listed_and_left_out(project, capsys):
    root, run = project
    mixed_folder(root)
    for limit in (2, 0.4):  # of six objects two
        run("folder", reject_at_most=limit)
        header, first, second = rejected(root)
        assert header == ["object", "reason"]
        assert first[0].endswith("raw/train/night_stand/9.off") and first[1].startswith("not a readable off file")
        assert second[0].endswith("raw/test/chair/0.npy") and second[1].startswith("not a readable npy file")
        assert "note: 2 objects were left out, " in capsys.readouterr().err
        with open_points(root / "data/points/mine") as points:
            np.testing.assert_array_equal(points.labels("train"), [0, 0, 1])
            np.testing.assert_array_equal(points.labels("test"), [1])


@pytest.mark.parametrize("limit", [1, 0.2])
def test_more_bad_objects_than_allowed_end_the_run_and_leave_what_was_there(project, limit):
    root, run = project
    mixed_folder(root)
    run("folder", reject_at_most=2)
    before = contents_of(root / "data/points")
    with pytest.raises(InputError, match="0.npy: .*; more than the 1 objects of params.yaml: download.reject_at_most"):
        run("folder", reject_at_most=limit)
    assert contents_of(root / "data/points") == before


def test_a_twin_is_a_bad_object_too(project):
    root, run = project
    raw_layouts.folder(root / "raw")
    (root / "raw/test/chair/twin.npy").write_bytes((root / "raw/train/chair/0.npy").read_bytes())
    run("folder", reject_at_most=1)
    [_, (what, why)] = rejected(root)
    assert what.endswith("test/chair/twin.npy") and why.startswith("the same content as ")
    with pytest.raises(InputError, match="twin.npy: the same content as"):
        run("folder")


def test_a_table_that_names_a_file_twice_is_wrong_whatever_may_be_rejected(project):
    root, run = project
    raw_layouts.folder(root / "raw")
    lines = ["path,label,split", "train/chair/0.npy,chair,train", "train/chair/0.npy,chair,test"]
    (root / "raw/all.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match="0.npy: the same content as"):
        run("folder", options={"path": str(root / "raw/all.csv")}, reject_at_most=5)


def test_a_cloud_that_is_not_finite_is_left_out_of_a_shard(project):
    root, run = project
    raw_layouts.modelnet_hdf5(root / "raw")
    with h5py.File(root / "raw/train0.h5", "a") as file:
        file["data"][1, 3, 0] = np.nan
    run("modelnet_hdf5", reject_at_most=1)
    assert rejected(root)[1:] == [[f"{root}/raw/train0.h5: data sample 1", "has values that are not finite"]]
    with open_points(root / "data/points/mine") as points:
        np.testing.assert_array_equal(points.labels("train"), [1, 0, 0, 1])


def test_a_bad_copy_of_modelnet40_c_is_never_left_out(project):
    root, run = project
    raw_layouts.modelnet40_c(root / "raw")
    values = np.load(root / "raw/data_cutout_2.npy")
    values[1, 0, 0] = np.inf
    np.save(root / "raw/data_cutout_2.npy", values)
    with pytest.raises(InputError, match="data_cutout_2.npy: cloud 1 has values that are not finite"):
        run("modelnet40_c", reject_at_most=9)


def test_a_split_of_bad_objects_alone_is_an_error(project):
    root, run = project
    raw_layouts.folder(root / "raw")
    for file in (root / "raw/test").rglob("*.npy"):
        file.write_bytes(b"none")
    with pytest.raises(InputError, match="split test has no object that can be read"):
        run("folder", reject_at_most=0.9)


def test_a_good_set_has_an_empty_list(project):
    root, run = project
    raw_layouts.folder(root / "raw")
    run("folder")
    assert rejected(root) == [["object", "reason"]]


@pytest.mark.parametrize("reader", ["shapenetpart_hdf5", "modelnet40_c"])
def test_copies_are_made_of_clouds_without_parts_or_copies(reader, project):
    root, run = project
    {"shapenetpart_hdf5": raw_layouts.shapenetpart_h5, "modelnet40_c": raw_layouts.modelnet40_c}[reader](root / "raw")
    with pytest.raises(InputError, match=r"^params.yaml: dataset.mine.corrupted: expected null but for clouds without"):
        run(reader, options={"corrupted": {"severities": [1]}})
    assert not (root / "data").exists()


# layouts


def test_objaverse_meshes_come_by_class_and_uid(tmp_path):
    [(sizes, labels, _)] = raw_layouts.objaverse(tmp_path).values()
    found = read("o", entry(tmp_path, "objaverse", points=4000))
    assert (found.classes, list(found.splits)) == (("Bible", "mug"), ["test"])
    np.testing.assert_array_equal(found.splits["test"].labels, labels)
    np.testing.assert_allclose(np.ptp(found.splits["test"].points, axis=1), sizes, rtol=2e-2)
    assert found.notes[0].endswith(": 3 of 4 annotated objects are there")


def test_openshapes_clouds_are_brought_to_the_points_of_the_entry(tmp_path):
    raw_layouts.openshape(tmp_path)
    assert read("o", entry(tmp_path, "objaverse_openshape", points=5)).splits["test"].points.shape == (3, 5, 3)


def repacked(name, change):
    """Change the JSON of a packed file."""

    def damage(root):
        content = json.loads(gzip.decompress((root / name).read_bytes()))
        (root / name).write_bytes(gzip.compress(json.dumps(change(content)).encode()))

    return damage


def no_glbs(root):
    for file in root.rglob("*.glb"):
        file.unlink()


def rewrite(name, content):
    return lambda root: (root / name).write_bytes(content)


def array(name, values):
    return lambda root: np.save(root / name, values, allow_pickle=True)


def table(**columns):
    return lambda root: pq.write_table(pa.table(columns), root / "c.parquet")


LISTED = "meta_data/split/lvis.json"
UID0 = "Objaverse/000-000/uid0.npy"
CLOUDS, LABELS, _ = clouds([0, 1], 5)
LISTS = list(CLOUDS.reshape(2, -1))

BAD = {  # layout, damage, what the line names
    "no annotations": ("objaverse", lambda root: (root / "lvis-annotations.json.gz").unlink(), "lvis-annotations"),
    "not gzip": ("objaverse", rewrite("object-paths.json.gz", b"{}"), "object-paths.json.gz: not readable JSON"),
    "cut gzip": ("objaverse", rewrite("object-paths.json.gz", gzip.compress(b"{}")[:-6]), "not readable JSON"),
    "no objects": ("objaverse", no_glbs, "none of the 4 annotated objects, such as glbs/000-000/c.glb"),
    "a uid without a path": (
        "objaverse",
        repacked("object-paths.json.gz", lambda paths: {uid: paths[uid] for uid in "abc"}),
        "object-paths.json.gz: no path of 'missing'",
    ),
    "annotations of another kind": ("objaverse", repacked("lvis-annotations.json.gz", list), "of uids by class"),
    "uids of another kind": (
        "objaverse",
        repacked("lvis-annotations.json.gz", lambda _: {"mug": 3}),
        "of uids by class",
    ),
    "no annotated uid": ("objaverse", repacked("lvis-annotations.json.gz", lambda _: {}), "none of the 0 annotated"),
    "no list": ("openshape", lambda root: (root / LISTED).unlink(), "lvis.json: no such file"),
    "an empty list": ("openshape", rewrite(LISTED, b"[]"), "lvis.json: expected a list of objects"),
    "an object without a class": ("openshape", rewrite(LISTED, b'[{"uid": "a"}]'), "object 0 has no category"),
    "a cloud that is missing": ("openshape", lambda root: (root / UID0).unlink(), "uid0.npy: no such file"),
    "a cloud of numbers": ("openshape", array(UID0, np.ones((4, 3))), "uid0.npy: float64 [4, 3], expected one pickled"),
    "a cloud of a list": ("openshape", array(UID0, np.array(None)), "uid0.npy: a pickled NoneType, expected a dict"),
    "a cloud without xyz": ("openshape", array(UID0, {"rgb": np.ones((4, 3))}), "uid0.npy: no array xyz [P, 3]"),
    "a cloud of one place": ("openshape", array(UID0, {"xyz": np.ones((4, 3))}), "uid0.npy: xyz without two different"),
    "a cut cloud": (
        "openshape",
        lambda root: (root / UID0).write_bytes((root / UID0).read_bytes()[:-40]),
        "uid0.npy: not a",
    ),
    "no labels": ("modelnet40_c", lambda root: (root / "label.npy").unlink(), "expected one folder with label.npy"),
    "too few labels": ("modelnet40_c", array("label.npy", np.zeros(2, int)), "3 clouds, label.npy has 2 labels"),
    "a label of no class": (
        "modelnet40_c",
        array("label.npy", np.array([0, 1, 40])),
        "label from 0 to 40, expected 0 to 39",
    ),
    "no clean clouds": (
        "modelnet40_c",
        lambda root: (root / "data_original.npy").unlink(),
        "data_original.npy: no such",
    ),
    "no corruption": (
        "modelnet40_c",
        lambda root: [(root / f"data_{name}.npy").unlink() for name in ("rotation_1", "cutout_2")],
        "no data_<corruption>_<severity>.npy, such as data_occlusion_1.npy",
    ),
    "flat clouds": ("modelnet40_c", array("data_cutout_2.npy", np.ones((3, 36))), "shape [3, 36], expected [N, P, 3]"),
    "words": ("modelnet40_c", array("data_cutout_2.npy", np.full((3, 4, 3), "a")), "data_cutout_2.npy: <U1, expected"),
    "a pickle": ("modelnet40_c", array("data_cutout_2.npy", {"a": 1}), "data_cutout_2.npy: not an array of numbers"),
    "not finite": (
        "modelnet40_c",
        array("data_cutout_2.npy", np.full((3, 4, 3), np.nan)),
        "data_cutout_2.npy: cloud 0 has values that are not finite",
    ),
    "not Parquet": ("parquet", rewrite("c.parquet", b"PAR1"), "c.parquet: not a readable Parquet file"),
    "no row": (
        "parquet",
        lambda root: [pq.write_table(pq.read_table(file).slice(0, 0), file) for file in root.glob("*.parquet")],
        "no row, expected a cloud a row",
    ),
    "no points": ("parquet", table(label=["chair"]), "c.parquet: no column points; it has label"),
    "no label": ("parquet", table(points=LISTS), "c.parquet: no column label"),
    "words for points": ("parquet", table(points=["a"], label=["chair"]), "column points is string, expected lists"),
    "two numbers a point": ("parquet", table(points=[[0.0, 1.0]], label=["chair"]), "three numbers a point"),
    "lists of two lengths": ("parquet", table(points=[[0.0] * 3, [1.0] * 6], label=["a", "b"]), "lists of one length"),
    "another split": ("parquet", table(points=LISTS, label=["a", "b"], split=["test", "dev"]), "split dev, expected"),
    "a missing label": ("parquet", table(points=LISTS, label=["a", None]), "row 1 of group 0 has label None"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_layout_is_one_line_that_names_it(name, tmp_path):
    layout, damage, words = BAD[name]
    getattr(raw_layouts, layout)(tmp_path)
    damage(tmp_path)
    reader = {"openshape": "objaverse_openshape"}.get(layout, layout)
    options = {"points": 50} if layout == "objaverse" else {}
    with pytest.raises(InputError) as error:
        read("mine", entry(tmp_path, reader, **options))
    assert words in str(error.value) and "\n" not in str(error.value)


class Harmful:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return (print, ("harm",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    for value in ({"xyz": Harmful()}, Harmful()):
        np.save(tmp_path / "a.npy", np.array(value, object), allow_pickle=True)
        with pytest.raises(FormatError, match="its pickle asks for builtins.print, which may run code"):
            read_dictionary((tmp_path / "a.npy").read_bytes())
    assert "harm" not in capsys.readouterr().out


def test_shards_are_read_over_their_borders(tmp_path):
    raw_layouts.modelnet_hdf5(tmp_path)
    split = open_dataset("m", entry(tmp_path, "modelnet_hdf5")).splits["train"]
    whole = read("m", entry(tmp_path, "modelnet_hdf5")).splits["train"]
    for rows in ([0], [1, 2], [0, 4], [2, 3, 4], []):
        found = split.read(np.array(rows, np.int64), Reading())
        np.testing.assert_array_equal(found.points, whole.points[rows])
        np.testing.assert_array_equal(found.labels, whole.labels[rows])
