"""Every artifact comes back as it went in, with the same bytes each time, and a bad one is refused in one line."""

import h5py
import numpy as np
import pyarrow as pa
import pytest
from checkout import contents
from shard_files import ONE, depth_folder

from stages.artifacts.boxes import BOX_COLUMNS, read_boxes, write_boxes
from stages.artifacts.depth import new_depth, open_depth
from stages.artifacts.features import read_features, write_features
from stages.artifacts.files import write_json
from stages.artifacts.hdf5 import append_rows, read_rows
from stages.artifacts.points import open_points, write_points
from stages.artifacts.predictions import new_predictions, read_hits, read_ranked
from stages.artifacts.prompts import read_prompts, write_prompts
from stages.artifacts.types import Clouds, PointCloudDataset, Prompts
from stages.core.errors import InputError

CLASSES = ("chair", "night_stand")


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    clouds = Clouds(rng.normal(size=(3, 5, 3)).astype("f4"), np.array([0, 1, 1]))
    return PointCloudDataset(CLASSES, "y", {"train": clouds, "test": clouds})


def unit(rng, *shape):
    features = rng.normal(size=shape).astype("f4")
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def test_points_round_trip_with_equal_bytes(points, tmp_path):
    for name in ("a", "b"):
        write_points(tmp_path / name, points)
    assert contents(tmp_path / "a", ["."]) == contents(tmp_path / "b", ["."])
    with open_points(tmp_path / "a") as back:
        assert (back.classes, back.up_axis, set(back.splits)) == (CLASSES, "y", {"train", "test"})
        np.testing.assert_array_equal(back.points("test"), points.splits["test"].points)
        np.testing.assert_array_equal(back.points("test", slice(1, 3)), points.splits["test"].points[1:3])
        np.testing.assert_array_equal(back.labels("test"), points.splits["test"].labels)


@pytest.mark.parametrize(("dtype", "error"), [("u1", 0.5 / 255 + 1e-6), ("f2", 2.0**-12)])
def test_depth_is_stored_within_the_stated_error(dtype, error, tmp_path):
    depth = np.random.default_rng(0).random((5, 2, 4, 4), dtype="f4")
    options = {"classes": CLASSES, "views": ["front", "back"], "polarity": "white_background", "dtype": dtype}
    for name in ("a", "b"):
        with depth_folder(tmp_path / name, {"test": 5}, **options) as writer:
            writer.append("test", writer.packed(depth[:2]), np.array([0, 1]))
            writer.append("test", writer.packed(depth[2:]), np.array([1, 0, 1]))
    assert contents(tmp_path / "a", ["."]) == contents(tmp_path / "b", ["."])
    with open_depth(tmp_path / "a") as maps:
        assert (maps.views, maps.splits, maps.polarity) == (("front", "back"), ("test",), "white_background")
        np.testing.assert_allclose(maps.depth("test"), depth, atol=error)
        np.testing.assert_array_equal(maps.depth("test", slice(2, 4)), maps.depth("test")[2:4])
        np.testing.assert_array_equal(maps.labels("test"), [0, 1, 1, 0, 1])
    with h5py.File(tmp_path / "a" / ONE) as file:
        assert file["test/depth"].chunks == (1, 2, 4, 4)


def write_depth(path, depth, *, dtype="u1"):
    options = {"classes": CLASSES, "views": ["front"], "polarity": "white_background", "dtype": dtype}
    with depth_folder(path, {"test": len(depth)}, **options) as writer:
        writer.append("test", writer.packed(depth), np.zeros(len(depth), np.int64))


def test_a_packed_array_bears_the_registered_filters_and_its_chunks_are_frames_of_zstandard(tmp_path):
    values = np.arange(2 * 300, dtype="u2").reshape(2, 300)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        append_rows(file, "numbers", values, level=1)
        dataset = file["numbers"]
        filters = dataset.id.get_create_plist()
        assert [filters.get_filter(i)[0] for i in range(filters.get_nfilters())] == [h5py.h5z.FILTER_SHUFFLE, 32015]
        _, chunk = dataset.id.read_direct_chunk((1, 0))
        by_byte = np.frombuffer(pa.Codec("zstd").decompress(chunk, 600), "u1").reshape(2, 300)
        np.testing.assert_array_equal(by_byte[0] + 256 * by_byte[1].astype("u2"), values[1])
        assert len(chunk) < 400


@pytest.mark.parametrize("dtype", ["u1", "u2", "i8", "f2", "?"])
def test_packed_rows_come_back_by_slices_and_indices(dtype, tmp_path):
    rows = np.random.default_rng(0).integers(0, 2, (5, 3, 4)).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        append_rows(file, "rows", rows[:2], level=1)
        append_rows(file, "rows", rows[2:2], level=1)
        append_rows(file, "rows", rows[2:], level=1)
        for cut in (slice(None), slice(1, 3), slice(4, 9), slice(5, 6), slice(-2, None), np.array([1, 4])):
            back = read_rows(tmp_path, file, "rows", cut)
            assert back.dtype == rows.dtype
            np.testing.assert_array_equal(back, rows[cut])


@pytest.mark.parametrize("place", [0, 9, -13, -1])
def test_a_changed_byte_of_a_packed_array_is_one_line(place, tmp_path):
    path = tmp_path / "depth"
    write_depth(path, np.random.default_rng(0).random((2, 1, 8, 8), dtype="f4"))
    with h5py.File(path / ONE, "a") as file:
        dataset = file["test/depth"].id
        chunk = bytearray(dataset.read_direct_chunk((1, 0, 0, 0))[1])
        chunk[place] ^= 1
        dataset.write_direct_chunk((1, 0, 0, 0), bytes(chunk))
    with open_depth(path) as maps:
        assert maps.depth("test", slice(0, 1)).shape == (1, 1, 8, 8)
        with pytest.raises(InputError, match=r"00000.h5: /test/depth is damaged \(checksum of a chunk differs\)$"):
            maps.depth("test")


def test_maps_that_are_bytes_already_are_stored_as_they_are_and_no_others(tmp_path):
    stored = np.arange(8, dtype="u1").reshape(2, 1, 2, 2)
    write_depth(tmp_path / "depth", stored)
    with open_depth(tmp_path / "depth") as maps:
        np.testing.assert_array_equal(maps.depth("test"), stored / np.float32(255))
    for dtype, wrong in (("f2", stored), ("u1", stored.astype("u2")), ("f2", stored.astype("f2"))):
        with pytest.raises(InputError, match="00000.*h5: depth is"):
            write_depth(tmp_path / "wrong", wrong, dtype=dtype)


def test_an_error_while_depth_maps_are_stored_reaches_the_caller(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise InputError("no room")

    monkeypatch.setattr("stages.artifacts.depth.to_bytes", fails)
    with pytest.raises(InputError, match="no room"):
        write_depth(tmp_path / "depth", np.zeros((1, 1, 2, 2), "f4"))
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "depth.h5"
    path.write_text("earlier")
    options = {"classes": CLASSES, "views": ["front"], "polarity": "white_background", "dtype": "u1"}
    with pytest.raises(KeyboardInterrupt), new_depth(path, **options) as writer:
        writer.append("test", writer.packed(np.zeros((1, 1, 2, 2), "f4")), np.array([0]))
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["depth.h5"]
    assert path.read_text() == "earlier"


def test_features_and_prompts_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    features, labels = unit(rng, 4, 2, 8), np.array([0, 1, 1, 0])
    write_features(tmp_path / "depth.h5", {"test": (features, labels)}, classes=CLASSES, logit_scale=100.0)
    back = read_features(tmp_path / "depth.h5", "test")
    np.testing.assert_array_equal(back.values, features)
    assert (back.classes, back.logit_scale) == (CLASSES, 100.0)
    prompts = Prompts(np.array([0, 1]), CLASSES, ("simple",) * 2, ("a chair.", "a night stand."), unit(rng, 2, 8))
    write_prompts(tmp_path / "prompts.parquet", prompts)
    again = read_prompts(tmp_path / "prompts.parquet")
    np.testing.assert_array_equal(again.features, prompts.features)
    assert (again.texts, again.sets, again.class_names) == (prompts.texts, prompts.sets, CLASSES)


def test_writers_refuse_what_the_contract_does_not_say(points, tmp_path):
    wide = Clouds(points.splits["test"].points.astype("f8"), points.splits["test"].labels)
    with pytest.raises(InputError, match=r"test/points is float64 \[3, 5, 3\], expected float32 \[any, any, 3\]"):
        write_points(tmp_path / "p", PointCloudDataset(CLASSES, "y", {"test": wide}))
    with pytest.raises(InputError, match="test/features has norms"):
        write_features(
            tmp_path / "f.h5", {"test": (np.ones((1, 1, 4), "f4"), np.array([0]))}, classes=CLASSES, logit_scale=1.0
        )
    assert not list(tmp_path.iterdir())


def test_readers_refuse_a_missing_damaged_or_other_file(points, tmp_path):
    folder = tmp_path / "points"
    with pytest.raises(InputError, match=r"points: no such folder; run `dvc repro`"), open_points(folder):
        pass
    write_points(folder, points)
    path = folder / ONE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="points/00000.h5: not a readable HDF5 file"), open_points(folder):
        pass
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file.attrs["format"] = 0
    with pytest.raises(InputError, match="attribute format is 0, expected 2; run `dvc repro`"), open_points(folder):
        pass
    with pytest.raises(InputError, match="no split 'test'"):
        empty = tmp_path / "f.h5"
        write_features(empty, {}, classes=CLASSES, logit_scale=1.0)
        read_features(empty, "test")
    (tmp_path / "prompts.parquet").write_text("text")
    with pytest.raises(InputError, match="prompts.parquet: not a readable Parquet file"):
        read_prompts(tmp_path / "prompts.parquet")


def test_json_refuses_not_a_number(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        write_json(tmp_path / "m.json", {"top1": float("nan")})
    assert not list(tmp_path.iterdir())


def test_ranked_predictions_come_back_by_sample(tmp_path, monkeypatch):
    labels, given = np.array([1, 0, 1]), np.array([[0.75, 0.25], [0.5, 0.5], [1, 0]], "f4")
    best = {"b": [[0, 1], [1, 0], [1, 0]], "a": [[1, 0], [0, 1], [0, 1]]}
    monkeypatch.setattr("stages.artifacts.predictions.BLOCK", 2)  # samples at a time
    with new_predictions(tmp_path / "p.parquet") as add:
        for method, ranked in best.items():
            add(labels, np.array(ranked), given, method=method)
    ranked, scores = read_ranked(tmp_path / "p.parquet", method="b")
    assert (ranked.tolist(), scores.tolist()) == (best["b"], given.tolist())
    hits = {name: right.tolist() for name, right in read_hits(tmp_path / "p.parquet").items()}
    assert hits == {"a": [True, True, False], "b": [False, False, True]}
    with pytest.raises(InputError, match=r"p.parquet: no method 'c'; it has a, b"):
        read_ranked(tmp_path / "p.parquet", method="c")


def test_boxes_come_back_by_proposals_and_scan(tmp_path):
    rows = [("clusters", "a", 1, 2, 3, 4, 5, 6, 1, 0.5), ("clusters", "b", 7, 8, 9, 1, 1, 1, 0, 0.25)]
    columns = dict(zip(BOX_COLUMNS, map(np.array, zip(*rows, strict=True)), strict=True))
    write_boxes(tmp_path / "b.parquet", columns)
    boxes, labels, scores = read_boxes(tmp_path / "b.parquet", proposals="clusters", scan="b")
    assert (boxes.tolist(), labels.tolist(), scores.tolist()) == ([[7, 8, 9, 1, 1, 1]], [0], [0.25])
    assert read_boxes(tmp_path / "b.parquet", proposals="clusters", scan="c")[0].shape == (0, 6)
    with pytest.raises(ValueError, match="expected .'proposals', 'scan'"):
        write_boxes(tmp_path / "c.parquet", {"scan": columns["scan"]})
