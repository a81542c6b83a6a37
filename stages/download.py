"""Raw files of one dataset -> point clouds: `python -m stages.download <dataset>`."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from stages.artifacts.files import write_csv
from stages.artifacts.paths import Paths
from stages.artifacts.points import new_points
from stages.artifacts.scenes import write_scenes
from stages.artifacts.types import Clouds, PointCloudDataset, Scenes
from stages.config.dataset import Dataset
from stages.config.download import Download
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.core.sampling import spread
from stages.datasets.corruptions import copies
from stages.datasets.reading import Reading, Split, joined, pieces, short
from stages.datasets.registry import open_dataset, published_mismatch
from stages.datasets.sampling import thin
from stages.datasets.splits import with_validation


def main(dataset: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Fetch and read `dataset`; write its clouds piece by piece, or its scans, and what could not be read and why."""
    params, paths = params or load_params(root), Paths(root)
    entry, download, path = params.dataset_entry(dataset), params.download, paths.points(dataset)
    raw = open_dataset(dataset, entry, root=root)
    reading = Reading()
    if isinstance(raw, Scenes):
        kept = {
            split: tuple(scans[row] for row in spread(len(scans), download.max_samples))
            for split, scans in raw.splits.items()
        }
        write_scenes(path, replace(raw, splits=kept))
    else:
        reading = _write_clouds(path, raw, params, dataset)
    rejected = paths.rejected(dataset)
    write_csv(
        rejected, {"object": [what for what, _ in reading.rejected], "reason": [why for _, why in reading.rejected]}
    )
    notes = [f"{entry.path}: {mismatch}"] if (mismatch := published_mismatch(raw, entry)) else []
    left_out = [f"{len(reading.rejected)} objects were left out, {rejected} says why"] if reading.rejected else []
    for note in (*notes, *raw.notes, *short(reading.notes), *left_out):
        print(f"note: {note}", file=sys.stderr)


class PointCount(NamedTuple):
    """How many points of a cloud are kept, None all, and the key of params.yaml that says so."""

    points: int | None
    key: str


def _write_clouds(path: Path, raw: PointCloudDataset, params: Params, name: str) -> Reading:
    """Read and write the clouds that are kept; what came up meanwhile."""
    entry, download = params.dataset_entry(name), params.download
    attributes = {"classes": raw.classes, "up_axis": raw.up_axis, "part_names": raw.part_names}
    count = _count(name, entry, download)
    splits = with_validation(raw.splits, fraction=download.validation_fraction, seed=download.seed)
    kept = {split: clouds.rows(spread(len(clouds.labels), download.max_samples)) for split, clouds in splits.items()}
    total = sum(len(clouds.labels) for clouds in kept.values())
    reading, test = Reading(objects=total, reject_at_most=download.reject_at_most), []
    with (
        new_points(path, **attributes, shard_samples=params.run.shard_samples) as writer,
        tqdm(total=total, unit="object", desc=f"download {name}", disable=None) as bar,
    ):
        for split, clouds in kept.items():
            written = 0
            for piece in _reduced(clouds, download, count, f"{name}: {split}", reading):
                writer.append(split, piece)
                written += len(piece.labels)
                bar.update(len(piece.labels))
                if entry.corrupted and split == "test":
                    test.append(piece)
            if not written:
                raise InputError(f"{path}: split {split} has no object that can be read")
        for split, clouds in copies(joined(test), entry.corrupted, up_axis=raw.up_axis) if test else ():
            writer.append(split, clouds)
    return reading


def _reduced(clouds: Split, download: Download, count: PointCount, source: str, reading: Reading) -> Iterator[Clouds]:
    """The clouds piece by piece, with the points that are kept."""
    rng = np.random.default_rng(download.seed)
    for piece in pieces(clouds, reading):
        points = piece.points.shape[1]
        if count.points is None:
            yield piece
        elif count.points > points:
            raise InputError(f"params.yaml: {count.key} {count.points}: {source} has {points} points a cloud")
        else:
            yield thin(piece, count=count.points, method=download.sampling, rng=rng)


def _count(dataset: str, entry: Dataset, download: Download) -> PointCount:
    """`download.num_points` where it is set, otherwise the dataset's."""
    if download.num_points is not None:
        return PointCount(download.num_points, "download.num_points")
    return PointCount(entry.num_points, f"dataset.{dataset}.num_points")


if __name__ == "__main__":
    run_stage(main)
