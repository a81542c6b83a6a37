"""Raw files of one dataset -> point clouds: `python -m stages.download <dataset>`."""

import sys
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from stages.artifacts.files import write_csv
from stages.artifacts.paths import Paths
from stages.artifacts.points import new_points
from stages.artifacts.scenes import write_scenes
from stages.artifacts.types import PointCloudDataset, Scenes
from stages.artifacts.unfinished import fingerprint
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.sampling import spread
from stages.core.source import source_fingerprint
from stages.datasets.corruptions import copies
from stages.datasets.kept import kept_pieces, point_count, state_of
from stages.datasets.reading import Reading, Split, joined
from stages.datasets.registry import open_dataset, published_mismatch
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
    for note in (*notes, *raw.notes, *reading.notes, *left_out):
        print(f"note: {note}", file=sys.stderr)


def _write_clouds(path: Path, raw: PointCloudDataset, params: Params, name: str) -> Reading:
    """Read and write the clouds that are kept; what came up meanwhile."""
    entry, download = params.dataset_entry(name), params.download
    attributes = {"classes": raw.classes, "up_axis": raw.up_axis, "part_names": raw.part_names}
    splits = with_validation(raw.splits, fraction=download.validation_fraction, seed=download.seed)
    kept = {split: clouds.rows(spread(len(clouds.labels), download.max_samples)) for split, clouds in splits.items()}
    total = sum(len(clouds.labels) for clouds in kept.values())
    reading, test = Reading(objects=total, reject_at_most=download.reject_at_most), []
    shards = {"shard_samples": params.run.shard_samples, "fingerprint": _fingerprint(kept, params, name)}
    with (
        new_points(path, **attributes, **shards) as writer,
        tqdm(total=total, initial=writer.samples, unit="object", desc=f"download {name}", disable=None) as bar,
    ):
        count = point_count(name, entry, download)
        for split, piece, place in kept_pieces(kept, download, count, reading, name=name, place=writer.place):
            writer.append(split, piece, place=place)
            bar.update(writer.samples - bar.n)
            if entry.corrupted and split == "test":
                test.append(piece)
        for split, clouds in copies(joined(test), entry.corrupted, up_axis=raw.up_axis) if test else ():
            writer.append(split, clouds)
    return reading


def _fingerprint(kept: dict[str, Split], params: Params, name: str) -> str | None:
    """What decides the shards, so that a later run takes those that are done; None where all are made in one go.

    So are a single shard, splits that are in memory, and corrupted copies, which need all test clouds in memory.
    """
    entry, samples = params.dataset_entry(name), params.run.shard_samples
    if entry.corrupted or sum(len(clouds.labels) for clouds in kept.values()) <= samples:
        return None
    if (state := state_of(kept)) is None:
        return None
    settings = asdict(params.download) | {"reject_at_most": None}  # how many may be bad changes no shard
    inputs = {"entry": asdict(entry), "download": settings, "shard_samples": samples, "source": state}
    return fingerprint(inputs | {"code": source_fingerprint()})


if __name__ == "__main__":
    run_stage(main)
