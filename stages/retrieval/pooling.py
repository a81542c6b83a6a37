"""How the features of an object's views become one score for a query.

A pooling turns features [N, V, D] into K vectors an object, [K, N, D]; the score of a query vector is the largest of
its K products with them. A further pooling is one more entry of POOLINGS.
"""

from collections.abc import Callable

import numpy as np

from stages.core.errors import InputError

DEFAULT = "mean"  # the best on the train split of the bundled objects: reports/tables/retrieval.md

MOST_PRODUCTS = 2**24  # numbers at a time that queries and a library are multiplied to: 64 MiB


def mean_direction(features: np.ndarray) -> np.ndarray:
    """f4 [1, N, D]: the mean over views, of unit norm."""
    return _unit(features.mean(axis=1, dtype=np.float32))[None]


def every_view(features: np.ndarray) -> np.ndarray:
    """f4 [V, N, D]: all views, of which the one nearest to the query counts."""
    return _unit(np.ascontiguousarray(np.moveaxis(features, 1, 0), np.float32))


def best_view(features: np.ndarray) -> np.ndarray:
    """f4 [1, N, D]: of every object the one view that `best_views` gives."""
    return every_view(np.take_along_axis(features, best_views(features)[:, None, None], axis=1))


def best_views(features: np.ndarray) -> np.ndarray:
    """Number i8 [N] of each object's view that is nearest to the mean direction of all; ties: the lower number."""
    [mean] = mean_direction(features)
    return np.einsum("nvd,nd->nv", features.astype(np.float32), mean).argmax(axis=1)


POOLINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": mean_direction,
    "max": every_view,
    "best": best_view,
}


def pool(features: np.ndarray, pooling: str) -> np.ndarray:
    """Vectors f4 [K, N, D] of unit norm of features [N, V, D]; InputError where there is no such pooling."""
    if pooling not in POOLINGS:
        raise InputError(f"pooling '{pooling}': expected one of {', '.join(POOLINGS)}")
    return POOLINGS[pooling](features)


def scores(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Scores f4 [N] in -1..1 of pooled `vectors` [K, N, D] for a query f4 [Q, D] of Q vectors of unit norm.

    Each vector of the query has its score, the largest product with an object's vectors; the mean over Q is the
    object's. A sentence or a picture is one vector, an object of one's own is as many as its pooled vectors.
    """
    return score_table(vectors, query[None])[0]


def score_table(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Scores f4 [B, N] as `scores` gives them for B queries f4 [B, Q, D]; some at a time, which bounds the memory."""
    count, per_query, width = queries.shape
    flat, found = vectors.reshape(-1, width), np.empty((count, vectors.shape[1]), np.float32)
    step = max(1, MOST_PRODUCTS // max(1, len(flat) * per_query))
    for start in range(0, count, step):
        block = queries[start : start + step].reshape(-1, width)
        # one column as a matrix would take numpy's slow path
        products = flat @ block[0] if len(block) == 1 else flat @ block.T
        products = products.reshape(*vectors.shape[:2], len(block)).max(axis=0)
        found[start : start + step] = products.reshape(vectors.shape[1], -1, per_query).mean(axis=2).T
    return found


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
