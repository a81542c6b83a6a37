"""Every corruption does what its name says and no more, and a classifier's figures on corrupted copies are right."""

import numpy as np
import pytest
import raw_layouts
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from threadpoolctl import threadpool_limits

from stages import download, embed, evaluate, extract, generate, render, report, search
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.types import Clouds, Features
from stages.config.dataset import Corrupted
from stages.config.params import load_params
from stages.core.corruptions import CORRUPTIONS, FAMILIES, SEVERITIES, kinds, split_of
from stages.core.errors import InputError
from stages.core.sampling import spread
from stages.datasets.corruptions import CONTROL_POINTS, KINDS, _inverse_at_control_points, copies, corrupted
from stages.zeroshot.corruptions import corruption_figures
from stages.zeroshot.evaluation import Classifier

P = 500


def ball(seed=0, points=P):
    """A centred cloud inside the unit sphere whose farthest point lies on it."""
    drawn = np.random.default_rng(seed).normal(size=(points, 3))
    drawn -= drawn.mean(axis=0)
    return drawn / np.linalg.norm(drawn, axis=1).max()


def after(name, severity, cloud=None, seed=0):
    """A corrupted copy f8 of a normalised cloud, before it is rounded."""
    return KINDS[name](ball() if cloud is None else cloud, severity, np.random.default_rng(seed))


def distances_to(points, others):
    """Distance of each point to the nearest of `others`."""
    return np.sqrt(((points[:, None] - others[None]) ** 2).sum(axis=-1)).min(axis=1)


def test_there_are_fifteen_kinds_in_three_families():
    assert tuple(KINDS) == CORRUPTIONS and len(set(CORRUPTIONS)) == 15
    assert [len(names) for names in FAMILIES.values()] == [5, 5, 5]
    splits = ("test", "lidar_2", "cutout_1", "lidar_9", "shear_x", "train")
    assert kinds(splits) == [("lidar", 2), ("cutout", 1)]


# how many of 500 points are left, or there are, at each severity
COUNTS = {
    **dict.fromkeys(("occlusion", "lidar", "uniform", "gaussian", "impulse"), [500] * 5),
    **dict.fromkeys(FAMILIES["transformation"], [500] * 5),
    "density_inc": [550, 600, 650, 700, 750],
    "density": [463, 426, 389, 352, 315],
    "cutout": [470, 455, 425, 395, 350],
    "upsampling": [600, 625, 666, 750, 1000],
    "background": [511, 512, 514, 516, 525],
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_number_of_points_depends_on_kind_and_severity_alone(name):
    for severity, count in zip(SEVERITIES, COUNTS[name], strict=True):
        assert {len(after(name, severity, ball(seed), seed)) for seed in (0, 1)} == {count}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_number_of_threads_changes_no_byte(name):
    cloud = ball(points=4096)

    def copy(threads):
        _inverse_at_control_points.cache_clear()
        with threadpool_limits(threads):
            return after(name, 3, cloud).tobytes()

    assert copy(1) == copy(2)


# how far a coordinate moves at most, by severity
MOST = {
    "uniform": [0.01, 0.02, 0.03, 0.04, 0.05],
    "impulse": [0.1] * 5,
    "shear": [0.1 * severity for severity in SEVERITIES],  # both other coordinates are at most 1
    "distortion": [0.1, 0.2, 0.3, 0.4, 0.5],
}


@pytest.mark.parametrize("name", MOST)
@given(severity=st.sampled_from(SEVERITIES), seed=st.integers(0, 2**32 - 1))
def test_points_move_no_farther_than_the_severity_says(name, severity, seed):
    cloud = ball(seed % 5)
    moved = np.abs(after(name, severity, cloud, seed) - cloud)
    assert 0 < moved.max() <= MOST[name][severity - 1] + 1e-12


def test_gaussian_noise_has_the_deviation_of_its_severity():
    cloud = ball(points=20_000)
    for severity, deviation in zip(SEVERITIES, (0.01, 0.015, 0.02, 0.025, 0.03), strict=True):
        assert (after("gaussian", severity, cloud) - cloud).std() == pytest.approx(deviation, rel=0.02)


def test_impulses_move_a_share_of_the_points_by_a_tenth_along_every_axis():
    for severity, count in zip(SEVERITIES, (16, 20, 25, 33, 50), strict=True):
        moved = after("impulse", severity) - ball()
        hit = (moved != 0).any(axis=1)
        assert hit.sum() == count
        np.testing.assert_allclose(np.abs(moved[hit]), 0.1)


def test_upsampling_and_background_add_to_the_points_that_were_there():
    for name in ("upsampling", "background", "density_inc"):
        np.testing.assert_array_equal(after(name, 5)[:P], ball())
    assert np.abs(after("background", 5)[P:]).max() <= 1
    assert distances_to(after("upsampling", 5)[P:], ball()).max() <= 0.05 * 3**0.5


def test_denser_regions_have_their_new_points_between_those_that_were_there():
    new = after("density_inc", 1)[P:]
    halves = (ball()[:, None] + ball()[None]) / 2
    assert max(np.abs(halves - point).max(axis=-1).min() for point in new) < 1e-12
    near = distances_to(ball(), new.mean(axis=0)[None])
    assert np.sort(near)[: len(new)].mean() < near.mean() / 2  # and the region is one place


@given(st.integers(0, 2**32 - 1))
def test_a_cut_leaves_a_part_of_the_points_and_an_empty_ball(seed):
    cloud = ball(points=100)
    left = after("cutout", 1, cloud, seed)  # two balls of three points
    kept = (cloud[:, None] == left[None]).all(axis=-1).any(axis=1)
    assert kept.sum() == len(left) == 94
    gone = cloud[~kept]
    emptied = [np.sort(distances_to(cloud, centre[None]))[2] for centre in gone]  # the ball of its three nearest
    assert any(distances_to(left, centre[None]).min() > radius for centre, radius in zip(gone, emptied, strict=True))


def test_a_thinner_region_loses_three_quarters_of_its_points():
    left = after("density", 1)
    kept = (ball()[:, None] == left[None]).all(axis=-1).any(axis=1)
    gone = ball()[~kept]
    assert (len(left), len(gone)) == (463, 37)
    reach = [np.sort(distances_to(ball(), centre[None]))[49] for centre in ball()]  # of the 50 nearest
    inside = [distances_to(gone, centre[None]).max() <= radius for centre, radius in zip(ball(), reach, strict=True)]
    assert any(inside)


@given(st.sampled_from(SEVERITIES), st.integers(0, 2**32 - 1))
def test_a_rotation_keeps_distances_and_handedness_and_turns_by_the_severity(severity, seed):
    cloud = ball(points=20)
    turned = after("rotation", severity, cloud, seed)
    np.testing.assert_allclose(pdist(turned), pdist(cloud), rtol=1e-9)
    matrix = np.linalg.lstsq(cloud, turned, rcond=None)[0].T
    assert np.linalg.det(matrix) == pytest.approx(1)
    each = np.radians((2.5, 5, 7.5, 10, 15)[severity - 1])
    assert each * 0.9 < np.arccos((np.trace(matrix) - 1) / 2) < each * 3**0.5 * 1.1


@given(st.sampled_from(SEVERITIES), st.integers(0, 2**32 - 1))
def test_a_shear_is_linear_with_a_unit_diagonal(severity, seed):
    cloud = ball(points=20)
    matrix = np.linalg.lstsq(cloud, after("shear", severity, cloud, seed), rcond=None)[0].T
    np.testing.assert_allclose(np.diag(matrix), 1, atol=1e-9)
    np.testing.assert_allclose(np.abs(matrix[~np.eye(3, dtype=bool)]), 0.05 * severity, atol=1e-9)


@pytest.mark.parametrize("name", ["distortion_rbf", "distortion_rbf_inv"])
@given(severity=st.sampled_from(SEVERITIES), seed=st.integers(0, 2**32 - 1))
def test_radial_basis_functions_move_their_control_points_within_the_severity(name, severity, seed):
    moved = np.abs(after(name, severity, CONTROL_POINTS, seed) - CONTROL_POINTS)
    assert 0 < moved.max() <= 0.025 * severity + 1e-6


def test_free_form_deformation_moves_its_corners_as_their_control_points():
    corners = CONTROL_POINTS[np.abs(CONTROL_POINTS).min(axis=1) == 1]
    drawn = 0.3 * np.random.default_rng(7).uniform(-1, 1, CONTROL_POINTS.shape)
    at = np.abs(CONTROL_POINTS).min(axis=1) == 1
    np.testing.assert_allclose(after("distortion", 3, corners, seed=7) - corners, drawn[at], atol=1e-12)


def test_a_camera_sees_what_lies_little_behind_only_at_low_severities():
    outer, inner = _sphere(60_000), 0.65 * _sphere(2000)  # the inner ball is 0.35 behind the outer one
    for severity in SEVERITIES:
        seen = np.linalg.norm(after("occlusion", severity, np.concatenate([outer, inner])), axis=1)
        assert (seen < 0.7).any() == (severity < 3)


def _sphere(points):
    drawn = np.random.default_rng(3).normal(size=(points, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_more_is_hidden_at_a_higher_severity_and_nothing_is_made_up():
    cloud = _sphere(2000)
    seen = [{tuple(point) for point in after("occlusion", severity, cloud)} for severity in SEVERITIES]
    assert all(more >= fewer for more, fewer in zip(seen, seen[1:], strict=False))
    assert seen[0] <= {tuple(point) for point in cloud}
    assert 0.3 < len(seen[-1]) / len(cloud) < 0.75  # about the half that faces the camera


def test_a_scanner_measures_on_its_rings():
    for severity, rings in zip(SEVERITIES, (40, 32, 24, 16, 10), strict=True):
        rng = np.random.default_rng(5)
        azimuth = rng.uniform(0, 2 * np.pi)
        towards = np.array([np.sin(azimuth), 0, np.cos(azimuth)])  # the camera turns about y by the first drawn number
        seen = after("lidar", severity, _sphere(2000), seed=5)
        tangents = seen[:, 1] / (3 - seen @ towards)
        np.testing.assert_allclose(tangents * rings, np.round(tangents * rings), atol=1e-9)
        assert np.median(seen @ towards) > 0  # the side that faces it
        assert len(np.unique(np.round(tangents * rings))) <= rings + 1


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("up", ["x", "z"])
def test_the_up_axis_turns_the_corruption_with_the_cloud(name, up):
    cloud, by = ball().astype("f4"), "xyz".index(up) - 1
    upright = corrupted(cloud, name, 3, rng=np.random.default_rng(0))
    turned = corrupted(np.roll(cloud, by, axis=1), name, 3, up_axis=up, rng=np.random.default_rng(0))
    np.testing.assert_allclose(np.roll(turned, -by, axis=1), upright, atol=1e-6)


def test_copies_are_of_spread_objects_and_the_same_whatever_else_is_made():
    clouds = Clouds(np.stack([ball(seed).astype("f4") for seed in range(7)]), np.arange(7))
    made = dict(copies(clouds, Corrupted(severities=(1, 5), objects=3, seed=4), up_axis="y"))
    assert list(made) == [split_of(name, severity) for name in CORRUPTIONS for severity in (1, 5)]
    for name, found in made.items():
        np.testing.assert_array_equal(found.labels, [0, 3, 6], err_msg=name)
        assert (found.points.dtype, np.isfinite(found.points).all()) == (np.float32, True)
    alone = dict(copies(clouds, Corrupted(severities=(5,), seed=4), up_axis="y"))
    other = dict(copies(clouds, Corrupted(severities=(5,), seed=5), up_axis="y"))
    for name in CORRUPTIONS:
        np.testing.assert_array_equal(alone[split_of(name, 5)].points[[0, 3, 6]], made[split_of(name, 5)].points)
        assert not np.array_equal(alone[split_of(name, 5)].points, other[split_of(name, 5)].points)


def test_figures_are_of_the_same_objects_and_their_copies():
    axes = np.eye(3, dtype="f4")

    def features(*seen, labels=(0, 1)):
        return Features(axes[list(seen)][:, None], np.array(labels), ("a", "b", "c"), logit_scale=100.0)

    stored = {
        "test": features(0, 2, 1, labels=(0, 2, 1)),
        "lidar_1": features(0, 1),  # of the first and the last object
        "lidar_5": features(0, 2),
        "shear_1": features(1, 2),
    }
    config = load_params().evaluate
    figures = corruption_figures(
        Classifier(axes, np.ones(1)), splits=tuple(stored), read=stored.__getitem__, config=config
    )
    assert (figures.objects, figures.clean.top1, figures.labels_read) == (2, 100, "none")
    assert {name: {s: one.top1 for s, one in by.items()} for name, by in figures.by_severity.items()} == {
        "lidar": {1: 100, 5: 50},
        "shear": {1: 0},
    }
    assert (figures.by_corruption["lidar"].top1, figures.mean.top1) == (75, 50)
    # the first object is right in 2 of 3 copies, the other in 1: redraws of the two lie between
    assert (figures.mean.top1_low, figures.mean.top1_high) == (33.33, 66.67)
    # every answer is sure: where half of them are wrong, the probabilities are off by half
    assert figures.mean.expected_calibration_error == pytest.approx(50, abs=0.01)
    assert corruption_figures(Classifier(axes, np.ones(1)), splits=("test",), read=stored.get, config=config) is None
    stored["shear_1"] = features(1, 2, labels=(0, 2))
    with pytest.raises(InputError, match="split shear_1: its 2 labels are not those of the test split's objects"):
        corruption_figures(Classifier(axes, np.ones(1)), splits=tuple(stored), read=stored.get, config=config)


def test_the_default_run_has_copies_of_home_objects(tiny):
    with open_points(Paths(tiny.root).points("home_objects")) as points:
        rows = spread(len(points.labels("test")), 3)
        assert len(kinds(points.splits)) == 30
        for kind in kinds(points.splits):
            np.testing.assert_array_equal(points.labels(split_of(*kind)), points.labels("test")[rows])
    figures = read_metrics(Paths(tiny.root).metrics("home_objects", "bundled"), ClassificationMetrics).corruptions
    assert (figures.objects, list(figures.by_severity["lidar"])) == (3, [1, 5])
    table = (tiny.root / "reports/tables/corruptions.md").read_text()
    assert "home_objects with bundled: 3 objects of the test split, 15 corruptions at severity 1, 5 of 5" in table


def test_modelnet40_c_goes_through_every_stage_without_a_train_split(tiny, tmp_path, capsys):
    checkout = tiny.copy(tmp_path / "copy")
    raw_layouts.modelnet40_c(_empty(checkout.root / "data/raw/modelnet40_c"))
    checkout.set_params({"select.datasets": ["modelnet40_c"], "select.classification": ["modelnet40_c"]})
    none = {f"select.{task}": [] for task in ("fewshot", "segmentation", "detection")}
    checkout.set_params(none | {"evaluate.temperature": "none"})
    run = ("modelnet40_c", "bundled")
    for stage, arguments in (
        *((stage, run[:1]) for stage in (download, render, generate)),
        *((stage, run) for stage in (extract, embed, search, evaluate)),
    ):
        stage.main(*arguments, root=checkout.root)
    assert "73 of 75 files data_<corruption>_<severity>.npy are not there" in capsys.readouterr().err
    metrics = read_metrics(Paths(checkout.root).metrics(*run), ClassificationMetrics)
    assert metrics.leakage is None and "search_train" not in metrics.protocols
    assert list(metrics.retrieval) == ["test"] and metrics.none_of_these == {}
    assert {name: list(by) for name, by in metrics.corruptions.by_severity.items()} == {"cutout": [2], "rotation": [1]}
    from stages import examples

    examples.main(root=checkout.root)
    report.main(root=checkout.root)
    table = (checkout.root / "reports/tables/corruptions.md").read_text()
    assert "| modelnet40_c | bundled | transformation | rotation |" in table and "severity 3" not in table
    checkout.set_params({"evaluate.temperature": "one"})
    with pytest.raises(InputError, match="evaluate.temperature_split: no sample there"):
        evaluate.main(*run, root=checkout.root)


def _empty(folder):
    folder.mkdir(parents=True)
    return folder
