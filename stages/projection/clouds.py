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
    points, turned = np.asarray(points), np.array(points)
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
    clouds = [_coordinates(cloud, where=f"{source}: sample {n}") for n, cloud in enumerate(points, first_sample)]
    offsets = np.cumsum([0, *map(len, clouds)])
    flat = np.concatenate(clouds) if clouds else np.empty((0, 3), np.float32)
    return np.ascontiguousarray(flat), offsets


def _coordinates(cloud: np.ndarray, *, where: str) -> np.ndarray:
    cloud = np.asarray(cloud)
    if cloud.ndim != 2 or cloud.shape[1] < 3:
        raise InputError(f"{where}: expected points [P, 3 or more], found shape {list(cloud.shape)}")
    if len(cloud) < 2:
        raise InputError(f"{where}: expected at least 2 points, found {len(cloud)}")
    coordinates = cloud[:, :3].astype(np.float64)
    if not np.isfinite(coordinates).all():
        raise InputError(f"{where}: expected finite coordinates, found NaN or infinity")
    with np.errstate(over="ignore"):
        low, high = ends(coordinates)
        extent = (high - low).max()
    if not 1e-30 < extent < 1e30:
        raise InputError(f"{where}: expected points 1e-30 to 1e30 apart, found an extent of {extent:g}")
    return in_single(coordinates)
