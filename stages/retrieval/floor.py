"""The score below which nothing in a library matches: from scores that are known to mean nothing, not a constant.

What a good score is depends on the backbone, the objects and how many there are. So the library itself is asked for
things that it has not: for each of many words, the highest score among the objects that are not the word's own. These
are the null scores. A query whose best score is below their quantile 1 - rate matches nothing; a word without an object
in the library gets past it with a probability of about `rate`, the false-positive rate.

Nobody has labelled the library, so an object counts as a word's own where no word that means something else fits it
better, and at least two thirds of its views say so by themselves. Words mean nearly the same ("armchair", "chair")
where their features, less the mean of all words', have a cosine above ALIKE. Both were chosen on the train split of the
bundled objects; how often words without an object get past the floor there and on the test split is in
reports/tables/retrieval.md.
"""

from collections.abc import Sequence

import numpy as np

from stages.retrieval.pooling import pool, score_table

RATE = 0.05
AGREEING = 2 / 3  # share of an object's views that make it a word's own
MOST_QUERIES = 100  # objects that are asked for in turn, evenly spread
ALIKE = 0.5  # any from 0.4 to 0.7 gives the same figures on the train split
FEWEST = 20  # null scores from which a quantile is taken


def null_scores_of_words(features: np.ndarray, words: np.ndarray, *, pooling: str) -> list[float]:
    """The highest score of each of `words` f4 [B, D] among the objects that are not its own.

    `features` [N, V, D] are those of the library. A word that all objects belong to has no null score.
    """
    found = score_table(pool(features, pooling), words[:, None])
    fitting, sure = _fitting(features, words, found)
    own = _alike(words)[:, fitting] & sure if len(words) else np.empty_like(found, bool)
    return _highest(found, without=own)


def null_scores_of_objects(features: np.ndarray, words: np.ndarray, *, pooling: str) -> list[float]:
    """The same for objects as queries: the highest score among the objects that another word fits best than theirs.

    At most MOST_QUERIES objects of the library are asked for.
    """
    vectors = pool(features, pooling)
    fitting, _ = _fitting(features, words, score_table(vectors, words[:, None]))
    asked = spread(len(features), most=MOST_QUERIES)
    return _highest(score_table(vectors, np.moveaxis(vectors[:, asked], 1, 0)), without=fitting == fitting[asked, None])


def floor(null_scores: Sequence[float], *, rate: float = RATE) -> float | None:
    """Quantile 1 - `rate` of the null scores; None where there are fewer than FEWEST, too few for a quantile."""
    return float(np.quantile(null_scores, 1 - rate)) if len(null_scores) >= FEWEST else None


def spread(count: int, *, most: int) -> np.ndarray:
    """At most `most` of the rows 0 to `count` - 1, evenly spread: i8 [rows]."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))


def _fitting(features: np.ndarray, words: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The word i8 [N] that fits every object best, and whether enough views say so, or a word alike: bool [N]."""
    if not len(words) or not len(features):
        return np.zeros(len(features), np.int64), np.zeros(len(features), bool)
    fitting = found.argmax(axis=0)
    of_views = np.stack([(view.astype(np.float32) @ words.T).argmax(axis=1) for view in np.moveaxis(features, 1, 0)])
    return fitting, _alike(words)[of_views, fitting].mean(axis=0) >= AGREEING


def _alike(words: np.ndarray) -> np.ndarray:
    """Which of `words` f4 [B, D] mean nearly the same, each at least as itself: bool [B, B]."""
    centred = words - words.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True).clip(min=np.finfo(np.float32).tiny)
    return (centred @ centred.T > ALIKE) | np.eye(len(words), dtype=bool)


def _highest(found: np.ndarray, *, without: np.ndarray) -> list[float]:
    """The highest of each row of `found` [Q, N] where `without` is False, of the rows that have such a place."""
    highest = np.where(without, -np.inf, found).max(axis=1, initial=-np.inf)
    return highest[np.isfinite(highest)].astype(np.float64).round(4).tolist()
