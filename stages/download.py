"""Raw files of one dataset -> point clouds: `python -m stages.download <dataset>`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.scenes import write_scenes
from stages.artifacts.types import Clouds, Scenes
from stages.config.dataset import Dataset
from stages.config.download import Download
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.core.sampling import spread
from stages.datasets.registry import published_mismatch, read
from stages.datasets.sampling import thin
from stages.datasets.splits import with_validation


def main(dataset: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Fetch and read the raw files of `dataset` and write data/points/<dataset>: clouds, or scans with boxes."""
    params, paths = params or load_params(root), Paths(root)
    entry, download, path = params.dataset_entry(dataset), params.download, paths.points(dataset)
    raw = read(dataset, entry, root=root)
    mismatch = published_mismatch(raw, entry)
    if mismatch:
        print(f"note: {entry.path}: {mismatch}", file=sys.stderr)
    for note in raw.notes:
        print(f"note: {note}", file=sys.stderr)
    if isinstance(raw, Scenes):
        kept = {
            split: tuple(scans[row] for row in spread(len(scans), download.max_samples))
            for split, scans in raw.splits.items()
        }
        write_scenes(path, replace(raw, splits=kept))
    else:
        splits = with_validation(raw.splits, fraction=download.validation_fraction, seed=download.seed)
        count = _count(dataset, entry, download)
        kept = {split: _reduced(clouds, download, count, f"{dataset}: {split}") for split, clouds in splits.items()}
        write_points(path, replace(raw, splits=kept), shard_samples=params.run.shard_samples)


class PointCount(NamedTuple):
    """How many points of a cloud are kept, None all, and the key of params.yaml that says so."""

    points: int | None
    key: str


def _count(dataset: str, entry: Dataset, download: Download) -> PointCount:
    """`download.num_points` where it is set, otherwise the dataset's."""
    if download.num_points is not None:
        return PointCount(download.num_points, "download.num_points")
    return PointCount(entry.num_points, f"dataset.{dataset}.num_points")


def _reduced(clouds: Clouds, download: Download, count: PointCount, source: str) -> Clouds:
    """The clouds that are kept, with the points that are kept."""
    kept = clouds.rows(spread(len(clouds.points), download.max_samples))
    if count.points is None:
        return kept
    if count.points > kept.points.shape[1]:
        has = f"{source} has {kept.points.shape[1]} points a cloud"
        raise InputError(f"params.yaml: {count.key} {count.points}: {has}")
    return thin(kept, count=count.points, method=download.sampling, seed=download.seed)


if __name__ == "__main__":
    run_stage(main)
