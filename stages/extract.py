"""Depth maps of one dataset -> image features of one backbone: `python -m stages.extract <dataset> <backbone>`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.artifacts.depth import DepthReader, open_depth
from stages.artifacts.features import write_features
from stages.artifacts.paths import Paths
from stages.artifacts.points import PointsReader, open_points
from stages.backbones.clip import ClipModel, Maps
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.projection.device import projection_device
from stages.projection.poses import posed
from stages.projection.rendering import render, render_on
from stages.projection.settings import resolve


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Encode every depth map of `dataset` and write data/features/<dataset>/<backbone>/depth.h5."""
    params, paths = params or load_params(root), Paths(root)
    device = choose_device(params.extract.device)
    model = load_backbone(backbone, params.backbone_entry(backbone), device=device, root=root)
    with _maps_of(dataset, params, paths) as maps:
        splits = {
            split: (encode(model, maps, split, params.extract.batch_size), maps.labels(split)) for split in maps.splits
        }
        write_features(paths.features(dataset, backbone), splits, classes=maps.classes, logit_scale=model.logit_scale)


class RenderedMaps:
    """Depth maps of clouds, rendered as they are asked for: read like the stored ones of a DepthReader."""

    def __init__(self, points: PointsReader, params: Params, source: Path):
        self._points, self._source, self._render = points, source, params.render
        self._projection = resolve(params.render)
        self._device = projection_device(params.render.device, method=self._projection.method, key="render.device")
        self.classes, self.splits, self.labels = points.classes, points.splits, points.labels
        self.views = self._projection.view_names

    def chunks(self, split: str, samples: int) -> Iterator[Maps]:
        """All depth maps f4 [n, V, R, R] of `split`, `samples` at a time, on the device that rendered them."""
        for start in range(0, len(self.labels(split)), samples):
            found = self._points.points(split, slice(start, start + samples))
            clouds = posed(found, self._points.up_axis, self._render, split=split, first_sample=start)
            where = {"source": f"{self._source}: {split}", "first_sample": start}
            if self._device is None:
                yield render(clouds, self._projection, **where)
            else:
                yield render_on(self._device, clouds, self._projection, **where)


@contextmanager
def _maps_of(dataset: str, params: Params, paths: Paths) -> Iterator[DepthReader | RenderedMaps]:
    if params.extract.maps == "depth":
        with open_depth(paths.depth(dataset)) as maps:
            yield maps
    else:
        with open_points(paths.points(dataset)) as points:
            yield RenderedMaps(points, params, paths.points(dataset))


def encode(model: ClipModel, maps: DepthReader | RenderedMaps, split: str, batch_size: int) -> np.ndarray:
    """Features f4 [N, V, D] of one split, `batch_size` maps at a time; the next batch is made ready meanwhile."""
    samples, step = len(maps.labels(split)), max(1, batch_size // len(maps.views))
    chunks = tqdm(
        maps.chunks(split, step), total=-(-samples // step), unit="batch", desc=f"extract {split}", disable=None
    )
    return model.encode_pieces(chunks, batch_size=batch_size, maps=samples * len(maps.views))


if __name__ == "__main__":
    run_stage(main)
