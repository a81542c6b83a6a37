"""How well labelled objects are found by their class's words and by each other, and how right the floor is."""

from collections.abc import Mapping

import numpy as np

from stages.artifacts.figures import RetrievalFigures
from stages.artifacts.types import Features
from stages.retrieval.floor import floor, null_scores_of_words
from stages.retrieval.pooling import POOLINGS, pool, scores

MOST_QUERIES = 300  # objects of a split that are asked for in turn, evenly spread


def retrieval_figures(features: Features, text: np.ndarray) -> dict[str, RetrievalFigures]:
    """By pooling, what searches among one split's objects find, with text features f4 [C, D] of the classes' words."""
    return {name: _figures(features, text, pooling=name) for name in POOLINGS}


def chosen_pooling(figures: Mapping[str, RetrievalFigures]) -> str:
    """The pooling of the highest mean average precision of words; ties: the first."""
    return max(figures, key=lambda name: figures[name].words_map)


def average_precision(found: np.ndarray, relevant: np.ndarray) -> float:
    """Mean over the relevant of the share of relevant ones down to their rank, by scores `found` [N]; ties: lower row.

    `relevant` is bool [N] with at least one True.
    """
    hits = relevant[np.argsort(-found, kind="stable")]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


def _figures(features: Features, text: np.ndarray, *, pooling: str) -> RetrievalFigures:
    vectors, labels = pool(features.values, pooling), features.labels
    classes = np.unique(labels)
    found = {label: scores(vectors, text[label][None]) for label in classes}
    passed = [_passes(vectors, text, label, without=np.empty(0, np.int64)) for label in classes]
    wrongly = [_passes(vectors, text, label, without=np.flatnonzero(labels == label)) for label in classes]
    return RetrievalFigures(
        words_map=_percent([average_precision(found[label], labels == label) for label in classes]),
        words_first=_percent([labels[found[label].argmax()] == label for label in classes]),
        objects_map=_percent(_precisions_of_objects(vectors, labels)),
        above_floor=_percent(passed),
        false_positives=_percent(wrongly),
    )


def _precisions_of_objects(vectors: np.ndarray, labels: np.ndarray) -> list[float]:
    """The average precision of every object asked for among the others, where its class has others."""
    asked = np.unique(np.linspace(0, len(labels) - 1, min(MOST_QUERIES, len(labels))).astype(int))
    precisions = []
    for row in asked:
        others = np.arange(len(labels)) != row
        relevant = (labels == labels[row])[others]
        if relevant.any():
            precisions.append(average_precision(scores(vectors, vectors[row])[others], relevant))
    return precisions


def _passes(vectors: np.ndarray, text: np.ndarray, label: int, *, without: np.ndarray) -> bool:
    """Whether the words of class `label` get past the floor among the objects but those of `without`.

    The floor comes from the other classes' words, as that of a library comes from words that nobody asked for.
    """
    kept = np.delete(vectors, without, axis=0)
    lowest = floor(null_scores_of_words(kept, np.delete(text, label, axis=0)))
    return lowest is not None and bool(scores(kept, text[label][None]).max() > lowest)


def _percent(shares: list) -> float:
    return round(100 * float(np.mean(shares)), 2) if len(shares) else 0.0
