"""The score below which nothing in a library matches: from scores that are known to mean nothing, not a constant.

What a good score is depends on the backbone, the objects and how many there are. So the library itself is asked for
things that it has not: for each of many words, the highest score among the objects that another of these words fits
better. These are the null scores. A query whose best score is below their quantile 1 - rate matches nothing; a word
without an object in the library gets past it with a probability of about `rate`, the false-positive rate.
"""

from collections.abc import Sequence

import numpy as np

from stages.retrieval.pooling import pool, scores

RATE = 0.05
MOST_QUERIES = 100  # objects that are asked for in turn, evenly spread
FEWEST = 20  # null scores from which a quantile is taken


def null_scores_of_words(vectors: np.ndarray, words: np.ndarray) -> list[float]:
    """The highest score of each of `words` f4 [B, D] among the objects that another word fits better.

    `vectors` are pooled, [N, K, D]. A word that fits every object best has no null score.
    """
    of_words = np.stack([scores(vectors, word[None]) for word in words]) if len(words) else np.empty((0, len(vectors)))
    return _highest_elsewhere(of_words, np.arange(len(words)), fitting=_fitting(of_words))


def null_scores_of_objects(features: np.ndarray, words: np.ndarray, *, pooling: str) -> list[float]:
    """The same for objects as queries: the highest score among the objects that another word fits best than theirs.

    `features` [N, V, D] are those of the library; at most MOST_QUERIES of its objects are asked for.
    """
    vectors = pool(features, pooling)
    of_words = np.stack([scores(vectors, word[None]) for word in words]) if len(words) else np.empty((0, len(vectors)))
    fitting = _fitting(of_words)
    asked = np.unique(np.linspace(0, len(vectors) - 1, min(MOST_QUERIES, len(vectors))).astype(int))
    of_objects = np.stack([scores(vectors, vectors[row]) for row in asked]) if len(asked) else of_words
    return _highest_elsewhere(of_objects, fitting[asked], fitting=fitting)


def floor(null_scores: Sequence[float], *, rate: float = RATE) -> float | None:
    """Quantile 1 - `rate` of the null scores; None where there are fewer than FEWEST, too few for a quantile."""
    return float(np.quantile(null_scores, 1 - rate)) if len(null_scores) >= FEWEST else None


def _fitting(of_words: np.ndarray) -> np.ndarray:
    """The word i8 [N] that fits each object best, of scores [B, N]."""
    return of_words.argmax(axis=0) if len(of_words) else np.zeros(of_words.shape[1], np.int64)


def _highest_elsewhere(found: np.ndarray, own: np.ndarray, *, fitting: np.ndarray) -> list[float]:
    """The highest of each row of `found` [Q, N] over the objects that another word than `own` [Q] fits best."""
    elsewhere = np.where(fitting == own[:, None], -np.inf, found)
    highest = elsewhere.max(axis=1, initial=-np.inf)
    return [round(float(score), 4) for score in highest if np.isfinite(score)]
