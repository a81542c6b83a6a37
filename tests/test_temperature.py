"""Temperatures by cases worked out by hand."""

import numpy as np
import pytest

from stages.artifacts.types import Features
from stages.core.errors import InputError
from stages.zeroshot.classifier import class_logits
from stages.zeroshot.evaluation import Classifier
from stages.zeroshot.temperature import calibrated, likeliest

TEXT = np.eye(2, dtype="f4")


def features(values, labels, scale=1.0):
    return Features(np.array(values, "f4"), np.array(labels), ("a", "b"), scale)


def test_the_likeliest_factor_gives_the_odds_of_the_labels():
    # three of four samples are of class 0, each with logits (1, 0): exp(factor) : 1 must be 3 : 1
    logits = np.tile([1.0, 0.0], (4, 1))
    assert likeliest(logits[None], np.array([0, 0, 0, 1])) == pytest.approx([np.log(3)], rel=1e-4)
    assert likeliest(logits[None], np.zeros(4, int)) > 10  # all right: ever sharper


def test_a_view_that_says_nothing_weighs_nothing():
    telling, misleading = np.tile([1.0, 0.0], (4, 1)), np.array([[0.0, 1.0], [0, 1], [0, 1], [1, 0]])
    factors = likeliest(np.stack([telling, misleading]), np.array([0, 0, 0, 1]))
    assert factors == pytest.approx([np.log(3), 0.0], abs=1e-3)


def test_one_temperature_keeps_the_ranking_and_names_the_labels_it_read():
    samples = features([[[1, 0], [0.6, 0.8]]] * 4, [0, 0, 0, 1], scale=2.0)
    plain = Classifier(TEXT, np.array([0.5, 0.5]))
    found = calibrated(plain, kind="one", labelled=samples, evaluated=samples)
    # the pooled logits are 2 * (0.8, 0.4)
    assert found.view_weights == pytest.approx(np.array([0.5, 0.5]) * np.log(3) / 0.8, rel=1e-4)
    assert (plain.labels_read, found.labels_read) == ("none", "train")
    assert calibrated(plain, kind="none", labelled=samples, evaluated=samples) is plain


def test_the_agreement_of_the_views_needs_no_label():
    # of each sample one view of three says class 1: the others then give (0.5, -0.5) or, left out, (1, -1) of scale
    values = [[[1, 0], [1, 0], [0, 1]]] * 2
    plain = Classifier(TEXT, np.full(3, 1 / 3))
    found = [
        calibrated(plain, kind="agreement", labelled=None, evaluated=features(values, labels))
        for labels in ([0, 0], [1, 1])
    ]
    assert found[0].view_weights.tolist() == found[1].view_weights.tolist() and found[0].labels_read == "none"
    factor = 3 * found[0].view_weights[0]
    # view 1 or 2 says 0, the others are undecided: log 2 whatever the factor; view 3 says 1, the others (1, 0): so as
    # small a factor as there is is best
    assert 0 < factor < 0.01
    alone = Classifier(TEXT, np.array([1.0, 0, 0]))
    assert calibrated(
        alone, kind="agreement", labelled=None, evaluated=features(values, [0, 0])
    ).view_weights.tolist() == [1, 0, 0]


def test_no_labelled_sample_is_an_error():
    empty = features(np.zeros((0, 2, 2)), np.zeros(0, int))
    with pytest.raises(InputError, match="evaluate.temperature_split: no sample there"):
        calibrated(Classifier(TEXT, np.ones(2)), kind="one", labelled=empty, evaluated=empty)


def test_by_view_is_at_least_as_likely_as_one_temperature():
    generator = np.random.default_rng(0)
    samples = features(generator.normal(size=(40, 3, 2)), generator.integers(0, 2, 40), scale=5.0)
    plain = Classifier(TEXT, np.full(3, 1 / 3))
    losses = []
    for kind in ("none", "one", "by_view"):
        weights = calibrated(plain, kind=kind, labelled=samples, evaluated=samples).view_weights
        logits = class_logits(samples.values, TEXT, view_weights=weights, logit_scale=5.0)
        losses.append(
            np.logaddexp(0, logits[:, 1] - logits[:, 0])[samples.labels == 0].sum()
            + np.logaddexp(0, logits[:, 0] - logits[:, 1])[samples.labels == 1].sum()
        )
    assert losses[2] <= losses[1] + 1e-4 <= losses[0] + 2e-4
