"""reports/plots/confusions/<dataset>_<backbone>.csv: actual and predicted class of every evaluated sample."""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.files import read_text, write_csv
from stages.core.errors import InputError

COLUMNS = ("actual", "predicted")


def write_confusions(path: Path, actual: Sequence[str], predicted: Sequence[str]) -> None:
    """Write two class names a sample, as `dvc plots` counts them."""
    write_csv(path, dict(zip(COLUMNS, (actual, predicted), strict=True)))


def read_confusions(path: Path, class_names: Sequence[str]) -> np.ndarray:
    """How often each class was taken for which: counts i8 [C, C], true classes by row; InputError on other names."""
    counts = np.zeros((len(class_names),) * 2, np.int64)
    number = {name: index for index, name in enumerate(class_names)}
    rows = itertools.islice(csv.reader(read_text(path).splitlines()), 1, None)
    for line, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS) or not set(row) <= set(number):
            raise InputError(f"{path}: line {line}: {', '.join(row)}; expected two class names of the dataset")
        counts[tuple(number[name] for name in row)] += 1
    return counts
