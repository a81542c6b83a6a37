"""Labelled clouds of one dataset -> features of depth map patches: `python -m stages.patches <dataset> <backbone>`."""

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stages.artifacts.patches import new_patches
from stages.artifacts.paths import Paths
from stages.artifacts.points import PointsReader, open_points
from stages.artifacts.types import PatchFeatures
from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.config.patches import Patches
from stages.core.cli import run_stage
from stages.projection.clouds import orient
from stages.projection.device import projection_device
from stages.projection.methods import map_size, method_named
from stages.projection.presets import Projection, preset_named
from stages.projection.visibility import render_with_visibility

SHAPES_AT_ONCE = 8
EVALUATED = "test"
Rows = dict[str, np.ndarray]  # split -> rows of one category's shapes


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Encode the views of every test shape, and of some others; write data/patches/<dataset>/<backbone>/*.h5."""
    params, paths = params or load_params(root), Paths(root)
    config, projection = params.patches, preset_named(params.patches.preset, key="patches.preset")
    model = load_backbone(backbone, params.backbone_entry(backbone), device=choose_device(config.device), root=root)
    model.patch_grid(config.resolution)
    with open_points(paths.points(dataset)) as points:
        part_names, categories = points.require_parts(), _categories(points, config)
        total = sum(len(rows) for splits in categories.values() for rows in splits.values())
        with tqdm(total=total, unit="shape", disable=None) as bar:
            for category, splits in categories.items():
                with new_patches(
                    paths.patches(dataset, backbone, category),
                    category=category,
                    parts=part_names[points.classes.index(category)],
                    map_size=map_size(projection),
                    logit_scale=model.logit_scale,
                ) as writer:
                    for split, rows in _chunks(splits):
                        writer.append(split, _encode(points, split, rows, model, projection, config))
                        bar.update(len(rows))
    for path in paths.patches(dataset, backbone).glob("*.h5"):
        if path.stem not in categories:
            path.unlink()


def _categories(points: PointsReader, config: Patches) -> dict[str, Rows]:
    """The rows to encode of every category that has shapes to evaluate."""
    rows = {
        category: {split: _rows(points.labels(split) == label, split, config) for split in points.splits}
        for label, category in enumerate(points.classes)
    }
    return {category: splits for category, splits in rows.items() if len(splits.get(EVALUATED, ()))}


def _rows(of_category: np.ndarray, split: str, config: Patches) -> np.ndarray:
    """Rows of the category's shapes: all that are evaluated, of another split `search_shapes`, evenly spread."""
    rows = np.flatnonzero(of_category)
    if split == EVALUATED or len(rows) <= config.search_shapes:
        return rows
    return rows[np.linspace(0, len(rows) - 1, config.search_shapes).round().astype(int)]


def _chunks(splits: Rows):
    """Each split with a few of its rows at a time."""
    for split, rows in splits.items():
        for start in range(0, len(rows), SHAPES_AT_ONCE):
            yield split, rows[start : start + SHAPES_AT_ONCE]


def _encode(
    points: PointsReader, split: str, rows: np.ndarray, model: ClipModel, projection: Projection, config: Patches
) -> PatchFeatures:
    """Patch features and visibility of the shapes at `rows`."""
    clouds = orient(points.points(split, rows), points.up_axis)
    where = {"source": f"data/points: {split}", "first_sample": int(rows[0])}
    wanted = config.device if method_named(projection.method).in_torch else "cpu"  # the tower may be on another one
    device = projection_device(wanted, method=projection.method, key="patches.device")
    views = render_with_visibility(clouds, projection, device=device, **where)
    settings = {"batch_size": config.batch_size, "resolution": config.resolution}
    return PatchFeatures(
        rows=rows,
        features=model.encode_patches(views.depth, **settings, dtype=torch.float16),  # as they are stored
        pixels=views.pixels,
        visible=views.visible,
        visible_released=views.visible_released,
        map_size=map_size(projection),
        logit_scale=model.logit_scale,
    )


if __name__ == "__main__":
    run_stage(main)
