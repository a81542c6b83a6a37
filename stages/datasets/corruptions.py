"""Corrupted copies of clouds: the 15 kinds of ModelNet40-C at five severities, written from their description.

Sun et al. 2022, arXiv 2201.12296, section 3. Theirs are made of meshes and of 1,024 points; these of the points alone,
so occlusion and lidar hide what lies behind other points, and numbers of points are shares of the cloud's. Lengths are
in radii of the cloud: it is centred and its farthest point put on the unit sphere first. P points; y is up.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from math import comb

import numpy as np

from stages.artifacts.types import Clouds
from stages.config.dataset import Corrupted
from stages.core.corruptions import CORRUPTIONS, split_of
from stages.core.sampling import spread

Rng = np.random.Generator

TOLERANCE = 0.1  # how far behind the nearest point of its pixel a point is still seen
PIXELS = 32  # a side of the picture that tells what is hidden
REGION = 0.1  # share of the points that are near a drawn one
CONTROL_POINTS = np.stack(np.meshgrid(*[np.linspace(-1, 1, 5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def copies(clouds: Clouds, config: Corrupted, *, up_axis: str) -> Iterator[tuple[str, Clouds]]:
    """Names and clouds of the splits with every corruption and each of the severities of `config`.

    A copy depends on its row in `clouds` and the seed, so that severities of one object share their random numbers.
    """
    rows = spread(len(clouds.labels), config.objects)
    for name, severity in product(CORRUPTIONS, config.severities):
        rngs = [np.random.default_rng([config.seed, CORRUPTIONS.index(name), row]) for row in rows]
        made = [
            corrupted(clouds.points[row], name, severity, up_axis=up_axis, rng=rng)
            for row, rng in zip(rows, rngs, strict=True)
        ]
        yield split_of(name, severity), Clouds(np.stack(made), clouds.labels[rows])


def corrupted(cloud: np.ndarray, name: str, severity: int, *, up_axis: str = "y", rng: Rng) -> np.ndarray:
    """A corrupted copy f4 [Q, 3] of a cloud [P, 3]; Q depends on P, the kind and the severity alone."""
    up = "xyz".index(up_axis) - 1  # axes are turned round until y is up, and back
    points = cloud - cloud.mean(axis=0)
    points = np.roll(points / np.linalg.norm(points, axis=1).max(), -up, axis=1).astype(np.float64)
    return np.roll(KINDS[name](points, severity, rng), up, axis=1).astype(np.float32)


def occlusion(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """What a camera 30 degrees above the horizon sees: what lies 0.5 to 0.1 behind the first of its pixel is hidden."""
    seen = _seen(_product(points, _camera(rng, elevation=np.radians(30))), tolerance=TOLERANCE * (6 - severity))
    return _filled(points[seen], len(points), rng)


def lidar(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """What a scanner at the object's height sees, on the nearest of 40 to 10 rings of one elevation each."""
    rings = (40, 32, 24, 16, 10)[severity - 1]
    camera = _camera(rng, elevation=0.0)
    seen = points[_seen(_product(points, camera), tolerance=TOLERANCE)]
    distance = 3 - _product(seen, camera)[:, 2]  # the scanner stands three radii from the middle
    step = 1 / rings  # tangents of elevations run from -1/2 to 1/2
    seen[:, 1] = np.round(seen[:, 1] / distance / step) * step * distance
    return _filled(seen, len(points), rng)


def density_inc(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Up to five regions have twice as many points: each new one lies between a point of the region and the next."""
    size = round(REGION * len(points))
    regions = []
    for centre in rng.integers(len(points), size=severity):
        region = points[_nearest(points, points[centre], size)]
        regions.append((region + np.roll(region, 1, axis=0)) / 2)
    return np.concatenate([points, *regions])


def density(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Up to five regions lose three quarters of their points."""
    size = round(REGION * len(points))
    for _ in range(severity):
        region = _nearest(points, points[rng.integers(len(points))], size)
        points = np.delete(points, rng.permutation(region)[: size * 3 // 4], axis=0)
    return points


def cutout(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """2 to 10 balls are empty, each of 3 % of the points."""
    size = round(0.03 * len(points))
    for _ in range((2, 3, 5, 7, 10)[severity - 1]):
        points = np.delete(points, _nearest(points, points[rng.integers(len(points))], size), axis=0)
    return points


def uniform(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Every coordinate moves by at most 0.01 to 0.05."""
    return points + 0.01 * severity * rng.uniform(-1, 1, points.shape)


def gaussian(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Every coordinate moves by normal noise of deviation 0.01 to 0.03."""
    return points + 0.005 * (1 + severity) * rng.normal(size=points.shape)


def impulse(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """A thirtieth to a tenth of the points move by 0.1 along every axis, forwards or backwards."""
    count = len(points) // (30, 25, 20, 15, 10)[severity - 1]
    moved = points.copy()
    moved[rng.permutation(len(points))[:count]] += 0.1 * rng.choice([-1, 1], (count, 3))
    return moved


def upsampling(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """A fifth to all of the points come again, every coordinate moved by at most 0.05."""
    again = rng.permutation(points)[: len(points) // (6 - severity)]
    return np.concatenate([points, again + rng.uniform(-0.05, 0.05, again.shape)])


def background(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Stray points anywhere in the cube around the unit sphere: a 45th to a 20th of the points' number."""
    count = len(points) // (45, 40, 35, 30, 20)[severity - 1]
    return np.concatenate([points, rng.uniform(-1, 1, (count, 3))])


def rotation(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Turned about each axis by 2.5 to 15 degrees, this way or that."""
    turned = points
    for axis, sign in enumerate(rng.choice([-1, 1], 3)):
        turned = _product(turned, _turn(axis, sign * np.radians((2.5, 5, 7.5, 10, 15)[severity - 1])).T)
    return turned


def shear(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Every axis leans towards both others by 0.05 to 0.25, this way or that."""
    matrix = 0.05 * severity * rng.choice([-1, 1], (3, 3))
    np.fill_diagonal(matrix, 1)
    return _product(points, matrix.T)


def distortion(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """Free-form deformation (Sederberg and Parry 1986): 5 x 5 x 5 control points move by at most 0.1 to 0.5 an axis."""
    at = (np.clip(points, -1, 1) + 1) / 2
    weights = [
        np.stack([comb(4, k) * at[:, axis] ** k * (1 - at[:, axis]) ** (4 - k) for k in range(5)]) for axis in range(3)
    ]
    moved = _displacements(0.1 * severity, rng).reshape(5, 5, 5, 3, 1)
    for weight in weights:
        moved = np.einsum("kp,k...p->...p", weight, moved)
    return points + moved.T


def distortion_rbf(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """The same control points move by at most 0.025 to 0.125 an axis; multiquadrics interpolate between them."""
    return _moved_by_basis(points, severity, rng, basis=np.sqrt)


def distortion_rbf_inv(points: np.ndarray, severity: int, rng: Rng) -> np.ndarray:
    """The same with inverse multiquadrics."""
    return _moved_by_basis(points, severity, rng, basis=_inverse_root)


KINDS: dict[str, Callable[[np.ndarray, int, Rng], np.ndarray]] = {
    "occlusion": occlusion,
    "lidar": lidar,
    "density_inc": density_inc,
    "density": density,
    "cutout": cutout,
    "uniform": uniform,
    "gaussian": gaussian,
    "impulse": impulse,
    "upsampling": upsampling,
    "background": background,
    "rotation": rotation,
    "shear": shear,
    "distortion": distortion,
    "distortion_rbf": distortion_rbf,
    "distortion_rbf_inv": distortion_rbf_inv,
}


def _nearest(points: np.ndarray, centre: np.ndarray, count: int) -> np.ndarray:
    """Rows of the `count` points [P, 3] nearest to `centre`, by distance."""
    return np.argsort(((points - centre) ** 2).sum(axis=1), kind="stable")[:count]


def _product(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`points` [P, K] times `matrix` [K, 3]; the last bits of `@` differ with the number of BLAS's threads."""
    return np.einsum("pk,kc->pc", points, matrix)


def _camera(rng: Rng, *, elevation: float) -> np.ndarray:
    """Axes f8 [3, 3] in columns of a camera at a drawn azimuth: right, up, and from the object to the camera."""
    return _turn(1, rng.uniform(0, 2 * np.pi)) @ _turn(0, -elevation)


def _turn(axis: int, angle: float) -> np.ndarray:
    """The rotation f8 [3, 3] about an axis, right-handed."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[[first, second], [first, second]] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -np.sin(angle)
    return matrix


def _seen(points: np.ndarray, *, tolerance: float) -> np.ndarray:
    """Whether points [P, 3] are seen from far along z: no other in their pixel is nearer by more than `tolerance`."""
    column, row = np.clip(((points[:, :2] + 1) / 2 * PIXELS).astype(int), 0, PIXELS - 1).T
    nearest = np.full((PIXELS, PIXELS), -np.inf)
    np.maximum.at(nearest, (row, column), points[:, 2])
    return points[:, 2] >= nearest[row, column] - tolerance


def _filled(points: np.ndarray, count: int, rng: Rng) -> np.ndarray:
    """`count` points: all [Q, 3], and drawn ones again; a point that comes twice changes no depth map."""
    return np.concatenate([points, points[rng.integers(len(points), size=count - len(points))]])


def _displacements(most: float, rng: Rng) -> np.ndarray:
    """Displacements f8 [125, 3] of the control points, at most `most` along every axis."""
    return most * rng.uniform(-1, 1, CONTROL_POINTS.shape)


def _moved_by_basis(points: np.ndarray, severity: int, rng: Rng, *, basis: Callable) -> np.ndarray:
    """Points moved as the control points are, by radial basis functions `basis`(1 + r^2) that interpolate these."""
    weights = _product(_inverse_at_control_points(basis), _displacements(0.025 * severity, rng))
    return points + _product(_basis_values(points, basis), weights)


@cache
def _inverse_at_control_points(basis: Callable) -> np.ndarray:
    """The inverse f8 [125, 125] of the basis values of the control points, by elimination with row pivots.

    Written out because the last bits of LAPACK's differ with the number of its threads.
    """
    count = len(CONTROL_POINTS)
    rows = np.concatenate([_basis_values(CONTROL_POINTS, basis), np.eye(count)], axis=1)
    for n in range(count):
        pivot = n + np.abs(rows[n:, n]).argmax()
        rows[[n, pivot]] = rows[[pivot, n]]
        rows[n] /= rows[n, n]
        others = np.arange(count) != n
        rows[others] -= rows[others, n, None] * rows[n]
    return rows[:, count:]


def _basis_values(places: np.ndarray, basis: Callable) -> np.ndarray:
    """`basis`(1 + r^2) f8 [P, 125] of the distances r from every place to every control point."""
    return basis(1 + ((places[:, None] - CONTROL_POINTS) ** 2).sum(axis=-1))


def _inverse_root(values: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(values)
