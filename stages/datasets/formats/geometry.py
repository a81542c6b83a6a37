"""What was read from a file of one object, what was dropped and guessed; polygons cut into triangles."""

from dataclasses import dataclass, replace

import mapbox_earcut
import numpy as np

SAME_AT_LEAST = 3  # rows of exactly 0 0 0 that are a scanner's missing returns, not a point of the surface
STRAY_SHARE = 0.005  # at most so many of the points can be stray ones
STRAY_GAP = 3.0  # a stray point is so many times as far from the middle as the farthest point of the object
SMALLEST_CLOUD = 20  # with fewer points none is called stray


class FormatError(ValueError):
    """What is wrong with a file's content, in words that follow its name."""


@dataclass(frozen=True)
class Geometry:
    """A cloud, vertices f8 [V, 3], or a mesh with its faces i8 [F, 3]; `dropped` and `guessed` in words."""

    vertices: np.ndarray
    faces: np.ndarray | None = None
    dropped: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What was read: cloud or mesh."""
        return "cloud" if self.faces is None else "mesh"

    @property
    def face_count(self) -> int:
        """Number of triangles; 0 of a cloud."""
        return 0 if self.faces is None else len(self.faces)

    @property
    def extent(self) -> tuple[float, ...]:
        """Size along x, y and z."""
        used = self.vertices if self.faces is None else self.vertices[np.unique(self.faces)]
        return tuple(map(float, np.ptp(used, axis=0)))

    def noted(self, *, dropped: str | None = None, guessed: str | None = None) -> "Geometry":
        """The same with one thing more that was dropped or guessed."""
        more_dropped, more_guessed = ((text,) if text else () for text in (dropped, guessed))
        return replace(self, dropped=self.dropped + more_dropped, guessed=self.guessed + more_guessed)


def mesh(vertices: np.ndarray, corners: np.ndarray, sizes: np.ndarray, *, dropped: str | None = None) -> Geometry:
    """A mesh of polygons: `corners` are the vertices of one after the other, `sizes` how many each has.

    Without polygons it is a cloud. Raises FormatError for a corner that is no vertex, and for lines only.
    """
    vertices, corners, sizes = np.asarray(vertices, np.float64), np.asarray(corners), np.asarray(sizes)
    if not len(sizes):
        return Geometry(vertices, dropped=(dropped,) if dropped else ())
    if len(corners) and not (corners.min() >= 0 and corners.max() < len(vertices)):
        wrong = corners.min() if corners.min() < 0 else corners.max()
        raise FormatError(f"a face of vertex {wrong}, there are {len(vertices)}: 0 to {len(vertices) - 1}")
    faces = triangulate(vertices, corners.astype(np.int64), sizes.astype(np.int64))
    if not len(faces):
        raise FormatError("lines only, no face has three corners")
    few = int((sizes < 3).sum())
    made = Geometry(vertices, faces, (dropped,) if dropped else ())
    return made.noted(dropped=f"{few} faces of fewer than three corners") if few else made


def triangulate(vertices: np.ndarray, corners: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Triangles i8 [F, 3] of polygons: fans where these lie inside the polygon, else by ear clipping."""
    if (sizes == 3).all():
        return corners.reshape(-1, 3)
    starts, fans = np.cumsum(sizes) - sizes, (sizes - 2).clip(min=0)
    owner = np.repeat(np.arange(len(sizes)), fans)
    step = np.arange(fans.sum()) - np.repeat(np.cumsum(fans) - fans, fans)
    first = starts[owner]
    faces = np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1)
    if not (sizes > 3).any():
        return faces
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    with np.errstate(all="ignore"):
        normals = np.cross(b - a, c - a)
        whole = np.stack([np.bincount(owner, weights=column, minlength=len(sizes)) for column in normals.T], axis=1)
        against = (normals * whole[owner]).sum(axis=1) < -1e-9 * (whole[owner] ** 2).sum(axis=1)
    concave = np.unique(owner[against])
    clipped = [_clip_ears(vertices, corners[starts[n] : starts[n] + sizes[n]], whole[n]) for n in concave]
    kept = ~np.isin(owner, concave)
    order = np.argsort(np.concatenate([owner[kept], np.repeat(concave, list(map(len, clipped)))]), kind="stable")
    return np.concatenate([faces[kept], *clipped])[order]


def _clip_ears(vertices: np.ndarray, polygon: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Triangles of one polygon, seen along the axis that its `normal` is nearest to."""
    plane = np.delete(vertices[polygon], np.abs(normal).argmax(), axis=1)
    plane = np.ascontiguousarray(plane - plane.mean(axis=0))
    if not np.isfinite(plane).all():
        return np.empty((0, 3), np.int64)
    triangles = mapbox_earcut.triangulate_float64(plane, np.array([len(plane)], np.uint32))
    return polygon[triangles.astype(np.int64)].reshape(-1, 3)


def strip_faces(strip: np.ndarray) -> np.ndarray:
    """Triangles i8 [F, 3] of one strip of vertices; -1 begins it anew, every other one is turned."""
    pieces = np.split(strip, np.flatnonzero(strip < 0))
    triangles = [np.empty((0, 3), np.int64)]
    for piece in pieces:
        run = piece[piece >= 0]
        three = np.stack([run[:-2], run[1:-1], run[2:]], axis=1) if len(run) > 2 else triangles[0]
        three[1::2] = three[1::2][:, [1, 0, 2]]
        triangles.append(three)
    return np.concatenate(triangles)


def without_bad_points(geometry: Geometry) -> Geometry:
    """The geometry without what no surface has: values that are not finite, missing returns, stray points.

    Raises FormatError where nothing remains.
    """
    for clean in (_finite, _without_missing, _without_strays):
        geometry = clean(geometry)
    return geometry


def _finite(geometry: Geometry) -> Geometry:
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(geometry.vertices.astype(np.float32)).all(axis=1)
    if finite.all():
        return geometry
    bad = int((~finite).sum())
    if not finite.any():
        raise FormatError(f"none of its {bad} points is finite: all are not finite in single precision")
    text = f"{bad} of {len(finite)} points that are NaN, infinite or beyond single precision"
    if geometry.faces is None:
        return replace(geometry, vertices=geometry.vertices[finite]).noted(dropped=text)
    whole = finite[geometry.faces].all(axis=1)
    if not whole.any():
        raise FormatError("no face whose points are finite")
    vertices = np.where(finite[:, None], geometry.vertices, geometry.vertices[finite][0])
    return replace(geometry, vertices=vertices, faces=geometry.faces[whole]).noted(dropped=f"{text}, with their faces")


def _without_missing(geometry: Geometry) -> Geometry:
    zero = ~geometry.vertices.any(axis=1)
    if geometry.faces is not None or zero.sum() < SAME_AT_LEAST or zero.all():
        return geometry
    text = f"{int(zero.sum())} of {len(zero)} points at exactly 0 0 0, a scanner's missing returns"
    return replace(geometry, vertices=geometry.vertices[~zero]).noted(dropped=text)


def _without_strays(geometry: Geometry) -> Geometry:
    """A cloud without the few points that lie far from all others, which would shrink the object to a dot."""
    points = geometry.vertices
    if geometry.faces is not None or len(points) < SMALLEST_CLOUD:
        return geometry
    distance = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    most = max(1, int(STRAY_SHARE * len(points)))
    last = np.sort(distance)[-most - 1 :]
    gaps = np.flatnonzero(last[1:] > STRAY_GAP * last[:-1])
    if not len(gaps) or not last[gaps[0]] > 0:
        return geometry
    near = distance <= last[gaps[0]]
    text = f"{int((~near).sum())} of {len(points)} points, {STRAY_GAP:g} times as far out as all others or farther"
    return replace(geometry, vertices=points[near]).noted(dropped=text)
