"""The parts of a user's own cloud, which has no labels, and the cloud coloured by them."""

from collections.abc import Callable, Sequence

import numpy as np

from stages.artifacts.types import Clouds, PatchFeatures
from stages.config.segment import Regions
from stages.projection.methods import map_size
from stages.projection.presets import Projection
from stages.projection.visibility import render_with_visibility
from stages.segmentation.patch_config import PatchConfig
from stages.segmentation.regions import average_over_regions
from stages.segmentation.shapes import Shapes


def segment_cloud(
    points: np.ndarray,
    encode: Callable[[np.ndarray], np.ndarray],
    text: np.ndarray,
    *,
    projection: Projection,
    parts: Sequence[str],
    config: PatchConfig,
    regions: Regions,
    source: str,
) -> np.ndarray:
    """Parts i8 [P] of a cloud [P, 3], y up: the largest cosine with `text` [K, D], with equal view weights.

    `encode` makes patch features [1, V, G * G, D] of depth maps [1, V, R, R]; InputError names `source`.
    """
    views = render_with_visibility(points[None], projection, source=source)
    patches = PatchFeatures(
        rows=np.zeros(1, np.int64),
        features=encode(views.depth),
        pixels=views.pixels,
        visible=views.visible,
        visible_released=views.visible_released,
        map_size=map_size(projection),
        logit_scale=1.0,
    )
    unlabelled = Clouds(points[None], np.zeros(1, np.int64), np.zeros((1, len(points)), np.int64))
    shapes = Shapes.from_patches(patches, unlabelled, parts=tuple(parts), config=config)
    logits = shapes.logits(text, view_weights=np.ones(shapes.views, np.float32))[0]
    return average_over_regions(logits, points, regions).argmax(axis=1)


def coloured_ply(points: np.ndarray, colours: Sequence[str]) -> bytes:
    """A PLY file of points [P, 3] in `colours` [P], each `#rrggbb`."""
    import trimesh  # here: it takes most of a second, and parts alone are told without it

    rgb = np.array([list(bytes.fromhex(colour[1:])) for colour in colours], np.uint8)
    return trimesh.PointCloud(points, colors=rgb).export(file_type="ply")
