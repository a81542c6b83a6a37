"""Overlap, suppression and average precision by hand-checked cases and properties."""

import math

import numpy as np
import pytest
from box_geometry import corners_of, eleven_point_precision, iou_oriented
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.errors import InputError
from stages.detection.average_precision import evaluate, match
from stages.detection.boxes import check_boxes, iou_axis_aligned, points_inside
from stages.detection.suppression import nms_3d, select_proposals

UNIT = [0.0, 0, 0, 1, 1, 1]


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, len(rows[0]) if rows else 6)


def shifted(x, *, size=1.0):
    return [x, 0, 0, size, size, size]


def random_boxes(seed, count):
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.uniform(-1, 1, (count, 3)), generator.uniform(0.1, 2, (count, 3))], axis=1)


def test_overlap_of_unit_cubes():
    others = boxes(UNIT, shifted(0.5), shifted(1), shifted(3), shifted(0, size=0.5))
    np.testing.assert_allclose(iou_axis_aligned(boxes(UNIT), others), [[1, 1 / 3, 0, 0, 1 / 8]])
    np.testing.assert_array_equal(iou_axis_aligned(boxes(shifted(0, size=0)), boxes(shifted(0, size=0))), [[0]])


def test_overlap_of_a_square_turned_by_45_degrees_is_an_octagon():
    shared = 2 * (math.sqrt(2) - 1)
    found = iou_oriented(boxes([*UNIT, 0]), boxes([*UNIT, math.pi / 4]))
    np.testing.assert_allclose(found, [[shared / (2 - shared)]], rtol=1e-6)


def test_a_quarter_turn_swaps_the_sides_and_heading_is_clockwise():
    bar, across = [0, 0, 0, 4, 2, 1], [0, 0, 0, 2, 4, 1]
    np.testing.assert_allclose(iou_oriented(boxes([*bar, math.pi / 2]), boxes([*across, 0])), [[1]], rtol=1e-6)
    np.testing.assert_allclose(corners_of(np.array([[*bar, math.pi / 2]]))[0, 0], [1, -2, -0.5], atol=1e-12)
    np.testing.assert_allclose(corners_of(np.array([bar]))[0, 4], [2, 1, 0.5])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), turn=st.floats(-4, 4), x=st.floats(-2, 2), y=st.floats(-2, 2))
def test_overlap_does_not_change_when_the_scan_turns(seed, turn, x, y):
    def turned(rows):
        at = np.stack([rows[:, 0] * np.cos(turn) + rows[:, 1] * np.sin(turn), rows[:, 1] * np.cos(turn)], 1)
        at[:, 1] -= rows[:, 0] * np.sin(turn)
        return np.column_stack([at + [x, y], rows[:, 2:], np.full(len(rows), turn)])

    a, b = random_boxes(seed, 4), random_boxes(seed + 1, 5)
    np.testing.assert_allclose(iou_oriented(turned(a), turned(b)), iou_axis_aligned(a, b), atol=1e-9)


def test_points_on_a_face_are_inside_and_a_box_grows():
    points = np.array([[0.5, 0, 0], [0.6, 0, 0], [0, 0, -0.7]], np.float32)
    assert points_inside(points, boxes(UNIT)).tolist() == [[True, False, False]]
    assert points_inside(points, boxes(UNIT), margin=0.15).tolist() == [[True, True, False]]


def test_suppression_keeps_the_best_of_each_heap():
    heap = boxes(UNIT, shifted(0.2), shifted(0.4), shifted(5))
    scores, classes = np.array([0.5, 0.9, 0.7, 0.1]), np.array([0, 1, 0, 1])
    assert nms_3d(heap, scores, None, threshold=0.25).tolist() == [1, 3]
    assert nms_3d(heap, scores, classes, threshold=0.25).tolist() == [1, 2, 3]  # 0 goes by 2, of its class
    assert nms_3d(heap, scores, None, threshold=0.9).tolist() == [1, 2, 0, 3]


def test_suppression_on_the_ground_and_by_the_smaller_volume():
    stacked = boxes(UNIT, [0, 0, 5, 1, 1, 1])
    assert nms_3d(stacked, np.array([1, 2]), None, threshold=0.25).tolist() == [1, 0]
    assert nms_3d(stacked, np.array([1, 2]), None, threshold=0.25, ground=True).tolist() == [1]
    nested = boxes(shifted(0, size=0.5), UNIT)  # shares 1/8 of the union and all of the smaller
    assert nms_3d(nested, np.array([1, 2]), None, threshold=0.25).tolist() == [1, 0]
    assert nms_3d(nested, np.array([1, 2]), None, threshold=0.25, share="suppressed").tolist() == [1]


def test_proposals_need_points_and_objectness():
    rows, classes = boxes(UNIT, shifted(5), shifted(10)), np.zeros(3, int)
    points = np.concatenate([np.zeros((5, 3)), np.full((4, 3), [5, 0, 0]), np.full((5, 3), [10, 0, 0])])
    objectness = np.array([0.9, 0.8, 0.05])
    assert select_proposals(rows, objectness, classes, points=points).tolist() == [0]
    assert select_proposals(rows, objectness, classes, points=None).tolist() == [0, 1]
    assert select_proposals(rows, objectness, classes, points=points + 50).tolist() == [0]  # all empty: the best stays
    with pytest.raises(InputError, match="without points"):
        select_proposals(rows, objectness, classes, points=np.empty((0, 3)))


def test_average_precision_by_hand():
    truths = [(boxes(UNIT, shifted(5)), np.array([0, 0])), (boxes(UNIT), np.array([1]))]
    predictions = [
        (boxes(UNIT, shifted(0.1), shifted(5.4)), np.array([0, 0, 0]), np.array([0.9, 0.8, 0.7])),  # 1, again, iou 3/7
        (boxes(shifted(9)), np.array([2]), np.array([0.5])),
    ]
    found = evaluate(predictions, truths, classes=4)
    # class 0 at 0.25: right, wrong (taken), right: area 1/2 * 1 + 1/2 * 2/3; class 1 has no prediction, 2 no true box
    np.testing.assert_allclose(found[0.25].ap, [5 / 6, 0, 0, np.nan])
    np.testing.assert_allclose(found[0.25].recall, [1, 0, 0, np.nan])
    np.testing.assert_allclose(found[0.5].ap, [1 / 2, 0, 0, np.nan])
    assert found[0.25].map == pytest.approx(5 / 18) and found[0.25].mar == pytest.approx(1 / 3)
    curve = match(predictions, truths, classes=4).curve(0, threshold=0.25)
    np.testing.assert_allclose(curve, [[1 / 2, 1 / 2, 1], [1, 1 / 2, 2 / 3]])  # recall, precision
    assert eleven_point_precision(*curve) == pytest.approx((6 + 5 * 2 / 3) / 11)  # 1 up to recall 0.5, 2/3 beyond


def test_probabilities_make_every_box_a_prediction_for_every_class():
    truths = [(boxes(UNIT), np.array([1]))]
    says = np.array([[0.7, 0.3], [0.9, 0.1]])
    found = evaluate([(boxes(UNIT, shifted(7)), says, np.array([0.5, 0.9]))], truths, classes=2, thresholds=[0.5])[0.5]
    np.testing.assert_allclose(found.ap, [0, 1])  # 0.3 * 0.5 is above 0.1 * 0.9


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), scenes=st.integers(1, 4))
def test_the_truth_scores_one_and_noise_not_more(seed, scenes):
    generator = np.random.default_rng(seed)
    truths = [
        (random_boxes(seed + s, 4) + [*[10 * s, 0, 0], 0, 0, 0], generator.integers(0, 3, 4)) for s in range(scenes)
    ]
    spread = [(b + np.arange(4)[:, None] * [10, 0, 0, 0, 0, 0], labels) for b, labels in truths]
    perfect = [(b, labels, generator.uniform(size=4)) for b, labels in spread]
    for result in evaluate(perfect, spread, classes=3).values():
        assert result.map == pytest.approx(1) and result.mar == pytest.approx(1)
    noisy = [(b + generator.normal(0, 0.3, (4, 6)) * [1, 1, 1, 0, 0, 0], labels, s) for b, labels, s in perfect]
    found = evaluate(noisy, spread, classes=3)
    assert 0 <= found[0.5].map <= found[0.25].map <= 1


BAD = boxes(UNIT, [0, 0, 0, 1, -2, 1])


@pytest.mark.parametrize(
    "work",
    [
        lambda: check_boxes(BAD, source="scan"),
        lambda: nms_3d(BAD, np.ones(2), None, threshold=0.25),
        lambda: evaluate([(BAD, np.zeros(2, int), np.ones(2))], [(boxes(UNIT), np.zeros(1, int))], classes=1),
        lambda: evaluate([(boxes(UNIT), np.zeros(1, int), np.ones(1))], [(BAD, np.zeros(2, int))], classes=1),
    ],
)
def test_a_negative_size_is_one_line(work):
    with pytest.raises(InputError, match=r"^[^\n]*box 1 has size \(1, -2, 1\), expected[^\n]*$"):
        work()


@pytest.mark.parametrize(
    ("predictions", "truths", "message"),
    [
        ([], [], "no scan"),
        ([], [(boxes(), np.zeros(0, int))], "0 scans"),
        ([(boxes(UNIT), np.array([7]), np.ones(1))], [(boxes(UNIT), np.array([0]))], "predictions of scan 0: class 7"),
        ([(boxes(UNIT), np.array([0]), np.ones(1))], [(boxes(UNIT), np.array([-1]))], "truth of scan 0: class -1"),
        ([(boxes(UNIT), np.ones((1, 5)), np.ones(1))], [(boxes(UNIT), np.array([0]))], "5 classes, expected 2"),
    ],
)
def test_what_cannot_be_scored_is_named(predictions, truths, message):
    with pytest.raises(InputError, match=message):
        evaluate(predictions, truths, classes=2)
