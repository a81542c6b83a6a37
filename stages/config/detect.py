"""Section `detect` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.regions import RegionCues
from stages.config.section import (
    Count,
    CountOrNone,
    Device,
    Name,
    NotNegative,
    Positive,
    Seed,
    SetName,
    Share,
    Some,
    Unique,
    section,
)


@section
class Planes:
    """What counts as floor and wall: slabs `thickness` metres thick; a wall covers `wall_area` square metres or more.

    A wall is the best of `hypotheses` random vertical planes (RANSAC).
    """

    thickness: Positive
    wall_area: NotNegative
    hypotheses: Annotated[int, Field(ge=1, le=100_000)]


@section
class Clusters:
    """HDBSCAN on one point a `voxel` (metres): its parameters, and the size at which a cluster counts as an object.

    Sizes are in voxels: a cluster of n voxels has objectness n / (n + `objectness_half_size`).
    """

    voxel: Annotated[float, Field(ge=0.001, le=100)]
    min_cluster_size: Annotated[int, Field(ge=2, le=1_000_000)]
    min_samples: Count
    cluster_epsilon: Positive
    objectness_half_size: Positive


@section
class ScanRegions:
    """Regions of the clustered voxels of a scan, of `voxels` each on average."""

    voxels: Count
    cues: RegionCues


@section
class Crops:
    """Nested crops of a box: `scales` of them, each larger by `growth` of the box's size on every side."""

    scales: Annotated[int, Field(ge=1, le=16)]
    growth: Annotated[float, Field(ge=0, le=10)]


@section
class Ablations:
    """Steps of classifying boxes that can be used or left out; true: the step is used."""

    no_object_class: bool
    minimum_points: bool
    combined_score: bool
    multi_scale_crops: bool
    visible_views: bool


@section
class Detect:
    """Where boxes come from, and how CLIP classifies what lies in them.

    `weights` is a ScanNet checkpoint of 3DETR, which adds the proposals `detr3d`; see params.yaml for the rest.
    """

    split: Literal["train", "test"]
    max_scans: Count | None
    preset: Name
    proposals: Annotated[tuple[Name, ...], Some, Unique]
    weights: Name | None
    network_points: Count
    planes: Planes
    clusters: Clusters
    regions: ScanRegions
    box_margin: NotNegative
    without_floor: bool
    templates: SetName
    no_object: Annotated[tuple[Name, ...], Unique]
    minimum_points: CountOrNone
    objectness_weight: NotNegative
    nms_threshold: Share
    crops: Crops
    visible_views: Count
    ablations: Ablations
    bootstrap_samples: Count
    batch_size: Count
    device: Device
    seed: Seed
