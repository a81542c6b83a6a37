"""The protocols that repeat PointCLIP V2's released code: against its loop told again, and where they do not run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import evaluate
from stages.artifacts.features import write_features
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.files import read_json
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.prompts import read_prompts, write_prompts
from stages.artifacts.types import Features, Prompts
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.prompt_search.protocols import PROTOCOLS
from stages.search import main

ROOT = Path(__file__).parents[1]
RUN = ("toy", "rn50")
NAMES = ("as_published_before", "as_published_after", "as_published_candidates")
VIEWS, WIDTH = 5, 4
LEVELS = (0.25, 0.5, 0.75, 1.0)


class Instance:
    """Small random features and sentences; no two sums are close, since all numbers are drawn from a continuum."""

    def __init__(self, seed):
        generator = np.random.default_rng(seed)
        self.classes = int(generator.integers(2, 5))
        samples, counts = int(generator.integers(4, 25)), generator.integers(1, 7, self.classes)
        values = unit(generator.normal(size=(samples, VIEWS, WIDTH)))
        names = tuple(f"class {c}" for c in range(self.classes))
        self.features = Features(values, generator.integers(0, self.classes, samples), names, 100.0)
        sets, rows = [], []
        for name, of_class in (("v2_searched_rn50", np.ones(self.classes, int)), ("v2_corpus", counts)):
            rows += np.repeat(np.arange(self.classes), of_class).tolist()
            sets += [name] * int(of_class.sum())
        self.weights = generator.choice(LEVELS, VIEWS).tolist()
        self.prompts = Prompts(
            np.array(rows),
            tuple(names[row] for row in rows),
            tuple(sets),
            tuple(map(str, range(len(rows)))),
            unit(generator.normal(size=(len(rows), WIDTH))),
            view_weights={"v2_searched_rn50": self.weights},
        )

    def run(self, name, **overrides):
        protocol = PROTOCOLS[name]
        config = load_params(ROOT, overrides={"search.candidates": ["v2_corpus"]} | overrides).search
        pool = protocol.pool(self.prompts, self.features.classes, config, RUN[1])
        return protocol.run({"test": self.features}, pool, config)


def unit(values):
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def released_loop(one, start):
    """The released search in its own arithmetic, wide and slow: (prompts, samples right before, accepted steps).

    `start` are prompt ids [C]. Each class's text stands once a view and the long vector is normalised.
    """
    texts, corpus = one.prompts.features.astype(np.float64), np.flatnonzero(np.array(one.prompts.sets) == "v2_corpus")
    weighted = one.features.values.astype(np.float64) * np.array(one.weights)[:, None]

    def right(ids):
        long = np.tile(texts[ids], (1, VIEWS))
        long /= np.linalg.norm(long, axis=1, keepdims=True)
        logits = 100 * weighted.reshape(len(weighted), -1) @ long.T
        return int((logits.argmax(axis=1) == one.features.labels).sum())

    prompts, best, trace = list(start), right(start), []
    before = best
    for sweep in range(2):
        for c in range(one.classes):
            for place, row in enumerate(corpus[one.prompts.classes[corpus] == c]):
                trial = [*prompts[:c], int(row), *prompts[c + 1 :]]
                if right(trial) > best:
                    prompts, best = trial, right(trial)
                    trace.append([sweep, c, place, best])
    return prompts, before, trace


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_search_from_the_authors_prompts_is_the_released_loop(seed):
    one = Instance(seed)
    start = list(range(one.classes))
    prompts, before, trace = released_loop(one, start)
    found = one.run("as_published_after")
    assert found["prompts"] == [[row] for row in prompts]
    assert [step[:4] for step in found["trace"]] == trace
    best = trace[-1][3] if trace else before
    assert found["searched"] == {"start": before, "correct": best, "samples": len(one.features.labels)}
    np.testing.assert_allclose(found["view_weights"], np.array(one.weights) / np.sum(one.weights))
    kept = one.run("as_published_before")
    assert (kept["prompts"], kept["view_weights"]) == ([[row] for row in start], found["view_weights"])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_set_alone_is_searched_from_its_first_sentences(seed):
    one = Instance(seed)
    first = [one.prompts.classes.tolist().index(c, one.classes) for c in range(one.classes)]
    prompts, before, trace = released_loop(one, first)
    found = one.run("as_published_candidates")
    assert found["prompts"] == [[row] for row in prompts]
    assert (found["searched"]["start"], [step[:4] for step in found["trace"]]) == (before, trace)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_switch_adds_the_grid_of_view_weights(seed):
    one = Instance(seed)
    plain, switched = (
        one.run("as_published_after", **{"search.published_view_search": how}) for how in ("none", "grid")
    )
    assert (switched["prompts"], switched["trace"]) == (plain["prompts"], plain["trace"])
    text = one.prompts.features[[ids[0] for ids in plain["prompts"]]].astype(np.float64)
    scores = one.features.values.astype(np.float64) @ text.T  # [N, V, C]

    def right(weights):
        return int((np.einsum("nvc,v->nc", scores, weights).argmax(axis=1) == one.features.labels).sum())

    best, weights = right(np.ones(VIEWS)), None
    for levels in np.ndindex((4,) * (VIEWS - 3)):
        trial = np.array([0.75] * 3 + [LEVELS[level] for level in levels])
        if right(trial) > best:
            best, weights = right(trial), trial
    expected = one.weights if weights is None else weights
    np.testing.assert_allclose(switched["view_weights"], np.array(expected) / np.sum(expected), rtol=1e-6)
    if weights is not None:
        assert switched["searched"]["correct"] == best


@pytest.fixture
def root(tmp_path):
    one = Instance(3)
    features, paths = one.features, Paths(tmp_path)
    splits = dict.fromkeys(("train", "test"), (features.values, features.labels))
    for backbone in (RUN[1], "vit_b16"):
        write_features(paths.features("toy", backbone), splits, classes=features.classes, logit_scale=100.0)
        write_prompts(paths.prompts("toy", backbone), one.prompts)
    return tmp_path


def searched(root, backbone):
    overrides = {"search.candidates": ["v2_corpus"], "search.start": "v2_searched_rn50", "search.folds": 2}
    main("toy", backbone, params=load_params(ROOT, overrides=overrides), root=root)
    return read_json(Paths(root).search("toy", backbone))


def test_only_the_backbone_that_was_searched_has_these_rows(root):
    ours, other = searched(root, RUN[1]), searched(root, "vit_b16")
    assert set(ours) - set(other) == set(NAMES)
    assert {(ours[name]["split"], ours[name]["labels_read"]) for name in NAMES} == {("test", "test")}


def test_the_metrics_have_these_rows_as_oracles(root):
    document = searched(root, RUN[1])
    overrides = {"evaluate.protocols": {"ensemble": "v2_searched_rn50"}, "evaluate.bootstrap_samples": 10}
    evaluate.main(*RUN, params=load_params(ROOT, overrides=overrides), root=root)
    metrics = read_metrics(Paths(root).metrics(*RUN), ClassificationMetrics)
    assert {name for name in NAMES if metrics.protocols[name].oracle} == set(NAMES)
    for name in NAMES[1:]:
        found = document[name]["searched"]
        assert metrics.protocols[name].top1 == pytest.approx(100 * found["correct"] / found["samples"], abs=0.01)
    start = document["as_published_after"]["searched"]
    assert metrics.protocols[NAMES[0]].top1 == pytest.approx(100 * start["start"] / start["samples"], abs=0.01)


def test_without_the_corpus_there_is_no_search_of_it():
    one = Instance(0)
    kept = np.flatnonzero(np.array(one.prompts.sets) != "v2_corpus")
    sets = tuple(one.prompts.sets[row] for row in kept)
    prompts = replace(one.prompts, classes=one.prompts.classes[kept], sets=sets, features=one.prompts.features[kept])
    config = load_params(ROOT).search
    before, after = (PROTOCOLS[name].pool(prompts, one.features.classes, config, RUN[1]) for name in NAMES[:2])
    assert before is not None and after is None


def test_published_weights_of_other_views_are_refused(root):
    paths = Paths(root)
    prompts = read_prompts(paths.prompts(*RUN))
    assert list(prompts.view_weights) == ["v2_searched_rn50"]
    write_prompts(paths.prompts(*RUN), replace(prompts, view_weights={"v2_searched_rn50": [1.0, 0.5]}))
    with pytest.raises(InputError, match=r"view weights: \[1\.0, 0\.5\], expected 5 finite numbers, one a view"):
        searched(root, RUN[1])
