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
    text_like,
)

Preset = Literal["ours", "report", "pointclip"]


@section
class Augment:
    """Random augmentation of the clouds that a method learns from; 0 switches one kind off, None takes the preset's.

    Largest rotation about the up axis in degrees, relative scaling of an axis, shift, standard deviation of the points'
    jitter, and share of points dropped.
    """

    turn: Annotated[float, Field(ge=0, le=180)] | None
    scale: ShareBelowOne | None
    shift: NotNegative | None
    jitter: NotNegative | None
    dropout: ShareBelowOne | None


@section
class Adapter:
    """Which inter-view adapter, None the preset's.

    `residual` (share of adapted features) and `dropout` are the released one's.
    """

    variant: Literal["paper", "released"] | None
    residual: Share
    dropout: ShareBelowOne


@section
class AsPublished:
    """Runs by the published protocol, which chooses the epoch, and afterwards prompts, on the test split.

    `runs` names what is run, `<dataset>/<backbone>/<method>`, and its numbers of shots; `text` is the search protocol,
    or the prompt set, that they start from. Nothing of the recipe differs from `preset` but the epochs, where given.
    """

    runs: dict[
        Annotated[str, text_like(r"[a-z0-9_]+/[a-z0-9_]+/[^/]+", "<dataset>/<backbone>/<method>")],
        Annotated[tuple[Count, ...], Some, Unique],
    ]
    seeds: Annotated[tuple[Seed, ...], Some, Unique]
    preset: Preset
    text: Name
    epochs: Count | None

    def of(self, dataset: str, backbone: str) -> dict[str, tuple[int, ...]]:
        """The numbers of shots by method on one dataset with one backbone."""
        place = f"{dataset}/{backbone}/"
        return {key.removeprefix(place): shots for key, shots in self.runs.items() if key.startswith(place)}


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
    preset: Preset
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
    as_published: AsPublished
    device: Device
    threads: Annotated[int, Field(ge=1, le=1024)]
    checkpoint_seconds: NotNegative
