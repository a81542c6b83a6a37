"""No cloud and no box, however far, tiny or flat, leads a compiled loop out of its arrays or blurs what it shows.

`make bounds` runs these under NUMBA_BOUNDSCHECK=1, where an index out of bounds is an IndexError and not a wild write.
"""

import dataclasses
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
import trimesh
from box_geometry import iou_oriented
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.errors import InputError
from stages.core.precision import FAR, in_single, local_origin
from stages.core.sampling import farthest_points
from stages.datasets.hdf5 import checked_points
from stages.datasets.objects import read_object
from stages.detection.boxes import iou_axis_aligned, points_inside
from stages.detection.detr3d.operators import query_ball, sample_farthest
from stages.detection.suppression import nms_3d
from stages.projection import differentiable, voxels
from stages.projection.methods import METHODS, map_size
from stages.projection.presets import PRESETS
from stages.projection.rendering import project, render
from stages.projection.sparse import perspective
from stages.segmentation.back_projection import back_project
from stages.segmentation.scores import score

CLASSIFICATION = PRESETS["v2_classification"]
SMALL = dataclasses.replace(CLASSIFICATION, resolution=24)
DEEP = dataclasses.replace(
    PRESETS["v2_segmentation"], resolution=32, depth=16, lookup="corrected", lookup_depth=15, crop=(4, 28)
)
PROJECTIONS = (
    SMALL,
    dataclasses.replace(SMALL, kernel="mish", depth_bias=0.0, densify_padding=(0, 0, 0), xy_scale=1.0),
    dataclasses.replace(SMALL, method="v1"),
    dataclasses.replace(SMALL, method="contour"),
    dataclasses.replace(SMALL, method="depth_shaded"),
    DEEP,
)
UTM, ECEF = (5e5, 5e6, 120.0), (4.1e6, 8.7e5, 4.8e6)
quick, long = settings(max_examples=40, deadline=None), settings(max_examples=3000, deadline=None)
exponents = st.floats(-30, 30)
offsets = st.tuples(*[st.sampled_from((0, 1, -1)) | st.floats(-1e12, 1e12)] * 3)


@st.composite
def clouds(draw) -> np.ndarray:
    """A cloud [P, 3] in float32 or float64: a block, a plane, a line, a point over and over, or with doubled points."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = generator.uniform(-1, 1, (draw(st.integers(2, 60)), 3))
    points *= draw(
        st.sampled_from([(1, 1, 1), (1, 1, 0), (0, 1, 1), (1, 0, 0), (0, 0, 1), (1, 1e-9, 1e-20), (0, 0, 0)])
    )
    points = points[generator.integers(0, len(points), len(points))] if draw(st.booleans()) else points
    moved = points * 10.0 ** draw(exponents) + np.array(draw(offsets))
    return moved.astype(draw(st.sampled_from((np.float32, np.float64))))


def check_projected(points: np.ndarray, projection) -> None:
    """Maps in 0..1 and all indices in their arrays, or one line that says what was expected."""
    per_point = METHODS[projection.method].per_point
    try:
        projected = project(points[None], projection) if per_point else None
        depth = projected.depth if per_point else render(points[None], projection)
    except InputError as error:
        assert "points: sample 0: expected" in str(error) and "\n" not in str(error)
        assert not 1e-30 < np.ptp(points.astype(np.float64), axis=0).max() < 1e30
        return
    assert depth.min() >= 0 and depth.max() <= 1, "a NaN is neither"
    assert depth.min() < depth.max()
    if not per_point:
        return
    cells, size = projected.cells, projection.resolution
    assert cells[..., :2].min() >= 1 and cells[..., :2].max() <= size - 2
    assert cells[..., 2].min() >= 0 and cells[..., 2].max() < projection.depth
    assert projected.pixels.min() >= 0 and projected.pixels.max() < map_size(projection)
    assert np.isfinite(projected.depth_values).all() and np.isfinite(projected.surface).all()


@quick
@given(clouds(), st.sampled_from(PROJECTIONS))
def test_any_cloud_is_a_map_or_one_line(points, projection):
    check_projected(points, projection)


@pytest.mark.slow
@long
@given(clouds(), st.sampled_from(PROJECTIONS))
def test_any_cloud_is_a_map_or_one_line_in_many_rounds(points, projection):
    check_projected(points, projection)


def check_raw(points: np.ndarray) -> None:
    """The loops themselves, without what `render` does first: whatever the numbers, no index leaves its array."""
    points, one = points.astype(np.float32), np.float32(1)
    layout = voxels.layout(resolution=40, depth=8, window=(3, 5, 5), padding=(1, 2, 2), kernel=(3, 3, 3), xy_scale=0.5)
    cells, depth_values = np.empty((3, len(points)), np.int32), np.empty(len(points), np.float32)
    turns, half = np.eye(3, dtype=np.float32)[None], np.float32(0.5)
    voxels.quantise(points, turns, np.full(3, 1.5, np.float32), 40, 8, half, one, cells, depth_values)
    assert cells[:2].min() >= 1 and cells[:2].max() <= 38 and cells[2].min() >= 0 and cells[2].max() <= 7
    assert depth_values.min() >= 1 and depth_values.max() <= 6
    grid, scratch = voxels.empty_grid(layout, layout.slices), voxels.empty_grid(layout, 1)
    voxels.densify(cells, depth_values, True, layout, grid, scratch)
    assert grid.rows.min() >= 0 and grid.rows.max() <= layout.reached and np.isfinite(grid.values).all()
    perspective(points, turns, 40, half, cells, depth_values)
    assert cells[:2].min() >= 1 and cells[:2].max() <= 38


wild = st.floats(width=32) | st.sampled_from((0.0, 3e38, -3e38, 1e-45))


@quick
@given(clouds())
def test_the_loops_stay_in_their_arrays(points):
    with np.errstate(over="ignore"):
        check_raw(points)


@quick
@given(st.lists(st.tuples(wild, wild, wild), min_size=1, max_size=8))
def test_the_loops_stay_in_their_arrays_with_nan_and_infinity(rows):
    check_raw(np.array(rows))


@pytest.mark.skipif(not numba.config.BOUNDSCHECK, reason="make bounds has it")
def test_bounds_are_checked_where_they_are_said_to_be():
    with pytest.raises(IndexError):
        farthest_points(np.zeros((3, 3), np.float32), 2, 7)


# Precision: the same maps wherever an object stands and whatever it is measured in


def chair() -> trimesh.Trimesh:
    """A chair of boxes, a little turned so that no face lies exactly along a view."""
    boxes = [((0.5, 0.06, 0.5), (0, 0.45, 0)), ((0.5, 0.5, 0.05), (0, 0.7, -0.225))]
    boxes += [((0.05, 0.45, 0.05), (x, 0.22, z)) for x in (-0.2, 0.2) for z in (-0.2, 0.2)]
    parts = [trimesh.creation.box(size, trimesh.transformations.translation_matrix(at)) for size, at in boxes]
    return trimesh.util.concatenate(parts).apply_transform(
        trimesh.transformations.euler_matrix(0.13, 0.31, 0.07, "sxyz")
    )


def assert_same_but_for_rounding(maps: np.ndarray, expected: np.ndarray) -> None:
    """Equal except near the few points that rounding puts in the next cell."""
    difference = np.abs(maps - expected)
    assert (difference > 1e-3).mean() < 0.01 and difference.mean() < 1e-4


@pytest.fixture(scope="module")
def surface() -> np.ndarray:
    """2,000 points f8 [P, 3] on the chair."""
    return trimesh.sample.sample_surface(chair(), 2000, seed=np.random.default_rng(0))[0]


placed = pytest.mark.parametrize(
    ("scale", "offset"),
    [(1, UTM), (1, ECEF), (1, (0, 0, 1e12)), (1000, ECEF), (1e-12, (0, 0, 0)), (1e12, (0, 0, 0)), (1e-12, (1e-6, 0, 0))]
    + [(1e-29, (0, 0, 0)), (1e29, (0, 0, 0)), (1e12, (1e17, 0, 0))],
)


@placed
@pytest.mark.parametrize("preset", ["v2_classification", "v2_segmentation", "v1"])
def test_a_chair_elsewhere_has_the_same_maps(surface, preset, scale, offset):
    moved = surface * scale + np.array(offset)
    back = (moved - np.array(offset)) / scale  # what float64 keeps of it: at 1e12 a tenth of a millimetre
    maps = render([back, moved], PRESETS[preset])
    assert_same_but_for_rounding(maps[1], maps[0])


@placed
def test_a_chair_elsewhere_has_the_same_maps_in_torch(surface, scale, offset):
    moved = surface * scale + np.array(offset)
    back = (moved - np.array(offset)) / scale
    for projection in (CLASSIFICATION, DEEP):
        maps = differentiable.render(torch.from_numpy(np.stack([back, moved])), projection).numpy()
        assert_same_but_for_rounding(maps[1], maps[0])
        assert_same_but_for_rounding(maps[1], render(moved[None], projection)[0])


@quick
@given(st.integers(0, 2**32 - 1), st.floats(-25, 25), st.tuples(*[st.floats(-1e6, 1e6)] * 3))
def test_any_cloud_elsewhere_has_the_same_maps(seed, exponent, extents):
    points = np.random.default_rng(seed).normal(size=(200, 3)) * (0.3, 1, 0.6)
    moved = (points + np.array(extents)) * 10**exponent
    maps = render([points, moved], CLASSIFICATION)
    assert (np.abs(maps[1] - maps[0]) > 1e-3).mean() < 0.03


@pytest.mark.parametrize("points", [None, 300])
@pytest.mark.parametrize(("scale", "offset"), [(1, UTM), (1, ECEF), (1e-12, (0, 0, 0)), (1e12, (0, 0, 0))])
def test_a_file_elsewhere_has_the_same_maps(surface, tmp_path, points, scale, offset):
    for name, values in (("here.npy", surface), ("there.npy", surface * scale + np.array(offset))):
        np.save(tmp_path / name, values)
    here, there = (read_object(tmp_path / name, points=points, seed=0) for name in ("here.npy", "there.npy"))
    assert there.dtype == np.float32
    maps = render([here, there], CLASSIFICATION)
    if points is None:
        assert_same_but_for_rounding(maps[1], maps[0])
    else:  # rounding may choose another of two points equally far
        assert np.abs(maps[1] - maps[0]).mean() < 0.01


@pytest.mark.parametrize(("scale", "offset"), [(1, UTM), (1, ECEF), (1e-12, (0, 0, 0)), (1e12, (0, 0, 0))])
def test_a_mesh_elsewhere_has_the_same_maps(tmp_path, scale, offset):
    clouds = []
    for folder, vertices in (("here", chair().vertices), ("there", chair().vertices * scale + np.array(offset))):
        (tmp_path / folder).mkdir()
        lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
        lines += [f"f {a} {b} {c}" for a, b, c in (chair().faces + 1).tolist()]
        (tmp_path / folder / "chair.obj").write_text("\n".join(lines))
        clouds.append(read_object(tmp_path / folder / "chair.obj", points=2000, seed=0))
    maps = render(clouds, CLASSIFICATION)
    assert_same_but_for_rounding(maps[1], maps[0])


@quick
@given(st.integers(0, 2**32 - 1), st.floats(-2, 5), st.tuples(*[st.floats(-500, 500)] * 3))
def test_an_ordinary_cloud_keeps_its_numbers(seed, exponent, offset):
    points = (np.random.default_rng(seed).uniform(-1, 1, (40, 3)) + np.array(offset)) * 10**exponent
    np.testing.assert_array_equal(in_single(points), points.astype(np.float32))


def test_a_far_cloud_is_counted_from_its_centre():
    box = np.array([[0, 0, 0], [2, 1, 0.5]])
    np.testing.assert_array_equal(in_single(box + ECEF), [[-1, -0.5, -0.25], [1, 0.5, 0.25]])
    np.testing.assert_array_equal(in_single(np.stack([box, box + ECEF]))[0], box)
    np.testing.assert_array_equal(local_origin(box + (FAR * 2 - 2, 0, 0)), [[0, 0, 0]])
    np.testing.assert_array_equal(local_origin(box + (FAR * 2, 0, 0)), [[FAR * 2 + 1, 0.5, 0.25]])
    np.testing.assert_array_equal(in_single(box * 2.0**-40), box / 2)
    np.testing.assert_array_equal(in_single(np.tile(UTM, (3, 1))), np.zeros((3, 3)))


def test_a_stored_double_precision_dataset_keeps_its_shapes(surface):
    stored = np.stack([surface, surface + ECEF])
    maps = render(checked_points(Path("raw.h5"), stored, key="data"), CLASSIFICATION)
    assert_same_but_for_rounding(maps[1], maps[0])


# The other loops


@quick
@given(clouds(), st.integers(1, 70), st.floats(-15, 15))
def test_sampling_and_neighbours_are_indices_of_the_cloud(points, count, exponent):
    with np.errstate(over="ignore"):
        xyz = points.astype(np.float32)
    chosen = farthest_points(xyz, min(count, len(xyz)), len(xyz) - 1)
    assert chosen[0] == len(xyz) - 1 and chosen.min() >= 0 and chosen.max() < len(xyz)
    scan = torch.from_numpy(xyz)[None]
    for found in (sample_farthest(scan, count), query_ball(scan, scan[:, :5], radius=10**exponent, count=count)):
        assert found.min() >= 0 and found.max() < len(xyz)


def test_sampling_none_or_from_nothing():
    assert len(farthest_points(np.zeros((3, 3), np.float32), 0, 0)) == 0
    nothing, scan = torch.zeros(1, 0, 3), torch.zeros(1, 4, 3)
    with pytest.raises(InputError, match="farthest points: of shape"):
        sample_farthest(nothing, 2)
    with pytest.raises(InputError, match="ball query: 0 points"):
        query_ball(scan, scan, radius=1, count=0)
    with pytest.raises(InputError, match="ball query: 2 points of 1 scans, centres of 2"):
        query_ball(scan, torch.zeros(2, 4, 3), radius=1, count=2)


@quick
@given(clouds(), exponents, st.floats(-7, 7))
def test_overlap_and_suppression_of_any_boxes(centres, exponent, heading):
    centres = centres[:12].astype(np.float64)
    sizes = np.random.default_rng(len(centres)).choice((0, 0.5, 1), centres.shape) * 10**exponent
    boxes = np.concatenate([centres, sizes], axis=1)
    turned = np.column_stack([boxes, np.linspace(0, heading, len(boxes))])
    for ratios in (iou_axis_aligned(boxes, boxes), iou_oriented(turned, turned)):
        assert ratios.min() >= 0 and ratios.max() <= 1 + 1e-9
    assert points_inside(centres, boxes).shape == (len(boxes), len(centres))
    kept = nms_3d(boxes, np.arange(len(boxes)), None, threshold=0.25)
    assert kept[0] == len(boxes) - 1 and len(set(kept.tolist())) == len(kept) and kept.min() >= 0


def test_scores_labels_and_pixels_outside_their_arrays_are_one_line():
    box = np.array([[0, 0, 0, 1, 1, 1.0]])
    with pytest.raises(InputError, match="suppression: expected 1 scores and classes"):
        nms_3d(box, np.ones(2), None, threshold=0.25)
    with pytest.raises(InputError, match="suppression: expected 1 scores and classes"):
        nms_3d(box, np.ones(1), np.zeros(3), threshold=0.25)
    labels = np.array([[0, 1, 1]])
    for predicted, truth in (
        (labels + 1, labels),
        (labels, labels - 1),
        (labels[:, :2], labels),
        (labels, labels[:, :0]),
    ):
        with pytest.raises(InputError, match="segmentation scores: expected labels"):
            score(predicted, truth, parts=2)
    patches, visible = np.ones((2, 3, 3, 1), np.float32), np.ones((2, 4), bool)
    pixels, weights = np.zeros((2, 4, 2), np.int64), np.ones(2)
    for wrong in (pixels - 1, pixels + 9):
        with pytest.raises(InputError, match="patches: pixels .*, expected 0 to 8"):
            back_project(patches, pixels=wrong, visible=visible, view_weights=weights, map_size=9)
    with pytest.raises(InputError, match="patches: 2 views"):
        back_project(patches, pixels=pixels, visible=visible, view_weights=np.ones(1), map_size=9)
