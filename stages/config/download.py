"""Section `download` of params.yaml."""

from typing import Literal

from stages.config.section import Count, CountOrNone, Points, Seed, ShareBelowOne, section


@section
class Download:
    """Raw files to `data/points`: `num_points` a cloud, taken by `sampling`; `max_samples` a split, evenly spread.

    `validation_fraction` of every class of train becomes `val` where a dataset has none of its own. A null keeps all.
    `reject_at_most` so many objects, or that share of them, may be bad: they are left out and listed.
    """

    num_points: Points | None
    sampling: Literal["first", "farthest", "random"]
    validation_fraction: ShareBelowOne
    seed: Seed
    max_samples: Count | None
    reject_at_most: CountOrNone | ShareBelowOne
