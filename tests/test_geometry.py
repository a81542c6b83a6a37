"""Normals, fast point feature histograms and regions: hand-worked cases and the authors' formulas written out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.config.params import load_params
from stages.geometry.fpfh import BINS, fpfh, pair_angles
from stages.geometry.normals import nearest_others, normals, turned_alike
from stages.geometry.regions import Cues, mean_of_regions, outer_products

WEIGHTS = load_params(Path(__file__).parents[1]).segment.regions.cues
POSITION = replace(WEIGHTS, normal=0.0, fpfh=0.0)


def sphere(count=600, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def grid(side=12):
    """Points of a square in the plane z = 0, one apart."""
    rows, columns = np.divmod(np.arange(side * side), side)
    return np.stack([rows, columns, np.zeros(side * side)], axis=1).astype(float)


def unit(rng, *shape):
    vectors = rng.normal(size=(*shape, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_the_nearest_others_leave_the_point_itself_out():
    line = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [7, 0, 0]])
    np.testing.assert_array_equal(nearest_others(line, 2), [[1, 2], [0, 2], [1, 0], [2, 1]])
    assert nearest_others(line, 50).shape == (4, 3)


def test_normals_stand_on_a_plane_and_point_out_of_a_sphere():
    plane = grid()
    found = normals(plane, nearest_others(plane, 8))
    np.testing.assert_allclose(np.abs(found), np.broadcast_to([0, 0, 1], found.shape), atol=1e-9)
    assert len(np.unique(np.sign(found[:, 2]))) == 1
    ball = sphere()
    outward = (normals(ball, nearest_others(ball, 10)) * ball).sum(axis=1)
    assert outward.min() > 0.9


def test_a_normal_turns_as_most_of_its_nearest():
    plane = grid()
    bowl = plane + [0, 0, 5]  # the middle lies in the plane: where normals point away from it is open
    signs = np.where(np.arange(len(bowl)) == 30, -1.0, 1.0)
    unsigned = np.array([0.0, 0, 1]) * signs[:, None]
    found = turned_alike(bowl, unsigned, nearest_others(bowl, 8))
    np.testing.assert_array_equal(found, np.broadcast_to(found[0], found.shape))


def test_angles_of_a_pair_are_those_of_the_frame_at_its_source():
    rng = np.random.default_rng(0)
    points, facing = rng.normal(size=(20, 3)), unit(rng, 20)
    nearest = nearest_others(points, 5)
    found = pair_angles(points[nearest] - points[:, None], facing, nearest)
    for p in range(20):
        for k, q in enumerate(nearest[p]):
            line = (points[q] - points[p]) / np.linalg.norm(points[q] - points[p])
            s, t = (p, q) if abs(facing[p] @ line) >= abs(facing[q] @ line) else (q, p)
            if s == q:
                line = -line
            u = facing[s]
            v = np.cross(line, u) / np.linalg.norm(np.cross(line, u))
            w = np.cross(u, v)
            angles = v @ facing[t], u @ line, np.arctan2(w @ facing[t], u @ facing[t]) / np.pi
            np.testing.assert_allclose(found[p, k], (np.array(angles) + 1) / 2, atol=1e-9)


def test_the_histogram_of_a_plane_has_one_bin_an_angle():
    plane = grid()
    found = fpfh(plane, np.broadcast_to([0.0, 0, 1], plane.shape), nearest_others(plane, 6))
    expected = np.zeros(3 * BINS)
    expected[[5, 16, 27]] = 2  # all angles are 0, in the middle of their ranges
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-12)


def test_a_histogram_adds_its_nearest_ones_by_their_distance():
    line = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    up, aside = (0.0, 0, 1), (0.0, 1, 0)
    found = fpfh(line, np.array([up, aside, up]), np.array([[1, 2], [0, 2], [1, 0]]))
    # alpha of the pairs 01 and 10: -1, 12 and 21: 1, 02 and 20: 0; the first point weighs the others 3/4 and 1/4
    own = {0: (0.5, 0.5, 0.0), 1: (0.5, 0.0, 0.5), 2: (0.0, 0.5, 0.5)}  # share of the bins 0, 5 and 10
    expected = np.array(own[0]) + 0.75 * np.array(own[1]) + 0.25 * np.array(own[2])
    np.testing.assert_allclose(found[0, [0, 5, 10]], expected)
    np.testing.assert_allclose(found[0, [16, 27]], 2)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_histograms_sum_to_two_and_know_no_unit_of_length(seed, scale):
    rng = np.random.default_rng(seed)
    points, facing = rng.normal(size=(15, 3)), unit(rng, 15)
    nearest = nearest_others(points, 4)
    found = fpfh(points, facing, nearest)
    np.testing.assert_allclose(found.reshape(15, 3, BINS).sum(axis=2), 2)
    np.testing.assert_allclose(
        pair_angles(scale * (points[nearest] - points[:, None]), facing, nearest),
        pair_angles(points[nearest] - points[:, None], facing, nearest),
        atol=1e-9,
    )


def test_a_normals_sign_does_not_change_its_products():
    first, second = unit(np.random.default_rng(0), 2, 9)
    np.testing.assert_allclose(outer_products(first), outer_products(-first))
    inner = (outer_products(first) * outer_products(second)).sum(axis=1)
    np.testing.assert_allclose(inner, (first * second).sum(axis=1) ** 2)


def test_cues_are_those_of_simplegeoze():
    """Its cue_features in plain loops: normals as n n^T, histograms as roots of shares, each over its mean step."""
    points = sphere(60)
    cues = Cues.of(points, neighbours=6)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = np.argsort(distances, axis=1)[:, 1:7]
    facing = normals(points, nearest)
    shares = fpfh(points, facing, nearest)
    n, root = facing, 2**0.5
    products = [n[:, 0] ** 2, n[:, 1] ** 2, n[:, 2] ** 2]
    products += [root * n[:, 0] * n[:, 1], root * n[:, 0] * n[:, 2], root * n[:, 1] * n[:, 2]]
    expected = points, np.stack(products, axis=1), np.sqrt(shares / shares.sum(axis=1, keepdims=True))
    for found, cue in zip((cues.position, cues.normal, cues.fpfh), expected, strict=True):
        step = np.mean([np.linalg.norm(cue[p] - cue[q]) for p in range(60) for q in nearest[p]])
        np.testing.assert_allclose(found, cue / step, rtol=1e-4, atol=1e-5)


def test_regions_follow_position_and_with_more_weight_the_normals():
    blobs = np.concatenate([sphere(50), sphere(50, seed=1) + [9, 0, 0]])
    regions = Cues.of(blobs, neighbours=5).regions(2, POSITION)
    np.testing.assert_array_equal(regions, np.repeat([regions[0], 1 - regions[0]], 50))
    floor = grid()
    fold = np.concatenate([floor, floor[:, [2, 1, 0]] + [0, 0, 0.5]])  # a wall on one edge of the floor
    cues = Cues.of(fold, neighbours=8)
    along = replace(WEIGHTS, position=0.01, normal=100.0, fpfh=0.0)
    wall = cues.regions(2, along)[len(floor) :]
    assert np.mean(wall == np.bincount(wall).argmax()) > 0.9
    share = np.mean(cues.regions(2, along)[: len(floor)] == np.bincount(wall).argmax())
    assert share < 0.1, "the floor is the other region"


def test_there_are_never_more_regions_than_points_and_coinciding_points_do_no_harm():
    few = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert set(Cues.of(few, neighbours=10).regions(32, WEIGHTS)) == {0, 1, 2}
    twice = np.repeat(sphere(30), 2, axis=0)
    cues = Cues.of(twice, neighbours=3)
    assert all(np.isfinite(cue).all() for cue in (cues.position, cues.normal, cues.fpfh))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_mean_of_regions_by_hand(dtype):
    values = np.array([[1, 0], [3, 2], [10, 10]], dtype)
    found = mean_of_regions(values, np.array([4, 4, 0]))
    np.testing.assert_array_equal(found, [[2, 1], [2, 1], [10, 10]])
    assert found.dtype == values.dtype
