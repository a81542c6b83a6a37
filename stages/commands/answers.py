"""What the command `classify` says of a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import Geometry

Shares = list[tuple[str, float]]  # names, with a probability or a share of the points
Tell = Callable[[Path, np.ndarray], Shares]  # of a file's cloud [P, 3]


@dataclass(frozen=True)
class Told:
    """A file, what was read from it, and its best labels or its parts."""

    file: Path
    geometry: Geometry
    shares: Shares
