"""The ten classification views equal those of the released code, for any folder of arrays recorded from it."""

import re

import numpy as np
import pytest
from compiled_steps import dense, project_quantised

from stages.projection import voxels
from stages.projection.kernels import kernel_weights
from stages.projection.maps import resize
from stages.projection.presets import PRESETS
from stages.projection.rendering import project, render
from stages.projection.views import VIEW_SETS

PROJECTION = PRESETS["v2_classification"]


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("projection_cls")


def sets(recorded: dict, *, stress: bool = False) -> list[str]:
    """Names of the recorded sets of clouds; `stress` adds the flat ones, whose cells rounding decides."""
    names = [key.removeprefix("points_") for key in recorded if key.startswith("points_")]
    return [name for name in names if stress or name != "stress"]


def test_rotations_and_translation_are_the_published_ones(recorded):
    view_set = VIEW_SETS["v2_classification"]
    published = np.stack((recorded["rot_mat"], recorded["rot_mat2"]), 1)
    np.testing.assert_array_equal(view_set.rotations(), published)
    np.testing.assert_array_equal(np.tile(view_set.translation, (PROJECTION.views, 1)), recorded["translation"])


def test_kernel_is_the_published_one(recorded):
    kernel = kernel_weights(PROJECTION.kernel, window=PROJECTION.smooth_window, sigma=PROJECTION.sigma)
    np.testing.assert_allclose(kernel[0], recorded["conv_kernel"], atol=1e-7)


def test_cells_equal_but_for_one_in_a_thousand(recorded):
    for name in sets(recorded):
        ours = project(recorded[f"points_{name}"], PROJECTION)
        equal = (ours.cells == recorded[f"cells_{name}"]).all(-1).mean()
        assert equal >= 0.999, name
        np.testing.assert_allclose(ours.depth_values, recorded[f"zval_{name}"], atol=1e-4, err_msg=name)


def test_maps_from_the_recorded_cells(recorded):
    for name in sets(recorded, stress=True):
        ours, _ = project_quantised(recorded[f"cells_{name}"], recorded[f"zval_{name}"], PROJECTION)
        np.testing.assert_allclose(ours, recorded[f"img_{name}"], atol=1e-5, err_msg=name)


def test_maps_end_to_end(recorded):
    for name in sets(recorded):
        ours = render(recorded[f"points_{name}"], PROJECTION)
        difference = np.abs(ours - recorded[f"img_{name}"]).mean((1, 2, 3))
        assert difference.max() < 1e-4, name


def test_background_is_exactly_one(recorded):
    for name in sets(recorded):
        ours = render(recorded[f"points_{name}"], PROJECTION)
        corners = ours[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert (corners == recorded[f"img_{name}"][:, :, [0, 0, -1, -1], [0, -1, 0, -1]]).all(), name


def test_grid_before_pooling(recorded):
    found = [re.fullmatch(r"grid_(.+)_cloud(\d+)_view(\d+)", key) for key in recorded]
    assert any(found)
    for match in filter(None, found):
        name, n, v = match[1], int(match[2]), int(match[3])
        cube, one = {"resolution": PROJECTION.resolution, "depth": PROJECTION.depth}, (1, 1, 1)
        layout = voxels.layout(**cube, window=one, padding=(0, 0, 0), kernel=one)
        grid, scratch = voxels.empty_grid(layout, layout.slices), voxels.empty_grid(layout, 1)
        cells = np.ascontiguousarray(recorded[f"cells_{name}"][n, v].T, np.int32)
        voxels.densify(cells, recorded[f"zval_{name}"][n, v], False, layout, grid, scratch)
        np.testing.assert_array_equal(dense(grid, layout), recorded[match[0]])


def test_resized_maps(recorded):
    found = [re.fullmatch(r"img224_(.+)_cloud(\d+)", key) for key in recorded]
    for match in filter(None, found):
        for ours, theirs in zip(recorded[f"img_{match[1]}"][int(match[2])], recorded[match[0]], strict=True):
            target = np.empty_like(theirs)
            resize(ours, target)
            np.testing.assert_allclose(target, theirs, atol=1e-5)
