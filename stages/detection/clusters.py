"""Proposals without a network: clusters of the points that remain once floor and walls are removed.

z points up, lengths are metres.
"""

import numpy as np

from stages.config.detect import Clusters, Planes, ScanRegions
from stages.detection.planes import floor_height, on_walls, one_per_voxel
from stages.geometry.regions import Cues, mean_of_regions

STANDS_WITHIN = 0.3  # a cluster whose lowest point is at most so far above the floor stands on it


def cluster_boxes(
    points: np.ndarray,
    *,
    planes: Planes,
    clusters: Clusters,
    rng: np.random.Generator,
    regions: ScanRegions | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes f4 [Q, 6] (centre, size) around clusters of `points` [M, 3], and their objectness f4 [Q].

    HDBSCAN (Campello et al. 2013) on one point a voxel, so that distance from the scanner does not decide, its tree cut
    at `cluster_epsilon` metres. A cluster of n voxels has objectness n / (n + `objectness_half_size`). One that ends
    near the floor is extended down to it, because its lowest points were removed with the floor.
    """
    floor = floor_height(points, thickness=planes.thickness)
    standing = points[points[:, 2] > floor + planes.thickness / 2]
    if len(standing):
        standing = standing[~on_walls(standing, planes, rng)]
    thinned = one_per_voxel(standing, clusters.voxel)
    if len(thinned) < max(clusters.min_cluster_size, clusters.min_samples):
        return np.empty((0, 6), np.float32), np.empty(0, np.float32)
    from sklearn.cluster import HDBSCAN  # here: it takes a second, and other proposals do without it

    tree = HDBSCAN(min_cluster_size=clusters.min_cluster_size, min_samples=clusters.min_samples, copy=True).fit(thinned)
    labels = tree.dbscan_clustering(clusters.cluster_epsilon, clusters.min_cluster_size)
    if regions is not None:
        labels = whole_regions(thinned, labels, regions) if (labels >= 0).any() else labels
    groups = [thinned[labels == label] for label in np.unique(labels[labels >= 0])]
    boxes = np.array([_box(group, floor) for group in groups], np.float32).reshape(-1, 6)
    counts = np.array([len(group) for group in groups], np.float32)
    return boxes, counts / (counts + clusters.objectness_half_size)


def whole_regions(voxels: np.ndarray, labels: np.ndarray, regions: ScanRegions) -> np.ndarray:
    """Clusters i8 [M] of `voxels` [M, 3] with each region in that of most of its voxels; those in none (-1) stay so."""
    cues = Cues.of(voxels, neighbours=regions.cues.neighbours)
    cut = cues.regions(-(-len(voxels) // regions.voxels), regions.cues)
    votes = mean_of_regions((labels[:, None] == np.arange(labels.max() + 1)).astype(np.float32), cut)
    return np.where(labels < 0, labels, votes.argmax(axis=1))


def _box(points: np.ndarray, floor: float) -> np.ndarray:
    low, high = points.min(axis=0), points.max(axis=0)
    if low[2] - floor < STANDS_WITHIN:
        low[2] = floor
    return np.concatenate([(low + high) / 2, high - low])
