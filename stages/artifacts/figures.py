"""What the metrics of one dataset with one backbone hold; stages/artifacts/metrics.py writes and reads them.

Figures are in percent where nothing else is said. Protocols, methods, proposals and ablations may have any name.
"""

from dataclasses import field
from typing import Literal

from stages.core.strict import strict_dataclass

LabelsRead = Literal["none", "train", "test"]


@strict_dataclass
class Figures:
    """Which split's labels were read to come to the figures; those that read the test labels are an upper bound."""

    labels_read: LabelsRead

    @property
    def oracle(self) -> bool:
        """Whether the labels that score were read before."""
        return self.labels_read == "test"


@strict_dataclass
class AccuracyFigures(Figures):
    """Accuracies with a bootstrap interval of top-1; mean negative log likelihood in nats; p of McNemar's test.

    `expected_calibration_error` is how far the best class's probability is from the accuracy, in points.
    """

    top1: float
    top1_low: float
    top1_high: float
    top5: float
    mean_class_accuracy: float
    negative_log_likelihood: float
    expected_calibration_error: float
    mcnemar_p: float


@strict_dataclass
class AblationFigures(AccuracyFigures):
    """The baseline with one thing changed, and a paired bootstrap interval of the change of its log likelihood.

    `likelihood_change` is the baseline's mean negative log likelihood less this one's, in nats: above 0 is better.
    """

    likelihood_change_low: float
    likelihood_change_high: float


@strict_dataclass
class NoneOfTheseFigures:
    """How well one score tells objects of the classes on offer from those of classes that are left out.

    `auroc` is the area under the curve with a bootstrap interval over the left-out objects, and a paired one of its
    difference to the plain score. By a threshold that labels of another split set, `kept` of the known objects and
    `refused` of the left-out ones. `curve` is percent of the known ones kept, by percent of the others let through.
    """

    auroc: float
    auroc_low: float
    auroc_high: float
    auroc_gain_low: float
    auroc_gain_high: float
    kept: float
    refused: float
    curve: dict[int, float]


@strict_dataclass
class RetrievalFigures:
    """Searches among the objects of one split: mean average precision of words and of objects as queries.

    `words_first` is the share of classes whose words find one of their objects first. `above_floor` is the share of
    classes whose words get past the floor, `false_positives` that share when all objects of the class are taken away.
    """

    words_map: float
    words_first: float
    objects_map: float
    above_floor: float
    false_positives: float


@strict_dataclass
class ClassificationMetrics:
    """Zero-shot classification, by protocol.

    `leakage` is top-1 of the search on test labels less that of the search on train labels, in points; `views` is top-1
    of each view alone, `sentences` top-1 by prompt set and number of sentences that are averaged; `retrieval` is by
    split and pooling over views; `ablations` are the baseline with one thing changed, by what and to which value;
    `none_of_these` is by the score that tells what is of none of the classes.
    """

    task: Literal["classification"] = "classification"
    samples: int
    classes: int
    leakage: float
    protocols: dict[str, AccuracyFigures]
    views: dict[int, float]
    sentences: dict[str, dict[int, float]]
    retrieval: dict[str, dict[str, RetrievalFigures]]
    ablations: dict[str, dict[str, AblationFigures]] = field(default_factory=dict)
    none_of_these: dict[str, NoneOfTheseFigures] = field(default_factory=dict)


@strict_dataclass
class FewShotFigures(Figures):
    """Mean and deviation over the seeds, and a bootstrap interval over the samples; no seeds: nothing was drawn.

    `gain_low` and `gain_high` are a paired bootstrap interval of the points of top-1 above the zero-shot classifier.
    """

    top1_mean: float
    top1_std: float
    top1_low: float
    top1_high: float
    gain_low: float
    gain_high: float
    mean_class_accuracy_mean: float
    seeds: tuple[int, ...]


@strict_dataclass
class FewShotMetrics:
    """Few-shot classification, by method and number of shots; 0 shots is zero-shot. `samples` by split.

    `not_run` says of a method that was asked for, and has no figures, why.
    """

    task: Literal["few_shot"] = "few_shot"
    samples: dict[str, int]
    methods: dict[str, dict[int, FewShotFigures]]
    not_run: dict[str, str] = field(default_factory=dict)


@strict_dataclass
class CategoryFigures:
    """Means over the shapes of one category."""

    accuracy: float
    iou: float


@strict_dataclass
class SegmentationFigures(Figures):
    """Means over all shapes (instance), means over the categories' means (class), and each category's."""

    instance_accuracy: float
    class_accuracy: float
    instance_miou: float
    class_miou: float
    categories: dict[str, CategoryFigures]


@strict_dataclass
class SegmentationMetrics:
    """Part segmentation, by protocol; `shapes` counts those of each category, `leakage` is of instance mIoU.

    `not_run` says of a protocol that has no figures why.
    """

    task: Literal["segmentation"] = "segmentation"
    mode: str
    samples: int
    shapes: dict[str, int]
    unseen_points: float
    leakage: float
    protocols: dict[str, SegmentationFigures]
    not_run: dict[str, str] = field(default_factory=dict)


@strict_dataclass
class DetectionFigures(Figures):
    """Mean average precision and recall at an IoU of 0.25 and 0.5, and each class's average precision."""

    map25: float
    map50: float
    ar25: float
    ar50: float
    per_class: dict[str, dict[str, float]]


@strict_dataclass
class DetectionMetrics:
    """Detection, by the source of the proposals and by ablation."""

    task: Literal["detection"] = "detection"
    scans: int
    classes: int
    boxes: int
    proposals: dict[str, dict[str, DetectionFigures]]
