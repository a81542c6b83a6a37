"""Point clouds of one dataset -> depth maps: `python -m stages.render <dataset>`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from stages.artifacts.depth import DepthWriter, new_depth
from stages.artifacts.packing import Packed
from stages.artifacts.paths import Paths
from stages.artifacts.points import PointsReader, open_points
from stages.artifacts.shards import Shard, content, cut
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.threads import available_cores, worked_ahead
from stages.engine.jobs import Job, run_job
from stages.engine.task import Report
from stages.projection.device import projection_device
from stages.projection.poses import posed
from stages.projection.rendering import render
from stages.projection.settings import resolve

CLOUDS_AT_ONCE = 64  # of a thread, which renders them and packs their maps
Piece = tuple[str, slice]  # a split and some of its rows


def main(dataset: str, *, shard: str | None = None, params: Params | None = None, root: Path = Path()) -> None:
    """Render every split of `dataset` in all views, and write data/depth/<dataset>, or one part `shard` of it."""
    params, paths = params or load_params(root), Paths(root)
    source = paths.points(dataset)
    with open_points(source) as points:
        shards = cut(points.counts, params.run.shard_samples)
    job = Job(
        output=paths.depth(dataset),
        shards=shards,
        make_worker=partial(Renderer, source, params),
        inputs={"render": asdict(params.render), "points": content(source)},
        description=f"render {dataset}",
        unit="cloud",
    )
    run_job(job, params.run, part=shard)


class Renderer:
    """Renders the shards of the clouds at `source`."""

    def __init__(self, source: Path, params: Params):
        self._source, self._render, self._dtype = source, params.render, params.render.dtype
        self._projection = resolve(params.render)
        self._device = projection_device(params.render.device, method=self._projection.method, key="render.device")

    def __call__(self, shard: Shard, path: Path, report: Report) -> None:
        """Write the depth maps of one shard, some clouds at a time."""
        options = {"views": self._projection.view_names, "polarity": self._projection.polarity, "dtype": self._dtype}
        with open_points(self._source) as points, new_depth(path, classes=points.classes, **options) as writer:
            pieces = list(_pieces(shard))
            # beside a device two take turns: one packs while it renders for the other
            threads = available_cores() if self._device is None else 2
            work = partial(self._packed, points, writer)
            for (split, rows), depth in zip(pieces, worked_ahead(work, pieces, threads=threads), strict=True):
                writer.append(split, depth, points.labels(split, rows))
                report(rows.stop - rows.start)

    def _packed(self, points: PointsReader, writer: DepthWriter, piece: Piece) -> Packed:
        """The depth maps of some clouds: on the CPU by one thread, as others do so beside it."""
        split, rows = piece
        clouds = posed(points.points(split, rows), points.up_axis, self._render, split=split, first_sample=rows.start)
        where = {"source": f"{self._source}: {split}", "first_sample": rows.start}
        threads, in_bytes = 1 if self._device is None else None, self._dtype == "u1"
        depth = render(clouds, self._projection, device=self._device, threads=threads, in_bytes=in_bytes, **where)
        return writer.packed(depth, threads=threads)


def _pieces(shard: Shard) -> Iterator[Piece]:
    for split, (first, last) in shard.rows.items():
        for start in range(first, last, CLOUDS_AT_ONCE):
            yield split, slice(start, min(start + CLOUDS_AT_ONCE, last))


if __name__ == "__main__":
    run_stage(main)
