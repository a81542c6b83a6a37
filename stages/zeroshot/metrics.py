"""Figures of merit of ranked predictions, as fractions in 0..1."""

import numpy as np


def top_k_accuracy(ranked: np.ndarray, labels: np.ndarray, *, k: int) -> float:
    """Share of samples whose label [N] is among the first `k` of `ranked` [N, >=k]."""
    return float((ranked[:, :k] == labels[:, None]).any(axis=1).mean())


def mean_class_accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the classes that occur in `labels` [N] of the accuracy inside the class."""
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over samples of -log softmax(logits [N, C])[label], in nats; log(C) when every class is as likely."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())


def bootstrap_interval(hits: np.ndarray, *, samples: int, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `hits` [N] (Efron 1979): `samples` redraws of N with replacement.

    Hits are 0, 1 or, as means of several runs, in between. A redraw is one multinomial draw of how often each value
    that occurs is met.
    """
    values, counts = np.unique(-hits.astype(np.float64), return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(hits), counts / len(hits), size=samples)
    low, high = np.quantile(drawn @ -values / len(hits), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, *, classes: int) -> np.ndarray:
    """Counts i8 [classes, classes]: entry [t, p] is the number of samples of class t predicted as p."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def mcnemar(hits_a: np.ndarray, hits_b: np.ndarray) -> tuple[int, int, float]:
    """McNemar's test (1947) that two methods err equally often: (only a right, only b right, two-sided p value).

    `hits_a` and `hits_b` bool [N] are of the same samples. Exact: under the hypothesis the samples on which they differ
    are fair coin throws, whatever their number. Without such a sample p is 1.
    """
    only_a, only_b = int(np.sum(hits_a & ~hits_b)), int(np.sum(hits_b & ~hits_a))
    throws, fewer = only_a + only_b, min(only_a, only_b)
    ways, tail = 1, 1  # binomial coefficient and the sum of those so far, as whole numbers of any length
    for k in range(fewer):
        ways = ways * (throws - k) // (k + 1)
        tail += ways
    return only_a, only_b, min(1.0, 2 * tail / 2**throws)
