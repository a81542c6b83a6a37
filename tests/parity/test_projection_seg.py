"""The ten segmentation views, visibility and pixel positions equal those of the released code."""

import dataclasses

import numpy as np
import pytest
from compiled_steps import project_quantised

from stages.projection.kernels import kernel_weights
from stages.projection.maps import crop_pixels, resize
from stages.projection.presets import PRESETS
from stages.projection.rendering import project
from stages.projection.views import VIEW_SETS

PROJECTION = PRESETS["v2_segmentation"]
CORRECTED = dataclasses.replace(PROJECTION, lookup="corrected")


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("projection_seg")


@pytest.fixture(scope="module")
def from_cells(recorded):
    """Maps and points of the recorded cells, looked up as released."""
    return project_quantised(recorded["cells"], recorded["zval"], PROJECTION)


@pytest.fixture(scope="module")
def projected(recorded):
    return project(recorded["points"], PROJECTION)


def test_rotations_and_kernel_are_the_published_ones(recorded):
    published = np.stack([recorded[key] for key in ("rot_mat", "rot_mat2", "rot_mat3")], 1)
    np.testing.assert_array_equal(VIEW_SETS["v2_segmentation"].rotations(), published)
    kernel = kernel_weights(PROJECTION.kernel, window=PROJECTION.smooth_window, sigma=PROJECTION.sigma)
    np.testing.assert_allclose(kernel, recorded["conv_kernel"], atol=1e-7)


def test_cells_equal_but_for_one_in_a_thousand(recorded, projected):
    assert (projected.cells == recorded["cells"]).all(-1).mean() >= 0.999
    np.testing.assert_allclose(projected.depth_values, recorded["zval"], atol=1e-3)


def test_maps_from_the_recorded_cells(recorded, from_cells):
    np.testing.assert_allclose(from_cells[0], recorded["img"], atol=1e-5)


def test_visibility_and_positions_as_released_given_the_cells(recorded, from_cells):
    _, points = from_cells
    np.testing.assert_array_equal(points.pixels, recorded["point_loc"])
    np.testing.assert_allclose(points.surface, recorded["pc_depth"], atol=1e-5)
    np.testing.assert_array_equal(points.visible, recorded["is_seen"])


def test_visibility_and_positions_in_the_right_order_given_the_cells(recorded):
    depth, points = project_quantised(recorded["cells"], recorded["zval"], CORRECTED)
    np.testing.assert_array_equal(points.pixels, recorded["point_loc"][..., ::-1])
    np.testing.assert_array_equal(points.visible, recorded["is_seen_swapped"])
    n, v = np.ogrid[: depth.shape[0], : depth.shape[1]]
    rows, columns = points.pixels[..., 0], points.pixels[..., 1]
    assert (depth[n[..., None], v[..., None], rows, columns] < 1).all(), "a point lies on background"


def test_crop_of_positions_and_maps(recorded):
    np.testing.assert_array_equal(
        crop_pixels(recorded["point_loc"].astype(np.int64), crop=PROJECTION.crop, size=PROJECTION.resolution),
        recorded["point_loc_crop"],
    )
    kept = slice(*PROJECTION.crop)
    for whole, theirs in zip(recorded["img"][0], recorded["img_crop224"][0], strict=True):
        ours = np.empty_like(theirs)
        resize(whole[kept, kept], ours)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_end_to_end(recorded, projected):
    assert np.abs(projected.depth - recorded["img_crop224"]).mean((1, 2, 3)).max() < 1e-4
    assert (projected.visible == recorded["is_seen"]).mean() >= 0.999
    assert (projected.pixels == recorded["point_loc_crop"]).all(-1).mean() >= 0.999
