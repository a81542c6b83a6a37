"""The projection: each step by hand on small grids, what must hold for every cloud, and what is refused."""

import dataclasses
import functools
import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compiled_steps import dense
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.artifacts.depth import to_bytes
from stages.config.params import load_params
from stages.config.render import Densify, Render, Smooth
from stages.core.errors import InputError
from stages.projection import contour, fast, maps, sparse, voxels
from stages.projection.clouds import orient
from stages.projection.contour import outline
from stages.projection.kernels import KERNELS, kernel_weights, separate
from stages.projection.maps import crop_pixels, resize
from stages.projection.methods import METHODS, ProjectionMethod, map_size
from stages.projection.presets import PRESETS
from stages.projection.rendering import project, render
from stages.projection.settings import resolve
from stages.projection.views import VIEW_SETS, ViewSet
from stages.projection.visibility import render_with_visibility

ROOT = Path(__file__).parents[1]
CLASSIFICATION = PRESETS["v2_classification"]
SMALL = dataclasses.replace(
    PRESETS["v2_segmentation"], resolution=32, depth=16, lookup="corrected", lookup_depth=15, crop=None
)
quick = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, points: int = 200) -> np.ndarray:
    """A cloud f4 [points, 3] of a random, lopsided shape."""
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(points, 3)) ** 2 * generator.uniform(0.3, 2, 3)).astype(np.float32)


def params(**changes) -> Render:
    """The render section with every override null, but for `changes`."""
    nulls = dict.fromkeys(("method", "view_set", "resolution", "depth", "xy_scale", "depth_bias", "crop", "lookup"))
    fixed = {
        "preset": "v2_classification",
        "polarity": "white_background",
        "dtype": "u1",
        "device": "auto",
        "densify": Densify(window=None, padding=None),
        "smooth": Smooth(kernel=None, window=None, sigma=None, range_sigma=None),
    }
    return Render(**(nulls | fixed | changes))


def smooth_params(**changes) -> Smooth:
    return Smooth(**(dict.fromkeys(("kernel", "window", "sigma", "range_sigma")) | changes))


def grids(window, *, padding=None, kernel=(1, 1, 1), resolution=12, depth=4):
    padding = padding or tuple(width // 2 for width in window)
    layout = voxels.layout(resolution=resolution, depth=depth, window=window, padding=padding, kernel=kernel)
    return layout, voxels.empty_grid(layout, layout.slices), voxels.empty_grid(layout, 1)


def filled(points: dict, window, **shape):
    """Layout, grid and scratch with the voxels (x, y, z) -> value written and pooled."""
    layout, grid, scratch = grids(window, **shape)
    cells, depth_values = np.array(list(points), np.int32).T.copy(), np.array(list(points.values()), np.float32)
    voxels.densify(cells, depth_values, False, layout, grid, scratch)
    return layout, grid, scratch


# The four steps by hand


def test_quantise_puts_the_corners_of_a_box_where_the_formula_says():
    points = np.array([[-1, -1, -1], [1, 1, 1], [0, 0, 0]], np.float32)
    cells, depth_values = np.empty((3, 3), np.int32), np.empty(3, np.float32)
    upright = np.eye(3, dtype=np.float32)[None]
    scale, bias = np.float32(0.75), np.float32(0.5)
    voxels.quantise(points, upright, np.zeros(3, np.float32), 16, 11, scale, bias, cells, depth_values)
    # x: ceil((0.75 * {-1, 1, 0} + 1) / 2 * 16); z: ((z + 1) / 2 + 0.5) / 1.5 * 9 = 3, 9, 6
    np.testing.assert_array_equal(cells, [[2, 14, 8], [2, 14, 8], [3, 9, 6]])
    np.testing.assert_allclose(depth_values, [3, 9, 6], rtol=1e-6)


def test_quantise_clips_cells_and_depth_values_but_not_the_depth_cell():
    points = np.array([[-1, -1, -1], [1, 1, 1]], np.float32)
    cells, depth_values = np.empty((3, 2), np.int32), np.empty(2, np.float32)
    upright, one, zero = np.eye(3, dtype=np.float32)[None], np.float32(1), np.float32(0)
    voxels.quantise(points, upright, np.zeros(3, np.float32), 16, 10, one, zero, cells, depth_values)
    np.testing.assert_array_equal(cells, [[1, 14], [1, 14], [0, 8]])
    np.testing.assert_array_equal(depth_values, [1, 8])


def test_a_voxel_keeps_the_largest_or_the_last_value():
    layout, grid, scratch = grids((1, 1, 1))
    cells = np.array([[5, 5, 5], [6, 6, 6], [2, 2, 2]], np.int32)
    depth_values = np.array([1.5, 2, 1.25], np.float32)
    for keep_last, expected in ((False, 2.0), (True, 1.25)):
        voxels.densify(cells, depth_values, keep_last, layout, grid, scratch)
        values = dense(grid, layout)
        assert values[2, 5, 6] == expected and np.count_nonzero(values) == 1


def test_densify_spreads_a_point_over_the_window():
    layout, grid, _ = filled({(5, 6, 2): 3.0, (5, 8, 2): 2.0}, (3, 3, 5))
    expected = np.zeros((4, 12, 12), np.float32)
    expected[1:4, 4:7, 6:11] = 2
    expected[1:4, 4:7, 4:9] = 3
    np.testing.assert_array_equal(dense(grid, layout, start=layout.ahead), expected)


def test_densify_with_short_padding_is_smaller_and_shifted():
    layout, grid, _ = filled({(5, 6, 2): 3.0, (1, 10, 0): 1.0}, (1, 7, 7), padding=(0, 2, 2))
    assert layout.size == 10
    expected = np.zeros((4, 10, 10), np.float32)
    expected[2, 1:8, 2:9] = 3
    expected[0, 0:4, 6:10] = 1
    np.testing.assert_array_equal(dense(grid, layout), expected)


def test_smooth_is_the_convolution_padded_with_zeros():
    scipy_ndimage = pytest.importorskip("scipy.ndimage")
    generator = np.random.default_rng(0)
    points = {tuple(generator.integers(1, (11, 11, 4))): value for value in generator.uniform(1, 3, 20)}
    for shape in ((1, 3, 3), (3, 5, 5), (3, 1, 1), (1, 1, 5)):
        kernel = generator.uniform(0.1, 1, shape).astype(np.float32)
        layout, grid, scratch = filled(points, (1, 3, 3), kernel=shape)
        before = dense(grid, layout, start=layout.ahead)
        nothing = np.ones((1, 1, 1), np.float32)
        voxels.smooth(grid, (kernel, nothing, nothing), layout, scratch)
        expected = scipy_ndimage.correlate(before, kernel, mode="constant")
        np.testing.assert_allclose(dense(grid, layout), expected, atol=1e-5)


def test_squeeze_takes_the_maximum_and_inverts():
    layout, grid, _ = filled({(5, 6, 2): 3.0, (5, 6, 1): 1.5, (2, 2, 0): 1.5}, (1, 1, 1))
    depth_map = np.empty((12, 12), np.float32)
    assert voxels.squeeze(grid, layout, True, depth_map) == 3
    assert depth_map[5, 6] == 0 and depth_map[2, 2] == 0.5 and (depth_map == 1).sum() == 142
    voxels.squeeze(grid, layout, False, depth_map)
    assert depth_map[5, 6] == 1 and depth_map[2, 2] == 0.5 and (depth_map == 0).sum() == 142


def test_resize_keeps_corners_and_is_linear_between():
    target = np.empty((5, 5), np.float32)
    resize(np.array([[0, 1], [2, 3]], np.float32), target)
    np.testing.assert_allclose(target, np.arange(5) / 4 + np.arange(5)[:, None] / 2)


def test_crop_of_positions_rounds_up_and_is_exact_on_whole_numbers():
    positions = np.array([[20, 43], [21, 203]])
    np.testing.assert_array_equal(crop_pixels(positions, crop=(20, 204), size=224), [[0, 28], [2, 223]])


# Kernels


@quick
@given(
    st.sampled_from(sorted(KERNELS)),
    st.tuples(*[st.sampled_from((1, 3, 5, 7))] * 3),
    st.tuples(*[st.floats(0.3, 5)] * 3),
)
def test_a_kernel_sums_to_one_is_symmetric_and_never_grows_outwards(name, window, sigma):
    weights = kernel_weights(name, window=window, sigma=sigma)
    assert weights.sum() == pytest.approx(1, abs=1e-5) and (weights >= 0).all()
    np.testing.assert_allclose(weights, weights[::-1, ::-1, ::-1], rtol=1e-5)
    centre = tuple(width // 2 for width in weights.shape)
    assert weights.max() == weights[centre]
    assert (np.diff(weights[centre[0], centre[1], centre[2] :]) <= 1e-7).all()


def test_sigma_counts_per_axis():
    weights = kernel_weights("gaussian", window=(3, 3, 3), sigma=(0.5, 1.0, 2.0))
    near = weights[[0, 1, 1], [1, 0, 1], [1, 1, 0]] / weights[1, 1, 1]
    np.testing.assert_allclose(near, np.exp([-2, -1 / 2, -1 / 8]), rtol=1e-5)


def test_mish_and_sigmoid_profiles_are_the_stated_ones():
    distance = np.linspace(0.1, 6, 30)
    mish = distance * np.tanh(np.log1p(np.exp(distance)))
    np.testing.assert_allclose(KERNELS["mish"](distance), 1 - mish / distance, atol=1e-12)
    np.testing.assert_allclose(KERNELS["sigmoid"](distance), 1 - 1 / (1 + np.exp(-distance)), atol=1e-12)


def test_a_product_kernel_is_found_and_a_radial_one_is_not():
    for name, product in (("gaussian", True), ("box", True), ("none", True), ("exponential", False), ("mish", False)):
        weights = kernel_weights(name, window=(1, 3, 3), sigma=(3, 3, 3))
        assert (separate(weights) is not None) is product, name


# What holds for every cloud


@quick
@given(seeds)
def test_order_of_points_is_irrelevant(seed):
    points = cloud(seed)
    shuffled = np.random.default_rng(seed).permutation(points)
    np.testing.assert_array_equal(render(points[None], CLASSIFICATION), render(shuffled[None], CLASSIFICATION))


def same_but_for_rounding(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether maps agree except near the few points that rounding puts in the next cell."""
    return (np.abs(first - second) > 1e-3).mean() < 0.03


@quick
@given(seeds, st.floats(0.01, 100), st.tuples(*[st.floats(-2, 2)] * 3))
def test_scaling_and_moving_a_cloud_is_irrelevant(seed, scale, offset):
    points = cloud(seed)
    moved = ((points + np.array(offset)) * scale).astype(np.float32)
    assert same_but_for_rounding(render(points[None], CLASSIFICATION), render(moved[None], CLASSIFICATION))


@quick
@given(seeds)
def test_a_quarter_turn_about_the_up_axis_permutes_the_side_views(seed):
    points = cloud(seed)
    turned = np.stack((points[:, 2], points[:, 1], -points[:, 0]), 1)
    here, there = render(np.stack((points, turned)), CLASSIFICATION)
    for group in (slice(0, 4), slice(4, 8)):
        rolls = [same_but_for_rounding(np.roll(here[group], shift, 0), there[group]) for shift in (1, -1)]
        assert any(rolls)


@quick
@given(seeds, st.sampled_from(("v2", "v1", "contour")), st.sampled_from(sorted(KERNELS)))
def test_maps_lie_in_0_to_1_and_background_is_exactly_the_background_value(seed, method, kernel):
    white = dataclasses.replace(CLASSIFICATION, method=method, kernel=kernel)
    black = dataclasses.replace(white, polarity="black_background")
    bright, dark = render(cloud(seed)[None], white), render(cloud(seed)[None], black)
    assert bright.min() == 0 and bright.max() == 1 and dark.min() == 0 and dark.max() == 1
    assert (bright[..., 0, 0] == 1).all() and (dark[..., 0, 0] == 0).all()
    np.testing.assert_array_equal(bright == 1, dark == 0)
    np.testing.assert_allclose(bright, 1 - dark, atol=1e-6)


def test_threads_and_company_change_nothing():
    points = np.stack([cloud(seed) for seed in range(5)])
    together = render(points, CLASSIFICATION, threads=1)
    np.testing.assert_array_equal(together, render(points, CLASSIFICATION, threads=3))
    for n, single in enumerate(points):
        np.testing.assert_array_equal(together[n], render(single[None], CLASSIFICATION)[0])


@pytest.mark.parametrize("flat", [(1, 0, 1), (0, 1, 1), (1, 0, 0), (0, 0, 1)])
@pytest.mark.parametrize("method", ["v2", "v1", "contour"])
def test_flat_and_line_like_clouds_render(flat, method):
    points = cloud(3) * np.array(flat, np.float32)
    projected = project(points[None], dataclasses.replace(CLASSIFICATION, method=method))
    assert np.isfinite(projected.depth).all() and np.isfinite(projected.surface).all()
    assert projected.depth.min() == 0 and projected.visible.any()


# One call for everything


def test_project_gives_the_maps_of_render_and_points_on_the_foreground():
    points = cloud(1, 500)[None]
    for projection in (CLASSIFICATION, SMALL, dataclasses.replace(CLASSIFICATION, method="v1")):
        projected = project(points, projection)
        np.testing.assert_array_equal(projected.depth, render(points, projection))
        for depth, pixels in zip(projected.depth[0], projected.pixels[0], strict=True):
            assert (depth[pixels[:, 0], pixels[:, 1]] < 1).all()


def test_nearest_points_are_visible_and_hidden_ones_are_not():
    wall = np.array([[x, y, 0.0] for x in np.linspace(-1, 1, 40) for y in np.linspace(-1, 1, 40)], np.float32)
    behind = wall * 0.5 - [0, 0, 1]
    projection = dataclasses.replace(SMALL, view_set="v1", resolution=64, depth=32, lookup_depth=31)
    towards = int(np.argmax(VIEW_SETS["v1"].rotations()[:, 0, 2, 2]))
    visible = project(np.concatenate((wall, behind))[None], projection).visible[0, towards]
    assert visible[: len(wall)].all() and not visible[len(wall) :].any()


def test_clouds_of_different_length_come_back_as_lists():
    points = [cloud(0, 50), cloud(1, 80)]
    projected = project(points, SMALL)
    assert [cells.shape for cells in projected.cells] == [(10, 50, 3), (10, 80, 3)]
    alone = project(points[1][None], SMALL)
    np.testing.assert_array_equal(projected.pixels[1], alone.pixels[0])
    np.testing.assert_array_equal(projected.depth[1], alone.depth[0])


def test_points_outside_the_crop_are_not_visible():
    projected = project(cloud(0)[None], dataclasses.replace(SMALL, crop=(8, 24)))
    assert projected.depth.shape[-1] == 32 and projected.pixels.min() >= 0 and projected.pixels.max() <= 31
    whole = project(cloud(0)[None], SMALL)
    outside = ((whole.pixels < 8) | (whole.pixels > 23)).any(-1)
    assert outside.any() and not projected.visible[outside].any()


# The other methods


def test_sparse_projection_has_one_pixel_a_point_at_most():
    points = cloud(2, 64)[None]
    depth = render(points, PRESETS["v1"])
    assert depth.shape == (1, 6, 224, 224)
    foreground = (depth < 1).sum((2, 3))
    assert (foreground <= 64).all() and (foreground > 20).all()


def test_outline_of_the_contour_method_does_not_grow_by_the_pool():
    points = np.array([[x, y, 0.0] for x in np.linspace(-1, 1, 60) for y in np.linspace(-1, 1, 60)], np.float32)
    soft = dataclasses.replace(CLASSIFICATION, view_set="v1")
    crisp = dataclasses.replace(soft, method="contour")
    area = [(render(points[None], projection)[0, 0] < 1).sum() for projection in (soft, crisp)]
    side = round(0.8 * 112)
    assert area[1] == pytest.approx(side**2, rel=0.05) and area[0] > (side + 5) ** 2


def test_contour_method_does_not_mix_background_or_the_far_surface_into_the_near_one():
    near = [[x, y, 1.0] for x in np.linspace(-0.4, 0.4, 40) for y in np.linspace(-0.4, 0.4, 40)]
    far = [[x, y, -1.0] for x in np.linspace(-1, 1, 80) for y in np.linspace(-1, 1, 80)]
    points = np.array(near + far, np.float32)[None]
    towards = int(np.argmax(VIEW_SETS["v1"].rotations()[:, 0, 2, 2]))
    soft = dataclasses.replace(CLASSIFICATION, view_set="v1")
    crisp = render(points, dataclasses.replace(soft, method="contour"))[0, towards]
    assert len(np.unique(crisp.round(3))) == 3, "near, far and background"
    assert len(np.unique(render(points, soft)[0, towards].round(3))) > 5


def test_outline_closes_gaps_smaller_than_the_window():
    near = np.zeros((9, 9), np.float32)
    near[2:7, 2:7] = 1
    foreground = np.empty((9, 9), np.bool_)
    outline(near, 3, 3, foreground)
    assert foreground.sum() == 9 and foreground[3:6, 3:6].all()


# Input and settings


def test_orient_turns_the_up_axis_to_y_and_keeps_colours():
    up = {"x": [1, 0, 0, 7], "y": [0, 1, 0, 7], "z": [0, 0, 1, 7]}
    for axis, point in up.items():
        points = np.array([[point, [1, 2, 3, 4]]], np.float32)
        turned = orient(points, axis)
        np.testing.assert_array_equal(turned[0, 0], [0, 1, 0, 7])
        basis = orient(np.eye(3, dtype=np.float32), axis)
        assert np.linalg.det(basis) == pytest.approx(1)
    np.testing.assert_array_equal(orient(points, "y"), points)


def test_further_columns_are_ignored():
    points = cloud(0)
    coloured = np.concatenate((points, np.full((200, 3), np.nan, np.float32)), 1)
    np.testing.assert_array_equal(render(coloured[None], SMALL), render(points[None], SMALL))


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (np.empty((0, 3)), "at least 2 points, found 0"),
        (np.zeros((1, 3)), "at least 2 points, found 1"),
        (np.ones((5, 3)), "apart"),
        (np.array([[0, 0, 0], [1, np.nan, 0]]), "finite"),
        (np.array([[0, 0, 0], [1, np.inf, 0]]), "finite"),
        (np.zeros((5, 2)), r"found shape \[5, 2\]"),
    ],
)
def test_a_bad_cloud_is_named_with_its_sample(bad, expected):
    with pytest.raises(InputError, match=f"shapes.h5: sample 1: .*{expected}"):
        render([cloud(0), bad], CLASSIFICATION, source="shapes.h5")


def test_resolve_applies_overrides_on_the_preset():
    assert resolve(params()) == CLASSIFICATION
    assert resolve(params(preset="v2_segmentation")) == PRESETS["v2_segmentation"]
    narrower = Densify(window=(1, 5, 5), padding=None)
    projection = resolve(params(resolution=64, smooth=smooth_params(kernel="mish", sigma=2.0), densify=narrower))
    assert (projection.resolution, projection.kernel, projection.sigma) == (64, "mish", (2.0, 2.0, 2.0))
    assert projection.densify_padding == (0, 2, 2) and map_size(projection) == 64
    assert render(cloud(0)[None], projection).shape == (1, 10, 64, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "x"}, "params.yaml: render.preset 'x': expected one of v2_classification, "),
        ({"smooth": smooth_params(kernel="x")}, "params.yaml: render.smooth.kernel 'x': expected one of gaussian, "),
        ({"method": "v3"}, "params.yaml: render.method 'v3': expected one of v2, v1, contour"),
        ({"view_set": "x"}, "params.yaml: render.view_set 'x': expected one of "),
        ({"smooth": smooth_params(window=(1, 4, 3))}, "params.yaml: render.smooth.window .*: expected three odd"),
        ({"densify": Densify(window=(1, 7, 7), padding=(0, 4, 4))}, "params.yaml: render.densify.padding"),
        ({"resolution": 6}, "params.yaml: render.resolution 6: expected 7 to 1024"),
        ({"crop": (20, 300)}, "params.yaml: render.crop"),
    ],
)
def test_a_bad_setting_is_named_with_its_key(changes, message):
    with pytest.raises(InputError, match=message):
        resolve(params(**changes))


def test_an_unknown_method_is_one_line_without_resolve_too():
    with pytest.raises(InputError, match="params.yaml: render.method 'v3': expected one of v2, v1, contour"):
        render(cloud(0)[None], dataclasses.replace(CLASSIFICATION, method="v3"))


# What is added from outside the package


def render_section(**overrides):
    """The committed section `render` with these keys changed."""
    return load_params(ROOT, overrides={f"render.{key}": value for key, value in overrides.items()}).render


def test_a_kernel_a_view_set_and_a_preset_are_added_by_one_entry_each(monkeypatch):
    monkeypatch.setitem(KERNELS, "cauchy", lambda distance: 1 / (1 + distance**2))
    monkeypatch.setitem(
        VIEW_SETS, "front", ViewSet(names=("front",), turns=(((0, 0, 1 / 2),),), translation=(0.0, 0.0, 0.0))
    )
    monkeypatch.setitem(PRESETS, "front_view", dataclasses.replace(CLASSIFICATION, view_set="front"))
    projection = resolve(render_section(preset="front_view", **{"smooth.kernel": "cauchy"}))
    assert (projection.view_names, projection.kernel) == (("front",), "cauchy")
    depth = render(cloud(0)[None], projection)
    assert depth.shape == (1, 1, 110, 110) and depth.min() == 0 and depth.max() == 1
    gaussian = render(cloud(0)[None], resolve(render_section(preset="front_view")))
    np.testing.assert_array_equal(depth == 1, gaussian == 1)
    assert (depth != gaussian).any()


@pytest.mark.parametrize(
    "changes", [{}, {"preset": "v2_segmentation"}, {"method": "v1"}, {"method": "contour"}], ids=str
)
def test_maps_in_bytes_are_the_maps_in_steps_of_1_255(changes):
    projection, points = resolve(render_section(**changes)), cloud(0)[None]
    in_bytes = render(points, projection, in_bytes=True)
    assert in_bytes.dtype == np.uint8
    np.testing.assert_array_equal(in_bytes, to_bytes(render(points, projection)))


def test_a_value_in_the_middle_of_two_bytes_goes_to_the_even_one():
    stored = np.empty((2, 2), np.uint8)
    maps.store(np.array([[0, 1], [0.5, 1.5 / 255]], np.float32), stored)  # 127.5 and 1.5
    assert stored.tolist() == [[0, 255], [128, 2]]


def occupancy(points, offsets, projection, *, threads, per_point):
    """A method of projection: 0 where a point lies in parallel projection, 1 elsewhere."""
    size, rotations = projection.resolution, VIEW_SETS[projection.view_set].rotations()
    depth = np.ones((len(offsets) - 1, len(rotations), size, size), np.float32)
    for n, coordinates in enumerate(np.split(points, offsets[1:-1])):
        for v, turns in enumerate(rotations):
            turned = functools.reduce(np.matmul, turns, coordinates)[:, :2]
            pixels = ((turned - turned.min(0)) / np.ptp(turned, 0).max() * (size - 1)).astype(int)
            depth[n, v, pixels[:, 0], pixels[:, 1]] = 0
    return depth, None


def test_a_method_is_added_by_one_entry(monkeypatch):
    monkeypatch.setitem(METHODS, "occupancy", ProjectionMethod(run=occupancy, per_point=False))
    projection = resolve(render_section(method="occupancy", resolution=32, crop=[0, 32]))
    points = [cloud(0, 50), cloud(1, 80)]
    depth = render(points, projection, in_bytes=True)  # which this method cannot
    assert depth.dtype == np.float32 and depth.shape == (2, 10, 32, 32) and map_size(projection) == 32
    occupied = (depth == 0).sum((2, 3))
    assert (occupied[0] <= 50).all() and (occupied[1] <= 80).all() and (occupied > 10).all()
    message = "params.yaml: render.method 'occupancy' gives no pixels of points: expected one of v2, v1, contour"
    for ask in (project, render_with_visibility):
        with pytest.raises(InputError, match=message):
            ask(points[:1], projection)
    with pytest.raises(InputError, match=r"render.crop .*: expected \[first, last \+ 1\] inside the map"):
        resolve(render_section(method="occupancy", resolution=32, crop=[0, 33]))


# What an import costs, and what compiled code depends on


def test_torch_is_not_imported_for_the_compiled_path():
    code = "import sys, stages.projection.rendering, stages.projection.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_import_reads_no_source():
    code = "import inspect; inspect.getsource = None; import stages.projection.rendering"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("edited", [contour, maps, sparse, voxels], ids=lambda module: module.__name__.split(".")[-1])
def test_an_edit_of_a_compiled_module_changes_the_key_of_the_compiled_loop(edited, monkeypatch):
    def key():
        loop = fast._cached_project_views.__wrapped__()
        return loop._cache._index_key((), loop.targetctx.codegen())

    before, getsource = key(), inspect.getsource
    assert key() == before
    monkeypatch.setattr(inspect, "getsource", lambda module: getsource(module) + "#" * (module is edited))
    assert key() != before


def test_compiling_is_said_once_and_loading_from_disk_is_not(tmp_path):
    """In processes of their own, with a cache that is empty and then full."""
    code = (
        "import numpy as np\n"
        "from stages.projection.presets import PRESETS\n"
        "from stages.projection.rendering import render\n"
        "render(np.random.default_rng(0).random((1, 50, 3)), PRESETS['v2_classification'])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    said = [subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr for _ in "12"]
    assert [text.count("note: compiling the projection") for text in said] == [1, 0]
