"""Telling objects of no class on offer, by cases worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from stages.artifacts.types import Features
from stages.config.params import load_params
from stages.zeroshot.evaluation import Classifier
from stages.zeroshot.none_of_these import SCORES, class_folds, none_of_these, ranked_below

CONFIG = replace(load_params(Path(__file__).parents[1]).evaluate, bootstrap_samples=50)
WEIGHTS = np.array([0.5, 0.5])


def test_scores_of_one_object():
    features = Features(np.array([[[1, 0], [0.6, 0.8]]], "f4"), np.array([0]), ("a", "b"), 10.0)
    classifier = Classifier(np.eye(2, dtype="f4"), WEIGHTS)
    found = {name: float(score(features, classifier)[0]) for name, score in SCORES.items()}
    # pooled cosines (0.8, 0.4); the views alone (1, 0) and (0.6, 0.8)
    assert found == pytest.approx(
        {
            "probability": 1 / (1 + np.exp(-4)),
            "matching": 1 / (1 + np.exp(-0.4)),
            "similarity": 8.0,
            "agreement": (1 / (1 + np.exp(-10)) + 1 / (1 + np.exp(2))) / 2,
        },
        rel=1e-5,
    )


@given(
    known=st.lists(st.integers(0, 5), min_size=1, max_size=9),
    left_out=st.lists(st.integers(0, 5), min_size=1, max_size=9),
)
def test_the_mean_rank_is_the_area_under_the_curve(known, left_out):
    area = roc_auc_score([1] * len(known) + [0] * len(left_out), known + left_out)
    assert ranked_below(np.array(left_out), np.array(known)).mean() == pytest.approx(area)


def test_every_class_is_left_out_once():
    folds = class_folds(7, folds=3, seed=0)
    assert sorted(np.concatenate(folds)) == list(range(7)) and {len(fold) for fold in folds} == {2, 3}
    assert len(class_folds(2, folds=5, seed=0)) == 2


def test_objects_that_are_near_no_offered_class_are_refused():
    """Four orthogonal classes, each object exactly its class: left out, it is as near to one class as to another."""
    values = np.eye(4, dtype="f4").repeat(2, axis=0)[:, None].repeat(2, axis=1)
    features = Features(values, np.arange(4).repeat(2), tuple("abcd"), 10.0)
    found = none_of_these(features, Classifier(np.eye(4, dtype="f4"), WEIGHTS), labelled=features, config=CONFIG)
    assert list(found) == list(SCORES)
    for figures in found.values():
        assert (figures.auroc, figures.auroc_low, figures.kept, figures.refused) == (100, 100, 100, 100)
        assert (figures.curve[0], figures.curve[100]) == (100, 100)
        assert (figures.auroc_gain_low, figures.auroc_gain_high) == (0, 0)


def test_without_known_objects_there_is_nothing_to_tell():
    features = Features(np.ones((2, 1, 1), "f4"), np.zeros(2, int), ("a",), 10.0)
    classifier = Classifier(np.ones((1, 1), "f4"), np.ones(1))
    assert none_of_these(features, classifier, labelled=features, config=CONFIG) == {}
