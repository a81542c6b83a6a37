"""From float64 coordinates to float32 ones that still tell the points apart.

float32 rounds a coordinate to 2^-24 of itself, and the projection adds a translation of about 1 in float32. So a cloud
more than FAR extents from the origin is moved to its centre, and one whose extent lies outside SMALLEST..LARGEST is
divided by it, both before the cast. Every other cloud keeps its numbers: rounding moves its points by less than
2^-13 of the extent, and the published arithmetic on published clouds is followed bit for bit.
"""

import numpy as np

FAR = 1024.0
SMALLEST, LARGEST = 2.0**-10, 2.0**20


def in_single(points: np.ndarray, *, between: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """Clouds [..., P, 3] as f4 [..., P, 3]: a far one about its own centre, a tiny or huge one of extent 1.

    `between` are their `ends`, where the caller knows them.
    """
    low, high = between or ends(points)
    with np.errstate(over="ignore", invalid="ignore"):
        extent = (high - low).max(axis=-1, keepdims=True)
        ordinary = (extent == 0) | (extent >= SMALLEST) & (extent <= LARGEST)
        origin = _origin(low, high)
        if ordinary.all() and not origin.any():
            return points.astype(np.float32)
        return ((points - origin) / np.where(ordinary, 1, extent)).astype(np.float32)


def local_origin(points: np.ndarray) -> np.ndarray:
    """Centre f8 [..., 1, 3] of the bounding box of clouds [..., P, 3] more than FAR extents from 0, elsewhere 0."""
    return _origin(*ends(points))


def ends(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates f8 [..., 1, 3] of clouds [..., P, 3]."""
    axes = np.ascontiguousarray(np.swapaxes(points, -1, -2))  # numpy is ten times as fast along the last axis
    return tuple(end(axis=-1)[..., None, :].astype(np.float64) for end in (axes.min, axes.max))


def _origin(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    extent, reach = (values.max(axis=-1, keepdims=True) for values in (high - low, np.maximum(high, -low)))
    return np.where(reach > FAR * extent, low + (high - low) / 2, 0)
