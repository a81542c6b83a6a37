"""Overlap, suppression and average precision are those that 3DETR's evaluation recorded, in every configuration."""

import numpy as np
import pytest
from box_geometry import corners_of, eleven_point_precision, iou_oriented

from stages.detection.average_precision import evaluate, match
from stages.detection.boxes import iou_axis_aligned
from stages.detection.suppression import occupied, select_proposals

THRESHOLDS = (0.25, 0.5)
CONFIGURATIONS = {  # recorded name: (how proposals are chosen, what a box says: every class, or its top class with ...)
    "default": ({}, "every class"),
    "train_time": ({"points": None}, "every class"),
    "class_agnostic_nms": ({"scope": "all"}, "every class"),
    "no_nms": ({"scope": "none"}, "every class"),
    "argmax_objectness": ({}, "objectness"),
    "argmax_clsconf": ({}, "probability"),
    "nms2d": ({"scope": "ground"}, "every class"),
    "old_nms": ({"share": "suppressed"}, "every class"),
}


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("average_precision")


def boxes_of(recorded, name):
    return np.concatenate([recorded[f"{name}_center"], recorded[f"{name}_size"]], axis=-1)


def truths_of(recorded):
    present = recorded["gt_present"] == 1
    return [
        (b[there], labels[there])
        for b, labels, there in zip(boxes_of(recorded, "gt"), recorded["gt_label"], present, strict=True)
    ]


def chosen(recorded, scene, **options):
    return select_proposals(
        boxes_of(recorded, "pred")[scene],
        recorded["objectness_prob"][scene],
        recorded["sem_cls_prob"][scene].argmax(axis=1),
        **{"points": recorded["points"][scene], **options},
    )


def predictions_of(recorded, options, says):
    predictions = []
    for scene, boxes in enumerate(boxes_of(recorded, "pred")):
        rows = chosen(recorded, scene, **options)
        probabilities, objectness = recorded["sem_cls_prob"][scene, rows], recorded["objectness_prob"][scene, rows]
        if says == "every class":
            predictions.append((boxes[rows], probabilities, objectness))
        else:
            score = objectness if says == "objectness" else probabilities.max(axis=1)
            predictions.append((boxes[rows], probabilities.argmax(axis=1), score))
    return predictions


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_scores_are_the_recorded_ones(recorded, name):
    options, says = CONFIGURATIONS[name]
    classes = recorded["sem_cls_prob"].shape[2]
    results = evaluate(predictions_of(recorded, options, says), truths_of(recorded), classes=classes)
    for threshold, result in results.items():
        np.testing.assert_array_equal(result.ap, recorded[f"{name}.ap_{threshold}_f64"])
        np.testing.assert_array_equal(result.recall, recorded[f"{name}.ar_{threshold}_f64"])
        assert result.mar == recorded[f"{name}.mar_{threshold}_f64"]
        recorded_map = float(recorded[f"{name}.map_{threshold}_f64"])  # the recorded mean is taken in f4, ours in f8
        assert result.map == pytest.approx(recorded_map, abs=3e-7)


def test_boxes_without_points_and_the_order_of_picks_are_the_recorded_ones(recorded):
    for scene, boxes in enumerate(boxes_of(recorded, "pred")):
        objectness = recorded["objectness_prob"][scene]
        kept = occupied(boxes, objectness, points=recorded["points"][scene], least=5)
        np.testing.assert_array_equal(kept, np.flatnonzero(recorded["default.nonempty"][scene]))
        order = recorded["default.nms_pick_order"][scene]
        picked = chosen(recorded, scene, min_objectness=-1)
        np.testing.assert_array_equal(picked, order[order >= 0])
        np.testing.assert_array_equal(np.sort(picked), np.flatnonzero(recorded["default.nms_keep"][scene]))
        likely = np.flatnonzero(recorded["default.nms_keep"][scene] & recorded["default.above_conf"][scene])
        np.testing.assert_array_equal(np.sort(chosen(recorded, scene)), likely)


def plain_predictions(recorded):
    for scene, boxes in enumerate(boxes_of(recorded, "pred")):
        rows = recorded["plain.scene"] == scene
        yield boxes[recorded["plain.box"][rows]], recorded["plain.class"][rows], recorded["plain.score_f64"][rows]


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_area_is_the_recorded_one(recorded, threshold):
    expected = recorded[f"plain.ap_{threshold}_f64"]
    predictions, truths = list(plain_predictions(recorded)), truths_of(recorded)
    result = evaluate(predictions, truths, classes=len(expected), thresholds=[threshold])[threshold]
    np.testing.assert_array_equal(result.ap, expected)
    np.testing.assert_array_equal(result.recall, recorded[f"plain.recall_{threshold}_f64"])


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_curves_of_all_classes_give_the_recorded_eleven_points(recorded, threshold):
    expected = recorded[f"plain.ap07_{threshold}_f64"]
    matches = match(list(plain_predictions(recorded)), truths_of(recorded), classes=len(expected))
    for label, precision in enumerate(expected):
        curve = matches.curve(label, threshold=threshold)
        if np.isnan(precision):
            assert not len(curve[0]) and not matches.truths[label]
        else:
            assert eleven_point_precision(*curve) == precision


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_curve_is_the_recorded_one(recorded, threshold):
    classes = recorded["sem_cls_prob"].shape[2]
    matches = match(list(plain_predictions(recorded)), truths_of(recorded), classes=classes)
    recall, precision = matches.curve(int(recorded[f"plain.curve_class_{threshold}"]), threshold=threshold)
    np.testing.assert_array_equal(recall, recorded[f"plain.curve_recall_{threshold}_f64"])
    np.testing.assert_array_equal(precision, recorded[f"plain.curve_precision_{threshold}_f64"])


def test_overlap_is_the_recorded_one(recorded):
    def pairs(name):
        return np.concatenate([recorded[f"iou.center_{name}_f64"], recorded[f"iou.size_{name}_f64"]], axis=1)

    def flat(boxes):
        return boxes * [1, 1, 0, 1, 1, 0] + [0, 0, 0, 0, 0, 1]

    def straight(boxes):
        return np.pad(boxes, [(0, 0), (0, 1)])

    a, b = pairs("a"), pairs("b")
    for expected, one, other in (("iou3d", a, b), ("bev", flat(a), flat(b))):
        aligned, oriented = iou_axis_aligned(one, other), iou_oriented(straight(one), straight(other))
        np.testing.assert_allclose(np.diag(aligned), recorded[f"iou.{expected}_f64"], atol=1e-9)
        np.testing.assert_allclose(np.diag(oriented), recorded[f"iou.{expected}_f64"], atol=1e-9)


def test_corners_are_the_recorded_ones(recorded):
    for name in ("pred", "gt"):
        corners = corners_of(boxes_of(recorded, name).reshape(-1, 6))
        camera = corners[..., [0, 2, 1]] * [1, -1, 1]  # recorded in axes (x, -z, y)
        np.testing.assert_allclose(camera, recorded[f"{name}_corners"].reshape(-1, 8, 3), atol=1e-5)
