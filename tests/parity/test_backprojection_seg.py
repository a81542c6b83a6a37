"""Points get the recorded logits and parts, in the right layout and as released, and the recorded IoU."""

import numpy as np
import pytest

from stages.artifacts.types import Clouds, PatchFeatures
from stages.segmentation import as_published
from stages.segmentation.back_projection import back_project, released_layout, smooth_patches
from stages.segmentation.scores import score
from stages.segmentation.shapes import Shapes

WINDOW, MAP_SIZE, SCALE = 6, 224, np.float32(100)
MODES = ("correct", "as_released")


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("backprojection_seg")


@pytest.fixture(scope="module")
def text(recorded):
    return recorded["text_features"] / np.linalg.norm(recorded["text_features"], axis=1, keepdims=True)


@pytest.fixture(scope="module")
def patches(recorded):
    """Patch features [N, V, G * G, D] of the stored ones [N, V, D, G, G]."""
    stored = recorded["features_stored"]
    return np.ascontiguousarray(np.moveaxis(stored.reshape(*stored.shape[:3], -1), 2, -1))


@pytest.fixture(scope="module", params=MODES)
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def logits(recorded, text, patches, mode):
    features = patches if mode == "correct" else released_layout(patches)
    return np.stack(
        [
            back_project(
                smooth_patches(SCALE * shape @ text.T, window=WINDOW),
                pixels=recorded["point_loc"][n],
                visible=recorded["is_seen"][n],
                view_weights=recorded["view_weights"],
                map_size=MAP_SIZE,
            )
            for n, shape in enumerate(features)
        ]
    )


def test_point_logits(recorded, logits, mode):
    np.testing.assert_allclose(logits, recorded[f"point_logits_{mode}"], atol=2e-4)


def shapes_of(recorded, patches, mode):
    """The recorded shapes as the stage holds them, read in one of two ways; the look-up is the released one in both."""
    found = PatchFeatures(
        rows=np.arange(len(patches)),
        features=patches,
        pixels=recorded["point_loc"][..., ::-1].astype("u2"),
        visible=recorded["is_seen"],
        visible_released=recorded["is_seen"],
        map_size=MAP_SIZE,
        logit_scale=100.0,
    )
    labels = recorded["label"].astype(np.int64)
    clouds = Clouds(np.zeros((*labels.shape, 3), "f4"), np.zeros(len(labels), int), labels)
    config = {"as_released": as_published.RELEASED, "correct": as_published.PATCHES_IN_ORDER}[mode]
    names = tuple(f"part {k}" for k in range(recorded["text_features"].shape[0]))
    return Shapes.from_patches(found, clouds, parts=names, config=config)


def test_the_protocols_as_published_read_as_recorded(recorded, text, patches, mode):
    shapes, weights = shapes_of(recorded, patches, mode), recorded["view_weights"]
    logits = SCALE * shapes.logits(text, view_weights=weights)
    np.testing.assert_allclose(logits, recorded[f"point_logits_{mode}"], atol=2e-4)


def test_features_of_points_give_the_same_logits(recorded, text, patches):
    """The order of the steps does not matter: a search takes features to the points first, and sentences after."""
    features = back_project(
        smooth_patches(patches[0], window=WINDOW),
        pixels=recorded["point_loc"][0],
        visible=recorded["is_seen"][0],
        view_weights=recorded["view_weights"],
        map_size=MAP_SIZE,
    )
    np.testing.assert_allclose(SCALE * features @ text.T, recorded["point_logits_correct"][0], atol=2e-4)


def test_the_whole_map_of_one_view(recorded, text, patches):
    rows, columns = np.divmod(np.arange(MAP_SIZE**2), MAP_SIZE)
    whole = back_project(
        smooth_patches(SCALE * patches[0, :1] @ text.T, window=WINDOW),
        pixels=np.stack([rows, columns], axis=-1)[None],
        visible=np.ones((1, MAP_SIZE**2), bool),
        view_weights=np.ones(1),
        map_size=MAP_SIZE,
    )
    np.testing.assert_allclose(
        whole.T.reshape(-1, MAP_SIZE, MAP_SIZE), recorded["pixel_logits_correct_shape0_view0"], atol=1e-4
    )


def test_parts_and_their_scores(recorded, logits, text, mode):
    predicted = logits.argmax(axis=-1)
    # a point whose two best logits are closer than rounding may go either way
    ranked = np.sort(recorded[f"point_logits_{mode}"], axis=-1)
    clear = (ranked[..., -1] - ranked[..., -2] > 1e-3) | ~recorded["is_seen"].any(axis=1)
    expected = recorded[f"pred_ties_to_lowest_{mode}"]
    np.testing.assert_array_equal(predicted[clear], expected[clear])
    scores = score(expected, recorded["label"], parts=len(text))
    np.testing.assert_allclose(scores.iou, recorded[f"shape_iou_ties_to_lowest_{mode}_f64"], rtol=1e-12)
    means = 100 * np.array([scores.accuracy.mean(), scores.iou.mean()])
    np.testing.assert_allclose(means, recorded[f"acc_miou_percent_ties_to_lowest_{mode}_f64"], rtol=1e-6)
    if clear.all():
        np.testing.assert_array_equal(score(predicted, recorded["label"], parts=len(text)).iou, scores.iou)


def test_scores_of_the_exact_run(recorded, text, mode):
    scores = score(recorded[f"pred_{mode}"], recorded["label"], parts=len(text))
    np.testing.assert_allclose(scores.iou, recorded[f"shape_iou_{mode}_f64"], rtol=1e-12)
    means = 100 * np.array([scores.accuracy.mean(), scores.iou.mean()])
    np.testing.assert_allclose(means, recorded[f"acc_miou_percent_{mode}_f64"], rtol=1e-6)


def test_iou_cases(recorded, text):
    iou = score(recorded["iou_case_pred"], recorded["iou_case_gt"], parts=len(text)).iou
    np.testing.assert_allclose(iou, recorded["iou_case_value_f64"], rtol=1e-15)
