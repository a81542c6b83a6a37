"""Readers: what is in the files comes out in the files' order, and a bad file is one line."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from stages import settings
from stages.datasets import read
from stages.datasets.sampling import farthest_points
from stages.datasets.splits import stratified_cut
from stages.errors import InputError

SLICES = Path(os.environ.get("SLICES_DIR", Path(__file__).parents[2] / "shared/data"))


def entry(path, reader="modelnet_hdf5", classes=None):
    return settings.Dataset(reader=reader, path=str(path), up_axis="y", classes=classes, licence="test")


def write_shard(path, labels, points=8, **changes):
    data = np.random.default_rng(len(labels)).normal(size=(len(labels), points, 3)).astype("f4")
    with h5py.File(path, "w") as file:
        for key, values in ({"data": data, "label": np.array(labels, "u1")[:, None]} | changes).items():
            if values is not None:
                file[key] = values
    return data


@pytest.fixture
def modelnet(tmp_path):
    """A folder in ModelNet's layout: two train shards and one test shard, with list files as they are published."""
    (tmp_path / "shape_names.txt").write_text("chair\nnight_stand\n")
    (tmp_path / "train_files.txt").write_text("data/modelnet/train1.h5\ndata/modelnet/train0.h5\n")
    (tmp_path / "test_files.txt").write_text("data/modelnet/test0.h5\n")
    for name, labels in (("train0.h5", [0, 1, 1]), ("train1.h5", [1, 0]), ("test0.h5", [0])):
        write_shard(tmp_path / name, labels)
    return tmp_path


def test_modelnet_reads_all_shards_in_the_order_of_the_list(modelnet):
    points = read("mine", entry(modelnet))
    assert points.classes == ("chair", "night_stand")
    np.testing.assert_array_equal(points.splits["train"].labels, [1, 0, 0, 1, 1])
    with h5py.File(modelnet / "train1.h5") as first:
        np.testing.assert_array_equal(points.splits["train"].points[:2], first["data"][:])
    assert points.splits["test"].points.shape == (1, 8, 3)


def test_points_that_are_not_finite_are_named(modelnet):
    data = np.zeros((3, 8, 3), "f4")
    data[1, 2, 0] = np.nan
    write_shard(modelnet / "train0.h5", [0, 1, 1], data=data)
    with pytest.raises(InputError, match=r"train0.h5: data sample 1 has values that are not finite"):
        read("mine", entry(modelnet))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": None}, "train0.h5: no key /data"),
        ({"label": None}, "train0.h5: no key /label"),
        ({"label": np.zeros((2, 1), "u1")}, "train0.h5: label has 2 rows, data has 3"),
        ({"label": np.full((3, 1), 2, "u1")}, "train0.h5: label from 2 to 2, expected 0 to 1"),
        ({"data": np.zeros((3, 8), "f4")}, r"train0.h5: /data has shape \[3, 8\], expected \[N, P, 3\]"),
        ({"data": np.zeros((3, 9, 3), "f4")}, r"train_files.txt: shards differ in points a cloud: \[8, 9\]"),
    ],
)
def test_a_bad_shard_is_one_line(changes, message, modelnet):
    write_shard(modelnet / "train0.h5", [0, 1, 1], **changes)
    with pytest.raises(InputError, match=message):
        read("mine", entry(modelnet))


def test_missing_and_damaged_files_are_one_line(modelnet):
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        read("mine", entry("nowhere"))
    with pytest.raises(InputError, match=r"dataset.mine.reader 'x': expected one of home_objects, modelnet_hdf5"):
        read("mine", entry(modelnet, reader="x"))
    with pytest.raises(InputError, match=r"classes chair, night_stand differ from params.yaml: dataset.mine.classes"):
        read("mine", entry(modelnet, classes=("chair", "sofa")))
    (modelnet / "test0.h5").write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="test0.h5: not a readable HDF5 file"):
        read("mine", entry(modelnet))
    (modelnet / "shape_names.txt").unlink()
    with pytest.raises(InputError, match="shape_names.txt: no such file"):
        read("mine", entry(modelnet))


@pytest.mark.parametrize(
    ("name", "train", "test", "classes"), [("modelnet40", 127, 29, 40), ("modelnet10", 400, 200, 10)]
)
def test_the_official_slices_read_whole(name, train, test, classes):
    folder = SLICES / f"{name}_ply_hdf5_2048"
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} in SLICES_DIR ({SLICES})")
    points = read(name, entry(folder))
    assert (len(points.splits["train"].points), len(points.splits["test"].points)) == (train, test)
    assert len(points.classes) == classes
    radius = np.linalg.norm(points.splits["train"].points, axis=2).max(axis=1)
    assert radius.min() > 0.98 and radius.max() < 1.01


def test_farthest_points_equal_the_definition():
    points = np.random.default_rng(0).normal(size=(60, 3)).astype("f4")
    chosen = farthest_points(points, 12, 5)
    assert chosen[0] == 5
    for k in range(1, 12):
        distance = cdist(points, points[chosen[:k]]).min(axis=1)
        assert distance[chosen[k]] == pytest.approx(distance.max(), rel=1e-5)
    assert sorted(farthest_points(points, 60, 0)) == list(range(60))


def test_a_stratified_cut_takes_a_share_of_every_class():
    labels = np.array([0] * 20 + [1] * 5 + [2])
    kept, cut = stratified_cut(labels, fraction=0.2, seed=0)
    assert sorted([*kept, *cut]) == list(range(26))
    np.testing.assert_array_equal(np.bincount(labels[cut], minlength=3), [4, 1, 0])
    np.testing.assert_array_equal(stratified_cut(labels, fraction=0.2, seed=0)[1], cut)
    assert not np.array_equal(stratified_cut(labels, fraction=0.2, seed=1)[1], cut)
