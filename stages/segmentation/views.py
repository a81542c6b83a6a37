"""Depth maps of shapes and, for every point, its pixel and the views that see it, by both look-ups."""

import dataclasses
from typing import NamedTuple

import numpy as np

from stages.core.errors import InputError
from stages.projection.presets import Projection
from stages.projection.rendering import project


class Views(NamedTuple):
    """Maps f4 [N, V, R, R]; pixels i8 [N, V, P, 2] (row, column); visibility bool [N, V, P], right and as released."""

    depth: np.ndarray
    pixels: np.ndarray
    visible: np.ndarray
    visible_released: np.ndarray


def look_at(points: np.ndarray, projection: Projection, *, source: str = "points", first_sample: int = 0) -> Views:
    """Views of clouds [N, P, 3], y up; InputError where they differ in points or a cloud cannot be projected."""
    counts = sorted({len(cloud) for cloud in points})
    if len(counts) > 1:
        raise InputError(f"{source}: clouds of {', '.join(map(str, counts))} points, expected as many in every cloud")
    right, released = (
        project(points, dataclasses.replace(projection, lookup=lookup), source=source, first_sample=first_sample)
        for lookup in ("corrected", "as_released")
    )
    return Views(right.depth, right.pixels, right.visible, released.visible)
