"""Regions of a cloud: k-means on where its points lie, how their surface faces, and how it bends (SimpleGeoZe).

P points, k nearest others of each, R regions.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2

from stages.config.regions import RegionCues
from stages.core.sampling import farthest_points
from stages.geometry.fpfh import fpfh
from stages.geometry.normals import nearest_others, normals

ROUNDS = 10  # of k-means; more change nothing that matters


@dataclass(frozen=True)
class Cues:
    """What regions are made of: position f4 [P, 3], normal f4 [P, 6] and fpfh f4 [P, 33], in mean steps to the nearest.

    Normals stand as the products n n^T, which do not change with their sign; histograms as the square roots of their
    shares, whose products are Bhattacharyya coefficients.
    """

    points: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    fpfh: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, *, neighbours: int) -> "Cues":
        """The cues of points [P, 3], two or more, from `neighbours` nearest others of each."""
        nearest = nearest_others(points, neighbours)
        facing = normals(points, nearest)
        cues = points, outer_products(facing), np.sqrt(fpfh(points, facing, nearest) / 6)  # three histograms of sum 2
        return cls(points, *(_in_steps(cue, nearest) for cue in cues))

    def regions(self, count: int, weights: RegionCues) -> np.ndarray:
        """Region i8 [P] of every point, 0 to `count` - 1: k-means of the weighed cues from the farthest points."""
        named = {"position": self.position, "normal": self.normal, "fpfh": self.fpfh}
        weighed = [getattr(weights, name) * cue for name, cue in named.items() if getattr(weights, name)]
        features = np.concatenate(weighed, axis=1, dtype=np.float32)
        start = int(np.linalg.norm(self.points - self.points.mean(axis=0), axis=1).argmax())
        seeds = farthest_points(self.points.astype(np.float32), min(count, len(self.points)), start)
        # scikit-learn's adds up what its threads find in whichever order they end: the last bits would not repeat
        return kmeans2(features, features[seeds], iter=ROUNDS, minit="matrix")[1].astype(np.int64)


def outer_products(normals: np.ndarray) -> np.ndarray:
    """The six entries [P, 6] of n n^T of normals [P, 3], those beside the diagonal times the square root of 2."""
    x, y, z = normals.T
    root = np.sqrt(2)
    return np.stack([x * x, y * y, z * z, root * x * y, root * x * z, root * y * z], axis=1)


def mean_of_regions(values: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Each point's values [P, C] replaced by the mean over its region, by `regions` i8 [P]."""
    counts = np.bincount(regions)
    sums = np.stack([np.bincount(regions, column) for column in values.T], axis=1)
    return (sums / np.maximum(counts, 1)[:, None])[regions].astype(values.dtype)


def _in_steps(cue: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """`cue` [P, C] in units of its mean distance between a point and its `nearest` [P, k]; zeros where that is 0."""
    cue = cue.astype(np.float32)
    difference = cue[nearest] - cue[:, None]
    step = np.sqrt(np.einsum("pkc,pkc->pk", difference, difference)).mean()
    return cue / step if step > 0 else np.zeros_like(cue)
