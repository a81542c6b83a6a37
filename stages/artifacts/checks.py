"""What every writer and reader checks of an array: dtype, shape, unit norm."""

from pathlib import Path

import numpy as np

from stages.core.errors import InputError

BLOCK = 4096  # samples that are checked at a time


def expect(path: Path, key: str, values: np.ndarray, dtype: str, shape: tuple) -> None:
    fits = len(values.shape) == len(shape) and all(b in (None, a) for a, b in zip(values.shape, shape, strict=True))
    if values.dtype != np.dtype(dtype) or not fits:
        wanted = "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
        raise InputError(f"{path}: {key} is {values.dtype} {list(values.shape)}, expected {np.dtype(dtype)} {wanted}")


def expect_unit_norm(path: Path, key: str, features: np.ndarray) -> None:
    norms = np.concatenate([np.linalg.norm(part, axis=-1) for part in _blocks(features)])
    if not np.allclose(norms, 1, atol=1e-3):
        raise InputError(f"{path}: {key} has norms from {norms.min()} to {norms.max()}, expected 1")


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, range(BLOCK, len(rows), BLOCK))
