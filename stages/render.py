"""Point clouds of one dataset -> depth maps: `python -m stages.render <dataset>`."""

from tqdm import tqdm

from stages import artifacts, settings
from stages.errors import run_stage
from stages.projection import orient, render, resolve

CLOUDS_AT_ONCE = 64


def main(dataset: str) -> None:
    """Render every split of `dataset` in all views, chunk by chunk, and write data/depth/<dataset>.h5."""
    params = settings.load()
    projection = resolve(params.render)
    source = artifacts.points_path(dataset)
    with (
        artifacts.open_points(source) as points,
        artifacts.new_depth(
            artifacts.depth_path(dataset),
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
                depth = render(clouds, projection, source=f"{source}: {split}", first_sample=start)
                writer.append(split, depth, labels[split][rows])
                bar.update(len(depth))
        bar.close()


if __name__ == "__main__":
    run_stage(main)
