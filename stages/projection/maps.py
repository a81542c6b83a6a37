"""Crop, resize and rounding of a finished depth map, and the same crop of positions in it."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def resize(source, target):
    """Bilinear resize of source f4 [R, R] into target f4 [S, S] with corners aligned, in float32 as torch does it."""
    size, count = source.shape[0], target.shape[0]
    scale = np.float32(size - 1) / np.float32(max(count - 1, 1))
    for i in range(count):
        row = np.float32(i) * scale
        top = min(int(row), size - 1)
        below = min(top + 1, size - 1)
        down = row - np.float32(top)
        for j in range(count):
            column = np.float32(j) * scale
            left = min(int(column), size - 1)
            right = min(left + 1, size - 1)
            across = column - np.float32(left)
            upper = (np.float32(1) - across) * source[top, left] + across * source[top, right]
            lower = (np.float32(1) - across) * source[below, left] + across * source[below, right]
            target[i, j] = (np.float32(1) - down) * upper + down * lower


@njit(cache=True, nogil=True)
def store(depth_map, stored):
    """Write depth_map f4 [R, R] into `stored` [R, R]: as it is into f4, in whole steps of 1/255 into u1."""
    in_bytes = stored.itemsize == 1
    for i in range(depth_map.shape[0]):
        for j in range(depth_map.shape[1]):
            stored[i, j] = np.rint(depth_map[i, j] * np.float32(255)) if in_bytes else depth_map[i, j]


def crop_pixels(pixels, *, crop: tuple[int, int], size: int):
    """Positions i8 [..., 2] in the map that is left when rows and columns [start, stop) are resized to `size`.

    ceil((position - start) * size / (stop - start)), multiplied before it is divided, as released. Positions outside
    the crop come out below 0 or above size - 1. Works on numpy arrays and torch tensors alike.
    """
    start, stop = crop
    return -((start - pixels) * size // (stop - start))


def inside(pixels, size: int):
    """Which positions [..., 2] lie in a map of `size` rows and columns: bool [...]."""
    return ((pixels >= 0) & (pixels < size)).all(-1)
