"""When two shapes are near duplicates: how far apart the distributions of their distances, heights and widths lie.

`home_objects_labels.csv` groups near duplicates by eye. This measure is held against those groups: half of the pairs of
one group are nearer than 0.04, one in five nearer than NEAR; and one in ten of the objects that are in no group has
another one as near as that (plain doors and boxes).
"""

import numpy as np

NEAR = 0.025  # of the radius
QUANTILES = 8  # of each of the three distributions
PAIRS = 20000
UNIT = 1000  # signatures are whole thousandths of the radius


def signature(points: np.ndarray) -> np.ndarray:
    """Signature i2 [24] of a cloud [P, 3], y up: the same when it is moved, scaled, turned about y or mirrored.

    Quantiles of the distances of random pairs of points (Osada et al. 2002, D2), of the heights, and of the distances
    from the upright axis, in thousandths of the radius.
    """
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    centred /= np.linalg.norm(centred, axis=1).max()
    first, second = np.random.default_rng(0).integers(len(centred), size=(2, PAIRS))
    spread = np.linalg.norm(centred[first] - centred[second], axis=1)
    width = np.hypot(centred[:, 0], centred[:, 2])
    at = np.linspace(0.02, 0.98, QUANTILES)
    quantiles = np.concatenate([np.quantile(values, at) for values in (spread, centred[:, 1], width)])
    return np.rint(quantiles * UNIT).astype(np.int16)


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances f8 [N, M], in radii, of signatures [N, 24] and [M, 24]: root of the mean square."""
    differences = (first[:, None].astype(np.float64) - second[None]) / UNIT
    return np.sqrt((differences**2).mean(axis=-1))
