"""The classifier and its figures of merit, by cases worked out by hand."""

import numpy as np
import pytest

from stages.artifacts.types import Prompts
from stages.core.errors import InputError
from stages.zeroshot.classifier import class_features, class_logits, rank_classes
from stages.zeroshot.metrics import bootstrap_interval, mean_class_accuracy, negative_log_likelihood, top_k_accuracy

NAMES = ("chair", "table")


def prompts(features, classes=(0, 0, 1), names=("chair", "chair", "table"), sets=("simple",) * 3):
    return Prompts(np.array(classes), names, sets, ("",) * len(classes), np.array(features, "f4"))


def test_a_class_is_the_normalised_mean_of_its_prompts():
    text = class_features(prompts([[1, 0], [0, 1], [0.6, 0.8]]), prompt_set="simple", class_names=NAMES)
    np.testing.assert_allclose(text, [[0.5**0.5, 0.5**0.5], [0.6, 0.8]], atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sets": ("other",) * 3}, "prompt set 'simple': not in the prompts; they hold other"),
        ({"classes": (0, 0, 0), "names": ("chair",) * 3}, "no prompt for class 'table'"),
        ({"names": ("chair", "chair", "desk")}, "class 1 is 'desk'"),
        ({"classes": (0, 0, 2)}, "class 2 is 'table'"),
    ],
)
def test_prompts_of_other_classes_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        class_features(prompts([[1, 0], [0, 1], [1, 0]], **changes), prompt_set="simple", class_names=NAMES)


def test_logits_are_the_weighted_sum_over_views():
    features = np.array([[[1, 0], [0, 1]]], "f4")  # one sample, two views
    text = np.array([[1, 0], [0.6, 0.8]], "f4")
    logits = class_logits(features, text, view_weights=np.array([0.25, 0.75]), logit_scale=100.0)
    np.testing.assert_allclose(logits, [[100 * 0.25, 100 * (0.25 * 0.6 + 0.75 * 0.8)]], rtol=1e-6)


def test_ranking_breaks_ties_by_index_and_gives_softmax():
    order, scores = rank_classes(np.log(np.array([[1, 2, 1]], "f4")), top=3)
    np.testing.assert_array_equal(order, [[1, 0, 2]])
    np.testing.assert_allclose(scores, [[0.5, 0.25, 0.25]], rtol=1e-6)


def test_figures_of_merit():
    ranked, labels = np.array([[0, 1], [1, 0], [0, 1], [1, 0]]), np.array([0, 0, 0, 1])
    assert top_k_accuracy(ranked, labels, k=1) == 0.75
    assert top_k_accuracy(ranked, labels, k=2) == 1
    assert mean_class_accuracy(ranked[:, 0], labels) == pytest.approx((2 / 3 + 1) / 2)


def test_negative_log_likelihood():
    logits = np.log(np.array([[1, 3], [2, 2]], "f4"))
    assert negative_log_likelihood(logits, np.array([1, 0])) == pytest.approx((np.log(4 / 3) + np.log(2)) / 2)
    assert negative_log_likelihood(np.zeros((2, 8)), np.array([0, 5])) == pytest.approx(np.log(8))


def test_the_bootstrap_interval_is_that_of_the_binomial():
    hits = np.arange(1000) < 600
    low, high = bootstrap_interval(hits, samples=20000, seed=0)
    half = 1.96 * (0.6 * 0.4 / 1000) ** 0.5
    assert (low, high) == (pytest.approx(0.6 - half, abs=2e-3), pytest.approx(0.6 + half, abs=2e-3))
    assert bootstrap_interval(hits, samples=50, seed=1) == bootstrap_interval(hits, samples=50, seed=1)
