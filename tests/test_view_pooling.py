"""View pooling by cases worked out by hand: one object, views and classes few enough to count."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.artifacts.types import Features
from stages.config.evaluate import ViewPooling
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.zeroshot.ablations import ablations
from stages.zeroshot.evaluation import Classifier
from stages.zeroshot.pooling import POOLINGS, pooled_logits

ROOT = Path(__file__).parents[1]
CONFIG = load_params(ROOT).evaluate
TEXT = np.eye(2, dtype="f4")
# two views sure of class 0 and of class 1, by odds of 3 to 1 and of 9 to 1, and one that is undecided
SCORES = np.log(np.array([[[3, 1], [1, 9], [1, 1]]], "f4"))
EQUAL = np.full(3, 1 / 3)


def entropy(*shares):
    return -sum(share * np.log2(share) for share in shares)


def weighted(*weights):
    """Logits of SCORES with these weights of the views."""
    share = np.array(weights) / sum(weights)
    return [[share[0] * np.log(3), share[1] * np.log(9)]]


def test_every_pooling_of_one_object():
    found = {name: pool(SCORES, EQUAL) for name, pool in POOLINGS.items()}
    assert found["max"] == pytest.approx(np.log([[3, 9]]), rel=1e-5)
    assert found["logsumexp"] == pytest.approx(np.log([[5 / 3, 11 / 3]]), rel=1e-5)
    certain = weighted(1 - entropy(0.75, 0.25), 1 - entropy(0.1, 0.9), 0)
    assert found["entropy"] == pytest.approx(np.array(certain), rel=1e-5)
    # agreement of a pair: first and second 0.75 * 0.1 + 0.25 * 0.9 = 0.3, any with the undecided 0.5
    assert found["agreement"] == pytest.approx(np.array(weighted(0.3 + 0.5, 0.3 + 0.5, 0.5 + 0.5)), rel=1e-5)


def test_a_view_of_no_weight_counts_for_nothing():
    weights = np.array([1.0, 0, 0])
    for name, pool in POOLINGS.items():
        np.testing.assert_allclose(pool(SCORES, weights), SCORES[:, 0], rtol=1e-5, atol=1e-6, err_msg=name)


def test_views_that_all_are_undecided_keep_their_mean():
    for pool in POOLINGS.values():
        np.testing.assert_allclose(pool(np.zeros((1, 3, 2)), EQUAL), [[0, 0]], atol=1e-6)


@given(scale=st.floats(0.1, 50), factor=st.floats(0.1, 10), pooling=st.sampled_from(get_args(ViewPooling)))
def test_the_sum_of_the_weights_multiplies_the_logits(scale, factor, pooling):
    """So that a temperature, which divides the weights, divides the logits whatever the pooling."""
    features = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("f4")
    once, more = (
        pooled_logits(features, TEXT, view_weights=EQUAL * by, logit_scale=scale, pooling=pooling) for by in (1, factor)
    )
    np.testing.assert_allclose(more, factor * once, rtol=1e-3, atol=1e-3 * factor)


def test_ablations_change_one_thing_against_the_plain_baseline():
    """Three of four objects are right by the mean; the largest view alone gets the last one right too."""
    values = np.array([[[1, 0], [1, 0]], [[1, 0], [0.6, 0.8]], [[0, 1], [0, 1]], [[0.6, 0.8], [1, 0.1]]], "f4")
    features = Features(values, np.array([0, 0, 1, 1]), ("a", "b"), 10.0)
    config = replace(CONFIG, bootstrap_samples=20)
    plain = Classifier(TEXT, np.array([0.5, 0.5]), pooling="max")  # a switch changes no row
    searched = Classifier(TEXT[::-1], np.array([1.0, 0]), "test")
    found = ablations(features, {config.baseline: plain, "oracle": searched}, labelled=features, config=config)
    assert {what: set(values) for what, values in found.items()} == {
        "view_pooling": {"mean", "max", "logsumexp", "entropy", "agreement"},
        "view_weights": {"those of oracle"},
        "temperature": {"none", "one", "by_view", "agreement"},
    }
    mean, oracle = found["view_pooling"]["mean"], found["view_weights"]["those of oracle"]
    assert (mean.top1, mean.mcnemar_p, mean.likelihood_change_low, mean.likelihood_change_high) == (75, 1, 0, 0)
    assert (oracle.top1, oracle.labels_read, oracle.oracle) == (100, "test", True)  # the baseline's sentences
    assert found["temperature"]["by_view"].labels_read == "train" and found["temperature"]["one"].top1 == 75


def test_temperatures_of_single_views_need_the_mean():
    overrides = {"evaluate.view_pooling": "max", "evaluate.temperature": "by_view"}
    with pytest.raises(InputError, match="temperature by_view: expected none or one with view_pooling max"):
        load_params(ROOT, overrides=overrides)
    assert load_params(ROOT, overrides=overrides | {"evaluate.temperature": "one"}).evaluate.view_pooling == "max"
