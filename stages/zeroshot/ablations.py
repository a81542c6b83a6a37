"""The baseline protocol with one thing changed at a time, each compared with the plain one on the same samples."""

from collections.abc import Mapping
from typing import get_args

from stages.artifacts.figures import AblationFigures
from stages.artifacts.types import Features
from stages.config.evaluate import Evaluate, Temperature, ViewPooling
from stages.zeroshot.evaluation import Classifier, ablation_figures
from stages.zeroshot.temperature import WITHOUT_LABELS, calibrated


def ablations(
    features: Features, classifiers: Mapping[str, Classifier], *, labelled: Features | None, config: Evaluate
) -> dict[str, dict[str, AblationFigures]]:
    """Figures by what is changed and to which value, of the baseline's sentences with each classifier's view weights.

    The plain pipeline has the mean over views and no temperature. `labelled` chooses what labels choose here; without
    it that is left out.
    """
    plain = classifiers[config.baseline]._replace(pooling="mean")
    changed = {
        "view_pooling": {name: plain._replace(pooling=name) for name in get_args(ViewPooling)},
        "view_weights": {
            f"those of {name}": plain._replace(view_weights=found.view_weights, labels_read=found.labels_read)
            for name, found in classifiers.items()
            if name not in config.protocols
        },
        "temperature": {
            kind: calibrated(plain, kind=kind, labelled=labelled, evaluated=features)
            for kind in get_args(Temperature)
            if labelled is not None or kind in WITHOUT_LABELS
        },
    }
    return ablation_figures(features, plain, changed, config=config)
