"""Features, prompts and choices -> predictions and figures: `python -m stages.evaluate <dataset> <backbone>`."""

import numpy as np

from stages import artifacts, settings
from stages.errors import InputError, run_stage
from stages.zeroshot import average_prompts, class_features
from stages.zeroshot.evaluation import Classifier, Outcome, classify, judge

ZERO_SHOT = {"shots": 0, "seed": 0}


def main(dataset: str, backbone: str) -> None:
    """Score every protocol on the evaluated split; write data/predictions/... and reports/metrics/..."""
    params = settings.load()
    features = artifacts.read_features(artifacts.features_path(dataset, backbone), params.evaluate.split)
    prompts = artifacts.read_prompts(artifacts.prompts_path(dataset, backbone))
    searched = artifacts.read_json(artifacts.search_path(dataset, backbone))
    classifiers = _averaged(prompts, features, params.evaluate) | {
        name: Classifier(average_prompts(prompts, found["prompts"]), np.array(found["view_weights"]))
        for name, found in searched.items()
    }
    outcomes = {name: classify(features, classifier) for name, classifier in classifiers.items()}
    metrics = judge(outcomes, features.labels, classes=len(features.classes), evaluate=params.evaluate)
    artifacts.write_predictions(artifacts.predictions_path(dataset, backbone), _columns(outcomes, features.labels))
    artifacts.write_json(artifacts.metrics_path(dataset, backbone), metrics)


def _averaged(
    prompts: artifacts.Prompts, features: artifacts.Features, evaluate: settings.Evaluate
) -> dict[str, Classifier]:
    """The protocols that average one prompt set and choose nothing, with the given view weights or equal ones."""
    views, weights = features.features.shape[1], evaluate.view_weights
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


def _columns(outcomes: dict[str, Outcome], labels: np.ndarray) -> dict[str, np.ndarray]:
    """The prediction table: samples by rank, one protocol after the other."""
    tables = []
    for name, outcome in outcomes.items():
        samples, ranks = outcome.ranked.shape
        constant = {"method": name, **ZERO_SHOT}
        tables.append(
            {
                "sample": np.repeat(np.arange(samples), ranks),
                "label": np.repeat(labels, ranks),
                **{key: np.full(samples * ranks, value) for key, value in constant.items()},
                "rank": np.tile(np.arange(ranks), samples),
                "predicted": outcome.ranked.ravel(),
                "score": outcome.scores.ravel(),
            }
        )
    return {name: np.concatenate([table[name] for table in tables]) for name in artifacts.PREDICTION_COLUMNS}


if __name__ == "__main__":
    run_stage(main)
