"""Figures of few-shot predictions: the only part of the package that sees test labels."""

from collections.abc import Sequence

import numpy as np

from stages.config.evaluate import Evaluate
from stages.zeroshot.metrics import bootstrap_interval, mean_class_accuracy

ZERO_SHOT = "zero_shot"
BEST_ON_TEST = "{}_best_on_test"  # the published choice of the epoch: an oracle


def few_shot(
    columns: dict[str, np.ndarray], epochs: Sequence[tuple[str, int, int, np.ndarray]], *, evaluate: Evaluate
) -> dict[str, dict[str, dict]]:
    """Per method and number of shots the mean and deviation over the seeds; 0 shots is the zero-shot row.

    `columns` are those of the predictions; `epochs` hold method, shots, seed and the classes [epochs, N] predicted
    after each epoch: of these, the best on the test labels gives one more, marked method.
    """
    first = {name: values[columns["rank"] == 0] for name, values in columns.items()}
    labels = first["label"][first["method"] == ZERO_SHOT]
    runs = {}
    for method, shots, seed in dict.fromkeys(zip(first["method"], first["shots"], first["seed"], strict=True)):
        rows = (first["method"] == method) & (first["shots"] == shots) & (first["seed"] == seed)
        runs.setdefault(method, {}).setdefault(int(shots), {})[int(seed)] = first["predicted"][rows]
    zero_shot = runs.pop(ZERO_SHOT)[0]
    for method, shots, seed, predictions in epochs:
        best = predictions[np.argmax((predictions == labels).mean(1))]
        runs.setdefault(BEST_ON_TEST.format(method), {}).setdefault(shots, {})[seed] = best
    start = _figures(zero_shot, labels, evaluate) | {"seeds": [], "labels_read": "none"}
    figures = {method: {"0": start} for method in runs}
    for method, by_shots in runs.items():
        for shots, seeds in by_shots.items():
            read = {"labels_read": _labels_read(method)}
            figures[method][str(shots)] = _figures(seeds, labels, evaluate) | read
    return figures


def _labels_read(method: str) -> str:
    return "test" if method.endswith(BEST_ON_TEST.format("")) else "train"


def _figures(predicted: dict[int, np.ndarray], labels: np.ndarray, evaluate: Evaluate) -> dict:
    """Percentages of the classes [N] predicted by each seed; the interval is over test samples, of the seeds' mean."""
    hits = np.stack([run == labels for run in predicted.values()])
    low, high = bootstrap_interval(hits.mean(0), samples=evaluate.bootstrap_samples, seed=evaluate.bootstrap_seed)
    shares = {
        "top1_mean": hits.mean(),
        "top1_std": hits.mean(1).std(),
        "top1_low": low,
        "top1_high": high,
        "mean_class_accuracy_mean": np.mean([mean_class_accuracy(run, labels) for run in predicted.values()]),
    }
    percent = {name: round(100 * float(share), 2) for name, share in shares.items()}
    return percent | {"seeds": list(predicted)}
