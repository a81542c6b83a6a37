"""Raw files of one dataset -> point clouds: `python -m stages.download <dataset>`."""

import numpy as np

from stages import artifacts, settings
from stages.datasets import read
from stages.errors import run_stage


def main(dataset: str) -> None:
    """Read the raw files of `dataset` and write data/points/<dataset>.h5."""
    params = settings.load()
    points = read(dataset, params.dataset_entry(dataset))
    limit = params.download.max_samples
    if limit is not None:
        points = artifacts.Points(
            points.classes, points.up_axis, {split: _spread(clouds, limit) for split, clouds in points.splits.items()}
        )
    artifacts.write_points(artifacts.points_path(dataset), points)


def _spread(clouds: artifacts.Clouds, limit: int) -> artifacts.Clouds:
    """At most `limit` clouds, evenly spread over the split in its order."""
    rows = np.unique(np.linspace(0, len(clouds.points) - 1, limit).round().astype(int))
    return artifacts.Clouds(clouds.points[rows], clouds.labels[rows])


if __name__ == "__main__":
    run_stage(main)
