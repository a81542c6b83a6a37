"""Features, prompts and choices -> predictions and figures: `python -m stages.evaluate <dataset> <backbone>`."""

import numpy as np

from stages import artifacts, settings
from stages.errors import InputError, run_stage
from stages.fewshot.evaluation import few_shot
from stages.zeroshot import average_prompts, class_features
from stages.zeroshot.classifier import prompt_ids
from stages.zeroshot.evaluation import Classifier, by_sentences, classify, judge, single_views

ZERO_SHOT = {"shots": 0, "seed": 0}


def main(dataset: str, backbone: str) -> None:
    """Score every protocol on the evaluated split; write its predictions, metrics and confusions."""
    params = settings.load()
    features = artifacts.read_features(artifacts.features_path(dataset, backbone), params.evaluate.split)
    prompts = artifacts.read_prompts(artifacts.prompts_path(dataset, backbone))
    searched = artifacts.read_json(artifacts.search_path(dataset, backbone))
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
    artifacts.write_csv(artifacts.confusions_path(dataset, backbone), confusions)
    columns = [
        artifacts.prediction_columns(features.labels, outcome.ranked, outcome.scores, method=name, **ZERO_SHOT)
        for name, outcome in outcomes.items()
    ]
    artifacts.write_predictions(artifacts.predictions_path(dataset, backbone), artifacts.stacked(columns))
    folder = artifacts.few_shot_path(dataset, backbone)
    metrics["few_shot"] = few_shot(
        artifacts.read_predictions(folder / "predictions.parquet"),
        artifacts.read_epochs(folder / "epochs.parquet"),
        evaluate=params.evaluate,
    )
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


if __name__ == "__main__":
    run_stage(main)
