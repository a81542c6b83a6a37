"""Shaded maps: Lambert's law on surfaces worked by hand, and what holds for every cloud."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.config.params import load_params
from stages.core.errors import InputError
from stages.projection.presets import PRESETS
from stages.projection.rendering import project, render
from stages.projection.settings import resolve
from stages.projection.shading import ALBEDO, AMBIENT, brightness, shade

FACING, UPPER_LEFT = np.array([0, 0, 1], np.float32), np.array([-0.5, -0.5, 0.5**0.5], np.float32)
ONE_PIXEL, NO_FILTER = (1, 1, 1), np.ones((1, 1), np.float32)
FRONT = dataclasses.replace(PRESETS["v2_classification"], method="shaded", view_set="v1", light=(0.0, 0.0, 1.0))
quick = settings(max_examples=15, deadline=None)


def lambert(cosine: float) -> float:
    """The brightness at the cosine of the angle between normal and light."""
    return ALBEDO * (AMBIENT + (1 - AMBIENT) * max(cosine, 0))


def shaded(heights, light, *, with_depth=False, white_background=True):
    """A surface of `heights` in pixels, 0 where there is none, shaded without any smoothing."""
    shown = (heights / heights.max()).astype(np.float32)
    shade(
        shown,
        ONE_PIXEL,
        NO_FILTER,
        np.float32(1),
        np.float32(heights.max()),
        np.asarray(light, np.float32),
        with_depth,
        white_background,
    )
    return shown


def cloud(seed: int, points: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(points, 3)).astype(np.float32)


def plane(degrees: float) -> np.ndarray:
    """A dense square, seen by the first view of `v1` at that angle between its normal and the viewer."""
    across, along = np.meshgrid(np.linspace(-1, 1, 150), np.linspace(-1, 1, 150))
    tilt = np.radians(degrees)
    return np.stack([across, along * np.cos(tilt), along * np.sin(tilt)], -1).reshape(-1, 3).astype(np.float32)


# By hand


@pytest.mark.parametrize(("degrees", "cosine"), [(0, 1), (60, 0.5), (90, 0), (120, 0)])
def test_brightness_is_the_cosine_between_normal_and_light_and_ambient_beyond_90_degrees(degrees, cosine):
    angle = np.radians(degrees)
    light = np.array([np.sin(angle), 0, np.cos(angle)], np.float32)
    assert brightness(np.float32(0), np.float32(0), light) == pytest.approx(lambert(cosine), abs=1e-6)


def test_a_plane_facing_the_light_is_brightest_and_one_at_60_degrees_has_half_the_light():
    rows = np.arange(1, 21)[:, None] * np.ones(20)
    at_60 = shaded(rows * np.tan(np.radians(60)), FACING)
    np.testing.assert_allclose(at_60, lambert(0.5), atol=1e-5)
    normal = np.array([-np.sin(np.radians(60)), 0, np.cos(np.radians(60))])
    np.testing.assert_allclose(shaded(rows * np.tan(np.radians(60)), normal), lambert(1), atol=1e-5)
    np.testing.assert_allclose(shaded(rows.T * np.tan(np.radians(60)), FACING), lambert(0.5), atol=1e-5)


@pytest.mark.parametrize("light", [FACING, UPPER_LEFT, (0.0, 0.6, 0.8)])
def test_a_sphere_is_brightest_where_its_normal_is_the_light(light):
    row, column = np.mgrid[-30:31, -30:31]
    heights = np.sqrt(np.maximum(28**2 - row**2 - column**2, 0)) + 1.0 * (row**2 + column**2 <= 28**2)
    found = shaded(heights, light, white_background=False)
    brightest = np.unravel_index(found.argmax(), found.shape)
    np.testing.assert_allclose(np.array(brightest) - 30, 28 * np.array(light)[:2], atol=1.5)
    assert found.max() == pytest.approx(lambert(1), abs=1e-3) and found[0, 0] == 0


def test_depth_and_shading_is_the_mean_of_both():
    heights = np.arange(1, 21)[:, None] * np.ones(20)
    depth, bright = heights / 20, shaded(heights, FACING)
    for white, shown in ((True, 1 - depth), (False, depth)):
        found = shaded(heights, FACING, with_depth=True, white_background=white)
        np.testing.assert_allclose(found, (bright + shown) / 2, atol=1e-6)


def test_a_slope_is_taken_inside_the_outline_alone():
    heights = np.zeros((9, 9))
    heights[3:6, 3:6] = 5
    found = shaded(heights, FACING)
    np.testing.assert_allclose(found[3:6, 3:6], lambert(1), atol=1e-6)
    assert (found == 1).sum() == 81 - 9


# Of clouds


@quick
@given(st.floats(0, 65), st.sampled_from(("v2_classification", "v2_segmentation")))
def test_a_tilted_plane_of_points_has_the_cosine_of_its_tilt(degrees, preset):
    projection = dataclasses.replace(PRESETS[preset], method="shaded", view_set="v1", light=(0.0, 0.0, 1.0), crop=None)
    found = render(plane(degrees)[None], projection)[0, 0]
    assert np.median(found[found < 1]) == pytest.approx(lambert(np.cos(np.radians(degrees))), abs=0.06)


@quick
@given(st.integers(0, 2**32 - 1), st.sampled_from(("shaded", "depth_shaded")))
def test_the_background_is_exactly_white_or_black_and_no_surface_is(seed, method):
    white = dataclasses.replace(FRONT, method=method, light=(-0.5, -0.5, 0.7))
    black = dataclasses.replace(white, polarity="black_background")
    bright, dark = render(cloud(seed)[None], white), render(cloud(seed)[None], black)
    np.testing.assert_array_equal(bright == 1, dark == 0)
    assert (bright == 1).any() and dark[dark > 0].min() > 0 and dark.max() < 1
    if method == "shaded":
        np.testing.assert_array_equal(bright[bright < 1], dark[dark > 0])


@quick
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_how_long_the_direction_of_the_light_is_does_not_matter(seed, length):
    longer = dataclasses.replace(FRONT, light=tuple(length * part for part in (0.2, -0.4, 0.9)))
    expected = render(cloud(seed)[None], dataclasses.replace(FRONT, light=(0.2, -0.4, 0.9)))
    np.testing.assert_allclose(render(cloud(seed)[None], longer), expected, atol=1e-5)


@pytest.mark.parametrize("flat", [(1, 0, 1), (0, 1, 1), (1, 0, 0), (0, 0, 1)])
@pytest.mark.parametrize("method", ["shaded", "depth_shaded"])
def test_flat_and_line_like_clouds_are_shaded(flat, method):
    found = render((cloud(3) * np.array(flat, np.float32))[None], dataclasses.replace(FRONT, method=method))
    assert np.isfinite(found).all() and (found < 1).any(axis=(2, 3)).all()


# Settings


def test_the_light_of_params_yaml_is_used_and_the_presets_without_one():
    assert resolve(load_params().render).light == PRESETS["v2_classification"].light
    changed = load_params(overrides={"render.light": [0.0, 0.0, 1.0], "render.method": "shaded"}).render
    assert (resolve(changed).light, resolve(changed).method) == ((0.0, 0.0, 1.0), "shaded")


def test_shaded_maps_have_no_pixels_of_points():
    with pytest.raises(InputError, match="render.method 'shaded' gives no pixels of points"):
        project(cloud(0)[None], FRONT)
