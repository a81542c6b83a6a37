"""View sets that assume no up axis, and test objects that are turned at random."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import render as render_stage
from stages.artifacts.depth import open_depth
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points, write_points
from stages.artifacts.types import Clouds, PointCloudDataset
from stages.config.params import load_params
from stages.extract import RenderedMaps
from stages.projection.clouds import orient
from stages.projection.poses import posed, random_turn
from stages.projection.rendering import render
from stages.projection.settings import resolve
from stages.projection.views import DODECAHEDRON, ICOSAHEDRON, VIEW_SETS

RENDER = load_params().render
CLOUDS = np.random.default_rng(0).normal(size=(5, 40, 4)).astype(np.float32)
SPLITS = ("train", "test")
quick = settings(max_examples=40, deadline=None)


def turning(about, seed=0):
    return dataclasses.replace(RENDER, rotate_test=about, rotate_seed=seed)


# View sets


@pytest.mark.parametrize(
    ("name", "vertices", "degrees"), [("icosahedron", ICOSAHEDRON, 63.435), ("dodecahedron", DODECAHEDRON, 41.810)]
)
def test_a_view_from_every_vertex_and_the_nearest_others_at_the_known_angle(name, vertices, degrees):
    directions = VIEW_SETS[name].directions()
    np.testing.assert_allclose(directions, np.array(vertices) / np.linalg.norm(vertices[0]), atol=1e-6)
    np.testing.assert_allclose(directions.sum(0), 0, atol=1e-5)
    nearest = np.sort(directions @ directions.T, axis=1)[:, -2]
    np.testing.assert_allclose(np.degrees(np.arccos(nearest)), degrees, atol=1e-2)


@pytest.mark.parametrize("name", ["icosahedron", "dodecahedron"])
def test_what_is_up_is_shown_above_the_middle(name):
    turns = np.stack([np.linalg.multi_dot([np.eye(3), *view]) for view in VIEW_SETS[name].rotations()])
    row_of_up, column_of_up, _ = turns[:, 1].T
    assert (row_of_up < 0).all() and np.abs(column_of_up).max() < 1e-6


def test_the_turned_views_are_quarter_turns_of_one_picture():
    turned = VIEW_SETS["icosahedron_turned"]
    whole = np.stack([np.linalg.multi_dot([np.eye(3), *view]) for view in turned.rotations()]).reshape(12, 4, 3, 3)
    rows, columns, towards = np.moveaxis(whole, -1, 0)
    np.testing.assert_allclose(towards, np.repeat(towards[:, :1], 4, axis=1), atol=1e-6)
    np.testing.assert_allclose(towards[:, 0], VIEW_SETS["icosahedron"].directions(), atol=1e-6)
    np.testing.assert_allclose(rows[:, 1:], columns[:, :-1] * -1, atol=1e-6)
    assert turned.names[:2] == ("vertex_0_turned_0", "vertex_0_turned_90") and len(set(turned.names)) == 48


# Objects turned at random


@quick
@given(st.sampled_from(("up", "any")), st.integers(0, 2**32 - 1), st.integers(0, 10_000))
def test_a_random_turn_is_a_rotation_and_about_the_up_axis_keeps_it(about, seed, number):
    turn = random_turn(about, seed=(seed, number))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-5)
    if about == "up":
        np.testing.assert_allclose(turn @ [0, 1, 0], [0, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(turn, random_turn(about, seed=(seed, number)))


def test_random_turns_point_everywhere_alike():
    """The mean and the second moments of what the axes become, as for directions uniform on the sphere or circle."""
    anywhere = np.stack([random_turn("any", seed=(0, n)) for n in range(4000)])
    around = np.stack([random_turn("up", seed=(0, n)) for n in range(4000)])
    for axis in range(3):
        np.testing.assert_allclose(anywhere[:, :, axis].mean(0), 0, atol=0.04)
        np.testing.assert_allclose(np.cov(anywhere[:, :, axis].T), np.eye(3) / 3, atol=0.03)
    np.testing.assert_allclose(around[:, :, 0].mean(0), 0, atol=0.04)
    np.testing.assert_allclose((around[:, :, 0] ** 2).mean(0), [0.5, 0, 0.5], atol=0.03)


@pytest.mark.parametrize("about", ["up", "any"])
def test_the_test_split_alone_is_turned_each_object_its_own_way(about):
    upright, turned = orient(CLOUDS, "z"), posed(CLOUDS, "z", turning(about), split="test")
    np.testing.assert_array_equal(posed(CLOUDS, "z", turning(about), split="train"), upright)
    np.testing.assert_array_equal(posed(CLOUDS, "z", RENDER, split="test"), upright)
    np.testing.assert_array_equal(turned[..., 3], CLOUDS[..., 3])
    np.testing.assert_allclose(
        np.linalg.norm(turned[..., :3], axis=-1), np.linalg.norm(upright[..., :3], axis=-1), rtol=1e-4
    )
    np.testing.assert_allclose(turned[2, :, :3], upright[2, :, :3] @ random_turn(about, seed=(0, 2)).T, rtol=1e-5)
    assert np.abs(turned - posed(CLOUDS, "z", turning(about, seed=1), split="test")).max() > 0.1


def test_how_many_clouds_come_at_a_time_does_not_matter():
    together = posed(CLOUDS, "y", turning("any"), split="test")
    later = posed(CLOUDS[3:], "y", turning("any"), split="test", first_sample=3)
    np.testing.assert_array_equal(later, together[3:])


def test_stored_maps_and_those_rendered_for_the_tower_show_the_turned_objects(tmp_path):
    params = load_params(overrides={"render.rotate_test": "any", "render.dtype": "f2", "render.device": "cpu"})
    paths = Paths(tmp_path)
    clouds = Clouds(CLOUDS[..., :3], np.arange(5) % 2)
    write_points(paths.points("blobs"), PointCloudDataset(("a", "b"), "z", {"train": clouds, "test": clouds}))
    render_stage.main("blobs", params=params, root=tmp_path)
    projection = resolve(params.render)
    expected = {split: render(posed(clouds.points, "z", params.render, split=split), projection) for split in SPLITS}
    with open_depth(paths.depth("blobs")) as stored, open_points(paths.points("blobs")) as points:
        read_ahead = RenderedMaps(points, params, paths.points("blobs"))
        for split in SPLITS:
            np.testing.assert_allclose(stored.depth(split), expected[split], atol=1e-3)
            found = np.concatenate(list(read_ahead.chunks(split, slice(0, len(CLOUDS)), 2)))
            np.testing.assert_array_equal(found, expected[split])
    assert np.abs(expected["train"] - expected["test"]).max() > 0.1
