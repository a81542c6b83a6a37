"""Learnable smoothing: the fixed filter's output, corrected by two 3-D convolutions that are trained through CLIP.

B grids (clouds by views), D depth and R resolution of the voxel grid.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, relu


class LearnableSmoothing(nn.Module):
    """Two 3 x 3 x 3 convolutions with batch norm after the Gaussian, added to its output.

    The last batch norm's weight starts at 0, so the first output is the fixed filter's, in training and in evaluation.
    A sum below 0 is set to 0, an empty voxel: voxels stay depth weights.
    """

    def __init__(self, *, channels: int):
        super().__init__()
        self.first = nn.Sequential(ShallowConv3d(1, channels), nn.BatchNorm3d(channels))
        self.second = nn.Sequential(ShallowConv3d(channels, 1), nn.BatchNorm3d(1))
        nn.init.zeros_(self.second[1].weight)

    def forward(self, grid: Tensor) -> Tensor:
        """The corrected grid [B, D, R, R] of a smoothed one."""
        return relu(grid + self.second(relu(self.first(grid[:, None])))[:, 0])


class ShallowConv3d(nn.Module):
    """A 3 x 3 x 3 convolution padded with 0, computed as one 2-D convolution over channels times depth slices.

    The weights from slice to slice form a banded matrix that is mostly 0; for a grid of eight slices this is still
    several times as fast as `conv3d`, which is slow for few channels.
    """

    def __init__(self, channels: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, channels, 3, 3, 3))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, grid: Tensor) -> Tensor:
        """[B, outputs, D, R, R] of [B, channels, D, R, R]."""
        depth = grid.shape[2]
        slices, taps = torch.arange(depth, device=grid.device), torch.arange(-1, 2, device=grid.device)
        # bands[k, z, f]: whether tap k of the result's slice z reads slice f
        bands = (slices - slices[:, None] == taps[:, None, None]).to(self.weight.dtype)
        weight = torch.einsum("ockij,kzf->ozcfij", self.weight, bands).flatten(0, 1).flatten(1, 2)
        return conv2d(grid.flatten(1, 2), weight, padding=1).unflatten(1, (-1, depth))
