"""Visibility by both look-ups from one projection: exactly what two projections give."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.errors import InputError
from stages.projection.presets import PRESETS
from stages.projection.rendering import project
from stages.projection.visibility import render_with_visibility

SMALL = dataclasses.replace(PRESETS["v2_segmentation"], resolution=48, depth=24, lookup_depth=21, crop=(4, 44))
PROJECTIONS = {"cropped": SMALL, "whole": dataclasses.replace(SMALL, crop=None)} | {
    name: PRESETS[name] for name in ("v2_classification", "v1")
}


def assert_equal_to_two_projections(clouds, projection):
    views = render_with_visibility(clouds, projection)
    corrected, released = (
        project(clouds, dataclasses.replace(projection, lookup=lookup)) for lookup in ("corrected", "as_released")
    )
    np.testing.assert_array_equal(views.depth, corrected.depth)
    np.testing.assert_array_equal(views.pixels, corrected.pixels)
    np.testing.assert_array_equal(views.pixels[..., ::-1], released.pixels)
    np.testing.assert_array_equal(views.visible, corrected.visible)
    np.testing.assert_array_equal(views.visible_released, released.visible)
    return views


@pytest.mark.parametrize("name", PROJECTIONS)
def test_one_projection_gives_both_lookups(name):
    clouds = np.random.default_rng(0).normal(size=(2, 600, 3)).astype("f4")
    views = assert_equal_to_two_projections(clouds, PROJECTIONS[name])
    assert (views.visible != views.visible_released).any() and views.visible.any()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), points=st.integers(2, 60), lookup=st.sampled_from(["corrected", "as_released"]))
def test_both_lookups_of_any_cloud_whatever_the_projection_says(seed, points, lookup):
    clouds = np.random.default_rng(seed).uniform(-1, 1, (2, points, 3)).astype("f4")
    assert_equal_to_two_projections(clouds, dataclasses.replace(SMALL, lookup=lookup))


def test_clouds_of_different_length_are_one_line():
    clouds = [np.random.default_rng(0).normal(size=(count, 3)) for count in (20, 30)]
    with pytest.raises(InputError, match="mine: clouds of 20, 30 points, expected as many in every cloud"):
        render_with_visibility(clouds, PRESETS["v2_segmentation"], source="mine")
