"""The baseline protocol with one thing changed at a time, each compared with the plain one on the same samples."""

from typing import get_args

from stages.artifacts.figures import AblationFigures
from stages.artifacts.types import Features
from stages.config.evaluate import Evaluate, Temperature
from stages.zeroshot.evaluation import Classifier, ablation_figures, classify
from stages.zeroshot.temperature import calibrated


def ablations(
    features: Features, plain: Classifier, *, labelled: Features, config: Evaluate
) -> dict[str, dict[str, AblationFigures]]:
    """Figures by what is changed and to which value; `labelled` chooses what labels choose, which is never the test."""
    changed = {
        "temperature": {
            kind: calibrated(plain, kind=kind, labelled=labelled, evaluated=features) for kind in get_args(Temperature)
        },
    }
    predicted = {
        what: {value: (classify(features, one), one.labels_read) for value, one in values.items()}
        for what, values in changed.items()
    }
    unchanged = classify(features, plain)
    return {
        what: ablation_figures(unchanged, values, features.labels, config=config) for what, values in predicted.items()
    }
