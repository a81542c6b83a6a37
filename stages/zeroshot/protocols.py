"""The classifiers of every zero-shot protocol: those that average a prompt set, and those that were searched."""

from collections.abc import Mapping

import numpy as np

from stages.artifacts.types import Features, Prompts
from stages.config.evaluate import Evaluate
from stages.core.errors import InputError
from stages.zeroshot.classifier import average_prompts, class_features
from stages.zeroshot.evaluation import Classifier


def classifiers(
    prompts: Prompts, features: Features, searched: Mapping[str, dict], config: Evaluate
) -> dict[str, Classifier]:
    """The protocols that average one prompt set, with the given view weights or equal ones, then the searched ones."""
    views, weights = features.values.shape[1], config.view_weights
    if weights is not None and len(weights) != views:
        raise InputError(f"params.yaml: evaluate.view_weights: {len(weights)} weights, expected {views}, one a view")
    for name in config.protocols:
        if name in searched:
            raise InputError(
                f"params.yaml: evaluate.protocols.{name}: expected another name than those of the searches: "
                f"{', '.join(searched)}"
            )
    view_weights = np.full(views, 1 / views) if weights is None else np.array(weights)
    averaging = {
        name: Classifier(
            class_features(prompts, prompt_set=prompt_set, class_names=features.classes),
            view_weights,
            pooling=config.view_pooling,
        )
        for name, prompt_set in config.protocols.items()
    }
    return averaging | {
        name: Classifier(
            average_prompts(prompts, found["prompts"]), np.array(found["view_weights"]), found["labels_read"]
        )
        for name, found in searched.items()
    }
