"""`PointClip`: what it answers about objects of one's own, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from own_objects import household, room, table_with_four_legs
from PIL import Image

import stages
from stages import PointClip
from stages.core.errors import InputError
from stages.detection.boxes import iou_axis_aligned
from stages.own.inputs import find_files
from stages.own.results import Encoded
from stages.own.upright import agreement, around

LABELS = ["lamp", "table", "airplane"]


@pytest.fixture(scope="module")
def model():
    return PointClip("bundled")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("mesh") / "table.stl"
    table_with_four_legs().export(path)
    return path


@pytest.fixture(scope="module")
def cloud():
    """The same table as an array [P, 3], z up."""
    return np.asarray(table_with_four_legs().sample(3000, seed=0), np.float64)


def seen_without(module: str, code: str) -> bool:
    """Whether `code` runs in a new process, away from the checkout, without importing `module`."""
    environment = os.environ | {"PYTHONPATH": str(Path(stages.__file__).parents[1])}
    command = [sys.executable, "-c", f"{code}\nimport sys; print({module!r} in sys.modules)"]
    done = subprocess.run(command, cwd="/", env=environment, text=True, capture_output=True, check=True)
    return done.stdout.strip() == "False"


# Classification


def test_paths_and_arrays_are_classified_together(model, table, cloud):
    found = model.classify([table, str(table), cloud], LABELS, up="z", top=2)
    assert [one.source for one in found] == [str(table), str(table), "array 2"]
    for one in found:
        assert one.label == "table" and one.up == "z" and one.labels[0] == "table" and len(one.labels) == 2
        assert one.probabilities.dtype == np.float32 and one.best[0] == ("table", float(one.probabilities[0]))
    assert (found[0].read.kind, found[0].read.faces) == ("mesh", 60)
    assert (found[2].read.kind, found[2].read.vertices) == ("cloud", 3000)


def test_probabilities_are_the_softmax_of_mean_cosines_times_the_logit_scale(model, table):
    [one] = model.classify(table, LABELS, up="z", top=3)
    features = model.encode(table, up="z").features[0].mean(axis=0)
    powers = np.exp(model.logit_scale * (model.label_features(LABELS) @ features))
    expected = dict(zip(LABELS, powers / powers.sum(), strict=True))
    assert dict(one.best) == pytest.approx(expected, rel=1e-4)


def test_a_bad_input_raises_or_is_reported_and_the_rest_done(model, table, cloud, tmp_path):
    bad, few = tmp_path / "bad.obj", np.zeros((1, 3))
    bad.write_text("<html>404</html>")
    with pytest.raises(InputError, match="bad.obj: its content is an HTML page"):
        model.classify([table, bad], LABELS)
    reported = []
    found = model.classify([bad, table, few, "no.ply"], LABELS, on_error=lambda *one: reported.append(one))
    assert [one.source for one in found] == [str(table)]
    assert [source for source, _ in reported] == [str(bad), "array 2", "no.ply"]
    assert all(isinstance(error, InputError) and "\n" not in str(error) for _, error in reported)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((5, 2)), r"array 0: float64 of shape \[5, 2\], expected points"),
        (np.zeros(5), r"array 0: float64 of shape \[5\]"),
        (np.array([["a", "b", "c"]] * 4), "array 0: <U1 of shape"),
        (np.full((9, 3), np.nan), "array 0: none of its 9 points is finite"),
        (np.ones((9, 3)), "array 0: a single point, 9 times"),
        (np.empty((0, 3)), "array 0: holds no points"),
    ],
)
def test_an_array_that_is_no_object_is_one_line(array, says, model):
    with pytest.raises(InputError, match=says):
        model.encode(array)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda model: model.classify("a.ply", ["chair"]), "labels: 1 different names, expected at least two"),
        (lambda model: model.classify("a.ply", ["chair", " chair "]), "labels: 1 different names"),
        (lambda model: model.classify("a.ply", "chair, table"), "labels 'chair, table': expected a list of names"),
        (lambda model: model.classify("a.ply", LABELS, top=0), "top 0: expected 1 or more"),
        (lambda model: model.classify("a.ply", LABELS, up="up"), "up 'up': expected one of x, y, z, auto"),
        (lambda model: model.parts("a.ply", ["leg"]), "parts: 1 different names"),
        (lambda model: model.boxes("a.ply", LABELS, up="auto"), "up 'auto': expected one of x, y, z"),
        (lambda model: model.boxes("a.ply", LABELS), "a.ply: no such file"),
        (lambda model: model.encode_images("a.png"), "a.png: no such file"),
        (lambda model: PointClip("bundel"), "backbone.bundel: no such entry"),
        (lambda model: PointClip(points=1), "points 1: expected 2 to"),
        (lambda model: PointClip(templates="none_such").label_features(LABELS), "none_such.txt: no such file"),
    ],
)
def test_a_wrong_call_is_one_line(call, says, model):
    with pytest.raises(InputError, match=says):
        call(model)


def test_strict_refuses_what_is_dropped(cloud):
    with_hole = np.concatenate([cloud, np.full((10, 3), np.inf)])
    assert PointClip().encode(with_hole).read[0].notes[0].startswith("dropped 10 of 3010 points")
    with pytest.raises(InputError, match=r"array 0: dropped 10 of 3010 points .* \(strict\)"):
        PointClip(strict=True).encode(with_hole)


def test_a_wrong_call_and_the_import_do_without_torch():
    assert seen_without("torch", "from stages import PointClip\nmodel = PointClip()\nmodel.view_names")
    assert seen_without("numpy", "import stages")
    with pytest.raises(AttributeError, match="module 'stages' has no attribute 'PointClap'"):
        _ = stages.PointClap


# Features


def test_encode_gives_a_unit_feature_a_view_in_the_order_of_the_inputs(model, table, cloud):
    encoded = model.encode([cloud, table], up="z", keep_depth=True)
    views = len(model.view_names)
    assert encoded.features.shape[:2] == (2, views) and encoded.features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(encoded.features, axis=-1), 1, atol=1e-5)
    assert encoded.sources == ("array 0", str(table)) and encoded.up == ("z", "z")
    assert encoded.points.tolist() == [3000, 180] and encoded.points.dtype == np.int64
    np.testing.assert_array_equal(encoded.depth[1], model.depth_maps(table, up="z"))
    assert encoded.depth.min() >= 0 and encoded.depth.max() == 1
    assert "array(" not in repr(encoded).replace("points=array(", "")  # a record of thousands prints as a line


def test_the_number_of_objects_read_at_a_time_changes_nothing(model, cloud, monkeypatch):
    clouds = [cloud[n::7] for n in range(7)]
    whole = model.encode(clouds, up="auto", keep_depth=True)
    monkeypatch.setattr("stages.own.pointclip.CHUNK", 3)
    pieces = model.encode(iter(clouds), up="auto", keep_depth=True)
    assert whole.sources == pieces.sources and whole.up == pieces.up
    np.testing.assert_array_equal(whole.depth, pieces.depth)
    np.testing.assert_allclose(whole.features, pieces.features, atol=1e-5)


def test_nothing_read_is_an_empty_record(model):
    empty = model.encode(["no.ply"], on_error=lambda source, error: None)
    assert isinstance(empty, Encoded) and empty.features.shape == (0, len(model.view_names), 0)
    assert empty.sources == () and empty.points.shape == (0,) and empty.depth is None
    assert model.classify([], LABELS) == [] == model.guess_up([])


def test_a_photo_of_a_depth_map_resembles_it(model, table, tmp_path):
    path = tmp_path / "seen.png"
    Image.fromarray((model.depth_maps(table, up="z")[0] * 255).round().astype("u1")).save(path)
    [photo] = model.encode_images(path)
    assert np.linalg.norm(photo) == pytest.approx(1, abs=1e-5)
    assert model.encode(table, up="z").features[0, 0] @ photo > 0.98
    assert (model.label_features(LABELS) @ photo).argmax() == LABELS.index("table")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="seen.png: not a readable picture"):
        model.encode_images([path])


def test_sentences_are_encoded_as_they_are(model):
    one, other = model.encode_text(["a table", "a lamp"])
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5) and one @ other < 0.99
    words = PointClip(templates="class_name").label_features(["table", "lamp"])
    np.testing.assert_allclose(words, model.encode_text(["table", "lamp"]), atol=1e-5)


# Parts and boxes


def test_parts_are_told_of_every_point(model, table):
    found = model.parts(table, ["top", "leg"], category="table", up="z")
    assert found.parts == ("top", "leg") and found.points.shape == (2048, 3) and found.labels.shape == (2048,)
    assert np.mean((found.labels == 0) == (found.points[:, 2] > 0.45)) > 0.8
    assert found.shares.sum() == pytest.approx(1) and found.shares[0] == np.mean(found.labels == 0)


@pytest.mark.parametrize(("up", "columns", "signs"), [("z", (0, 1, 2), (1, 1, 1)), ("y", (0, 2, 1), (1, 1, -1))])
def test_the_largest_piece_of_furniture_has_a_box_where_it_stands(up, columns, signs, model):
    scan, classes = room()
    turned = scan.points[:, columns] * np.array(signs) + 1e6  # far away, as the coordinates of a map are
    found = model.boxes(turned, classes, up=up)
    true = np.concatenate([scan.boxes[:, :3][:, columns] * signs + 1e6, scan.boxes[:, 3:][:, columns]], axis=1)
    overlap = iou_axis_aligned(true, found.boxes)
    armchair = [classes[label] for label in scan.labels].index("armchair")
    best = overlap[armchair].argmax()
    assert overlap[armchair, best] > 0.8 and found.labels[best] == "armchair"
    assert found.scores.tolist() == sorted(found.scores, reverse=True) and len(found.labels) == len(found.boxes)


def test_a_scan_without_furniture_has_no_box(model):
    floor = np.random.default_rng(0).uniform((0, 0, 0), (4, 4, 0.01), (2000, 3))
    found = model.boxes(floor, LABELS)
    assert found.boxes.shape == (0, 6) and found.labels == () and found.scores.shape == (0,)


# Which axis is up


def test_agreement_is_the_mean_cosine_of_different_views():
    a, b, c = np.eye(3)
    same, none = np.stack([a, a, a]), np.stack([a, b, c])
    halves = np.stack([a, a, b])  # of three pairs one agrees
    np.testing.assert_allclose(agreement(np.stack([same, none, halves]).astype("f4")), [1, 0, 1 / 3], atol=1e-6)
    assert around(("diagonal_0", "pole_0", "side_1", "top")) == [0, 2]


@pytest.mark.parametrize(
    ("axis", "columns", "signs"),
    [("z", (0, 1, 2), (1, 1, 1)), ("y", (0, 2, 1), (1, 1, -1)), ("x", (2, 0, 1), (1, 1, 1))],
)
def test_the_axis_that_points_up_is_guessed(axis, columns, signs, model, cloud):
    turned = cloud[:, columns] * signs
    [guess] = model.guess_up(turned)
    assert guess.axis == axis == max(guess.agreement, key=guess.agreement.get)
    [guessed], [told] = (model.classify(turned, LABELS, up=up) for up in ("auto", axis))
    assert guessed.up == axis and dict(guessed.best) == pytest.approx(dict(told.best), abs=1e-5)
    np.testing.assert_array_equal(model.depth_maps(turned, up="auto"), model.depth_maps(turned, up=axis))


def test_most_objects_of_a_household_are_set_upright(model):
    clouds = household()
    laid = [np.roll(cloud, turn, axis=1) for turn, cloud in zip(np.arange(len(clouds)) % 3, clouds, strict=True)]
    right = [guess.axis == "yzx"[n % 3] for n, guess in enumerate(model.guess_up(laid))]
    assert len(right) == 41 and np.mean(right) > 0.75  # by chance a third


# Files


def test_folders_patterns_and_paths_name_each_file_once(tmp_path):
    for name in ("b.obj", "a/c.ply", "a/d.xyz.gz", "a/.hidden.ply", "a/notes.md", ".cache/e.ply"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    inside = [tmp_path / name for name in ("a/c.ply", "a/d.xyz.gz", "b.obj")]
    assert find_files([tmp_path]) == inside
    assert find_files([tmp_path / "b.obj", tmp_path]) == [inside[2], *inside[:2]]
    assert find_files([tmp_path / "**/*.ply"]) == inside[:1]
    assert find_files([tmp_path / "[ab]"]) == inside[:2]
    assert find_files([tmp_path / "no.obj"]) == [tmp_path / "no.obj"]  # told when it is read
    (tmp_path / "[x].obj").touch()
    assert find_files([tmp_path / "[x].obj"]) == [tmp_path / "[x].obj"]
    with pytest.raises(InputError, match="no file matches"):
        find_files([tmp_path / "*.stl"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: a folder without an object"):
        find_files([tmp_path / "empty"])
