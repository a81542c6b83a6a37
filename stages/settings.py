"""params.yaml as frozen dataclasses: one class per section, loaded strictly.

An unknown key, a missing key or a wrong type stops with the key's full name. `1e-3` without a dot is text in YAML and
a float to DVC, so it is refused like any other text in a number's place.
"""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import to_json

from stages.errors import InputError

section = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))

PER_AXIS = tuple[int, int, int]


@section
class Select:
    """The axes of the matrices in dvc.yaml."""

    classification: tuple[str, ...]
    backbones: tuple[str, ...]


@section
class Dataset:
    """Facts of one dataset: which reader understands it, where it lies, which axis points up."""

    reader: str
    path: str
    up_axis: Literal["x", "y", "z"]
    classes: tuple[str, ...] | None = None
    licence: str
    url: str | None = None


@section
class Backbone:
    """An open_clip model: `architecture` is its name there (or a config file), `pretrained` a tag or a local file."""

    architecture: str
    pretrained: str
    normalise: Literal["none", "clip"]


@section
class Densify:
    """Max pool of the voxel grid: odd `window` and `padding` per axis (depth, row, column); null takes the preset's."""

    window: PER_AXIS | None
    padding: PER_AXIS | None


@section
class Smooth:
    """Kernel over the densified grid: name, odd `window` and `sigma` per axis (depth, row, column); null as above.

    `range_sigma` is for the contour method: how different a depth value (0..1) may be and still be averaged in.
    """

    kernel: str | None
    window: PER_AXIS | None
    sigma: float | tuple[float, float, float] | None
    range_sigma: float | None


@section
class Render:
    """How point clouds become depth maps; every null takes the value of `preset`."""

    method: Literal["v2", "v1", "contour"] | None
    preset: str
    view_set: str | None
    resolution: int | None
    depth: int | None
    xy_scale: float | None
    depth_bias: float | None
    crop: tuple[int, int] | None
    lookup: Literal["as_released", "corrected"] | None
    densify: Densify
    smooth: Smooth
    polarity: Literal["white_background", "black_background"]
    dtype: Literal["u1", "f2"]


@section
class Download:
    """Raw files to `data/points`; `max_samples` keeps that many clouds a split, evenly spread (null: all)."""

    max_samples: int | None


@section
class Extract:
    """Depth maps through the image tower: `batch_size` maps at a time on `device`."""

    batch_size: int
    device: Literal["auto", "cpu", "cuda", "mps"]


@section
class Embed:
    """Prompts through the text tower: which files of prompts/templates are filled in for every class.

    The set `waffle` needs no file: `waffle_count` sentences of random words a class, drawn by `waffle_seed`.
    """

    sets: tuple[str, ...]
    waffle_count: int
    waffle_seed: int
    batch_size: int
    device: Literal["auto", "cpu", "cuda", "mps"]


@section
class Search:
    """Which sentences may stand for a class, and how they and the view weights are chosen."""

    candidates: tuple[str, ...]
    start: str
    objective: Literal["accuracy", "mean_class_accuracy", "negative_log_likelihood"]
    sweeps: int
    view_search: Literal["none", "grid", "coordinate"]
    rounds: int
    folds: int
    seed: int
    keep: float


@section
class Evaluate:
    """Protocols by name -> the prompt set they average; the search's come after; `view_weights` [V] or null for equal.

    Every protocol is compared with `baseline` by McNemar's test.
    """

    split: Literal["train", "test"]
    protocols: dict[str, str]
    baseline: str
    view_weights: tuple[float, ...] | None
    bootstrap_samples: int
    bootstrap_seed: int


@section
class Report:
    """What the pictures show: the sample of the example, and how many objects the sheets of maps have."""

    example_sample: int
    sheet_objects: int
    projection_objects: int


@section
class Pretrain:
    """The bundled backbone's recipe; one step sees `batch_size` objects in `views_shown` views each."""

    seed: int
    steps: int
    batch_size: int
    views_shown: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    real_share: float
    part_share: float
    validation_fraction: float


@section
class Params:
    """The whole of params.yaml."""

    select: Select
    dataset: dict[str, Dataset]
    backbone: dict[str, Backbone]
    download: Download
    render: Render
    extract: Extract
    embed: Embed
    search: Search
    evaluate: Evaluate
    report: Report
    pretrain: Pretrain

    def dataset_entry(self, name: str) -> Dataset:
        """The facts of dataset `name`; InputError when params.yaml has no such entry."""
        return _entry(self.dataset, name, "dataset")

    def backbone_entry(self, name: str) -> Backbone:
        """The facts of backbone `name`; InputError when params.yaml has no such entry."""
        return _entry(self.backbone, name, "backbone")


def load(path: str = "params.yaml") -> Params:
    """Read `path` strictly; InputError with the first wrong key's full name."""
    try:
        document = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run from the repository's root") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        # through JSON, because pydantic's strict mode then takes a list for a tuple and still no text for a number
        return TypeAdapter(Params).validate_json(to_json(document))
    except ValidationError as error:
        raise InputError(f"{path}: {_first_line(error)}") from None


def _first_line(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    # a misspelt key is both unknown and missing: the unknown one tells more
    problem = next((one for one in problems if one["type"] == "unexpected_keyword_argument"), problems[0])
    key = ".".join(str(part) for part in problem["loc"]) or "top level"
    if problem["type"] == "unexpected_keyword_argument":
        return f"{key}: unknown key"
    if problem["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {problem['msg']}, got {problem['input']!r}"


def _entry(entries: dict, name: str, kind: str):
    if name not in entries:
        raise InputError(f"params.yaml: {kind}.{name}: no such entry; known are {', '.join(sorted(entries))}")
    return entries[name]
