"""Section `train` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import (
    Count,
    CountOrNone,
    Device,
    Name,
    NotNegative,
    Seed,
    Share,
    ShareBelowOne,
    Some,
    Unique,
    section,
)


@section
class Augment:
    """Random augmentation of the clouds that learnable smoothing is trained on; 0 switches one kind off.

    Largest rotation about the up axis in degrees, relative scaling of an axis, shift, standard deviation of the points'
    jitter, and share of points dropped.
    """

    turn: Annotated[float, Field(ge=0, le=180)]
    scale: ShareBelowOne
    shift: NotNegative
    jitter: NotNegative
    dropout: ShareBelowOne


@section
class Adapter:
    """Which inter-view adapter; `residual` (share of adapted features) and `dropout` are the released one's."""

    variant: Literal["paper", "released"]
    residual: Share
    dropout: ShareBelowOne


@section
class Train:
    """Few-shot methods, which stages/fewshot/methods.py knows by name, their shots and seeds, and the training recipe.

    Every None of the recipe takes the value of `preset`.
    """

    methods: Annotated[tuple[Name, ...], Some, Unique]
    shots: Annotated[tuple[Count, ...], Some, Unique]
    cloud_shots: Annotated[tuple[Count, ...], Some, Unique]
    seeds: Annotated[tuple[Seed, ...], Some, Unique]
    short_classes: Literal["error", "use_all"]
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    text: Name
    probe_start: Literal["zero", "text"]
    best_on_test: bool
    preset: Literal["report", "pointclip"]
    optimiser: Literal["sgd", "adamw"] | None
    batch_size: Count | None
    micro_batch_size: Count | None
    epochs: Count | None
    learning_rate: Annotated[float, Field(gt=0)] | None
    weight_decay: NotNegative | None
    warmup_epochs: CountOrNone | None
    label_smoothing: Annotated[float, Field(ge=0, le=0.5)] | None
    patience: Count | None
    feature_noise: NotNegative | None
    adapter: Adapter
    smooth_channels: Annotated[int, Field(ge=1, le=1024)]
    augment: Augment
    device: Device
    threads: Annotated[int, Field(ge=1, le=1024)]
    checkpoint_seconds: NotNegative
