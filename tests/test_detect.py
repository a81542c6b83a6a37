"""Detection: planes, clusters, classification and scores by hand-checked cases; the stage on rooms, ScanNet, 3DETR."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_detection_detr3d import official, saved

import stages.detection.proposals
from stages import detect
from stages.artifacts.boxes import read_boxes
from stages.artifacts.figures import Change, DetectionMetrics
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.scenes import write_scenes
from stages.artifacts.types import Scene, Scenes
from stages.bundled import rooms
from stages.config.detect import Ablations
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.datasets.registry import read
from stages.detection.average_precision import evaluate, match
from stages.detection.bootstrap import drawn_map, draws, paired_change
from stages.detection.box_classifier import BoxClassifier, ClassifiedBoxes, text_features
from stages.detection.boxes import grown
from stages.detection.clusters import cluster_boxes, whole_regions
from stages.detection.detections import ablation_rows, box_logits, detections, detections_as_published
from stages.detection.detr3d.model import NetworkBoxes
from stages.detection.planes import above_floor, floor_height, on_walls
from stages.detection.proposals import PROPOSALS, Proposals, proposers
from stages.detection.scoring import score_as_published, score_rows
from stages.projection.presets import PRESETS
from stages.projection.settings import resolve

ROOT = Path(__file__).parents[1]
SLICES = Path(os.environ.get("SLICES_DIR", ROOT.parent / "shared/data"))
PARAMS = load_params(ROOT)
DETECT = PARAMS.detect
CPU = torch.device("cpu")
STEPS = ("no_object_class", "minimum_points", "combined_score", "multi_scale_crops", "visible_views")
ALL_ON = Ablations(**dict.fromkeys(STEPS, True))


def rng():
    return np.random.default_rng(0)


def sheet(random, low, high, count):
    """Random points of the axis-aligned rectangle from `low` to `high`."""
    return random.uniform(low, high, (count, 3))


def shell(random, low, high, count=600):
    """Random points on the six faces of a box."""
    points = random.uniform(low, high, (count, 3))
    face = random.integers(6, size=count)
    points[np.arange(count), face // 2] = np.where(face % 2, np.array(high)[face // 2], np.array(low)[face // 2])
    return points


@pytest.fixture(scope="module")
def hall():
    """A room of 4 m x 3 m without noise: floor, four walls, a large and a small box that stand free; float32."""
    random = rng()
    pieces = {
        "floor": sheet(random, (0, 0, 0), (4, 3, 0), 2500),
        "walls": np.concatenate(
            [
                sheet(random, (0, 0, 0), (0, 3, 2.5), 1200),
                sheet(random, (4, 0, 0), (4, 3, 2.5), 1200),
                sheet(random, (0, 0, 0), (4, 0, 2.5), 1600),
                sheet(random, (0, 3, 0), (4, 3, 2.5), 1600),
            ]
        ),
        "large": shell(random, (0.6, 1.0, 0.0), (1.6, 2.0, 0.8), 1500),
        "small": shell(random, (2.6, 1.0, 0.0), (3.0, 1.5, 0.5)),
    }
    return {name: points.astype("f4") for name, points in pieces.items()}


def test_the_floor_is_the_fullest_layer_below_and_not_the_lowest_point():
    random = rng()
    floor = sheet(random, (0, 0, 0.3), (4, 4, 0.3), 3000) + random.normal(0, 0.005, (3000, 3))
    points = np.concatenate([floor, sheet(random, (0, 0, 0.3), (4, 0, 2.5), 3000), [[1, 1, -0.4]]])
    assert floor_height(points, thickness=0.08) == pytest.approx(0.3, abs=0.005)
    assert not above_floor(floor, thickness=0.08).any()


def test_walls_are_found_and_a_dense_object_is_none(hall):
    points = np.concatenate([hall["walls"], np.repeat(hall["large"], 5, axis=0)])
    found = on_walls(points[points[:, 2] > 0.04], DETECT.planes, rng())
    of_wall = np.arange(len(points))[points[:, 2] > 0.04] < len(hall["walls"])
    assert found[of_wall].all() and not found[~of_wall].any()


def test_clusters_find_the_free_standing_boxes(hall):
    points = np.concatenate(list(hall.values()))
    boxes, objectness = cluster_boxes(points, planes=DETECT.planes, clusters=DETECT.clusters, rng=rng())
    order = np.argsort(boxes[:, 0])
    expected = [[1.1, 1.5, 0.4, 1.0, 1.0, 0.8], [2.8, 1.25, 0.25, 0.4, 0.5, 0.5]]
    np.testing.assert_allclose(boxes[order], expected, atol=0.02)
    assert objectness[order][0] > objectness[order][1] > 0, "a larger cluster is surer"
    turned = cluster_boxes(points, planes=DETECT.planes, clusters=DETECT.clusters, rng=np.random.default_rng(5))[0]
    np.testing.assert_array_equal(turned, boxes)  # whichever lines were tried


def test_a_region_goes_whole_to_the_cluster_that_has_most_of_it():
    blobs = np.repeat(np.eye(3)[:2] * 9, 20, axis=0) + rng().normal(0, 0.1, (40, 3))
    labels = np.repeat([0, 1], 20)
    labels[[3, 4, 25]] = 1, -1, 0
    expected = np.repeat([0, 1], 20)
    expected[4] = -1  # what is in no cluster stays so
    np.testing.assert_array_equal(whole_regions(blobs, labels, replace(DETECT.regions, voxels=20)), expected)


def test_clusters_that_share_no_region_are_as_they_were(hall):
    points = np.concatenate(list(hall.values()))
    settings = {"planes": DETECT.planes, "clusters": DETECT.clusters}
    plain, refined = (
        cluster_boxes(points, **settings, rng=rng(), regions=regions) for regions in (None, DETECT.regions)
    )
    for before, after in zip(plain, refined, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("pieces", [["floor"], ["floor", "walls"], []])
def test_a_scan_without_objects_has_no_cluster(pieces, hall):
    points = np.concatenate([np.array([[1, 1, 1]], "f4"), *(hall[name] for name in pieces)])
    boxes, objectness = cluster_boxes(points, planes=DETECT.planes, clusters=DETECT.clusters, rng=rng())
    assert boxes.shape == (0, 6) and objectness.shape == (0,)


def test_a_scan_smaller_than_a_dense_place_has_no_cluster(hall):
    points, clusters = np.concatenate(list(hall.values())), replace(DETECT.clusters, min_samples=100_000)
    boxes, objectness = cluster_boxes(points, planes=DETECT.planes, clusters=clusters, rng=rng())
    assert boxes.shape == (0, 6) and objectness.shape == (0,)


def test_every_step_is_once_the_other_way_round():
    assert list(ablation_rows(ALL_ON)) == ["full", *(f"without_{step}" for step in STEPS)]
    some = replace(ALL_ON, minimum_points=False)
    assert ablation_rows(some)["without_combined_score"] == replace(some, combined_score=False)
    assert ablation_rows(some)["with_minimum_points"] == ALL_ON
    assert "without_minimum_points" not in ablation_rows(some)


def one_box(logits, *, points=1000, objectness=0.5, boxes=((0, 0, 0, 1, 1, 1),)):
    """Boxes of one crop seen from one view, in which the classes are as likely as `logits` to each other."""
    count = len(boxes)
    return ClassifiedBoxes(
        np.array(boxes, "f4"),
        np.broadcast_to(np.float32(objectness), count),
        np.broadcast_to(points, count),
        np.log(np.atleast_2d(logits)).astype("f4")[:, None, None],
        np.ones((count, 1), "f4"),
    )


def detected(classified, classes=2, ablations=ALL_ON, **changes):
    return detections(classified, classes=classes, ablations=ablations, detect=replace(DETECT, **changes))


def test_the_no_object_class_takes_its_share_of_the_probability():
    classified = one_box([3, 1, 4])
    np.testing.assert_allclose(detected(classified).probabilities, [[3 / 8, 1 / 8]], rtol=1e-6)
    off = replace(ALL_ON, no_object_class=False)
    np.testing.assert_allclose(detected(classified, ablations=off).probabilities, [[3 / 4, 1 / 4]], rtol=1e-6)


def test_a_box_with_too_few_points_goes():
    assert len(detected(one_box([1, 1, 1], points=9), minimum_points=10).boxes) == 0
    assert len(detected(one_box([1, 1, 1], points=10), minimum_points=10).boxes) == 1
    off = replace(ALL_ON, minimum_points=False)
    assert len(detected(one_box([1, 1, 1], points=9), ablations=off, minimum_points=10).boxes) == 1


@pytest.mark.parametrize(("weight", "score"), [(0.0, 1.0), (1.0, 0.25), (0.5, 0.5)])
def test_objectness_weighs_as_its_exponent_says(weight, score):
    classified = one_box([1, 1, 1], objectness=0.25)
    assert detected(classified, objectness_weight=weight).scores == pytest.approx(score)
    off = replace(ALL_ON, combined_score=False)
    assert detected(classified, ablations=off, objectness_weight=weight).scores == pytest.approx(1.0)


def test_boxes_of_one_class_that_overlap_are_one():
    boxes = [(0, 0, 0, 1, 1, 1), (0.1, 0, 0, 1, 1, 1), (0.1, 0, 0, 1, 1, 1), (5, 0, 0, 1, 1, 1)]
    logits = [(8, 1, 1), (9, 1, 1), (1, 9, 1), (8, 1, 1)]  # the third is of another class
    kept = detected(one_box(logits, boxes=boxes))
    assert sorted(map(tuple, kept.boxes[:, :1])) == [(np.float32(0.1),), (np.float32(0.1),), (5.0,)]


def test_the_table_has_the_figures_of_every_row():
    truth = (np.array([[0, 0, 0, 1, 1, 1.0], [5, 5, 5, 1, 1, 1]]), np.array([0, 1]))
    classified = one_box([[9, 1, 1], [1, 9, 1]], boxes=[(0, 0, 0, 1, 1, 1), (5, 5, 5, 1, 1, 0.4)])
    rows = score_rows(
        {"clusters": [classified], "region_clusters": [classified]},
        [truth],
        classes=("chair", "sofa"),
        detect=replace(DETECT, ablations=ALL_ON),
    )
    same = Change(difference=0.0, low=0.0, high=0.0)
    assert (rows["clusters"]["full"].map25_change, rows["region_clusters"]["full"].map50_change) == (None, same)
    assert set(rows["region_clusters"]) == {"full"}
    rows = rows["clusters"]
    assert set(rows) == set(ablation_rows(ALL_ON)) and rows["without_visible_views"].map25_change == same
    figures = rows["full"]
    assert (figures.map25, figures.ar25) == (100.0, 100.0)
    assert (figures.map50, figures.ar50) == (50.0, 50.0)  # the sofa's box overlaps by 0.4
    assert figures.per_class == {"chair": {"ap25": 100.0, "ap50": 100.0}, "sofa": {"ap25": 100.0, "ap50": 0.0}}


class Echo:
    """A model that says how often it was asked: maps give their mean and one minus it, sentences their length."""

    logit_scale = 1.0

    def __init__(self):
        self.sentences, self.batches = [], []

    def encode_depth(self, depth, *, batch_size):
        self.batches.append(len(depth))
        mean = depth.mean(axis=(2, 3))
        return np.stack([mean, 1 - mean], axis=-1)

    def encode_text(self, texts, *, batch_size):
        self.sentences += texts
        return np.array([[1.0, len(text)] for text in texts], "f4")


def box_classifier(model, **changes):
    classes = ("chair", "trash_can")
    projection = PRESETS[DETECT.preset]
    detect = replace(DETECT, **{"no_object": ("wall", "trash can"), "without_floor": False} | changes)
    return BoxClassifier(model, class_names=classes, templates=("a {}.", "{}"), projection=projection, detect=detect)


def test_a_name_of_no_object_that_is_a_class_is_left_out():
    model = Echo()
    box_classifier(model)
    assert model.sentences == ["a chair.", "chair", "a trash can.", "trash can", "a wall.", "wall"]


def test_text_features_are_the_normalised_mean_of_a_names_sentences():
    features = text_features(Echo(), ["ab", "abcd"], ("{}", "{}!!"), batch_size=8)
    np.testing.assert_allclose(features, np.array([[1, 3], [1, 5]]) / np.sqrt([[10], [26]]), rtol=1e-6)


def test_all_boxes_of_a_scan_are_one_batch_and_empty_ones_none():
    model, random = Echo(), rng()
    points = np.concatenate([shell(random, (0, 0, 0), (1, 1, 1)), shell(random, (3, 0, 0), (4, 1, 1)), [[9, 9, 9]]])
    boxes = np.array([(0.5, 0.5, 0.5, 1, 1, 1), (6, 6, 6, 1, 1, 1), (3.5, 0.5, 0.5, 1, 1, 1), (9, 9, 9, 1, 1, 1)], "f4")
    proposals = Proposals(boxes, np.linspace(0, 1, 4, dtype="f4"))
    classified = box_classifier(model)(points.astype("f4"), proposals, source="scan")
    assert model.batches == [2], "a box with no point, and one with a single point, have no shape"
    np.testing.assert_array_equal(classified.boxes, boxes[[0, 2]])
    np.testing.assert_array_equal(classified.points, [600, 600])
    np.testing.assert_allclose(classified.objectness, [0, 2 / 3])
    assert classified.logits.shape == (2, 1, 10, 3) and classified.visible.shape == (2, 10)


def test_a_box_takes_more_points_with_a_margin_and_fewer_without_the_floor(hall):
    points = np.concatenate([hall["floor"], hall["large"]])
    box = Proposals(np.array([(1.1, 1.5, 0.4, 1, 1, 0.8)], "f4"), np.ones(1, "f4"))
    wide, plain, bare = (
        box_classifier(Echo(), **changes)(points, box, source="scan").points[0]
        for changes in ({"box_margin": 0.2}, {"box_margin": 0.0}, {"box_margin": 0.2, "without_floor": True})
    )
    assert wide > plain and wide > bare


def test_crops_are_nested_and_those_of_the_same_points_are_rendered_once():
    np.testing.assert_allclose(grown(np.array([[1.0, 2, 3, 10, 20, 40]]), 0.1), [[1, 2, 3, 12, 24, 48]])
    model, random = Echo(), rng()
    points = np.concatenate([shell(random, (0, 0, 0), (1, 1, 1)), shell(random, (3, 0, 0), (4, 1, 1)), [[4.15, 0, 0]]])
    boxes = Proposals(np.array([(0.5, 0.5, 0.5, 1, 1, 1), (3.5, 0.5, 0.5, 1, 1, 1)], "f4"), np.ones(2, "f4"))
    classify = box_classifier(model, crops=replace(DETECT.crops, scales=3, growth=0.1))
    found = classify(points.astype("f4"), boxes, source="scan", all_crops=True)
    assert model.batches == [3], "the free box once, the other with the point beside it once more"
    np.testing.assert_array_equal(found.logits[0, 0], found.logits[0, 2])
    np.testing.assert_array_equal(found.logits[1, 0], found.logits[1, 1])
    assert (found.logits[1, 1] != found.logits[1, 2]).any()
    np.testing.assert_array_equal(found.points, [600, 600])
    assert classify(points.astype("f4"), boxes, source="scan").logits.shape[1] == 1


def test_a_view_shows_the_share_of_points_that_is_not_behind_others():
    side = np.linspace(0, 1, 15)
    near, far = (np.stack([*np.meshgrid(side, side), np.full((15, 15), z)], axis=-1).reshape(-1, 3) for z in (0, 1))
    points = np.concatenate([near, far]).astype("f4")  # two sheets, one above the other
    box = Proposals(np.array([(0.5, 0.5, 0.5, 1, 1, 1)], "f4"), np.ones(1, "f4"))
    seen = box_classifier(Echo())(points, box, source="scan").visible[0]
    by_view = dict(zip(PRESETS[DETECT.preset].view_names, seen, strict=True))
    # from the poles one sheet hides the other but for its rim, from everywhere else both are seen
    assert by_view == {view: pytest.approx(0.6 if view.startswith("pole") else 1) for view in by_view}


def test_logits_of_a_box_are_means_over_crops_and_over_the_views_that_show_it_best():
    logits = np.arange(2 * 3 * 2, dtype="f4").reshape(1, 2, 3, 2)  # 2 crops, 3 views, 2 classes
    classified = ClassifiedBoxes(*(np.ones(1),) * 3, logits, np.array([[0.2, 0.9, 0.9]]))
    off = replace(ALL_ON, multi_scale_crops=False, visible_views=False)
    for ablations, expected in (
        (off, (2, 3)),
        (replace(off, multi_scale_crops=True), (5, 6)),
        (replace(off, visible_views=True), (3, 4)),
        (ALL_ON, (6, 7)),
    ):
        np.testing.assert_array_equal(box_logits(classified, ablations, views=2), [expected])
    np.testing.assert_array_equal(box_logits(classified, replace(off, visible_views=True), views=1), [(2, 3)])


@given(st.integers(0, 2**32 - 1))
def test_a_drawn_map_is_that_of_the_scans_as_often_as_they_are_drawn(seed):
    random = np.random.default_rng(seed)
    scans = []
    for _ in range(4):
        truth = np.concatenate([random.uniform(0, 3, (3, 3)), np.ones((3, 3))], axis=1)
        boxes = np.concatenate([truth, truth])[random.permutation(6)] + np.eye(6)[0] * random.normal(0, 0.4, (6, 1))
        scans.append(((boxes, random.dirichlet(np.ones(2), 6), random.random(6)), (truth, np.array([0, 1, 1]))))
    counts = random.multinomial(4, np.full(4, 0.25))
    drawn = [scan for scan, count in zip(scans, counts, strict=True) for _ in range(count)]
    matches = match(*map(list, zip(*scans, strict=True)), classes=2)
    expected = evaluate(*map(list, zip(*drawn, strict=True)), classes=2)
    for threshold, result in expected.items():
        assert drawn_map(matches, counts[None], threshold=threshold) == pytest.approx(result.map)


def test_a_change_has_the_percentiles_of_the_same_draws():
    plain = np.linspace(0.2, 0.4, 101)
    change = paired_change(0.05, plain + np.linspace(0, 0.1, 101), plain)
    assert (change.difference, change.low, change.high) == (5.0, 0.25, 9.75)
    assert draws(5, samples=7, seed=0).sum(axis=1).tolist() == [5] * 7


def test_a_scan_without_any_box_has_no_detection():
    empty = Proposals(np.empty((0, 6), "f4"), np.empty(0, "f4"))
    classified = box_classifier(Echo())(np.zeros((3, 3), "f4"), empty, source="scan")
    assert classified.logits.shape == (0, 1, 10, 3) and len(detected(classified).boxes) == 0


class StubNetwork:
    """3DETR's boxes in one scan, as told: boxes, class probabilities and objectness."""

    def __init__(self, *rows):
        boxes, classes, objectness = (np.array(values, "f4") for values in zip(*rows, strict=True))
        self.found = NetworkBoxes(boxes[None], np.zeros((1, len(boxes)), "f4"), classes[None], objectness[None])

    def __call__(self, points):
        return self.found


CUBE, HIGHER, FAR, FARTHER, BARE = ((x, 0, z, 1, 1, 1) for x, z in ((0, 0), (0, 0.2), (9, 0), (20, 0), (30, 0)))


def test_3detrs_own_rules_keep_boxes_before_they_are_named(monkeypatch):
    network = StubNetwork(
        (CUBE, (0.8, 0.1), 0.9),
        (HIGHER, (0.7, 0.1), 0.8),  # overlaps the first by two thirds, and is of its class
        (HIGHER, (0.1, 0.6), 0.7),  # is of the other class
        (FAR, (0.03, 0.02), 0.05),  # not above 0.05
        (FARTHER, (0.05, 0.01), 0.06),
        (BARE, (0.5, 0.4), 0.95),  # four points
    )
    monkeypatch.setattr(stages.detection.proposals, "load_detr3d", lambda path, device: network)
    centres = [(0, 0, 0.1)] * 5 + [(9, 0, 0)] * 5 + [(20, 0, 0)] * 5 + [(30, 0, 0)] * 4
    where = Scene("scan", np.array(centres, "f4"), np.empty((0, 6), "f4"), np.empty(0, int))
    detect_settings = replace(DETECT, proposals=("detr3d",), weights="any", network_points=len(centres))
    found = proposers(detect_settings, torch.device("cpu"))["detr3d"](where, rng())
    assert len(found.boxes) == 6 and found.kept.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(found.as_published().boxes, np.array([CUBE, HIGHER, FARTHER], "f4"))
    np.testing.assert_allclose(found.as_published().objectness, [0.9, 0.7, 0.06])


def test_naming_as_published_takes_all_points_of_a_box_and_the_classes_alone(hall):
    points = np.concatenate([hall["floor"], hall["large"]])
    box = Proposals(np.array([(1.1, 1.5, 0.4, 1, 1, 0.8)], "f4"), np.ones(1, "f4"))
    ours = box_classifier(Echo(), box_margin=0.2, without_floor=True)
    published = ours.as_published()(points, box, source="scan")
    plain = box_classifier(Echo(), box_margin=0.0, without_floor=False)(points, box, source="scan")
    assert published.points == plain.points and ours(points, box, source="scan").points != plain.points
    np.testing.assert_allclose(published.logits, plain.logits[..., :2], rtol=1e-6)
    assert ours(points, box, source="scan").logits.shape == (1, 1, 10, 3)


def test_figures_as_published_count_each_box_for_every_class_and_suppress_none():
    truth = (np.array([[0, 0, 0, 1, 1, 1.0], [5, 5, 5, 1, 1, 1]]), np.array([0, 1]))
    boxes = [(0, 0, 0, 1, 1, 1), (0, 0, 0, 1, 1, 1), (5, 5, 5, 1, 1, 1)]
    classified = one_box([[3, 1], [1, 4], [1, 1]], boxes=boxes, objectness=1.0)
    found = detections_as_published(classified)
    np.testing.assert_allclose(found.probabilities, [[0.75, 0.25], [0.2, 0.8], [0.5, 0.5]], rtol=1e-6)
    figures = score_as_published([classified], [truth], classes=("chair", "sofa"), labels_read="train")
    # chair: right at 0.75; sofa: wrong at 0.8, right at 0.5, so an area of a half
    assert figures.per_class == {"chair": {"ap25": 100.0, "ap50": 100.0}, "sofa": {"ap25": 50.0, "ap50": 50.0}}
    assert (figures.map25, figures.ar25, figures.labels_read) == (75.0, 100.0, "train")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"proposals": ("boxes",)},
            "detect.proposals 'boxes': expected one of ground_truth, clusters, region_clusters, detr3d",
        ),
        ({"proposals": ("detr3d",), "weights": None}, "detect.weights: the proposals detr3d need a path"),
        ({"proposals": ("detr3d",), "weights": "data/none.pth"}, "data/none.pth: no such file"),
    ],
)
def test_proposals_that_cannot_be_made_are_one_line(changes, message):
    with pytest.raises(InputError, match=message):
        proposers(replace(DETECT, **changes), CPU)


def test_the_default_projection_is_that_of_classification():
    assert PRESETS[DETECT.preset] == resolve(PARAMS.render)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with the settings, the bundled backbone and the templates, in which stages run."""
    for name in ("data/bundled", "prompts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new_scenes(dataset, *scans, classes=tuple(rooms.FURNITURE), up_axis="z"):
    write_scenes(Paths().points(dataset), Scenes(classes, up_axis, {"test": scans}))


def some_rooms():
    entry = replace(PARAMS.dataset_entry("rooms"), path=str(ROOT / "data/bundled/rooms.h5"))
    return read("rooms", entry).splits["test"]


def metrics_of(dataset):
    return read_metrics(Paths().metrics(dataset, "bundled"), DetectionMetrics)


def edit(here, old, new):
    text = (here / "params.yaml").read_text()
    assert text.count(old) == 1
    (here / "params.yaml").write_text(text.replace(old, new))


def test_the_stage_turns_rooms_into_a_table_and_the_same_bytes_again(here):
    scenes = some_rooms()[:2]
    new_scenes("rooms", *scenes)
    detect.main("rooms", "bundled")
    outputs = [Paths().boxes("rooms", "bundled"), Paths().metrics("rooms", "bundled")]
    first = [path.read_bytes() for path in outputs]
    found = metrics_of("rooms")
    assert found.scans == 2 and found.boxes == sum(len(scene.labels) for scene in scenes)
    truth, clusters = (found.proposals[kind]["full"] for kind in ("ground_truth", "clusters"))
    assert truth.map25 > clusters.map25 > 0
    assert (truth.labels_read, clusters.labels_read) == ("test", "none")
    boxes, labels, scores = read_boxes(outputs[0], proposals="ground_truth", scan="room_00")
    assert (boxes.dtype, labels.dtype) == (np.float32, np.int64)
    assert (np.diff(scores) <= 0).all() and {*map(tuple, boxes)} <= {*map(tuple, scenes[0].boxes)}
    assert read_boxes(outputs[0], proposals="detr3d", scan="room_00")[0].shape == (0, 6)
    detect.main("rooms", "bundled")
    assert [path.read_bytes() for path in outputs] == first


def test_proposals_are_added_by_one_entry_from_outside(here, monkeypatch):
    def whole_scan(detect, device):
        def propose(scene, rng):
            low, high = scene.points.min(axis=0), scene.points.max(axis=0)
            return Proposals(np.concatenate([(low + high) / 2, high - low])[None], np.ones(1, "f4"))

        return propose

    scene = some_rooms()[0]
    monkeypatch.setitem(PROPOSALS, "whole_scan", whole_scan)
    edit(here, "    - ground_truth  # the true boxes: an upper bound", "    - whole_scan")
    new_scenes("rooms", scene)
    detect.main("rooms", "bundled")
    assert set(metrics_of("rooms").proposals["whole_scan"]) == set(ablation_rows(DETECT.ablations))
    boxes, _, _ = read_boxes(Paths().boxes("rooms", "bundled"), proposals="whole_scan", scan=scene.name)
    np.testing.assert_allclose(boxes[0, 3:], np.ptp(scene.points, axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "preset: v2_classification  # v2_classification | v2_segmentation | v1: ",
            "preset: v3  # ",
            "detect.preset 'v3'",
        ),
        ("  box_margin: 0.0", "  box_margin: -0.1", "detect.box_margin: .*greater than or equal to 0"),
        ("    cluster_epsilon: 0.16", "    cluster_epsilon: 0.0", "detect.clusters.cluster_epsilon: .*greater than 0"),
        ("    min_cluster_size: 20", "    min_cluster_size: 1", "detect.clusters.min_cluster_size: .*or equal to 2"),
        ("  nms_threshold: 0.25", "  nms_threshold: 1.25", "detect.nms_threshold: .*less than or equal to 1"),
        ("  minimum_points: 150", "  minimum_points: -1", "detect.minimum_points: .*greater than or equal to 0"),
    ],
)
def test_a_setting_out_of_range_is_one_line(old, new, message, here):
    edit(here, old, new)
    with pytest.raises(InputError, match=message) as error:
        detect.main("rooms", "bundled")
    assert "\n" not in str(error.value)


def test_the_scannet_slice_runs_from_its_files_to_a_table(here):
    folder = SLICES / "scannet_train_detection_data"
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} in SLICES_DIR ({SLICES})")
    entry = replace(PARAMS.dataset_entry("scannet"), path=str(folder))
    write_scenes(Paths().points("scannet"), read("scannet", entry))
    edit(here, "  split: test\n  max_scans", "  split: train\n  max_scans")
    detect.main("scannet", "bundled")
    found = metrics_of("scannet")
    assert (found.scans, found.classes, found.boxes) == (1, 18, 27)
    assert found.proposals["ground_truth"]["full"].map25 > 0 and "clusters" in found.proposals


def test_3detr_runs_by_its_weights_alone(here):
    path = saved(here, official())
    edit(here, "  weights: null", f"  weights: {path}")
    new_scenes("rooms", some_rooms()[0])
    edit(here, "network_points: 40000", "network_points: 2000")
    detect.main("rooms", "bundled")
    found = metrics_of("rooms")
    assert found.proposals["detr3d"]["without_minimum_points"].labels_read == "train"
    assert found.proposals["detr3d"]["as_published"].labels_read == "train"
    assert "as_published" not in found.proposals["clusters"]
    checkpoint = official()
    del checkpoint["model"]["pos_embedding.gauss_B"]
    saved(here, checkpoint)
    with pytest.raises(InputError, match="checkpoint.pth: key 'pos_embedding.gauss_B' missing"):
        detect.main("rooms", "bundled")


def scan(*, points=((0, 0, 0), (1, 1, 1)), boxes=((0, 0, 0, 1, 1, 1),), labels=(0,)):
    return Scene(
        "scan",
        np.array(points, "f4").reshape(-1, 3),
        np.array(boxes, "f4").reshape(-1, 6),
        np.array(labels, np.int64),
    )


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (scan(points=()), {}, "data/points/rooms: test/scan: 0 points, z up; expected some, and z up"),
        (scan(), {"up_axis": "y"}, "data/points/rooms: test/scan: 2 points, y up; expected some, and z up"),
        (scan(boxes=((0, 0, 0, 1, -1, 1),)), {}, "box 0 has size .*, expected .* no negative size"),
        (scan(labels=(7,)), {"classes": ("chair",)}, "truth of scan 0: class 7 to 7, expected 0 to 0"),
    ],
)
def test_a_bad_scan_is_one_line_and_leaves_no_table(content, options, message, here):
    new_scenes("rooms", content, **options)
    with pytest.raises(InputError, match=message):
        detect.main("rooms", "bundled")
    assert not Paths().metrics("rooms", "bundled").exists()
    assert not Paths().boxes("rooms", "bundled").exists()


def test_missing_templates_are_one_line(here):
    edit(here, "  templates: simple", "  templates: fancy")
    new_scenes("rooms", scan())
    with pytest.raises(InputError, match="prompts/templates/fancy.txt: no such file"):
        detect.main("rooms", "bundled")
