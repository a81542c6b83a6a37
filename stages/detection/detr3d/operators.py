"""Farthest point sampling, ball query and gathering, as pointnet2's CUDA extension defines them.

B scans, N points, S samples. Compiled loops on the CPU, torch operations elsewhere, with equal answers: squared
distances are f4 sums from left to right without fused multiply-add.
"""

import numpy as np
import torch
from numba import njit

from stages.core import sampling
from stages.core.errors import InputError

LARGEST_BLOCK = 512  # threads of the CUDA reduction, which decide its ties
NEAR_ORIGIN = 1e-3  # squared distance up to which a point counts as padding and is never sampled
FAR = 1e10  # squared distance before any point is sampled
CENTRES_AT_ONCE = 256


def sample_farthest(xyz: torch.Tensor, count: int) -> torch.Tensor:
    """Indices i8 [B, count] into xyz f4 [B, N, 3]: the first point, then always the farthest from those before it.

    A point within sqrt(0.001) of the origin is never taken after the first place; where no point is left, index 0
    repeats. Of points equally far the CUDA reduction's choice is taken (`_tie_order`). InputError without points.
    """
    if not xyz.shape[1]:
        raise InputError(f"farthest points: of shape {list(xyz.shape)}, expected [B, N, 3] with N > 0")
    order = _tie_order(xyz.shape[1]).to(xyz.device)
    ordered = xyz[:, order].contiguous()
    if xyz.device.type == "cpu":
        places = torch.from_numpy(_sample(ordered.numpy(), count))
    else:
        places = _sample_in_torch(ordered, count)
    return order[places]


def query_ball(xyz: torch.Tensor, centres: torch.Tensor, *, radius: float, count: int) -> torch.Tensor:
    """Indices i8 [B, S, count] of the first `count` points of xyz f4 [B, N, 3] nearer than `radius` to each centre.

    `centres` is f4 [B, S, 3]. Places left over repeat the first hit; without any hit all are 0. InputError where there
    is no place, or another number of scans.
    """
    if count < 1 or len(xyz) != len(centres):
        raise InputError(f"ball query: {count} points of {len(xyz)} scans, centres of {len(centres)}")
    squared = np.float32(radius) * np.float32(radius)
    if xyz.device.type == "cpu":
        return torch.from_numpy(_query(xyz.contiguous().numpy(), centres.contiguous().numpy(), squared, count))
    pieces = centres.split(CENTRES_AT_ONCE, dim=1)
    return torch.cat([_query_in_torch(xyz, piece, float(squared), count) for piece in pieces], dim=1)


def gather(features: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Features [B, C, *S] of features [B, C, N] at indices i8 [B, *S]."""
    flat = indices.flatten(1)[:, None].expand(-1, features.shape[1], -1)
    return features.gather(2, flat).unflatten(2, indices.shape[1:])


def _tie_order(points: int) -> torch.Tensor:
    """Indices i8 [points] in the order in which pointnet2 prefers points of equal distance.

    A block of T threads (the largest power of 2 up to `points`, at most 512) each looks at every T-th point and keeps
    its first; pairwise halving then prefers the thread of smallest bit-reversed number.
    """
    bits = min(LARGEST_BLOCK, points).bit_length() - 1
    index = np.arange(points)
    thread, turn = index % 2**bits, index // 2**bits
    reversed_thread = sum(((thread >> bit) & 1) << (bits - 1 - bit) for bit in range(bits)) if bits else thread
    return torch.from_numpy(np.lexsort((turn, reversed_thread)))


def _sample(xyz: np.ndarray, count: int) -> np.ndarray:
    """Places [B, count] in points already in the order of preference: the first of equals is the right one."""
    x, y, z = np.moveaxis(xyz, -1, 0)
    with np.errstate(over="ignore"):  # a point beyond the squares of float32 is infinitely far: no padding
        padding = (x * x + y * y + z * z).astype(np.float64) <= NEAR_ORIGIN
    nearest = np.where(padding, np.float32(-1), np.float32(FAR))
    places = np.zeros((len(xyz), count), np.int64)
    for b in range(len(xyz)):
        sampling.sample_farthest(xyz[b], 0, nearest[b], places[b])
    return places


def _sample_in_torch(xyz: torch.Tensor, count: int) -> torch.Tensor:
    """`_sample` by one pass of torch operations a sample."""
    rows = torch.arange(len(xyz), device=xyz.device)
    nearest = torch.where(_squared(xyz).double() <= NEAR_ORIGIN, -1.0, FAR)
    places = torch.zeros(len(xyz), count, dtype=torch.int64, device=xyz.device)
    for s in range(1, count):
        nearest = torch.minimum(nearest, _squared(xyz - xyz[rows, places[:, s - 1], None]))
        places[:, s] = nearest.argmax(dim=1)
    return places


@njit(cache=True, nogil=True)
def _query(xyz, centres, squared_radius, count):
    scans, samples, _ = centres.shape
    indices = np.zeros((scans, samples, count), np.int64)
    for b in range(scans):
        x, y, z = xyz[b, :, 0].copy(), xyz[b, :, 1].copy(), xyz[b, :, 2].copy()
        for s in range(samples):
            hits = 0
            for n in range(len(x)):
                dx, dy, dz = centres[b, s, 0] - x[n], centres[b, s, 1] - y[n], centres[b, s, 2] - z[n]
                if dx * dx + dy * dy + dz * dz < squared_radius:
                    if hits == 0:
                        indices[b, s] = n
                    indices[b, s, hits] = n
                    hits += 1
                    if hits == count:
                        break
    return indices


def _query_in_torch(xyz: torch.Tensor, centres: torch.Tensor, squared_radius: float, count: int) -> torch.Tensor:
    """`_query` by one table of all distances."""
    points = xyz.shape[1]
    hit = _squared(centres[:, :, None] - xyz[:, None]) < squared_radius
    places = torch.where(hit, torch.arange(points, device=xyz.device), points)
    places = places.topk(min(count, points), dim=2, largest=False, sorted=True).values
    places = torch.nn.functional.pad(places, (0, count - places.shape[2]), value=points)
    first = places[..., :1] % points  # no hit: points % points is 0
    return torch.where(places < points, places, first)


def _squared(offsets: torch.Tensor) -> torch.Tensor:
    """Squared length [...] of offsets [..., 3], added from left to right."""
    x, y, z = offsets.unbind(-1)
    return x * x + y * y + z * z
