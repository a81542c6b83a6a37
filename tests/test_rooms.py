"""The composed rooms: boxes, splits and occlusion are what they say."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from stages.bundled import build_rooms, rooms
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.datasets.registry import read

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT)
CLASSES = tuple(rooms.FURNITURE)


@pytest.fixture(scope="module")
def scenes():
    return read("rooms", PARAMS.dataset_entry("rooms"), root=ROOT)


@pytest.fixture(scope="module")
def objects():
    return read("home_objects", PARAMS.dataset_entry("home_objects"), root=ROOT)


def test_the_builder_gives_the_bundled_rooms_and_the_same_bytes_twice(scenes, objects, tmp_path):
    entry = dataclasses.replace(PARAMS.dataset_entry("rooms"), path="a.h5")
    for name in ("a.h5", "b.h5"):
        build_rooms.build(tmp_path / name, objects, rooms={"train": 1, "test": 2})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    built = read("rooms", entry, root=tmp_path)
    assert (built.classes, built.up_axis) == (scenes.classes, "z") == (CLASSES, "z")
    composed = rooms.compose_rooms(objects, rooms={"train": 1, "test": 2}, source=tmp_path)
    for split, scans in built.splits.items():
        for scan, bundled, drawn in zip(scans, scenes.splits[split], composed[split], strict=False):
            # the last bits of a cosine differ between machines, and with them which points are hidden
            np.testing.assert_allclose(scan.boxes, bundled.boxes, atol=1e-5)
            np.testing.assert_array_equal(scan.labels, bundled.labels)
            np.testing.assert_array_equal(scan.boxes, drawn.boxes)
            np.testing.assert_allclose(scan.points, drawn.points, atol=build_rooms.SCALE)


def test_the_splits_have_their_rooms_and_every_room_its_furniture(scenes):
    assert {split: len(scans) for split, scans in scenes.splits.items()} == rooms.ROOMS
    for scan in (scan for scans in scenes.splits.values() for scan in scans):
        assert 1 <= len(scan.labels) <= rooms.PIECES[1] and 10_000 < len(scan.points) < 40_000
        assert np.isfinite(scan.points).all() and (scan.boxes[:, 3:] > 0).all()
        assert np.allclose(scan.boxes[:, 2] - scan.boxes[:, 5] / 2, 0, atol=1e-5), "furniture stands on the floor"
    seen = {CLASSES[label] for scan in scenes.splits["test"] for label in scan.labels}
    assert len(seen) > len(CLASSES) / 2


def test_the_longest_side_of_an_upright_box_is_as_long_as_its_class_allows(scenes):
    for scan in scenes.splits["test"]:
        for box, label in zip(scan.boxes, scan.labels, strict=True):
            low, high = rooms.FURNITURE[CLASSES[label]]
            # an object turned by an odd angle has a wider box than its own longest side
            assert low / 1.001 <= box[3:].max() <= high * 1.5


def test_furniture_does_not_overlap(scenes):
    for scan in scenes.splits["test"]:
        low, high = scan.boxes[:, :2] - scan.boxes[:, 3:5] / 2, scan.boxes[:, :2] + scan.boxes[:, 3:5] / 2
        meets = ((low[:, None] < high) & (high[:, None] > low)).all(axis=2)
        assert meets.sum() == len(scan.boxes)


def test_one_seed_gives_the_same_room_and_another_another(objects):
    names, splits = objects.classes, objects.splits
    library = {name: splits["train"].points[splits["train"].labels == label] for label, name in enumerate(names)}
    first, again, other = (rooms.compose("room", library, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.points[:100], other.points[:100])


def test_a_point_behind_another_on_its_ray_is_hidden():
    viewpoint = np.array([0.0, 0.0, 1.0])
    points = np.array([[2.0, 0.01, 1.01], [4.0, 0.02, 1.02], [2.05, 0.01, 1.01], [0.0, 3.0, 1.5]])
    np.testing.assert_array_equal(rooms.visible(points, viewpoint), [True, False, True, True])


def test_every_box_shows_points_and_none_shows_all_of_its_object(scenes):
    for scan in scenes.splits["test"][:6]:
        for box in scan.boxes:
            inside = (np.abs(scan.points - box[:3]) <= box[3:] / 2).all(axis=1).sum()
            assert rooms.SEEN / 2 <= inside < 2048 + rooms.SURFACE_POINTS * box[3:].prod() ** (2 / 3) * 2


def test_objects_without_a_needed_class_are_one_line(objects, tmp_path, monkeypatch):
    monkeypatch.setitem(rooms.FURNITURE, "throne", (1.0, 1.2))
    with pytest.raises(InputError, match="home.h5: no class 'throne' in the objects"):
        rooms.compose_rooms(objects, source=tmp_path / "home.h5")
