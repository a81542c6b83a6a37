"""Point clouds as the input of the projection: checked, concatenated, turned upright."""

from collections.abc import Sequence

import numpy as np

from stages.core.errors import InputError
from stages.core.precision import ends, in_single

# Columns and signs that turn the named axis up to y, as a rotation; y itself stays, as ModelNet's HDF5 files are fed.
_TO_Y_UP = {"x": ((1, 0, 2), (-1, 1, 1)), "y": ((0, 1, 2), (1, 1, 1)), "z": ((0, 2, 1), (1, 1, -1))}


def orient(points: np.ndarray, up_axis: str) -> np.ndarray:
    """Points [..., 3 or more] f4 turned so that the dataset's up axis becomes y, which the view sets expect.

    x up becomes (-y, x, z) and z up becomes (x, z, -y); further columns stay as they are. For `y` it is the identity.
    """
    if up_axis not in _TO_Y_UP:
        raise InputError(f"params.yaml: dataset.up_axis {up_axis!r}: expected one of {', '.join(_TO_Y_UP)}")
    columns, signs = _TO_Y_UP[up_axis]
    points = np.asarray(points)
    if up_axis == "y":
        return points
    turned = points.copy()
    for axis, (column, sign) in enumerate(zip(columns, signs, strict=True)):
        turned[..., axis] = points[..., column] * turned.dtype.type(sign)
    return turned


def concatenate_clouds(
    points: np.ndarray | Sequence[np.ndarray], *, source: str = "points", first_sample: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """All clouds one after the other: points f4 [sum of P, 3] and offsets i8 [N + 1]; only x, y and z are kept.

    points is [N, P, 3 or more] or a sequence of [P, 3 or more]; a far, tiny or huge cloud is centred or scaled as
    `in_single` does. Raises InputError naming `source` and the index of the first cloud that is empty, a single point,
    all one point, not finite, or not made of x, y, z.
    """
    if isinstance(points, np.ndarray) and points.ndim == 3 and len(points):  # all at once, as fast as numpy
        clouds = _coordinates(points, source=source, first_sample=first_sample)
    else:
        alone = (np.asarray(cloud)[None] for cloud in points)
        clouds = [_coordinates(cloud, source=source, first_sample=n)[0] for n, cloud in enumerate(alone, first_sample)]
    offsets = np.cumsum([0, *map(len, clouds)])
    return np.concatenate(clouds) if len(clouds) else np.empty((0, 3), np.float32), offsets


def _coordinates(clouds: np.ndarray, *, source: str, first_sample: int) -> np.ndarray:
    """Coordinates f4 [N, P, 3] of clouds [N, P, 3 or more], all checked; InputError names the first bad one."""
    shape = clouds.shape[1:]
    if len(shape) != 2 or shape[1] < 3:
        raise InputError(f"{source}: sample {first_sample}: expected points [P, 3 or more], found shape {list(shape)}")
    if shape[0] < 2:
        raise InputError(f"{source}: sample {first_sample}: expected at least 2 points, found {shape[0]}")
    coordinates = clouds[..., :3]
    low, high = ends(coordinates)
    finite = (np.isfinite(low) & np.isfinite(high)).all(axis=(1, 2))
    with np.errstate(over="ignore", invalid="ignore"):
        extents = (high - low).max(axis=(1, 2))
    apart = (extents > 1e-30) & (extents < 1e30)
    if not (finite & apart).all():
        n = int(np.argmin(finite & apart))
        found = f"points 1e-30 to 1e30 apart, found an extent of {extents[n]:g}"
        found = found if finite[n] else "finite coordinates, found NaN or infinity"
        raise InputError(f"{source}: sample {first_sample + n}: expected {found}")
    return in_single(coordinates, between=(low, high))
