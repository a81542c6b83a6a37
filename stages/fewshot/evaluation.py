"""Figures of few-shot predictions: the only part of the package that sees test labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.artifacts.figures import FewShotFigures, LabelsRead
from stages.config.evaluate import Evaluate
from stages.fewshot.adapted_search import Searched
from stages.fewshot.specs import AS_PUBLISHED_BEFORE
from stages.zeroshot.metrics import bootstrap_interval, mean_class_accuracy

ZERO_SHOT = "zero_shot"
BEST_ON_TEST, AS_PUBLISHED = "{}_best_on_test", "_as_published_"  # the published choice of the epoch: an upper bound


def few_shot_figures(
    columns: Mapping[str, np.ndarray],
    epochs: Sequence[tuple[str, int, int, np.ndarray]],
    *,
    config: Evaluate,
    searched: Sequence[Searched] = (),
) -> dict[str, dict[int, FewShotFigures]]:
    """Per method and number of shots the mean and deviation over the seeds; 0 shots is the zero-shot classifier.

    `columns` are those of the predictions; `epochs` hold method, shots, seed and the classes [epochs, N] predicted
    after each epoch: of these, the best on the test labels gives one more method. Each search of `searched` gives one
    more, too. Runs as published start from other prompts and have no figure of 0 shots.
    """
    first = {name: values[columns["rank"] == 0] for name, values in columns.items()}
    labels = first["label"][first["method"] == ZERO_SHOT]
    runs: dict[str, dict[int, dict[int, np.ndarray]]] = {}
    for method, shots, seed in dict.fromkeys(zip(first["method"], first["shots"], first["seed"], strict=True)):
        rows = (first["method"] == method) & (first["shots"] == shots) & (first["seed"] == seed)
        runs.setdefault(str(method), {}).setdefault(int(shots), {})[int(seed)] = first["predicted"][rows]
    zero_shot = list(runs.pop(ZERO_SHOT)[0].values())
    published = [name for name in runs if name.endswith(AS_PUBLISHED_BEFORE.format(""))]
    labels_read: dict[str, LabelsRead] = dict.fromkeys(runs, "train") | dict.fromkeys(published, "test")
    for method, shots, seed, epoch_predictions in epochs:
        best, name = np.argmax((epoch_predictions == labels).mean(1)), BEST_ON_TEST.format(method)
        runs.setdefault(name, {}).setdefault(shots, {})[seed] = epoch_predictions[best]
        labels_read[name] = "test"
    for search in searched:
        runs.setdefault(search.method, {}).setdefault(search.shots, {})[search.seed] = search.predicted
        labels_read[search.method] = search.labels_read
    known = zero_shot[0] == labels
    start = _figures(zero_shot, labels, known, seeds=(), labels_read="none", config=config)
    return {
        method: ({} if AS_PUBLISHED in method else {0: start})
        | {
            shots: _figures(
                list(seeds.values()), labels, known, seeds=tuple(seeds), labels_read=labels_read[method], config=config
            )
            for shots, seeds in by_shots.items()
        }
        for method, by_shots in runs.items()
    }


def _figures(
    predicted: Sequence[np.ndarray],
    labels: np.ndarray,
    zero_shot: np.ndarray,
    *,
    seeds: tuple[int, ...],
    labels_read: LabelsRead,
    config: Evaluate,
) -> FewShotFigures:
    """Percentages of the classes [N] predicted with each seed; the intervals are over samples, of the seeds' mean.

    `zero_shot` bool [N] says which samples the zero-shot classifier has right.
    """
    hits = np.stack([one == labels for one in predicted])
    redraws = {"samples": config.bootstrap_samples, "seed": config.bootstrap_seed}
    low, high = bootstrap_interval(hits.mean(0), **redraws)
    gain_low, gain_high = bootstrap_interval(hits.mean(0) - zero_shot, **redraws)
    return FewShotFigures(
        labels_read=labels_read,
        top1_mean=_percent(hits.mean()),
        top1_std=_percent(hits.mean(1).std()),
        top1_low=_percent(low),
        top1_high=_percent(high),
        gain_low=_percent(gain_low),
        gain_high=_percent(gain_high),
        mean_class_accuracy_mean=_percent(np.mean([mean_class_accuracy(one, labels) for one in predicted])),
        seeds=seeds,
    )


def _percent(share: float) -> float:
    return round(100 * float(share), 2)
