"""How well labelled objects are found by their class's words and by each other, and how right the floor is."""

from collections.abc import Mapping

import numpy as np

from stages.artifacts.figures import RetrievalFigures
from stages.artifacts.types import Features
from stages.retrieval.floor import floor, null_scores_of_words, spread
from stages.retrieval.pooling import POOLINGS, pool, scores

MOST_OBJECTS = 1000  # of a split that are searched, evenly spread
MOST_QUERIES = 300  # of these that are asked for in turn


def retrieval_figures(features: Features, text: np.ndarray) -> dict[str, RetrievalFigures]:
    """By pooling, what searches among one split's objects find, with text features f4 [C, D] of the classes' words."""
    rows = spread(len(features.labels), most=MOST_OBJECTS)
    values, labels = features.values[rows], features.labels[rows]
    return {name: _figures(values, labels, text, pooling=name) for name in POOLINGS}


def chosen_pooling(figures: Mapping[str, RetrievalFigures]) -> str:
    """The pooling of the highest mean average precision of words; ties: the first."""
    return max(figures, key=lambda name: figures[name].words_map)


def average_precision(found: np.ndarray, relevant: np.ndarray) -> float:
    """Mean over the relevant of the share of relevant ones down to their rank, by scores `found` [N]; ties: lower row.

    `relevant` is bool [N] with at least one True.
    """
    hits = relevant[np.argsort(-found, kind="stable")]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


def _figures(features: np.ndarray, labels: np.ndarray, text: np.ndarray, *, pooling: str) -> RetrievalFigures:
    vectors = pool(features, pooling)
    found = {label: scores(vectors, text[label][None]) for label in np.unique(labels)}
    return RetrievalFigures(
        words_map=_percent([average_precision(scored, labels == label) for label, scored in found.items()]),
        words_first=_percent([labels[scored.argmax()] == label for label, scored in found.items()]),
        objects_map=_percent(_precisions_of_objects(vectors, labels)),
        above_floor=_percent([_passes(features, text, label, pooling=pooling) for label in found]),
        false_positives=_percent([_passes(features[labels != label], text, label, pooling=pooling) for label in found]),
    )


def _precisions_of_objects(vectors: np.ndarray, labels: np.ndarray) -> list[float]:
    """The average precision of every object asked for among the others, where its class has others."""
    precisions = []
    for row in spread(len(labels), most=MOST_QUERIES):
        others = np.arange(len(labels)) != row
        relevant = (labels == labels[row])[others]
        if relevant.any():
            precisions.append(average_precision(scores(vectors, vectors[row])[others], relevant))
    return precisions


def _passes(features: np.ndarray, text: np.ndarray, label: int, *, pooling: str) -> bool:
    """Whether the words of class `label` get past the floor among objects of `features` [N, V, D].

    The floor comes from the other classes' words, as that of a library comes from words that nobody asked for.
    """
    if not len(features):
        return False
    lowest = floor(null_scores_of_words(features, np.delete(text, label, axis=0), pooling=pooling))
    return lowest is not None and bool(scores(pool(features, pooling), text[label][None]).max() > lowest)


def _percent(shares: list) -> float:
    return round(100 * float(np.mean(shares)), 2) if len(shares) else 0.0
