"""The parts of one's own cloud, which has no labels, and the cloud coloured by them."""

from collections.abc import Callable, Sequence

import numpy as np
import trimesh

from stages.artifacts.types import Clouds, PatchFeatures
from stages.projection.presets import Projection
from stages.segmentation.shapes import Reading, Shapes
from stages.segmentation.views import look_at


def segment_cloud(
    points: np.ndarray,
    encode: Callable[[np.ndarray], np.ndarray],
    text: np.ndarray,
    *,
    projection: Projection,
    parts: Sequence[str],
    reading: Reading,
    source: str,
) -> np.ndarray:
    """Parts i8 [P] of a cloud [P, 3], y up: the largest cosine with `text` [K, D], all views alike.

    `encode` makes patch features [1, V, G * G, D] of depth maps [1, V, R, R]; InputError names `source`.
    """
    seen = look_at(points[None], projection, source=source)
    patches = PatchFeatures(np.zeros(1, np.int64), encode(seen.depth), *seen[1:], projection.map_size, logit_scale=1.0)
    unlabelled = Clouds(points[None], np.zeros(1, np.int64), np.zeros((1, len(points)), np.int64))
    shapes = Shapes.of(patches, unlabelled, parts=tuple(parts), reading=reading)
    return shapes.predict(text, view_weights=np.ones(shapes.views, np.float32))[0]


def coloured_ply(points: np.ndarray, colours: Sequence[str]) -> bytes:
    """A PLY file of points [P, 3] in `colours` [P], each `#rrggbb`."""
    rgb = np.array([list(bytes.fromhex(colour[1:])) for colour in colours], np.uint8)
    return trimesh.PointCloud(points, colors=rgb).export(file_type="ply")
