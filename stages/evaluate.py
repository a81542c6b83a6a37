"""Features, prompts and choices -> predictions and figures: `python -m stages.evaluate <dataset> <backbone>`."""

from pathlib import Path

import numpy as np

from stages.artifacts.features import read_features
from stages.artifacts.fewshot import read_epochs
from stages.artifacts.files import read_json, write_csv, write_json
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import prediction_columns, read_predictions, stacked, write_predictions
from stages.artifacts.prompts import read_prompts
from stages.artifacts.types import Features, Prompts
from stages.config.evaluate import Evaluate
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.fewshot.evaluation import few_shot
from stages.zeroshot.classifier import average_prompts, class_features, prompt_ids
from stages.zeroshot.evaluation import Classifier, by_sentences, classify, judge, single_views

ZERO_SHOT = {"shots": 0, "seed": 0}


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Score every protocol on the evaluated split; write its predictions, metrics and confusions."""
    params, paths = params or load_params(root), Paths(root)
    features = read_features(paths.features(dataset, backbone), params.evaluate.split)
    prompts = read_prompts(paths.prompts(dataset, backbone))
    searched = read_json(paths.search(dataset, backbone))
    classifiers = _averaged(prompts, features, params.evaluate) | {
        name: Classifier(average_prompts(prompts, found["prompts"]), np.array(found["view_weights"]))
        for name, found in searched.items()
    }
    outcomes = {name: classify(features, classifier) for name, classifier in classifiers.items()}
    baseline = params.evaluate.baseline
    metrics = judge(outcomes, features.labels, classes=len(features.classes), evaluate=params.evaluate)
    metrics["views"] = single_views(features, classifiers[baseline].text)
    metrics["sentences"] = {
        name: by_sentences(features, prompts, prompt_ids(prompts, prompt_set=name, class_names=features.classes))
        for name in sorted(set(params.evaluate.protocols.values()))
    }
    names = np.array(features.classes)
    confusions = {"actual": names[features.labels], "predicted": names[outcomes[baseline].ranked[:, 0]]}
    write_csv(paths.confusions(dataset, backbone), confusions)
    columns = [
        prediction_columns(features.labels, outcome.ranked, outcome.scores, method=name, **ZERO_SHOT)
        for name, outcome in outcomes.items()
    ]
    write_predictions(paths.predictions(dataset, backbone), stacked(columns))
    folder = paths.few_shot(dataset, backbone)
    metrics["few_shot"] = few_shot(
        read_predictions(folder / "predictions.parquet"),
        read_epochs(folder / "epochs.parquet"),
        evaluate=params.evaluate,
    )
    write_json(paths.metrics(dataset, backbone), metrics)


def _averaged(prompts: Prompts, features: Features, evaluate: Evaluate) -> dict[str, Classifier]:
    """The protocols that average one prompt set and choose nothing, with the given view weights or equal ones."""
    views, weights = features.values.shape[1], evaluate.view_weights
    if weights is not None and len(weights) != views:
        raise InputError(f"params.yaml: evaluate.view_weights: {len(weights)} weights, expected {views}, one a view")
    if evaluate.baseline not in evaluate.protocols:
        known = ", ".join(evaluate.protocols)
        raise InputError(f"params.yaml: evaluate.baseline '{evaluate.baseline}': expected one of {known}")
    view_weights = np.full(views, 1 / views) if weights is None else np.array(weights)
    return {
        name: Classifier(class_features(prompts, prompt_set=prompt_set, class_names=features.classes), view_weights)
        for name, prompt_set in evaluate.protocols.items()
    }


if __name__ == "__main__":
    run_stage(main)
