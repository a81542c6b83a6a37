"""Features, prompts and choices -> predictions and figures: `python -m stages.evaluate <dataset> <backbone>`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.artifacts.confusions import write_confusions
from stages.artifacts.features import read_features
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.files import read_json
from stages.artifacts.metrics import write_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import prediction_columns, stacked, write_predictions
from stages.artifacts.prompts import read_prompts
from stages.artifacts.types import Features, Prompts
from stages.config.evaluate import Evaluate
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.core.text import warn_of_unknown_words
from stages.retrieval.evaluation import retrieval_figures
from stages.zeroshot.ablations import ablations
from stages.zeroshot.classifier import average_prompts, class_features, prompt_ids
from stages.zeroshot.evaluation import Classifier, by_sentences, classify, leakage, protocol_figures, single_views
from stages.zeroshot.none_of_these import none_of_these
from stages.zeroshot.temperature import calibrated

ZERO_SHOT = {"shots": 0, "seed": 0}


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Score every zero-shot protocol on the evaluated split; write its predictions, metrics and confusions."""
    params, paths = params or load_params(root), Paths(root)
    config = params.evaluate
    stored = paths.features(dataset, backbone)
    features = read_features(stored, config.split)
    prompts = read_prompts(paths.prompts(dataset, backbone))
    warn_of_unknown_words(prompts.unknown_words, backbone=backbone)
    labelled = read_features(stored, config.temperature_split)
    plain = _classifiers(prompts, features, read_json(paths.search(dataset, backbone)), config)
    classifiers = plain | {
        name: calibrated(plain[name], kind=config.temperature, labelled=labelled, evaluated=features)
        for name in config.protocols
    }
    predictions = {name: classify(features, classifier) for name, classifier in classifiers.items()}
    labels_read = {name: classifier.labels_read for name, classifier in classifiers.items()}
    protocols = protocol_figures(predictions, features.labels, labels_read=labels_read, config=config)
    metrics = ClassificationMetrics(
        samples=len(features.labels),
        classes=len(features.classes),
        leakage=leakage(protocols),
        protocols=protocols,
        views=single_views(features, classifiers[config.baseline].text),
        sentences={
            name: by_sentences(features, prompts, prompt_ids(prompts, prompt_set=name, class_names=features.classes))
            for name in sorted(set(config.protocols.values()))
        },
        retrieval={
            split: retrieval_figures(read_features(stored, split), classifiers[config.baseline].text)
            for split in ("train", "test")
        },
        ablations=ablations(features, plain, labelled=labelled, config=config),
        none_of_these=none_of_these(features, plain[config.baseline], labelled=labelled, config=config),
    )
    names = np.array(features.classes)
    first = names[predictions[config.baseline].ranked[:, 0]]
    write_confusions(paths.confusions(dataset, backbone), names[features.labels], first)
    columns = [
        prediction_columns(features.labels, found.ranked, found.scores, method=name, **ZERO_SHOT)
        for name, found in predictions.items()
    ]
    write_predictions(paths.predictions(dataset, backbone), stacked(columns))
    write_metrics(paths.metrics(dataset, backbone), metrics)


def _classifiers(
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


if __name__ == "__main__":
    run_stage(main)
