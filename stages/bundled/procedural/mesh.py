"""Triangle meshes of simple solids, and points sampled on them by area.

A mesh is an array of triangles f8 [T, 3 corners, 3 xyz]; y is up. Solids are joined with `numpy.concatenate`.
"""

import numpy as np

UP = (0.0, 1.0, 0.0)


def box(centre, size):
    """Axis-aligned box: `centre` [3], full edge lengths `size` [3] -> triangles [12, 3, 3]."""
    signs = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    corners = np.asarray(centre) + signs * np.asarray(size)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners[[t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]]


def grid(corners):
    """Triangles [2(M-1)(N-1), 3, 3] of a sheet given by a lattice of points [M, N, 3]."""
    a, b, c, d = corners[:-1, :-1], corners[1:, :-1], corners[1:, 1:], corners[:-1, 1:]
    return np.concatenate([np.stack(t, axis=2).reshape(-1, 3, 3) for t in ((a, b, c), (a, c, d))])


def lathe(profile, *, centre=(0, 0, 0), segments=20, arc=2 * np.pi):
    """Surface of revolution about y: `profile` [(radius, height), ...] -> triangles. Closed where a radius is 0."""
    radius, height = np.asarray(profile, float).T
    angle = np.linspace(0, arc, segments + 1)
    rings = np.stack(
        [
            radius[:, None] * np.cos(angle),
            np.broadcast_to(height[:, None], (len(radius), len(angle))),
            radius[:, None] * np.sin(angle),
        ],
        axis=-1,
    )
    return grid(rings) + np.asarray(centre)


def frustum(start, end, radius, end_radius=None, *, segments=12):
    """Closed cylinder from `start` [3] to `end` [3]; a cone or frustum when `end_radius` differs from `radius`."""
    end_radius = radius if end_radius is None else end_radius
    length = np.linalg.norm(np.subtract(end, start))
    upright = lathe([(0, 0), (radius, 0), (end_radius, length), (0, length)], segments=segments)
    return upright @ _turn_y_to(np.subtract(end, start) / max(length, 1e-9)).T + np.asarray(start)


def ellipsoid(centre, radii, *, segments=16):
    """Ellipsoid with half axes `radii` [3] (or one radius) around `centre` [3]."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    ball = lathe(np.stack([np.cos(angle), np.sin(angle)], axis=1), segments=segments)
    return ball * np.broadcast_to(radii, 3) + np.asarray(centre)


def tube(path, radius, *, closed=False, segments=8):
    """Round tube of `radius` along a polyline `path` [N, 3]; `closed` joins its end to its start (a ring)."""
    path = np.asarray(path, float)
    path = np.concatenate([path, path[:1]]) if closed else path
    return np.concatenate([frustum(a, b, radius, segments=segments) for a, b in zip(path[:-1], path[1:], strict=True)])


def ring(centre, radius, thickness, *, axis=UP, arc=2 * np.pi, segments=20):
    """Torus (or an arc of it) of `radius` and tube radius `thickness`, turned so that its axis is `axis` [3]."""
    turn = np.linspace(0, 2 * np.pi, 9)
    profile = np.stack([radius + thickness * np.cos(turn), thickness * np.sin(turn)], axis=1)
    return lathe(profile, segments=segments, arc=arc) @ _turn_y_to(axis).T + np.asarray(centre)


def extrude(outline, depth, *, centre=(0, 0, 0)):
    """Prism with a star-shaped outline [(x, y), ...] in the xy plane, `depth` thick along z, around `centre` [3]."""
    outline = np.asarray(outline, float)
    front, back = (np.column_stack([outline, np.full(len(outline), z)]) for z in (depth / 2, -depth / 2))
    sides = grid(np.stack([np.concatenate([front, front[:1]]), np.concatenate([back, back[:1]])], axis=1))
    faces = [np.stack([np.broadcast_to(f.mean(0), f.shape), f, np.roll(f, -1, axis=0)], axis=1) for f in (front, back)]
    return np.concatenate([sides, *faces]) + np.asarray(centre)


def rotate(mesh, *, axis, angle, about=(0, 0, 0)):
    """Turn `mesh` by `angle` radians around the line through `about` [3] along axis 'x', 'y' or 'z' (right-handed)."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return (mesh - np.asarray(about)) @ matrix.T + np.asarray(about)


def sample(meshes, *, points, rng):
    """`points` points by area over several meshes -> (xyz f4 [P, 3], index of the mesh of each point u1 [P])."""
    triangles = np.concatenate(meshes)
    owner = np.repeat(np.arange(len(meshes), dtype=np.uint8), [len(mesh) for mesh in meshes])
    a, b, c = triangles.swapaxes(0, 1)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = np.searchsorted(np.cumsum(area), rng.random(points) * area.sum()).clip(max=len(area) - 1)
    u, v = rng.random((2, points, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    xyz = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    return xyz.astype(np.float32), owner[chosen]


def _turn_y_to(direction):
    """Rotation matrix [3, 3] that takes +y to the unit vector `direction`."""
    d = np.asarray(direction, float)
    side = np.cross(UP, d)
    sine, cosine = np.linalg.norm(side), d[1]
    if sine < 1e-9:
        return np.diag([1.0, np.sign(cosine) or 1.0, np.sign(cosine) or 1.0])
    x, y, z = side / sine
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + sine * cross + (1 - cosine) * cross @ cross
