"""What a protocol's classifier scores on labelled features: ranked classes and figures of merit."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stages.artifacts.types import Features, Prompts
from stages.config.evaluate import Evaluate
from stages.zeroshot.classifier import average_prompts, class_logits, rank_classes
from stages.zeroshot.metrics import (
    bootstrap_interval,
    mcnemar,
    mean_class_accuracy,
    negative_log_likelihood,
    top_k_accuracy,
)

RANKS = 5


class Classifier(NamedTuple):
    """What a protocol ends in: text features f4 [C, D] and view weights [V]."""

    text: np.ndarray
    view_weights: np.ndarray


class Outcome(NamedTuple):
    """Logits f4 [N, C], the best classes i8 [N, 5] and their probabilities f4 [N, 5] under one protocol."""

    logits: np.ndarray
    ranked: np.ndarray
    scores: np.ndarray


def classify(features: Features, classifier: Classifier) -> Outcome:
    """Logits and ranked classes of every sample; labels are not read."""
    logits = class_logits(
        features.values, classifier.text, view_weights=classifier.view_weights, logit_scale=features.logit_scale
    )
    return Outcome(logits, *rank_classes(logits, top=RANKS))


def judge(outcomes: dict[str, Outcome], labels: np.ndarray, *, classes: int, evaluate: Evaluate) -> dict:
    """All figures of all protocols, and the leakage: points of top-1 that the oracle has over the honest search."""
    baseline = outcomes[evaluate.baseline].ranked[:, 0] == labels
    figures = {name: _figures(outcome, labels, baseline, evaluate) for name, outcome in outcomes.items()}
    leakage = round(figures["search_test"]["top1"] - figures["search_train"]["top1"], 2)
    return {"samples": len(labels), "classes": classes, "leakage": leakage, **figures}


def single_views(features: Features, text: np.ndarray) -> dict[str, float]:
    """Top-1 in percent of every view alone, by its number, with text features f4 [C, D]."""
    views = np.eye(features.values.shape[1])
    return {str(v): _top1(features, Classifier(text, alone)) for v, alone in enumerate(views)}


def by_sentences(features: Features, prompts: Prompts, chosen: Sequence[Sequence[int]]) -> dict[str, float]:
    """Top-1 in percent with the first 1, 2, 4, ... and all of each class's prompts, by ids in `chosen` [C][...]."""
    views = features.values.shape[1]
    equal, most = np.full(views, 1 / views), max(map(len, chosen))
    counts = [*itertools.takewhile(lambda count: count < most, (2**n for n in itertools.count())), most]
    return {
        str(count): _top1(features, Classifier(average_prompts(prompts, [ids[:count] for ids in chosen]), equal))
        for count in counts
    }


def _top1(features: Features, classifier: Classifier) -> float:
    return round(100 * float((classify(features, classifier).ranked[:, 0] == features.labels).mean()), 2)


def _figures(outcome: Outcome, labels: np.ndarray, baseline: np.ndarray, evaluate: Evaluate) -> dict[str, float]:
    """Accuracies in percent with a bootstrap interval of top-1, mean negative log likelihood in nats, McNemar's p."""
    hits = outcome.ranked[:, 0] == labels
    low, high = bootstrap_interval(hits, samples=evaluate.bootstrap_samples, seed=evaluate.bootstrap_seed)
    shares = {
        "top1": hits.mean(),
        "top5": top_k_accuracy(outcome.ranked, labels, k=5),
        "top1_low": low,
        "top1_high": high,
        "mean_class_accuracy": mean_class_accuracy(outcome.ranked[:, 0], labels),
    }
    percent = {name: round(100 * float(share), 2) for name, share in shares.items()}
    return percent | {
        "negative_log_likelihood": round(negative_log_likelihood(outcome.logits, labels), 4),
        "mcnemar_p": round(mcnemar(hits, baseline), 4),
    }
