"""Section `train` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Augment:
    """Random augmentation of the clouds that learnable smoothing is trained on; 0 switches one kind off.

    Largest rotation about the up axis in degrees, relative scaling of an axis, shift, standard deviation of the points'
    jitter, and share of points dropped.
    """

    turn: float
    scale: float
    shift: float
    jitter: float
    dropout: float


@section
class Adapter:
    """Which inter-view adapter; `residual` (share of adapted features) and `dropout` are the released one's."""

    variant: Literal["paper", "released"]
    residual: float
    dropout: float


@section
class Train:
    """Few-shot methods, which stages/fewshot/methods.py knows by name, their shots and seeds, and the training recipe.

    Every None of the recipe takes the value of `preset`.
    """

    methods: tuple[str, ...]
    shots: tuple[int, ...]
    cloud_shots: tuple[int, ...]
    seeds: tuple[int, ...]
    short_classes: Literal["error", "use_all"]
    validation_fraction: float
    text: str
    probe_start: Literal["zero", "text"]
    best_on_test: bool
    preset: Literal["report", "pointclip"]
    optimiser: Literal["sgd", "adamw"] | None
    batch_size: int | None
    micro_batch_size: int | None
    epochs: int | None
    learning_rate: float | None
    weight_decay: float | None
    warmup_epochs: int | None
    label_smoothing: float | None
    patience: int | None
    feature_noise: float | None
    adapter: Adapter
    smooth_channels: int
    augment: Augment
    device: Literal["auto", "cpu", "cuda", "mps"]
    threads: int
    checkpoint_seconds: float
