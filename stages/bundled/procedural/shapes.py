"""Sheets, tubes and copies shared by the procedural object generators."""

import numpy as np

from stages.bundled.procedural.mesh import grid, lathe, rotate


def pick(rng, *options):
    """One of `options`, all as likely."""
    return options[rng.integers(len(options))]


def mirrored(*meshes):
    """The meshes together with their mirror images in the plane x = 0."""
    mesh = np.concatenate(meshes)
    return np.concatenate([mesh, mesh * (-1, 1, 1)])


def copies(mesh, offsets):
    """One copy of `mesh` moved by each of `offsets` [N, 3]."""
    return (mesh[None] + np.asarray(offsets, float)[:, None, None]).reshape(-1, 3, 3)


def smooth(points, *, count=16, window=3):
    """Polyline [count, D] through the corner points [K, D], its corners rounded by a moving mean."""
    points = np.asarray(points, float)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.linspace(0, steps.sum(), count)
    line = np.stack([np.interp(at, np.r_[0, np.cumsum(steps)], column) for column in points.T], axis=1)
    padded = np.concatenate([np.repeat(line[:1], window // 2, 0), line, np.repeat(line[-1:], window // 2, 0)])
    mean = np.stack([np.convolve(column, np.ones(window) / window, "valid") for column in padded.T], axis=1)
    return np.concatenate([line[:1], mean[1:-1], line[-1:]])


def loft(sections, *, power=2.0, along="y", segments=20, capped=True):
    """Skin over superellipses (height, centre x, centre z, half width, half depth); `along` z swaps y and z."""
    height, x, z, width, depth = np.asarray(sections, float).T[:, :, None]
    if capped:
        height, x, z = (np.concatenate([v[:1], v, v[-1:]]) for v in (height, x, z))
        width, depth = (np.pad(v, ((1, 1), (0, 0))) for v in (width, depth))
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    cosine, sine = (np.sign(v) * np.abs(v) ** (2 / power) for v in (np.cos(angle), np.sin(angle)))
    mesh = grid(np.stack([x + width * cosine, height + 0 * cosine, z + depth * sine], axis=-1))
    return mesh[..., [0, 2, 1]] if along == "z" else mesh


def sweep(path, radius, *, segments=6):
    """Open-ended round tube of `radius` (one, or one for each point) that bends along the path [N, 3]."""
    path = np.asarray(path, float)
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-12
    side = np.cross(ahead, np.eye(3)[np.abs(ahead).mean(0).argmin()])
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-12
    angle = np.linspace(0, 2 * np.pi, segments + 1)[:, None]
    round_ = np.cos(angle) * side[:, None] + np.sin(angle) * np.cross(ahead, side)[:, None]
    return grid(path[:, None] + np.broadcast_to(radius, len(path))[:, None, None] * round_)


def vessel(profile, *, wall, segments=22):
    """Thin-walled vessel: the outer `profile` [(radius, height), ...] from its foot to its rim, and its inside."""
    outer = np.asarray(profile, float)
    inner = np.column_stack([np.maximum(outer[:, 0] - wall, wall / 4), np.maximum(outer[:, 1], outer[0, 1] + wall)])
    sides = [[(0, outer[0, 1])], outer, inner[::-1], [(0, inner[0, 1])]]
    mesh = lathe(np.concatenate(sides), segments=segments)
    return rotate(mesh, axis="y", angle=np.pi / 4) if segments == 4 else mesh
