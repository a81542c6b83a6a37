"""The classifier and its figures of merit, by cases worked out by hand."""

import subprocess
import sys
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.artifacts.types import Prompts
from stages.core.errors import InputError
from stages.core.text import ensemble
from stages.zeroshot.classifier import class_features, class_logits, rank_classes
from stages.zeroshot.metrics import (
    bootstrap_interval,
    expected_calibration_error,
    mcnemar,
    mean_class_accuracy,
    negative_log_likelihood,
    top_k_accuracy,
)

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


@pytest.mark.filterwarnings("error")
def test_a_predicted_class_that_no_sample_has_is_no_class_of_the_mean():
    assert mean_class_accuracy(np.array([0, 7, 1]), np.array([0, 0, 1])) == pytest.approx((1 / 2 + 1) / 2)


def test_negative_log_likelihood():
    logits = np.log(np.array([[1, 3], [2, 2]], "f4"))
    assert negative_log_likelihood(logits, np.array([1, 0])) == pytest.approx((np.log(4 / 3) + np.log(2)) / 2)
    assert negative_log_likelihood(np.zeros((2, 8)), np.array([0, 5])) == pytest.approx(np.log(8))


def test_the_calibration_error_weighs_each_bin_by_its_samples():
    confidence, hits = np.array([0.95, 0.85, 0.35, 1.0]), np.array([True, False, True, True])
    # two bins: below 0.5 |0.35 - 1| of one sample, from 0.5 on |2.8 - 2| / 3 of three
    assert expected_calibration_error(confidence, hits, bins=2) == pytest.approx((0.65 + 0.8) / 4)
    assert expected_calibration_error(np.array([0.6] * 5), np.arange(5) < 3) == pytest.approx(0)


def test_the_bootstrap_interval_is_that_of_the_binomial():
    hits = np.arange(1000) < 600
    low, high = bootstrap_interval(hits, samples=20000, seed=0)
    half = 1.96 * (0.6 * 0.4 / 1000) ** 0.5
    assert (low, high) == (pytest.approx(0.6 - half, abs=2e-3), pytest.approx(0.6 + half, abs=2e-3))
    assert bootstrap_interval(hits, samples=50, seed=1) == bootstrap_interval(hits, samples=50, seed=1)


def test_the_bootstrap_interval_is_the_same_with_a_few_redraws_in_memory(monkeypatch):
    differences = np.random.default_rng(0).normal(size=100)
    whole = bootstrap_interval(differences, samples=50, seed=1)
    monkeypatch.setattr("stages.zeroshot.metrics.MOST_COUNTS", 700)
    assert bootstrap_interval(differences, samples=50, seed=1) == pytest.approx(whole, abs=1e-12)


def test_many_values_are_redrawn_in_bins(monkeypatch):
    differences = np.random.default_rng(0).normal(0.5, size=3000)
    one_by_one = bootstrap_interval(differences, samples=4000, seed=1)
    monkeypatch.setattr("stages.zeroshot.metrics.MOST_VALUES", 50)
    low, high = bootstrap_interval(differences, samples=4000, seed=1)
    assert (low, high) == pytest.approx(one_by_one, abs=4e-3)
    assert (low + high) / 2 == pytest.approx(differences.mean(), abs=2e-3)
    monkeypatch.setattr("stages.zeroshot.metrics.MOST_VALUES", 1)  # all in one bin: their mean, which stays
    assert bootstrap_interval(differences, samples=50, seed=1) == pytest.approx((differences.mean(),) * 2)


@given(only_a=st.integers(0, 40), only_b=st.integers(0, 40), both=st.integers(0, 3))
def test_mcnemar_is_the_two_sided_binomial_test(only_a, only_b, both):
    hits_a = np.repeat([True, False, True], [only_a, only_b, both])
    hits_b = np.repeat([False, True, True], [only_a, only_b, both])
    throws = only_a + only_b
    tail = sum(comb(throws, k) for k in range(min(only_a, only_b) + 1)) / 2**throws
    assert mcnemar(hits_a, hits_b) == pytest.approx(min(1, 2 * tail))


def test_mcnemar_holds_for_many_samples():
    hits = np.arange(20000) < 10000
    assert mcnemar(hits, ~hits) == pytest.approx(1)
    assert mcnemar(np.arange(20000) < 9700, np.arange(20000) >= 9700) == pytest.approx(2.3e-5, rel=0.05)


def test_an_average_is_of_unit_norm_whatever_the_size_of_its_group():
    features = np.array([[1, 0], [0, 1], [0.6, 0.8]], "f4")
    np.testing.assert_allclose(ensemble(features, [[2], range(2)]), [[0.6, 0.8], [0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_sentences_that_cancel_out_have_no_average():
    features = np.array([[1, 0], [-1, 0], [0, 1]], "f4")
    with pytest.raises(InputError, match=r"text features: average 1 has norm 0.0, expected finite and above 0"):
        ensemble(features, [[2], [0, 1]])


def test_the_classifier_needs_no_compiler_and_no_file_format():
    """`stages.zeroshot` is usable where numba, h5py and pyarrow are not installed."""
    code = (
        "import sys\n"
        "for name in ('numba', 'h5py', 'pyarrow', 'torch'): sys.modules[name] = None\n"
        "import stages.zeroshot.classifier, stages.zeroshot.evaluation, stages.zeroshot.metrics"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
