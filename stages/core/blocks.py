"""Work on many rows some at a time, so that what it needs on the way does not grow with them."""

from collections.abc import Callable, Iterator

import numpy as np

SAMPLES = 16_384  # of all views at a time: 320 MB of features of ten views and 512 numbers


def blocks(rows: int, *, block: int = SAMPLES) -> Iterator[slice]:
    """Consecutive slices of at most `block` of so many rows; an empty one where there is none."""
    return (slice(start, start + block) for start in range(0, max(rows, 1), block))


def in_blocks(work: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, *, block: int = SAMPLES) -> np.ndarray:
    """What `work` makes of `rows`, a row of each; `rows` may lie in a file that is mapped."""
    if len(rows) <= block:
        return work(rows)
    found = None
    for some in blocks(len(rows), block=block):
        made = work(rows[some])
        found = np.empty((len(rows), *made.shape[1:]), made.dtype) if found is None else found
        found[some] = made
    return found
