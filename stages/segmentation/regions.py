"""Scores averaged over regions of a shape that are made without labels or sentences (SimpleGeoZe), and their ablation.

N shapes, P points, K parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from stages.config.regions import RegionCues
from stages.config.segment import Regions
from stages.core.threads import map_in_threads
from stages.geometry.regions import Cues, mean_of_regions

REFINEMENT, ORACLE = "refinement", "oracle of the regions"  # what is compared, beside cues and numbers of regions
PLAIN, NEIGHBOURS, AS_SET = "none", "neighbours", "regions"  # the refinements


class Partition(NamedTuple):
    """How a shape is cut: into how many regions, and the weights of what they go by."""

    count: int
    cues: RegionCues


@dataclass(frozen=True)
class ShapeRegions:
    """Regions i8 [N, P] of shapes by every partition that `config` compares."""

    by_partition: Mapping[Partition, np.ndarray]
    config: Regions

    @classmethod
    def of(cls, points: np.ndarray, config: Regions) -> "ShapeRegions":
        """The regions of clouds [N, P, 3]."""
        wanted = list(dict.fromkeys([*compared_cues(config).values(), *compared_counts(config).values()]))

        def of_shape(n: int) -> list[np.ndarray]:
            cues = Cues.of(points[n], neighbours=config.cues.neighbours)
            return [cues.regions(*one) for one in wanted]

        by_shape = map_in_threads(of_shape, len(points))
        return cls({one: np.stack(cuts) for one, cuts in zip(wanted, zip(*by_shape, strict=True), strict=True)}, config)

    def average(self, logits: np.ndarray, wanted: Partition | None = None) -> np.ndarray:
        """Each point's `logits` [N, P, K] replaced by their mean over its region, by the partition of the settings."""
        regions = self.by_partition[wanted or Partition(self.config.count, self.config.cues)]
        return np.stack([mean_of_regions(of_shape, cut) for of_shape, cut in zip(logits, regions, strict=True)])

    def compare(
        self, plain: np.ndarray, over_neighbours: np.ndarray, truth: np.ndarray
    ) -> dict[str, dict[str, np.ndarray]]:
        """Parts i8 [N, P] by what is changed and to which value, from logits [N, P, K] as they are and as means.

        The oracle gives a region the commonest of its true parts `truth` [N, P], the best that one part can be.
        """
        counts, cues = compared_counts(self.config), compared_cues(self.config)
        refined = {PLAIN: plain, NEIGHBOURS: over_neighbours, AS_SET: self.average(plain)}
        compared = {
            REFINEMENT: refined,
            "cues of the regions": {name: self.average(plain, one) for name, one in cues.items()},
            "number of regions": {name: self.average(plain, one) for name, one in counts.items()},
            ORACLE: {name: self.average(np.eye(plain.shape[-1])[truth], one) for name, one in counts.items()},
        }
        return {
            what: {value: logits.argmax(axis=-1) for value, logits in values.items()}
            for what, values in compared.items()
        }


def average_over_regions(logits: np.ndarray, points: np.ndarray, config: Regions) -> np.ndarray:
    """Logits [P, K] of one cloud [P, 3] as their means over its regions, where `config.refine` says so."""
    if not config.refine:
        return logits
    cues = Cues.of(points, neighbours=config.cues.neighbours)
    return mean_of_regions(logits, cues.regions(config.count, config.cues))


def compared_cues(config: Regions) -> dict[str, Partition]:
    """The partition by position alone, then with one cue of `config` more at a time, by their names."""
    bare = replace(config.cues, normal=0.0, fpfh=0.0)
    with_normal = replace(config.cues, fpfh=0.0)
    named = {"position": bare, "position, normal": with_normal, "position, normal, fpfh": config.cues}
    return {name: Partition(config.count, cues) for name, cues in named.items()}


def compared_counts(config: Regions) -> dict[str, Partition]:
    """The partition with every number of regions, by that."""
    return {str(count): Partition(count, config.cues) for count in sorted({config.count, *config.counts})}
