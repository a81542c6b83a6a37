"""What every writer and reader checks of an array: dtype, shape, unit norm."""

from pathlib import Path

import numpy as np

from stages.core.blocks import in_blocks
from stages.core.errors import InputError


def expect(path: Path, key: str, values: np.ndarray, dtype: str, shape: tuple) -> None:
    fits = len(values.shape) == len(shape) and all(b in (None, a) for a, b in zip(values.shape, shape, strict=True))
    if values.dtype != np.dtype(dtype) or not fits:
        wanted = "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
        raise InputError(f"{path}: {key} is {values.dtype} {list(values.shape)}, expected {np.dtype(dtype)} {wanted}")


def expect_unit_norm(path: Path, key: str, features: np.ndarray) -> None:
    norms = in_blocks(lambda some: np.linalg.norm(some, axis=-1), features)
    if not np.allclose(norms, 1, atol=1e-3):
        raise InputError(f"{path}: {key} has norms from {norms.min()} to {norms.max()}, expected 1")
