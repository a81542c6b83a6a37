"""Recorded input and output of the released code, from the folder GOLDEN_DIR."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """golden("projection_cls"): its arrays by name. Skips where GOLDEN_DIR (default ../shared/golden) lacks it."""
    loaded: dict[str, dict[str, np.ndarray]] = {}

    def load(name: str) -> dict[str, np.ndarray]:
        folder = Path(os.environ.get("GOLDEN_DIR", ROOT.parent / "shared" / "golden"))
        path = folder / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"{path} is missing: set GOLDEN_DIR to the folder with the recorded arrays")
        if name not in loaded:
            with np.load(path, allow_pickle=False) as arrays:
                loaded[name] = {key: arrays[key] for key in arrays.files}
        return loaded[name]

    return load
