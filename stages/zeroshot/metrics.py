"""Figures of merit of ranked predictions, as fractions in 0..1.

sklearn.metrics and scipy.stats are imported where they are used: each takes a second or more to import, and the stages
that only classify would wait for them.
"""

import numpy as np
from scipy.special import log_softmax

MOST_COUNTS = 2**24  # of redraws in memory at a time
MOST_VALUES = 4096  # that a redraw counts one by one


def top_k_accuracy(ranked: np.ndarray, labels: np.ndarray, *, k: int) -> float:
    """Share of samples whose label [N] is among the first `k` of `ranked` [N, >=k].

    sklearn's top_k_accuracy_score would rank the logits once more and break ties in another order.
    """
    return float((ranked[:, :k] == labels[:, None]).any(axis=1).mean())


def mean_class_accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the classes that occur in `labels` [N] of the accuracy inside the class (macro-averaged recall)."""
    from sklearn.metrics import recall_score

    # balanced_accuracy_score is the same figure, but warns of every predicted class that no label has
    return float(recall_score(labels, predicted, labels=np.unique(labels), average="macro"))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over samples of -log softmax(logits [N, C])[label], in nats; log(C) when every class is as likely."""
    return float(sample_losses(logits, labels).mean())


def sample_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-log softmax(logits [N, C])[label] of every sample, f8 [N] in nats."""
    log_probabilities = log_softmax(logits.astype(np.float64), axis=1)
    return -log_probabilities[np.arange(len(labels)), labels]


def expected_calibration_error(confidence: np.ndarray, hits: np.ndarray, *, bins: int = 15) -> float:
    """Mean distance between confidence [N] in 0..1 and accuracy, by `bins` of equal width, each weighed by its samples.

    Naeini et al. 2015 with the 15 bins of Guo et al. 2017, eq. 3. sklearn's calibration_curve does not say how many
    samples a bin has.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    excess = np.bincount(place, weights=confidence.astype(np.float64) - hits)
    return float(np.abs(excess).sum() / len(hits))


def bootstrap_interval(hits: np.ndarray, *, samples: int, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `hits` [N] (Efron 1979): `samples` redraws of N with replacement.

    Hits are 0, 1 or, as means of several runs, in between; differences of two methods on the same samples give the
    paired bootstrap. A redraw is one multinomial draw of how often each value that occurs is met; more than MOST_VALUES
    are grouped by size into so many bins of equal width, each with its mean for value.
    """
    values, counts = np.unique(-hits.astype(np.float64), return_counts=True)
    if len(values) > MOST_VALUES:
        values, counts = _binned(values, counts)
    rng, at_once = np.random.default_rng(seed), max(1, MOST_COUNTS // len(values))
    sizes = [min(at_once, samples - done) for done in range(0, samples, at_once)]
    means = [rng.multinomial(len(hits), counts / len(hits), size=size) @ -values / len(hits) for size in sizes]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _binned(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means and counts of the bins that have any of the sorted `values`: their sum stays, their variance is less by
    at most a bin's width squared, over 12."""
    place = ((values - values[0]) / (values[-1] - values[0]) * MOST_VALUES).astype(int).clip(max=MOST_VALUES - 1)
    sums, sizes = np.bincount(place, weights=values * counts), np.bincount(place, weights=counts)
    return sums[sizes > 0] / sizes[sizes > 0], sizes[sizes > 0]


def mcnemar(hits_a: np.ndarray, hits_b: np.ndarray) -> float:
    """Two-sided p value of McNemar's test (1947) that two methods err equally often.

    `hits_a` and `hits_b` bool [N] are of the same samples. Exact: under the hypothesis the samples that only one of the
    methods has right are fair coin throws. Without such a sample p is 1.
    """
    from scipy.stats import binomtest

    only_a, only_b = int(np.sum(hits_a & ~hits_b)), int(np.sum(hits_b & ~hits_a))
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
