"""Work on many rows some at a time, so that what it needs on the way does not grow with them."""

from collections.abc import Callable

import numpy as np

SAMPLES = 16_384  # of all views at a time: 320 MB of features of ten views and 512 numbers


def in_blocks(work: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, *, block: int = SAMPLES) -> np.ndarray:
    """What `work` makes of `rows`, a row of each; `rows` may lie in a file that is mapped."""
    if len(rows) <= block:
        return work(rows)
    return np.concatenate([work(rows[start : start + block]) for start in range(0, len(rows), block)])
