"""Features, prompts and choices -> predictions and figures: `python -m stages.evaluate <dataset> <backbone>`."""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from stages.artifacts.confusions import write_confusions
from stages.artifacts.features import read_features, stored_splits
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.files import read_json
from stages.artifacts.metrics import write_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import new_predictions
from stages.artifacts.prompts import read_prompts
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.text import warn_of_unknown_words
from stages.retrieval.evaluation import retrieval_figures
from stages.zeroshot.ablations import ablations
from stages.zeroshot.classifier import prompt_ids
from stages.zeroshot.corruptions import corruption_figures
from stages.zeroshot.evaluation import best_classes, by_sentences, leakage, protocol_figures, single_views
from stages.zeroshot.none_of_these import none_of_these
from stages.zeroshot.protocols import classifiers
from stages.zeroshot.temperature import calibrated


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Score every zero-shot protocol on the evaluated split; write its predictions, metrics and confusions."""
    params, paths = params or load_params(root), Paths(root)
    config = params.evaluate
    stored = paths.features(dataset, backbone)
    # a split that is mapped twice counts twice in memory; of many corrupted copies only the last are kept
    read = lru_cache(maxsize=2)(partial(read_features, stored))
    features = read(config.split)
    prompts = read_prompts(paths.prompts(dataset, backbone))
    warn_of_unknown_words(prompts.unknown_words, backbone=backbone)
    splits = stored_splits(stored)
    labelled = read(config.temperature_split) if config.temperature_split in splits else None
    plain = classifiers(prompts, features, read_json(paths.search(dataset, backbone)), config)
    scored = plain | {
        name: calibrated(plain[name], kind=config.temperature, labelled=labelled, evaluated=features)
        for name in config.protocols
    }
    best = best_classes(features, scored[config.baseline])
    with new_predictions(paths.predictions(dataset, backbone)) as add:
        protocols = protocol_figures(
            features,
            scored,
            baseline=best,
            config=config,
            keep=lambda name, found: add(features.labels, found.ranked, found.scores, method=name),
        )
        metrics = ClassificationMetrics(
            samples=len(features.labels),
            classes=len(features.classes),
            leakage=leakage(protocols),
            protocols=protocols,
            views=single_views(features, scored[config.baseline].text),
            sentences={
                name: by_sentences(
                    features, prompts, prompt_ids(prompts, prompt_set=name, class_names=features.classes)
                )
                for name in sorted(set(config.protocols.values()))
            },
            retrieval={
                split: retrieval_figures(read(split), scored[config.baseline].text)
                for split in ("train", "test")
                if split in splits
            },
            ablations=ablations(features, plain, labelled=labelled, config=config),
            none_of_these=none_of_these(features, plain[config.baseline], labelled=labelled, config=config),
            corruptions=corruption_figures(plain[config.baseline], splits=splits, read=read, config=config),
        )
    names = np.array(features.classes)
    write_confusions(paths.confusions(dataset, backbone), names[features.labels], names[best])
    write_metrics(paths.metrics(dataset, backbone), metrics)


if __name__ == "__main__":
    run_stage(main)
