"""Part segmentation: back-projection, IoU, refinement, searches and protocols on shapes small enough to check."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.artifacts.types import Clouds, PatchFeatures
from stages.backbones.loading import build, register
from stages.backbones.weights import read_weights
from stages.bundled import procedural_parts
from stages.bundled.pretraining.dense import train_parts
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.datasets.shapenetpart import PARTS
from stages.language.prompts.parts import fill_parts, parse_part_templates
from stages.projection.presets import PRESETS
from stages.projection.visibility import render_with_visibility
from stages.prompt_search.candidates import Candidates
from stages.segmentation.back_projection import (
    back_project,
    back_project_views,
    nearest_seen,
    neighbours,
    smooth_patches,
)
from stages.segmentation.evaluation import score_methods, segment_category, segmentation_metrics
from stages.segmentation.inference import segment_cloud
from stages.segmentation.part_prompts import PartPrompts
from stages.segmentation.part_search import search_parts, search_view_weights
from stages.segmentation.patch_config import PatchConfig
from stages.segmentation.protocols import PROTOCOLS, ProtocolInputs, average_of, protocols
from stages.segmentation.regions import ShapeRegions
from stages.segmentation.scores import score, summarise
from stages.segmentation.shapes import Shapes

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT)


def random_shapes(*, shapes=3, views=4, grid=3, width=6, points=40, parts=3, seed=0, config=None):
    """Features and clouds of shapes whose every number is random, under the default PatchConfig unless one is given."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(shapes, views, grid * grid, width))
    patches = PatchFeatures(
        rows=np.arange(shapes),
        features=(features / np.linalg.norm(features, axis=-1, keepdims=True)).astype("f2"),
        pixels=rng.integers(0, 224, (shapes, views, points, 2)).astype("u2"),
        visible=rng.random((shapes, views, points)) < 0.6,
        visible_released=rng.random((shapes, views, points)) < 0.6,
        map_size=224,
        logit_scale=100.0,
    )
    clouds = Clouds(
        rng.normal(size=(shapes, points, 3)).astype("f4"),
        np.zeros(shapes, int),
        rng.integers(0, parts, (shapes, points)),
    )
    names = tuple(f"part {k}" for k in range(parts))
    return Shapes.from_patches(patches, clouds, parts=names, config=config or PatchConfig())


@pytest.fixture(scope="module")
def exact():
    """A chair and a lamp whose patches, of 2 x 2 pixels, have the true part of what they show as their feature."""
    rng = np.random.default_rng(3)
    found = {}
    for category in ("chair", "lamp"):
        points, parts = procedural_parts.labelled_shape(category, points=2048, rng=rng)
        seen = render_with_visibility(points[None], PRESETS["v2_segmentation"])
        count, grid = len(PARTS[category]), 112
        votes = np.zeros((1, 10, grid, grid, count))
        for v in range(10):
            shown = np.flatnonzero(seen.visible[0, v])
            rows, columns = (seen.pixels[0, v, shown] // 2).T
            np.add.at(votes, (0, v, rows, columns, parts[shown]), 1)
        features = np.zeros((1, 10, grid * grid, 32), "f2")
        features[..., :count] = (votes == votes.max(axis=-1, keepdims=True)).reshape(1, 10, grid * grid, count) * (
            votes.sum(axis=-1) > 0
        ).reshape(1, 10, grid * grid, 1)
        patches = PatchFeatures(
            rows=np.arange(1),
            features=features,
            pixels=seen.pixels,
            visible=seen.visible,
            visible_released=seen.visible_released,
            map_size=224,
            logit_scale=100.0,
        )
        clouds = Clouds(points[None], np.zeros(1, int), parts[None])
        found[category] = patches, clouds, PARTS[category]
    return found


def accuracy_of_exact(exact, mode):
    """Accuracy with the true part as the feature, the k-th unit vector as the text of part k."""
    shares = []
    for patches, clouds, parts in exact.values():
        shapes = Shapes.from_patches(patches, clouds, parts=parts, config=PatchConfig(mode, smooth_window=1))
        text = np.eye(32, dtype="f4")[: len(parts)]
        shares.append(score(shapes.predict(text, view_weights=np.ones(10)), clouds.parts, parts=len(parts)).accuracy)
    return float(np.mean(shares))


def test_features_that_are_the_true_part_give_it_back_and_as_released_they_do_not(exact):
    assert accuracy_of_exact(exact, "correct") > 0.95
    assert accuracy_of_exact(exact, "as_released") < 0.75


def test_smoothing_reaches_further_down_and_right_and_repeats_the_edges():
    values = np.zeros((1, 16, 1), "f4")
    values[0, 5] = 1  # row 1, column 1 of 4 x 4
    expected = np.zeros((4, 4))
    expected[0:2, 0:2] = 0.25
    np.testing.assert_allclose(smooth_patches(values, window=2)[0, ..., 0], expected)
    edge = np.arange(16, dtype="f4").reshape(1, 16, 1)
    bottom_right = smooth_patches(edge, window=3)[0, 3, 3, 0]
    assert bottom_right == pytest.approx(np.mean([10, 11, 11, 14, 15, 15, 14, 15, 15]))
    np.testing.assert_array_equal(smooth_patches(edge, window=1)[0, ..., 0], edge.reshape(4, 4))


@given(st.integers(1, 8), st.integers(1, 6), st.floats(-5, 5, width=32))
def test_a_constant_stays_a_constant(grid, window, value):
    values = np.full((2, grid * grid, 1), value, "f4")
    smoothed = smooth_patches(values, window=window)
    np.testing.assert_allclose(smoothed, value, rtol=1e-5, atol=1e-6)
    pixels = np.random.default_rng(0).integers(0, 224, (2, 5, 2))
    visible = np.array([[True, True, False, False, True], [True, False, True, False, True]])
    points = back_project(smoothed, pixels=pixels, visible=visible, view_weights=np.array([1.0, 0.5]), map_size=224)
    np.testing.assert_allclose(points[:, 0], value * np.array([1.5, 1, 0.5, 0, 1.5]), rtol=1e-5, atol=1e-6)


def test_a_map_is_read_between_the_middles_of_its_patches():
    maps = np.array([[0.0, 1.0], [2.0, 3.0]], "f4").reshape(1, 2, 2, 1)
    pixels = np.array([[(0, 0), (0, 7), (7, 0), (3, 4), (1, 6)]])
    where = {"pixels": pixels, "visible": np.ones((1, 5), bool), "map_size": 8}
    # 8 pixels over 2 patches: patch middles at 1.5 and 5.5, constant beyond them
    np.testing.assert_allclose(
        back_project(maps, view_weights=np.ones(1), **where)[:, 0], [0, 1, 2, 2 * 0.375 + 0.625, 1], atol=1e-6
    )


def test_the_views_by_themselves_sum_to_all_of_them():
    rng = np.random.default_rng(0)
    maps, weights = rng.normal(size=(4, 3, 3, 2)).astype("f4"), rng.random(4)
    where = {"pixels": rng.integers(0, 50, (4, 9, 2)), "visible": rng.random((4, 9)) < 0.5, "map_size": 50}
    by_view = back_project_views(maps, **where)
    whole = back_project(maps, view_weights=weights, **where)
    np.testing.assert_allclose(np.tensordot(weights, by_view, axes=1), whole, atol=1e-5)


def test_an_unseen_point_takes_the_nearest_seen_ones_part():
    points = np.array([(0, 0, 0), (1, 0, 0), (1.2, 0, 0), (9, 0, 0)], "f4")
    visible = np.array([[True, True, False, False], [False, True, False, False]])
    np.testing.assert_array_equal(nearest_seen(points, visible), [0, 1, 1, 1])
    np.testing.assert_array_equal(nearest_seen(points, np.zeros((2, 4), bool)), [0, 1, 2, 3])
    shapes = random_shapes()
    unseen = ~shapes.visible.any(axis=1)
    assert 0 < shapes.unseen == unseen.mean() < 0.1
    predicted = shapes.predict(np.eye(6, dtype="f4")[:3], view_weights=np.ones(4))
    for n, p in np.argwhere(unseen):
        assert predicted[n, p] == predicted[n, shapes.sources[n, p, 0]]
    released = random_shapes(config=PatchConfig("as_released"))
    hidden = ~released.visible.any(axis=1)
    assert not released.logits(np.eye(6, dtype="f4")[:3], view_weights=np.ones(4))[hidden].any()


def test_logits_are_products_with_the_points_features():
    for config in (PatchConfig(), PatchConfig("as_released"), PatchConfig(smooth_window=2, refine_neighbours=5)):
        shapes = random_shapes(config=config)
        text, weights = np.random.default_rng(1).normal(size=(3, 6)).astype("f4"), np.array([1, 0.5, 0.25, 2])
        logits = shapes.logits(text, view_weights=weights)
        for n in range(len(shapes)):
            np.testing.assert_allclose(shapes.point_features(n, view_weights=weights) @ text.T, logits[n], atol=1e-4)
        np.testing.assert_allclose(np.tensordot(weights, shapes.view_logits(text), axes=1), logits, atol=1e-4)


def test_refinement_outvotes_a_lone_point():
    line = np.column_stack([np.linspace(0, 1, 21), np.zeros(21), np.zeros(21)])
    assert set(neighbours(line, count=3)[10]) == {9, 10, 11}
    patches = PatchFeatures(
        rows=np.arange(1),
        features=np.array([[[[1, 0], [0, 1], [1, 0], [1, 0]]]], "f2"),
        pixels=np.where(np.arange(21)[:, None] == 10, [0, 223], [223, 0])[None, None],
        visible=np.ones((1, 1, 21), bool),
        visible_released=np.ones((1, 1, 21), bool),
        map_size=224,
        logit_scale=100.0,
    )
    clouds = Clouds(line[None].astype("f4"), np.zeros(1, int), np.zeros((1, 21), int))
    text, counts = np.eye(2, dtype="f4"), []
    for refine in (0, 3):
        config = PatchConfig(smooth_window=1, refine_neighbours=refine)
        shapes = Shapes.from_patches(patches, clouds, parts=("a", "b"), config=config)
        counts.append(shapes.predict(text, view_weights=np.ones(1)).sum())
    assert counts == [1, 0]


def test_a_point_takes_the_mean_score_of_its_region_and_the_oracle_its_commonest_part():
    config = dataclasses.replace(PARAMS.segment.regions, count=2, counts=(1,))
    blobs = np.repeat(np.eye(3)[:2] * 9, 4, axis=0) + np.random.default_rng(0).normal(0, 0.1, (8, 3))
    regions = ShapeRegions.of(blobs[None], config)
    lone = np.array([(3, 0), (3, 0), (0, 1), (3, 0), (0, 2), (0, 2), (0, 2), (1, 0)], "f4")[None]
    expected = np.repeat([(2.25, 0.25), (0.25, 1.5)], 4, axis=0)
    np.testing.assert_allclose(regions.average(lone)[0], expected)
    truth = np.array([[0, 0, 0, 1, 1, 1, 1, 1]])
    found = regions.compare(lone, lone, truth)
    np.testing.assert_array_equal(found["refinement"]["none"], [[0, 0, 1, 0, 1, 1, 1, 0]])
    for parts in (found["refinement"]["regions"], found["number of regions"]["2"], found["oracle of the regions"]["2"]):
        np.testing.assert_array_equal(parts, [[0, 0, 0, 0, 1, 1, 1, 1]])
    np.testing.assert_array_equal(found["oracle of the regions"]["1"], np.ones((1, 8)))
    assert set(found["cues of the regions"]) == {"position", "position, normal", "position, normal, fpfh"}
    other = regions.compare(lone, lone, 1 - truth)
    for what, values in found.items():
        same = [np.array_equal(parts, other[what][value]) for value, parts in values.items()]
        assert not any(same) if what == "oracle of the regions" else all(same)


@pytest.mark.parametrize(("refine", "row"), [(False, "neutral_regions"), (True, "neutral_without_regions")])
def test_regions_are_a_switch_of_all_protocols(refine, row):
    config = dataclasses.replace(
        PARAMS.segment, regions=dataclasses.replace(PARAMS.segment.regions, refine=refine, count=3)
    )
    prompts = prompts_of(("part 0", "part 1", "part 2"))
    found = segment_category(shapes_of, prompts, config, logit_scale=100.0)
    plain, refined = found.predicted["neutral"], found.predicted[row]
    plain, refined = (refined, plain) if refine else (plain, refined)
    np.testing.assert_array_equal(plain, found.refined["refinement"]["none"])
    np.testing.assert_array_equal(refined, found.refined["refinement"]["regions"])
    assert (plain != refined).any()
    assert (len(np.unique(found.predicted["templates"][0])) <= 3) and found.chosen["neutral"]["labels_read"] == "none"
    figures = segmentation_metrics({"thing": found}, score_methods({"thing": found}), config=config, not_run={})
    change = figures.refinements["refinement"]["regions"].change
    assert change.low <= change.difference <= change.high
    assert change.difference == pytest.approx(
        figures.refinements["refinement"]["regions"].instance_miou
        - figures.refinements["refinement"]["none"].instance_miou,
        abs=0.011,
    )
    read = {figures.labels_read for figures in figures.refinements["oracle of the regions"].values()}
    assert read == {"test"} and figures.refinements["refinement"]["regions"].labels_read == "none"


def test_a_cloud_of_ones_own_is_refined_by_the_same_switch():
    rng = np.random.default_rng(0)
    points, text = rng.normal(size=(200, 3)).astype("f4"), np.eye(6, dtype="f4")[:3]
    patches = rng.normal(size=(1, 10, 9, 6)).astype("f4")
    plain, one_region = (
        segment_cloud(
            points,
            lambda depth: patches,
            text,
            projection=PRESETS["v2_segmentation"],
            parts=("a", "b", "c"),
            config=PatchConfig(),
            regions=dataclasses.replace(PARAMS.segment.regions, refine=refine, count=1),
            source="cloud",
        )
        for refine in (False, True)
    )
    assert len(set(plain)) == 3 and len(set(one_region)) == 1


def test_iou_by_hand():
    truth = np.array([[0, 0, 1, 1], [2, 2, 2, 2]])
    predicted = np.array([[0, 1, 1, 1], [2, 2, 2, 0]])
    found = score(predicted, truth, parts=3)
    np.testing.assert_allclose(found.accuracy, [0.75, 0.75])
    np.testing.assert_allclose(found.iou, [(1 / 2 + 2 / 3 + 1) / 3, (0 + 1 + 3 / 4) / 3])


def test_instance_and_class_means_differ_where_categories_do():
    def of(*values):
        return type(score(np.zeros((1, 1), int), np.zeros((1, 1), int), parts=1))(np.array(values), np.array(values))

    means = summarise({"mug": of(1.0, 1.0, 1.0), "bag": of(0.0)})
    assert (means["instance_miou"], means["class_miou"]) == (75.0, 50.0)


def naive_search(shapes, candidates, initial, *, objective, sweeps):
    """The published loop: every candidate put in its place, all shapes predicted and scored."""

    def value(text):
        predicted = shapes.predict(text, view_weights=np.ones(shapes.views))
        return getattr(score(predicted, shapes.truth, parts=len(shapes.parts)), objective).mean()

    text = initial / np.linalg.norm(initial, axis=1, keepdims=True)
    best, choice = value(text), np.full(len(text), -1)
    for _ in range(sweeps):
        for part in range(len(text)):
            for j, row in enumerate(candidates.of_class(part)):
                trial = text.copy()
                trial[part] = candidates.features[row] / np.linalg.norm(candidates.features[row])
                if value(trial) > best + 1e-9:
                    best, text, choice[part] = value(trial), trial, j
    return choice, best


@pytest.mark.parametrize("objective", ["iou", "accuracy"])
@pytest.mark.parametrize("config", [PatchConfig(), PatchConfig("as_released"), PatchConfig(refine_neighbours=4)])
def test_the_search_ends_where_the_published_loop_does(objective, config):
    shapes = random_shapes(config=config)
    rng = np.random.default_rng(5)
    candidates = Candidates.ragged(rng.normal(size=(25, 6)).astype("f4"), np.array([0, 9, 15, 25]))
    initial = rng.normal(size=(3, 6)).astype("f4")
    choice, value = naive_search(shapes, candidates, initial, objective=objective, sweeps=2)
    for memory in (0, 2**30):
        found = search_parts(
            shapes,
            candidates=candidates,
            initial=initial,
            view_weights=np.ones(4),
            sweeps=2,
            objective=objective,
            memory=memory,
        )
        np.testing.assert_array_equal(found.choice, choice)
        assert found.value == pytest.approx(value) and found.value > found.start


def test_view_weights_follow_the_view_that_is_right():
    shapes = random_shapes(shapes=2, seed=7)
    text = np.eye(6, dtype="f4")[:3]
    first = np.array([1, 0.01, 0.01, 0.01])
    shapes = dataclasses.replace(shapes, truth=shapes.predict(text, view_weights=first))
    weights, value = search_view_weights(shapes, text=text, start=np.ones(4))
    before = score(shapes.predict(text, view_weights=np.ones(4)), shapes.truth, parts=3).iou.mean()
    assert value > before and weights[0] == weights.max() > weights[1:].max()
    after = score(shapes.predict(text, view_weights=weights), shapes.truth, parts=3).iou.mean()
    assert value == pytest.approx(after)


SETS = ("parts", "llm_four", "llm_1200")


def prompts_of(parts, *, seed=0):
    """Four sentences a part of every other set, and the neutral one, with random features."""
    sentences = {
        "neutral": {part: [f"a {part}"] for part in parts},
        **{name: {part: [f"{name}: {part} {i}" for i in range(4)] for part in parts} for name in SETS},
    }
    rng = np.random.default_rng(seed)
    texts = [text for sets in sentences.values() for of_part in sets.values() for text in of_part]
    features = {text: (row := rng.normal(size=6)).astype("f4") / np.linalg.norm(row) for text in texts}
    return PartPrompts(sentences, features, category="thing", parts=parts)


def inputs_of(test, train, val, parts=("part 0", "part 1", "part 2")):
    return ProtocolInputs(test, train, val, prompts_of(parts), PARAMS.segment, logit_scale=100.0)


def test_only_the_upper_bound_reads_test_labels():
    train, val, test = (random_shapes(seed=seed, points=120) for seed in (1, 2, 3))
    other = dataclasses.replace(test, truth=(test.truth + 1) % 3)
    first, second = (
        {name: protocol(inputs_of(shapes, train, val)) for name, protocol in protocols(PARAMS.segment).items()}
        for shapes in (test, other)
    )
    assert set(first) == {"neutral", *PARAMS.segment.protocols, "label_free", "search_train", "search_test"}
    same = {name: first[name].document == second[name].document for name in first}
    assert same == dict.fromkeys(same, True) | {"search_test": False}
    labels_read = [first[name].document["labels_read"] for name in ("label_free", "search_train", "search_test")]
    assert labels_read == ["none", "train", "test"]
    for result in first.values():
        assert np.mean(result.view_weights) == pytest.approx(1) and (result.view_weights > 0).all()


def test_a_search_that_val_does_not_confirm_is_dropped():
    train = random_shapes(seed=1)
    neutral = average_of("neutral")(inputs_of(train, train, None))
    right = dataclasses.replace(train, truth=train.predict(neutral.text, view_weights=np.ones(4)))
    for val, kept in ((right, False), (train, True)):
        found = PROTOCOLS["search_train"](inputs_of(train, train, val))
        assert found.document["held_out"]["kept"] is kept
        assert np.array_equal(found.text, neutral.text) is not kept


def test_a_category_without_train_shapes_keeps_the_neutral_sentence():
    inputs = inputs_of(random_shapes(), None, None)
    neutral, found = average_of("neutral")(inputs), PROTOCOLS["search_train"](inputs)
    np.testing.assert_array_equal(found.text, neutral.text)
    assert (found.document["labels_read"], found.document["shapes"]) == ("none", 0)


def shapes_of(split, config):
    return random_shapes(seed={"test": 3, "train": 1, "val": 2}[split], config=config)


def test_a_protocol_is_added_by_one_entry_from_outside(monkeypatch):
    def first_view(inputs):
        """The neutral sentence seen from the first view alone."""
        neutral = average_of("neutral")(inputs)
        return neutral._replace(view_weights=np.eye(inputs.test.views, dtype="f4")[0])

    monkeypatch.setitem(PROTOCOLS, "first_view", first_view)
    prompts = prompts_of(("part 0", "part 1", "part 2"))
    found = segment_category(shapes_of, prompts, PARAMS.segment, logit_scale=100.0)
    assert "first_view" in found.chosen
    assert (found.predicted["first_view"] != found.predicted["neutral"]).any()


@pytest.mark.parametrize(
    "name", ["neutral", "search_test", "chance", "neutral_as_released", "neutral_refined", "neutral_regions"]
)
def test_an_average_by_the_name_of_another_method_is_one_line(name):
    config = dataclasses.replace(PARAMS.segment, protocols={name: "parts"})
    with pytest.raises(InputError, match=f"params.yaml: segment.protocols.{name}: expected another name than"):
        segment_category(shapes_of, prompts_of(("a", "b", "c")), config, logit_scale=100.0)


def test_figures_of_all_methods_and_baselines():
    prompts = prompts_of(("part 0", "part 1", "part 2"))
    found = segment_category(shapes_of, prompts, PARAMS.segment, logit_scale=100.0)
    metrics = segmentation_metrics({"thing": found}, score_methods({"thing": found}), config=PARAMS.segment, not_run={})
    assert set(metrics.protocols) == {
        *(
            "neutral",
            "neutral_as_released",
            "neutral_refined",
            "neutral_regions",
            "templates",
            "llm_four",
            "label_free",
        ),
        *("search_train", "search_test", "chance", "largest_part"),
    }
    truth = random_shapes(seed=3).truth
    constant = np.bincount(truth.ravel()).argmax()
    assert metrics.protocols["largest_part"].instance_accuracy == pytest.approx(
        100 * (truth == constant).mean(), abs=0.01
    )
    assert metrics.protocols["search_test"].instance_miou >= metrics.protocols["neutral"].instance_miou
    assert metrics.samples == 3 and metrics.shapes == {"thing": 3}
    read = {name: figures.labels_read for name, figures in metrics.protocols.items()}
    assert {name for name, split in read.items() if split == "test"} == {"search_test", "largest_part"}
    assert {name for name, split in read.items() if split == "train"} == {"search_train"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda patches, clouds: (patches, dataclasses.replace(clouds, parts=None), ("a", "b")), "points: no parts"),
        (lambda patches, clouds: (patches, clouds, ()), "points: no parts"),
        (lambda patches, clouds: (patches, clouds, ("a", "b")), r"shape \d has part 2, expected 0 to 1 \(a, b\)"),
        (
            lambda patches, clouds: (patches, Clouds(clouds.points[:, 1:], clouds.labels, clouds.parts[:, 1:]), "abc"),
            r"patches: \[3, 39\] points, pixels of \[3, 40\]",
        ),
        (
            lambda patches, clouds: (
                dataclasses.replace(patches, features=patches.features[:, :, 1:]),
                clouds,
                ("a", "b", "c"),
            ),
            "patch features: 8 patches a view, expected a square number",
        ),
    ],
)
def test_what_does_not_fit_together_is_one_line(change, message):
    rng = np.random.default_rng(0)
    visible = np.ones((3, 2, 40), bool)
    patches = PatchFeatures(
        np.arange(3), np.ones((3, 2, 9, 4), "f2"), np.zeros((3, 2, 40, 2), "u2"), visible, visible, 9, 1.0
    )
    parts = np.resize([0, 1, 2], (3, 40))
    patches, clouds, names = change(patches, Clouds(rng.normal(size=(3, 40, 3)), np.zeros(3, int), parts))
    with pytest.raises(InputError, match=message) as error:
        Shapes.from_patches(patches, clouds, parts=tuple(names), config=PatchConfig())
    assert "\n" not in str(error.value)


def test_a_part_without_a_sentence_is_one_line():
    prompts = PartPrompts({"llm": {"leg": ["a leg"]}}, {}, category="chair", parts=("leg", "arm"))
    with pytest.raises(InputError, match="prompt sets llm have no sentence for part 'arm' of 'chair'"):
        prompts.sentences(("llm",))


def test_part_templates_are_filled_and_bad_ones_named():
    text = (ROOT / "prompts/templates/parts.txt").read_text()
    filled = fill_parts(parse_part_templates(text, source="parts.txt"), category="mug", parts=("handle", "cup"))
    assert filled["handle"][0] == "a handle of a mug." and len(filled["cup"]) == len(set(filled["cup"])) == 12
    for line in ("a {category}", "a {part} of {}", "a {part} of a {name}"):
        with pytest.raises(InputError, match="t.txt: line 2: expected {part}"):
            parse_part_templates(f"# note\n{line}\n", source="t.txt")
    with pytest.raises(InputError, match=r"t.txt: no template"):
        parse_part_templates("# note\n", source="t.txt")


def test_dense_training_repeats_and_leaves_the_text_tower_alone():
    config = dataclasses.replace(
        PARAMS.pretrain_parts, steps=2, batch_size=2, views_shown=2, points=256, resolution=64, smooth_window=1
    )
    start = read_weights(ROOT / "data/bundled/bundled.safetensors").state
    states = []
    for _ in range(2):
        torch.set_num_threads(1)
        model = build(register(ROOT / "data/bundled/bundled.json"))
        model.load_state_dict(start)
        losses = train_parts(model, config, PRESETS["v2_segmentation"])
        states.append(model.state_dict())
    assert np.isfinite(losses).all()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    changed = {key for key, value in states[0].items() if not torch.equal(value, start[key])}
    assert "visual.attnpool.v_proj.weight" in changed
    assert all(key.startswith("visual.") for key in changed)


def test_the_weights_for_parts_have_the_bundled_text_tower():
    bundled, parts = (
        read_weights(ROOT / f"data/bundled/{name}.safetensors").state for name in ("bundled", "bundled_parts")
    )
    assert set(bundled) == set(parts)
    for key, value in bundled.items():
        if not key.startswith("visual."):
            np.testing.assert_allclose(parts[key].float(), value, rtol=1e-3, atol=1e-6)
