"""The clouds that `download` keeps, piece by piece, with the points that are kept; a stopped run goes on at a piece."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.artifacts.types import Clouds
from stages.config.dataset import Dataset
from stages.config.download import Download
from stages.core.errors import InputError
from stages.datasets.reading import CloudsOnDisk, Reading, Split, pieces_from
from stages.datasets.sampling import thin


class PointCount(NamedTuple):
    """How many points of a cloud are kept, None all, and the key of params.yaml that says so."""

    points: int | None
    key: str


class Piece(NamedTuple):
    """Clouds of one split, and where they begin: plain data, from which `kept_pieces` goes on with them."""

    split: str
    clouds: Clouds
    place: dict


def point_count(dataset: str, entry: Dataset, download: Download) -> PointCount:
    """`download.num_points` where it is set, otherwise the dataset's."""
    if download.num_points is not None:
        return PointCount(download.num_points, "download.num_points")
    return PointCount(entry.num_points, f"dataset.{dataset}.num_points")


def kept_pieces(
    splits: Mapping[str, Split],
    download: Download,
    count: PointCount,
    reading: Reading,
    *,
    name: str,
    place: dict | None = None,
) -> Iterator[Piece]:
    """The splits of dataset `name` one after the other, from `place` on, with the points that are kept.

    InputError for a split of bad objects alone, and where clouds have fewer points than `count`.
    """
    names, begun = list(splits), place["split"] if place else None
    if place:
        reading.restore(place["reading"])
    for split in names[names.index(begun) if place else 0 :]:
        rng, first, empty = np.random.default_rng(download.seed), 0, True
        if split == begun:
            rng.bit_generator.state, first = place["rng"], place["row"]
        for begins, clouds in pieces_from(first, splits[split], reading):
            here = begins | {"split": split, "rng": rng.bit_generator.state}
            yield Piece(split, _thinned(clouds, download, count, rng, source=f"{name}: {split}"), here)
            empty = False
        if empty:
            raise InputError(f"{name}: split {split} has no object that can be read")


def _thinned(clouds: Clouds, download: Download, count: PointCount, rng: np.random.Generator, *, source: str) -> Clouds:
    points = clouds.points.shape[1]
    if count.points is None:
        return clouds
    if count.points > points:
        raise InputError(f"params.yaml: {count.key} {count.points}: {source} has {points} points a cloud")
    return thin(clouds, count=count.points, method=download.sampling, rng=rng)


def state_of(splits: Mapping[str, Split]) -> str | None:
    """SHA-256 of the splits' labels and of the name, size and time of every file; None where these are not known."""
    digest = hashlib.sha256()
    for name, split in splits.items():
        if not isinstance(split, CloudsOnDisk) or not split.files:
            return None
        digest.update(f"{name}\0{split.labels.tolist()}\0".encode())
        for file in split.files:
            digest.update(f"{file}\0{_size_and_time(file)}\0".encode())
    return digest.hexdigest()


def _size_and_time(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None  # a bad object, which reading it will say
    return status.st_size, status.st_mtime_ns
