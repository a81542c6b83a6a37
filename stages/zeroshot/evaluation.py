"""What a protocol's classifier scores on labelled features: ranked classes and figures of merit."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from stages.artifacts.figures import AblationFigures, AccuracyFigures, LabelsRead
from stages.artifacts.types import Features, Prompts
from stages.config.evaluate import Evaluate, ViewPooling
from stages.core.blocks import blocks
from stages.zeroshot.classifier import average_prompts, rank_classes
from stages.zeroshot.metrics import (
    bootstrap_interval,
    expected_calibration_error,
    mcnemar,
    mean_class_accuracy,
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
    """The best classes i8 [N, 5] under one protocol, their probabilities f4 [N, 5], and the label's loss f8 [N]."""

    ranked: np.ndarray
    scores: np.ndarray
    losses: np.ndarray


def classify(features: Features, classifier: Classifier) -> Predictions:
    """The ranked classes of every sample, which do not depend on its label, and minus the label's log probability."""

    def classified(some: Features) -> tuple[np.ndarray, ...]:
        logits = classifier.logits(some)
        return *rank_classes(logits, top=RANKS), sample_losses(logits, some.labels)

    found = [classified(features.rows(rows)) for rows in blocks(len(features.labels))]
    return Predictions(*map(np.concatenate, zip(*found, strict=True)))


def best_classes(features: Features, classifier: Classifier) -> np.ndarray:
    """The class i8 [N] that every sample is given; ties: the lower index."""
    return classifier.logits(features).argmax(axis=1)


def protocol_figures(
    features: Features,
    classifiers: Mapping[str, Classifier],
    *,
    baseline: np.ndarray,
    config: Evaluate,
    keep: Callable[[str, Predictions], None],
) -> dict[str, AccuracyFigures]:
    """The figures of every protocol, compared with the classes `baseline` [N]; `keep` is given each one's predictions.

    They are those of one protocol at a time, whatever the number of samples.
    """
    figures, hits = {}, baseline == features.labels
    for name, classifier in classifiers.items():
        found = classify(features, classifier)
        keep(name, found)
        figures[name] = _figures(found, features.labels, hits, labels_read=classifier.labels_read, config=config)
    return figures


def ablation_figures(
    features: Features, plain: Classifier, changed: Mapping[str, Mapping[str, Classifier]], *, config: Evaluate
) -> dict[str, dict[str, AblationFigures]]:
    """The figures of classifiers by what was changed and to which value, all compared with `plain`."""
    before, labels = classify(features, plain), features.labels
    rows = {what: {} for what in changed}
    for what, value, classifier in ((what, *one) for what, values in changed.items() for one in values.items()):
        found = classify(features, classifier)
        figures = _figures(
            found, labels, before.ranked[:, 0] == labels, labels_read=classifier.labels_read, config=config
        )
        low, high = bootstrap_interval(
            before.losses - found.losses, samples=config.bootstrap_samples, seed=config.bootstrap_seed
        )
        change = {"likelihood_change_low": round(low, 4), "likelihood_change_high": round(high, 4)}
        rows[what][value] = AblationFigures(**asdict(figures), **change)
    return rows


def leakage(protocols: Mapping[str, AccuracyFigures]) -> float | None:
    """Points of top-1 that the search on test labels has over the search on train labels; None where that was none."""
    if "search_train" not in protocols:
        return None
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
    return _percent((best_classes(features, classifier) == features.labels).mean())


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
        negative_log_likelihood=round(float(found.losses.mean()), 4),
        expected_calibration_error=_percent(expected_calibration_error(found.scores[:, 0], hits)),
        mcnemar_p=round(mcnemar(hits, baseline), 4),
    )


def _percent(share: float) -> float:
    return round(100 * float(share), 2)
