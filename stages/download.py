"""Raw files of one dataset -> point clouds: `python -m stages.download <dataset>`."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.scenes import write_scenes
from stages.artifacts.types import Clouds, Scenes
from stages.config.download import Download
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.datasets.registry import published_mismatch, read
from stages.datasets.sampling import thin
from stages.datasets.splits import with_validation


def main(dataset: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Fetch and read the raw files of `dataset` and write data/points/<dataset>.h5: clouds, or scans with boxes."""
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
            split: tuple(scans[row] for row in _spread(len(scans), download.max_samples))
            for split, scans in raw.splits.items()
        }
        write_scenes(path, replace(raw, splits=kept))
    else:
        splits = with_validation(raw.splits, fraction=download.validation_fraction, seed=download.seed)
        kept = {split: _reduced(clouds, download, f"{dataset}: {split}") for split, clouds in splits.items()}
        write_points(path, replace(raw, splits=kept))


def _reduced(clouds: Clouds, download: Download, source: str) -> Clouds:
    """The clouds that are kept, with the points that are kept."""
    kept = clouds.rows(_spread(len(clouds.points), download.max_samples))
    if download.num_points is None:
        return kept
    if download.num_points > kept.points.shape[1]:
        has = f"{source} has {kept.points.shape[1]} points a cloud"
        raise InputError(f"params.yaml: download.num_points {download.num_points}: {has}")
    return thin(kept, count=download.num_points, method=download.sampling, seed=download.seed)


def _spread(samples: int, limit: int | None) -> np.ndarray:
    """Rows of at most `limit` samples, evenly spread over the split in its order; None keeps all."""
    return np.unique(np.linspace(0, samples - 1, limit or samples).round().astype(int))


if __name__ == "__main__":
    run_stage(main)
