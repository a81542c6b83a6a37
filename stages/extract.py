"""Depth maps of one dataset -> image features of one backbone: `python -m stages.extract <dataset> <backbone>`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from stages.artifacts.depth import DepthReader
from stages.artifacts.features import join_features, write_features
from stages.artifacts.paths import Paths
from stages.artifacts.shards import Shard, content, cut
from stages.backbones.clip import Maps
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.engine.jobs import Job, backbone_inputs, run_job
from stages.engine.maps import RenderedMaps, maps_of
from stages.engine.task import Report


def main(
    dataset: str, backbone: str, *, shard: str | None = None, params: Params | None = None, root: Path = Path()
) -> None:
    """Encode every depth map, or those of one part `shard`, and write data/features/<dataset>/<backbone>/depth.h5."""
    params, paths = params or load_params(root), Paths(root)
    source = (paths.depth if params.extract.maps == "depth" else paths.points)(dataset)
    with maps_of(source, params) as maps:
        shards, views = cut(maps.counts, params.run.shard_samples), len(maps.views)
    total = views * sum(shard.samples for shard in shards)
    job = Job(
        output=paths.features(dataset, backbone),
        shards=shards,
        make_worker=partial(Encoder, source, backbone, params, root, maps=total),
        inputs=backbone_inputs(params.backbone_entry(backbone), root)
        | {"maps": content(source), "extract": asdict(params.extract), "render": asdict(params.render)},
        description=f"extract {dataset} {backbone}",
        unit="sample",
        loads_model=True,
        join=join_features,
    )
    run_job(job, params.run, part=shard)


class Encoder:
    """Encodes the shards of the depth maps, or clouds, at `source`; `maps` of all shards, which the workers share."""

    def __init__(self, source: Path, backbone: str, params: Params, root: Path, *, maps: int):
        self._source, self._params, self._batch_size = source, params, params.extract.batch_size
        device = choose_device(params.extract.device)
        self._model = load_backbone(backbone, params.backbone_entry(backbone), device=device, root=root)
        self._tower = self._model.image_tower(batch_size=self._batch_size, maps=maps // params.run.workers)

    def __call__(self, shard: Shard, path: Path, report: Report) -> None:
        """Write the features of one shard."""
        with maps_of(self._source, self._params) as maps:
            splits = {
                split: (self.encode(maps, split, slice(*rows), report), maps.labels(split, slice(*rows)))
                for split, rows in shard.rows.items()
            }
            write_features(path, splits, classes=maps.classes, logit_scale=self._model.logit_scale)

    def encode(self, maps: DepthReader | RenderedMaps, split: str, rows: slice, report: Report) -> np.ndarray:
        """Features f4 [n, V, D] of some rows; the next maps are made ready while some are encoded."""
        pieces = maps.chunks(split, rows, max(1, self._batch_size // len(maps.views)))
        shape, how = (rows.stop - rows.start, len(maps.views)), {"batch_size": self._batch_size, "tower": self._tower}
        return self._model.encode_pieces(_reported(pieces, report), shape, **how)


def _reported(pieces: Iterator[Maps], report: Report) -> Iterator[Maps]:
    for piece in pieces:
        yield piece
        report(len(piece))


if __name__ == "__main__":
    run_stage(main)
