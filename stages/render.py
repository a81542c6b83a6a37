"""Point clouds of one dataset -> depth maps: `python -m stages.render <dataset>`."""

from pathlib import Path

from tqdm import tqdm

from stages.artifacts.depth import new_depth
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.projection.clouds import orient
from stages.projection.device import projection_device
from stages.projection.rendering import render
from stages.projection.settings import resolve

CLOUDS_AT_ONCE = 64


def main(dataset: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Render every split of `dataset` in all views, chunk by chunk, and write data/depth/<dataset>.h5."""
    params, paths = params or load_params(root), Paths(root)
    projection = resolve(params.render)
    in_bytes = params.render.dtype == "u1"
    device = projection_device(params.render.device, method=projection.method, key="render.device")
    source = paths.points(dataset)
    with (
        open_points(source) as points,
        new_depth(
            paths.depth(dataset),
            classes=points.classes,
            views=projection.view_names,
            polarity=projection.polarity,
            dtype=params.render.dtype,
        ) as writer,
    ):
        labels = {split: points.labels(split) for split in points.splits}
        bar = tqdm(total=sum(map(len, labels.values())), unit="cloud", desc=f"render {dataset}", disable=None)
        for split in points.splits:
            for start in range(0, len(labels[split]), CLOUDS_AT_ONCE):
                rows = slice(start, start + CLOUDS_AT_ONCE)
                clouds = orient(points.points(split, rows), points.up_axis)
                where = {"source": f"{source}: {split}", "first_sample": start}
                depth = render(clouds, projection, device=device, in_bytes=in_bytes, **where)
                writer.append(split, depth, labels[split][rows])
                bar.update(len(depth))
        bar.close()


if __name__ == "__main__":
    run_stage(main)
