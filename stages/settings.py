"""params.yaml as frozen dataclasses: one class per section, loaded strictly.

An unknown key, a missing key or a wrong type stops with the key's full name. `1e-3` without a dot is text in YAML and
a float to DVC, so it is refused like any other text in a number's place.
"""

import functools
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import to_json, to_jsonable_python

from stages.errors import InputError, first_problem

section = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))

PER_AXIS = tuple[int, int, int]


@section
class Select:
    """The axes of the matrices in dvc.yaml: datasets that are read, those of each task among them, and backbones.

    Segmentation has backbones of its own: it needs features of patches that mean something by themselves.
    """

    datasets: tuple[str, ...]
    classification: tuple[str, ...]
    segmentation: tuple[str, ...]
    detection: tuple[str, ...]
    backbones: tuple[str, ...]
    segmentation_backbones: tuple[str, ...]

    def __post_init__(self):
        for task in ("classification", "segmentation", "detection"):
            for name in getattr(self, task):
                if name not in self.datasets:
                    raise ValueError(f"'{name}' of {task} is not among datasets")


@section
class RawFile:
    """A file that a dataset is made of: where it can be had, in that order, and what is published about it.

    A mirror is an http(s) address or `hf://datasets/<owner>/<repository>/<file>`; `checksum` is `sha256:` or `md5:` and
    the digits. An archive is unpacked beside itself.
    """

    file: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    mirrors: tuple[Annotated[str, Field(pattern=r"^(https?|hf)://")], ...] = ()
    bytes: Annotated[int, Field(ge=0)] | None = None
    checksum: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$")] | None = None


@section
class Dataset:
    """Facts of one dataset: which reader understands it, where its files are, which axis points up.

    `path` is a local file or folder; null takes `files` from data/raw/<folder> (null: the dataset's id), where missing
    ones are downloaded, or awaited from the user while `signed_form` says that the makers ask for one. `points` are a
    cloud's, and how many are sampled on a mesh, by `seed`; `splits` are the published counts; `test_share` is what a
    folder without a test split gives to one; `display_names` stand in sentences for classes.
    """

    reader: str
    path: str | None = None
    folder: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] | None = None
    files: tuple[RawFile, ...] = ()
    signed_form: bool = False
    variant: str | None = None
    up_axis: Literal["x", "y", "z"]
    points: Annotated[int, Field(ge=1)] | None = None
    splits: dict[str, int] | None = None
    test_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    classes: tuple[str, ...] | None = None
    display_names: dict[str, str] = field(default_factory=dict)
    licence: str
    url: str | None = None


@section
class Backbone:
    """An open_clip model: `architecture` is its name there (or a config file), `pretrained` a tag or a local file."""

    architecture: str
    pretrained: str
    normalise: Literal["none", "clip"]
    precision: Literal["fp32", "bf16"] = "fp32"


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
    """Raw files to `data/points`: `num_points` a cloud, taken by `sampling`; `max_samples` a split, evenly spread.

    `validation_fraction` of every class of train becomes `val` where a dataset has none of its own. A null keeps all.
    """

    num_points: Annotated[int, Field(ge=1)] | None
    sampling: Literal["first", "farthest", "random"]
    validation_fraction: Annotated[float, Field(ge=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]
    max_samples: Annotated[int, Field(ge=1)] | None


@section
class Price:
    """Dollars a million tokens, of what is sent and of what comes back."""

    prompt: float
    completion: float


@section
class CorpusFile:
    """A file of PointCLIP V2's repository: its path there and its git blob id."""

    path: str
    blob: str


@section
class Corpus:
    """What PointCLIP V2 published for one dataset, by their `name`: all sentences, and those its search chose."""

    name: str
    sentences: CorpusFile
    searched: CorpusFile


@section
class Corpora:
    """PointCLIP V2's own sentences: `url` with a place for the path, or a local `folder` with the same files."""

    url: str
    folder: str | None
    datasets: dict[str, Corpus]


@section
class Generate:
    """Which prompt sets the language model writes, which model that is, and how it may be asked.

    `base_url` null asks nobody: every answer comes from the record. `key_variable` names the environment variable that
    holds the key. `attempts` a request, `timeout` seconds each; `budget_requests` and `budget_tokens` end a run.
    """

    sets: tuple[str, ...]
    model: str
    base_url: str | None
    key_variable: str
    token_limit: Literal["max_tokens", "max_completion_tokens"]
    temperature: bool
    examples: tuple[str, ...]
    concurrency: int
    timeout: float
    attempts: int
    budget_requests: int | None
    budget_tokens: int | None
    batch: bool
    batch_poll: float
    warn_days: int
    prices: dict[str, Price]
    corpora: Corpora

    def __post_init__(self):
        if self.concurrency < 1 or self.attempts < 1:
            raise ValueError("concurrency and attempts: expected at least 1")


@section
class Extract:
    """Depth maps through the image tower: `batch_size` maps at a time on `device`."""

    batch_size: int
    device: Literal["auto", "cpu", "cuda", "mps"]
    autocast: bool
    compile: bool


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
    autocast: bool
    compile: bool


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
class Augment:
    """Random changes of the clouds that learnable smoothing learns from; 0 switches one off.

    Largest turn about the up axis in degrees, stretch of an axis, shift, standard deviation of the points' jitter, and
    share of points dropped.
    """

    turn: float
    scale: float
    shift: float
    jitter: float
    dropout: float


@section
class Adapter:
    """Which inter-view adapter; `residual` (share of what it adds) and `dropout` belong to the released one."""

    variant: Literal["paper", "released"]
    residual: float
    dropout: float


@section
class Train:
    """Few-shot methods, their shots and seeds; every null of the recipe takes the value of `preset`."""

    methods: tuple[Literal["adapter", "smooth", "smooth_adapter", "tip_adapter", "tip_adapter_f", "linear_probe"], ...]
    shots: tuple[int, ...]
    smooth_shots: tuple[int, ...]
    seeds: tuple[int, ...]
    short_classes: Literal["error", "use_all"]
    validation_fraction: float
    text: str
    probe_start: Literal["zero", "text"]
    best_on_test: bool
    preset: Literal["report", "pointclip"]
    optimiser: Literal["sgd", "adamw"] | None
    batch_size: int | None
    at_once: int | None
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


@section
class Patches:
    """Labelled shapes through projection `preset` and the image tower, as maps of `resolution` pixels (null: its own).

    Of every category all evaluated shapes are taken, and `search_shapes` of each other split, evenly spread.
    """

    preset: Literal["v2_segmentation", "v2_classification", "v1"]
    resolution: int | None
    search_shapes: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    device: Literal["auto", "cpu", "cuda", "mps"]


@section
class Segment:
    """How patches become parts of points, and which sentences and view weights say so.

    `smooth_window` patches a side are averaged (null: the published 6 of 14, scaled); `refine` takes the mean over
    `refine_neighbours` points. `neutral` is the sentence that everything starts from; `protocols` by name -> the prompt
    set they average; `candidates` are the sets that are searched.
    """

    mode: Literal["correct", "as_released"]
    smooth_window: Annotated[int, Field(ge=1)] | None
    refine: bool
    refine_neighbours: Annotated[int, Field(ge=2)]
    neutral: str
    protocols: dict[str, str]
    candidates: tuple[str, ...]
    objective: Literal["iou", "accuracy"]
    sweeps: Annotated[int, Field(ge=1)]
    view_search: Literal["none", "coordinate"]
    keep: Annotated[float, Field(gt=0, le=1)]
    batch_size: Annotated[int, Field(ge=1)]
    device: Literal["auto", "cpu", "cuda", "mps"]


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
class Sweep:
    """One parameter's values, an experiment each, while those of `fixed` (key of params.yaml -> value) hold."""

    param: str
    values: tuple[str | int | float | tuple[str, ...], ...]
    fixed: dict[str, str | int | float | tuple[str | int, ...]]


@section
class Paper:
    """The published selection: what `make paper` sets (key of params.yaml -> value), and which sweeps it runs then.

    `weights_gb` and `maps_per_second` are for its estimates: a backbone's download, and how fast one encodes maps.
    """

    overrides: dict[str, str | int | float | tuple[str | int | tuple[str, ...], ...]]
    sweeps: tuple[str, ...]
    weights_gb: float
    maps_per_second: float


@section
class PretrainParts:
    """The recipe of the bundled backbone for parts; a step sees `batch_size` shapes in `views_shown` views each."""

    seed: int
    steps: int
    batch_size: int
    views_shown: int
    points: int
    resolution: int
    smooth_window: int
    learning_rate: float
    weight_decay: float


@section
class Params:
    """The whole of params.yaml."""

    select: Select
    dataset: dict[str, Dataset]
    backbone: dict[str, Backbone]
    download: Download
    render: Render
    generate: Generate
    extract: Extract
    embed: Embed
    search: Search
    train: Train
    evaluate: Evaluate
    detect: Detect
    patches: Patches
    segment: Segment
    report: Report
    sweep: dict[str, Sweep]
    paper: Paper
    pretrain: Pretrain
    pretrain_parts: PretrainParts

    def dataset_entry(self, name: str) -> Dataset:
        """The facts of dataset `name`; InputError when params.yaml has no such entry."""
        return _entry(self.dataset, name, "dataset")

    def backbone_entry(self, name: str) -> Backbone:
        """The facts of backbone `name`; InputError when params.yaml has no such entry."""
        return _entry(self.backbone, name, "backbone")

    def sweep_entry(self, name: str) -> Sweep:
        """The experiment set `name`; InputError when params.yaml has no such entry."""
        return _entry(self.sweep, name, "sweep")


def as_yaml(params: Params) -> str:
    """The parameters as YAML, in the order of their sections."""
    return yaml.safe_dump(to_jsonable_python(params), sort_keys=False, allow_unicode=True)


def load(path: str = "params.yaml", *, overrides: Mapping[str, object] | None = None) -> Params:
    """Read `path` strictly, with `overrides` (full key -> value) set; InputError with the first wrong full key."""
    try:
        document = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run from the repository's root") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    for key, value in (overrides or {}).items():
        _set(document, key, value, source=path)
    try:
        # through JSON, because pydantic's strict mode then takes a list for a tuple and still no text for a number
        return TypeAdapter(Params).validate_json(to_json(document))
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}") from None


def _set(document: dict, key: str, value: object, *, source: str) -> None:
    *sections, last = key.split(".")
    inner = functools.reduce(
        lambda outer, name: outer.get(name) if isinstance(outer, dict) else None, sections, document
    )
    if not isinstance(inner, dict):
        raise InputError(f"{source}: {key}: no such section, which an override would set a key of")
    inner[last] = value


def _entry(entries: dict, name: str, kind: str):
    if name not in entries:
        raise InputError(f"params.yaml: {kind}.{name}: no such entry; known are {', '.join(sorted(entries))}")
    return entries[name]
