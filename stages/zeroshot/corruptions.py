"""What is left of a classifier's accuracy on corrupted copies of objects, and how right its probabilities still are."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stages.artifacts.figures import CorruptedAccuracy, CorruptionFigures
from stages.artifacts.types import Features
from stages.config.evaluate import Evaluate
from stages.core.corruptions import kinds, split_of
from stages.core.errors import InputError
from stages.core.sampling import spread
from stages.zeroshot.evaluation import Classifier, classify
from stages.zeroshot.metrics import bootstrap_interval, expected_calibration_error


def corruption_figures(
    classifier: Classifier, *, splits: tuple[str, ...], read: Callable[[str], Features], config: Evaluate
) -> CorruptionFigures | None:
    """Figures of the corrupted copies that `splits` name, and of the same objects as they are; None without copies.

    `read` gives the features of a split. InputError where they are not of objects evenly spread over the test split.
    """
    found: dict[str, dict[int, _Outcome]] = {}
    copied = kinds(splits)
    if not copied:
        return None
    clean = read("test")
    for corruption, severity in copied:
        features = read(split_of(corruption, severity))
        rows = spread(len(clean.labels), len(features.labels))
        if not np.array_equal(clean.labels[rows], features.labels):
            name = split_of(corruption, severity)
            raise InputError(
                f"split {name}: its {len(features.labels)} labels are not those of the test split's objects"
            )
        found.setdefault(corruption, {})[severity] = _outcome(features, classifier)
    every = [one for by_severity in found.values() for one in by_severity.values()]
    return CorruptionFigures(
        labels_read=classifier.labels_read,
        objects=len(rows),
        clean=_accuracy([_Outcome(*(values[rows] for values in _outcome(clean, classifier)))], config),
        by_severity={
            name: {severity: _accuracy([one], config) for severity, one in by_severity.items()}
            for name, by_severity in found.items()
        },
        by_corruption={name: _accuracy(list(by_severity.values()), config) for name, by_severity in found.items()},
        mean=_accuracy(every, config),
    )


class _Outcome(NamedTuple):
    """Whether each of N objects is right, bool [N], and the probability of the class it is given, [N]."""

    hits: np.ndarray
    confidence: np.ndarray


def _outcome(features: Features, classifier: Classifier) -> _Outcome:
    found = classify(features, classifier)
    return _Outcome(found.ranked[:, 0] == features.labels, found.scores[:, 0])


def _accuracy(outcomes: Sequence[_Outcome], config: Evaluate) -> CorruptedAccuracy:
    """The mean over copies of the same objects; the interval is over objects, not over their copies."""
    hits, confidence = (np.stack(values) for values in zip(*outcomes, strict=True))
    low, high = bootstrap_interval(hits.mean(axis=0), samples=config.bootstrap_samples, seed=config.bootstrap_seed)
    error = expected_calibration_error(confidence.ravel(), hits.ravel())
    top1, low, high, error = (round(100 * float(share), 2) for share in (hits.mean(), low, high, error))
    return CorruptedAccuracy(top1=top1, top1_low=low, top1_high=high, expected_calibration_error=error)
