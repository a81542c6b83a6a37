"""How the features of an object's views become one score for a query.

A pooling turns features [N, V, D] into K vectors an object, [N, K, D]; the score of a query vector is the largest of
its K products with them. A further pooling is one more entry of POOLINGS.
"""

from collections.abc import Callable

import numpy as np

from stages.core.errors import InputError

DEFAULT = "mean"  # the best on the train split of the bundled objects: reports/tables/retrieval.md


def mean_direction(features: np.ndarray) -> np.ndarray:
    """f4 [N, 1, D]: the mean over views, of unit norm."""
    return _unit(features.mean(axis=1, keepdims=True, dtype=np.float32))


def every_view(features: np.ndarray) -> np.ndarray:
    """f4 [N, V, D]: all views, of which the one nearest to the query counts."""
    return _unit(features.astype(np.float32))


def best_view(features: np.ndarray) -> np.ndarray:
    """f4 [N, 1, D]: of every object the one view that `best_views` gives."""
    return every_view(np.take_along_axis(features, best_views(features)[:, None, None], axis=1))


def best_views(features: np.ndarray) -> np.ndarray:
    """Number i8 [N] of each object's view that is nearest to the mean direction of all; ties: the lower number."""
    return np.einsum("nvd,nkd->nv", features.astype(np.float32), mean_direction(features)).argmax(axis=1)


POOLINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": mean_direction,
    "max": every_view,
    "best": best_view,
}


def pool(features: np.ndarray, pooling: str) -> np.ndarray:
    """Vectors f4 [N, K, D] of unit norm of features [N, V, D]; InputError where there is no such pooling."""
    if pooling not in POOLINGS:
        raise InputError(f"pooling '{pooling}': expected one of {', '.join(POOLINGS)}")
    return POOLINGS[pooling](features)


def scores(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Scores f4 [N] in -1..1 of pooled `vectors` [N, K, D] for a query f4 [Q, D] of Q vectors of unit norm.

    Each vector of the query has its score, the largest product with an object's vectors; the mean over Q is the
    object's. A sentence or a picture is one vector, an object of one's own is as many as its pooled vectors.
    """
    count, per_object, width = vectors.shape
    flat = vectors.reshape(-1, width)
    total = np.zeros(count, np.float32)
    for vector in query:
        products = (flat @ vector).reshape(count, per_object)
        total += products[:, 0] if per_object == 1 else products.max(axis=1)
    return total / np.float32(len(query))


def ranked(found: np.ndarray, *, top: int) -> np.ndarray:
    """Rows i8 [at most `top`] of the highest of `found` f4 [N], best first; ties: the lower row."""
    top = min(top, len(found))
    if not top:
        return np.empty(0, np.int64)
    least = np.partition(found, len(found) - top)[len(found) - top]
    candidates = np.flatnonzero(found >= least)
    return candidates[np.argsort(-found[candidates], kind="stable")][:top]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(min=np.finfo(np.float32).tiny)
