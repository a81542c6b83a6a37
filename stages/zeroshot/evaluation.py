"""What a protocol's classifier scores on labelled features: ranked classes and figures of merit."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from stages.artifacts.figures import AblationFigures, AccuracyFigures, LabelsRead
from stages.artifacts.types import Features, Prompts
from stages.config.evaluate import Evaluate, ViewPooling
from stages.zeroshot.classifier import average_prompts, rank_classes
from stages.zeroshot.metrics import (
    bootstrap_interval,
    expected_calibration_error,
    mcnemar,
    mean_class_accuracy,
    negative_log_likelihood,
    sample_losses,
    top_k_accuracy,
)
from stages.zeroshot.pooling import pooled_logits

RANKS = 5


class Classifier(NamedTuple):
    """What a protocol ends in: text features f4 [C, D], view weights [V], whose labels chose them, and the pooling."""

    text: np.ndarray
    view_weights: np.ndarray
    labels_read: LabelsRead = "none"
    pooling: ViewPooling = "mean"

    def logits(self, features: Features) -> np.ndarray:
        """Logits f4 [N, C] of every sample."""
        return pooled_logits(
            features.values,
            self.text,
            view_weights=self.view_weights,
            logit_scale=features.logit_scale,
            pooling=self.pooling,
        )


class Predictions(NamedTuple):
    """Logits f4 [N, C], the best classes i8 [N, 5] and their probabilities f4 [N, 5] under one protocol."""

    logits: np.ndarray
    ranked: np.ndarray
    scores: np.ndarray


def classify(features: Features, classifier: Classifier) -> Predictions:
    """Logits and ranked classes of every sample; labels are not read."""
    logits = classifier.logits(features)
    return Predictions(logits, *rank_classes(logits, top=RANKS))


def protocol_figures(
    predictions: Mapping[str, Predictions],
    labels: np.ndarray,
    *,
    labels_read: Mapping[str, LabelsRead],
    config: Evaluate,
) -> dict[str, AccuracyFigures]:
    """The figures of every protocol's predictions against `labels` [N]."""
    baseline = predictions[config.baseline].ranked[:, 0] == labels
    return {
        name: _figures(found, labels, baseline, labels_read=labels_read[name], config=config)
        for name, found in predictions.items()
    }


def ablation_figures(
    plain: Predictions, changed: Mapping[str, tuple[Predictions, LabelsRead]], labels: np.ndarray, *, config: Evaluate
) -> dict[str, AblationFigures]:
    """The figures of predictions by what was changed against `plain`, which all are compared with."""
    baseline, losses = plain.ranked[:, 0] == labels, sample_losses(plain.logits, labels)
    rows = {}
    for name, (found, labels_read) in changed.items():
        figures = _figures(found, labels, baseline, labels_read=labels_read, config=config)
        low, high = bootstrap_interval(
            losses - sample_losses(found.logits, labels), samples=config.bootstrap_samples, seed=config.bootstrap_seed
        )
        change = {"likelihood_change_low": round(low, 4), "likelihood_change_high": round(high, 4)}
        rows[name] = AblationFigures(**asdict(figures), **change)
    return rows


def leakage(protocols: Mapping[str, AccuracyFigures]) -> float:
    """Points of top-1 that the search on test labels has over the search on train labels."""
    return round(protocols["search_test"].top1 - protocols["search_train"].top1, 2)


def single_views(features: Features, text: np.ndarray) -> dict[int, float]:
    """Top-1 in percent of every view alone, by its number, with text features f4 [C, D]."""
    views = np.eye(features.values.shape[1])
    return {view: _top1(features, Classifier(text, alone)) for view, alone in enumerate(views)}


def by_sentences(features: Features, prompts: Prompts, chosen: Sequence[Sequence[int]]) -> dict[int, float]:
    """Top-1 in percent with the first 1, 2, 4, ... and all of each class's prompts, by ids in `chosen` [C][...]."""
    views = features.values.shape[1]
    equal, most = np.full(views, 1 / views), max(map(len, chosen))
    counts = [*itertools.takewhile(lambda count: count < most, (2**n for n in itertools.count())), most]
    return {
        count: _top1(features, Classifier(average_prompts(prompts, [ids[:count] for ids in chosen]), equal))
        for count in counts
    }


def _top1(features: Features, classifier: Classifier) -> float:
    return _percent((classify(features, classifier).ranked[:, 0] == features.labels).mean())


def _figures(
    found: Predictions, labels: np.ndarray, baseline: np.ndarray, *, labels_read: LabelsRead, config: Evaluate
) -> AccuracyFigures:
    hits = found.ranked[:, 0] == labels
    low, high = bootstrap_interval(hits, samples=config.bootstrap_samples, seed=config.bootstrap_seed)
    return AccuracyFigures(
        labels_read=labels_read,
        top1=_percent(hits.mean()),
        top1_low=_percent(low),
        top1_high=_percent(high),
        top5=_percent(top_k_accuracy(found.ranked, labels, k=RANKS)),
        mean_class_accuracy=_percent(mean_class_accuracy(found.ranked[:, 0], labels)),
        negative_log_likelihood=round(negative_log_likelihood(found.logits, labels), 4),
        expected_calibration_error=_percent(expected_calibration_error(found.scores[:, 0], hits)),
        mcnemar_p=round(mcnemar(hits, baseline), 4),
    )


def _percent(share: float) -> float:
    return round(100 * float(share), 2)
