"""Labelled clouds of one dataset -> features of depth map patches: `python -m stages.patches <dataset> <backbone>`."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.artifacts.patches import new_patches
from stages.artifacts.paths import Paths
from stages.artifacts.points import PointsReader, open_points
from stages.artifacts.types import PatchFeatures
from stages.backbones.clip import ClipModel, choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.config.patches import Patches
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.projection.clouds import orient
from stages.projection.presets import PRESETS, Projection
from stages.segmentation.views import look_at

SHAPES_AT_ONCE = 8
EVALUATED = "test"


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Encode the views of every test shape, and of some others; write data/patches/<dataset>/<backbone>/*.h5."""
    params, paths = params or load_params(root), Paths(root)
    config, source = params.patches, paths.points(dataset)
    model = load_backbone(backbone, params.backbone_entry(backbone), device=choose_device(config.device), root=root)
    model.patch_grid(config.resolution)
    projection = PRESETS[config.preset]
    with open_points(source) as points:
        if points.part_names is None:
            raise InputError(
                f"{source}: no parts, expected a dataset with part labels (params.yaml: select.segmentation)"
            )
        rows = {
            category: {split: _rows(points.labels(split) == label, split, config) for split in points.splits}
            for label, category in enumerate(points.classes)
        }
        wanted = {category: kept for category, kept in rows.items() if len(kept.get(EVALUATED, ()))}
        bar = tqdm(
            total=sum(len(some) for kept in wanted.values() for some in kept.values()), unit="shape", disable=None
        )
        for category, kept in wanted.items():
            with new_patches(
                paths.patches(dataset, backbone, category),
                category=category,
                parts=points.part_names[points.classes.index(category)],
                map_size=projection.map_size,
                logit_scale=model.logit_scale,
            ) as writer:
                for split, some in kept.items():
                    for start in range(0, len(some), SHAPES_AT_ONCE):
                        chunk = some[start : start + SHAPES_AT_ONCE]
                        writer.append(split, _encode(points, split, chunk, model, projection, config))
                        bar.update(len(chunk))
        bar.close()
    for path in paths.patches(dataset, backbone).glob("*.h5"):
        if path.stem not in wanted:
            path.unlink()


def _rows(of_category: np.ndarray, split: str, config: Patches) -> np.ndarray:
    """Rows of the category's shapes: all that are evaluated, of another split `search_shapes`, evenly spread."""
    rows = np.flatnonzero(of_category)
    if split == EVALUATED or len(rows) <= config.search_shapes:
        return rows
    return rows[np.linspace(0, len(rows) - 1, config.search_shapes).round().astype(int)]


def _encode(
    points: PointsReader,
    split: str,
    rows: np.ndarray,
    model: ClipModel,
    projection: Projection,
    config: Patches,
) -> PatchFeatures:
    """The patches of the shapes at `rows`."""
    clouds = orient(points.points(split, rows), points.up_axis)
    seen = look_at(clouds, projection, source=f"data/points: {split}", first_sample=int(rows[0]))
    features = model.encode_patches(seen.depth, batch_size=config.batch_size, resolution=config.resolution)
    return PatchFeatures(rows, features, *seen[1:], projection.map_size, model.logit_scale)


if __name__ == "__main__":
    run_stage(main)
