"""Section `detect` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Planes:
    """What counts as floor and wall: slabs `thickness` metres thick; a wall covers `wall_area` square metres or more.

    A wall is the best of `hypotheses` random lines of the plan.
    """

    thickness: float
    wall_area: float
    hypotheses: int


@section
class Clusters:
    """HDBSCAN on one point a `voxel` (metres): clusters of at least `smallest` voxels, `apart` metres from others.

    `neighbours` voxels make a place dense; a cluster of `half_sure` voxels is an object with probability 1/2.
    """

    voxel: float
    smallest: int
    neighbours: int
    apart: float
    half_sure: float


@section
class Switches:
    """The changes of re-labelling, each on or off; the table has a row for all of `switches` and one without each."""

    no_object_class: bool
    minimum_points: bool
    combined_score: bool


@section
class Detect:
    """Where boxes come from, and how CLIP names what is in them.

    `weights` is a ScanNet checkpoint of 3DETR, which adds the proposals `detr3d`; see params.yaml for the rest.
    """

    split: Literal["train", "test"]
    max_scans: int | None
    proposals: tuple[str, ...]
    weights: str | None
    network_points: int
    planes: Planes
    clusters: Clusters
    grow: float
    without_floor: bool
    templates: str
    no_object: tuple[str, ...]
    minimum_points: int
    objectness_weight: float
    nms_threshold: float
    switches: Switches
    batch_size: int
    device: Literal["auto", "cpu", "cuda", "mps"]
    seed: int
