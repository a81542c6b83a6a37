"""Smoothing kernels by name: a profile that does not increase with the distance from the centre, scaled to sum 1.

The distance of the tap at offset (k, i, j) along (depth, row, column) is
d = sqrt((k/sigma_depth)^2 + (i/sigma_row)^2 + (j/sigma_column)^2), so sigma is in voxels, one per axis. The published
technical report of PointCLIP V2 names Mish and Sigmoid kernels without a formula; the two here are our definition: one
minus the gate of the activation function, evaluated at the distance.
"""

from collections.abc import Callable

import numpy as np

Window = tuple[int, int, int]
Sigma = tuple[float, float, float]


def gaussian(distance: np.ndarray) -> np.ndarray:
    """exp(-d^2 / 2): the published kernel."""
    return np.exp(-(distance**2) / 2)


def exponential(distance: np.ndarray) -> np.ndarray:
    """exp(-d)."""
    return np.exp(-distance)


def mish(distance: np.ndarray) -> np.ndarray:
    """1 - mish(d)/d with mish(x) = x tanh(softplus(x)), that is 2 / ((1 + e^d)^2 + 1): falls from 0.4 to 0."""
    return 2 / ((1 + np.exp(distance)) ** 2 + 1)


def sigmoid(distance: np.ndarray) -> np.ndarray:
    """1 - logistic(d) = 1 / (1 + e^d): falls from 0.5 to 0."""
    return 1 / (1 + np.exp(distance))


def box(distance: np.ndarray) -> np.ndarray:
    """The same weight everywhere in the window."""
    return np.ones_like(distance)


def none(distance: np.ndarray) -> np.ndarray:
    """All weight on the centre, which smooths nothing."""
    return (distance == 0).astype(np.float64)


# A kernel is added by one more entry: a name and a profile of the distance in sigmas. `kernel_weights` scales its sum.
KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gaussian": gaussian,
    "exponential": exponential,
    "mish": mish,
    "sigmoid": sigmoid,
    "box": box,
    "none": none,
}


def kernel_weights(name: str, *, window: Window, sigma: Sigma) -> np.ndarray:
    """Weights f4 [K_depth, K_row, K_column] of a kernel, summing to 1; `window` is odd, `sigma` in voxels, per axis.

    A kernel that is zero but at its centre has shape [1, 1, 1] whatever the window.
    """
    offsets = [(np.arange(width) - width // 2) / spread for width, spread in zip(window, sigma, strict=True)]
    along_depth, along_row, along_column = np.meshgrid(*offsets, indexing="ij")
    profile = KERNELS[name](np.sqrt(along_depth**2 + along_row**2 + along_column**2))
    if np.count_nonzero(profile) == 1:  # all weight is on the centre: no window is needed
        profile = profile[tuple(slice(width // 2, width // 2 + 1) for width in window)]
    return (profile / profile.sum()).astype(np.float32)


def separate(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Factors along depth, row and column whose outer product is `weights` (sum 1), or None if there are none."""
    depth, row, column = weights.sum((1, 2)), weights.sum((0, 2)), weights.sum((0, 1))
    product = depth[:, None, None] * row[None, :, None] * column[None, None, :]
    return (depth, row, column) if np.allclose(product, weights, rtol=1e-5, atol=1e-9) else None
