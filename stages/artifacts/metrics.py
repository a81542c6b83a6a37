"""reports/metrics/<dataset>/<backbone>.json, and .fewshot.json beside it: figures of one dataset with one backbone.

Figures are in percent where nothing else is said. Protocols, methods, proposals and ablations may have any name.
"""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json, to_jsonable_python

from stages.artifacts.files import read_json, write_json
from stages.config.section import section
from stages.core.errors import InputError, first_problem

LabelsRead = Literal["none", "train", "test"]


@section
class Figures:
    """Which split's labels were read to come to the figures; those that read the test labels are an upper bound."""

    labels_read: LabelsRead

    @property
    def oracle(self) -> bool:
        """Whether the labels that score were read before."""
        return self.labels_read == "test"


@section
class AccuracyFigures(Figures):
    """Accuracies with a bootstrap interval of top-1; mean negative log likelihood in nats; p of McNemar's test."""

    top1: float
    top1_low: float
    top1_high: float
    top5: float
    mean_class_accuracy: float
    negative_log_likelihood: float
    mcnemar_p: float


@section
class ClassificationMetrics:
    """Zero-shot classification, by protocol.

    `leakage` is top-1 of the search on test labels less that of the search on train labels, in points; `views` is top-1
    of each view alone, `sentences` top-1 by prompt set and number of sentences that are averaged.
    """

    task: Literal["classification"] = "classification"
    samples: int
    classes: int
    leakage: float
    protocols: dict[str, AccuracyFigures]
    views: dict[int, float]
    sentences: dict[str, dict[int, float]]


@section
class FewShotFigures(Figures):
    """Mean and deviation over the seeds, and a bootstrap interval over the samples; no seeds: nothing was drawn."""

    top1_mean: float
    top1_std: float
    top1_low: float
    top1_high: float
    mean_class_accuracy_mean: float
    seeds: tuple[int, ...]


@section
class FewShotMetrics:
    """Few-shot classification, by method and number of shots; 0 shots is zero-shot. `samples` by split."""

    task: Literal["few_shot"] = "few_shot"
    samples: dict[str, int]
    methods: dict[str, dict[int, FewShotFigures]]


@section
class CategoryFigures:
    """Means over the shapes of one category."""

    accuracy: float
    iou: float


@section
class SegmentationFigures(Figures):
    """Means over all shapes (instance), means over the categories' means (class), and each category's."""

    instance_accuracy: float
    class_accuracy: float
    instance_miou: float
    class_miou: float
    categories: dict[str, CategoryFigures]


@section
class SegmentationMetrics:
    """Part segmentation, by protocol; `shapes` counts those of each category, `leakage` is of instance mIoU."""

    task: Literal["segmentation"] = "segmentation"
    mode: str
    samples: int
    shapes: dict[str, int]
    unseen_points: float
    leakage: float
    protocols: dict[str, SegmentationFigures]


@section
class DetectionFigures(Figures):
    """Mean average precision and recall at an IoU of 0.25 and 0.5, and each class's average precision."""

    map25: float
    map50: float
    ar25: float
    ar50: float
    per_class: dict[str, dict[str, float]]


@section
class DetectionMetrics:
    """Detection, by the source of the proposals and by ablation."""

    task: Literal["detection"] = "detection"
    scans: int
    classes: int
    boxes: int
    proposals: dict[str, dict[str, DetectionFigures]]


Metrics = TypeVar("Metrics", ClassificationMetrics, FewShotMetrics, SegmentationMetrics, DetectionMetrics)


def write_metrics(path: Path, metrics: Metrics) -> None:
    """Write `metrics` as JSON; not-a-number is refused."""
    write_json(path, to_jsonable_python(metrics, inf_nan_mode="constants"))


def read_metrics(path: Path, kind: type[Metrics]) -> Metrics:
    """Read what `write_metrics` wrote; InputError naming `path` and the first key that is not one of `kind`."""
    return parse_metrics(read_json(path), kind, source=str(path))


def parse_metrics(document: dict, kind: type[Metrics], *, source: str) -> Metrics:
    """The metrics in a JSON document that was read from `source`; errors as above."""
    try:
        # through JSON, because pydantic's strict mode then takes "16" for a number of shots and a list for a tuple
        return TypeAdapter(kind).validate_json(to_json(document))
    except ValidationError as error:
        raise InputError(f"{source}: {first_problem(error)}") from error
