"""Labelled clouds of one dataset -> features of depth map patches: `python -m stages.patches <dataset> <backbone>`."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stages.artifacts.patches import category_of, category_shards, new_patches
from stages.artifacts.paths import Paths
from stages.artifacts.points import PointsReader, open_points
from stages.artifacts.shards import Shard, content
from stages.artifacts.types import PatchFeatures
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.sampling import rows_of_classes
from stages.core.threads import write_behind
from stages.engine.jobs import Job, backbone_inputs, run_job
from stages.engine.task import Report
from stages.projection.clouds import orient
from stages.projection.device import projection_device
from stages.projection.methods import map_size, method_named
from stages.projection.presets import preset_named
from stages.projection.visibility import render_with_visibility

SHAPES_AT_ONCE = 8  # on the CPU; a device takes a batch of maps
EVALUATED = "test"
Rows = dict[str, np.ndarray]  # split -> rows of one category's shapes


def main(
    dataset: str, backbone: str, *, shard: str | None = None, params: Params | None = None, root: Path = Path()
) -> None:
    """Encode the views of every test shape, and of some others; write data/patches/<dataset>/<backbone>/*.h5."""
    params, paths = params or load_params(root), Paths(root)
    source, config = paths.points(dataset), params.patches
    with open_points(source) as points:
        points.require_parts()
        labels = {split: points.labels(split) for split in points.splits}
        categories = rows_of_classes(labels, points.classes, whole=EVALUATED, others=config.search_shapes)
    job = Job(
        output=paths.patches(dataset, backbone),
        shards=category_shards(categories, params.run.shard_samples),
        make_worker=partial(PatchEncoder, source, backbone, params, root, categories),
        inputs=backbone_inputs(params.backbone_entry(backbone), root)
        | {"points": content(source), "patches": asdict(config)},
        description=f"patches {dataset} {backbone}",
        unit="shape",
        loads_model=True,
    )
    run_job(job, params.run, part=shard)


class PatchEncoder:
    """Encodes the shards of the clouds at `source`; `categories` has the rows that are encoded of each."""

    def __init__(self, source: Path, backbone: str, params: Params, root: Path, categories: dict[str, Rows]):
        self._source, self._config, self._categories = source, params.patches, categories
        self._projection = preset_named(self._config.preset, key="patches.preset")
        device = choose_device(self._config.device)
        self._model = load_backbone(backbone, params.backbone_entry(backbone), device=device, root=root)
        self._model.patch_grid(self._config.resolution)
        in_torch = method_named(self._projection.method).in_torch
        wanted = self._config.device if in_torch else "cpu"  # the tower may be on another one
        self._device = projection_device(wanted, method=self._projection.method, key="patches.device")

    def __call__(self, shard: Shard, path: Path, report: Report) -> None:
        """Write the patches of one shard, some shapes at a time."""
        category = category_of(shard)
        sizes = {"map_size": map_size(self._projection), "logit_scale": self._model.logit_scale}
        with open_points(self._source) as points:
            parts = points.require_parts()[points.classes.index(category)]
            with new_patches(path, category=category, parts=parts, **sizes) as writer:
                begun = self._begun(points, shard, self._categories[category], report)
                write_behind(lambda split, patches: writer.append(split, patches()), begun)

    def _begun(
        self, points: PointsReader, shard: Shard, of_category: Rows, report: Report
    ) -> Iterator[tuple[str, Callable[[], PatchFeatures]]]:
        """Every split and the patches of some of its shapes in turn, which a call waits for."""
        on_device = self._config.batch_size // self._projection.views
        at_once = SHAPES_AT_ONCE if self._device is None else max(1, on_device)
        for split, (first, last) in shard.rows.items():
            rows = of_category[split][first:last]
            for some in np.split(rows, range(at_once, len(rows), at_once)):
                yield split, self._begin(points, split, some)
                report(len(some))

    def _begin(self, points: PointsReader, split: str, rows: np.ndarray) -> Callable[[], PatchFeatures]:
        """Patch features and visibility of the shapes at `rows`."""
        clouds = orient(points.points(split, rows), points.up_axis)
        where = {"source": f"data/points: {split}", "first_sample": int(rows[0])}
        views = render_with_visibility(clouds, self._projection, device=self._device, **where)
        settings = {"batch_size": self._config.batch_size, "resolution": self._config.resolution}
        features = self._model.start_patches(views.depth, **settings, dtype=torch.float16)  # as they are stored
        seen = views.pixels, views.visible, views.visible_released
        return lambda: PatchFeatures(rows, features(), *seen, map_size(self._projection), self._model.logit_scale)


if __name__ == "__main__":
    run_stage(main)
