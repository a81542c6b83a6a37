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
        self.first = nn.Sequential(ShallowConv3d(1, channels), VoxelNorm(channels))
        self.second = nn.Sequential(ShallowConv3d(channels, 1), VoxelNorm(1))
        nn.init.zeros_(self.second[1].weight)

    def forward(self, grid: Tensor) -> Tensor:
        """The corrected grid [B, D, R, R] of a smoothed one."""
        return relu(grid + self.second(relu(self.first(grid[:, None])))[:, 0])


class VoxelNorm(nn.BatchNorm3d):
    """Batch norm of a few channels of many voxels. On CUDA it is written out: cuDNN sums a channel in one block.

    There cuDNN's takes as long as the whole image tower.
    """

    def forward(self, grid: Tensor) -> Tensor:
        """[B, channels, D, R, R] of the same shape, each channel with mean 0 and variance 1 where it is trained."""
        return self.written_out(grid) if self.training and grid.is_cuda else super().forward(grid)

    def written_out(self, grid: Tensor) -> Tensor:
        """What batch norm does in training, by sums over all voxels of a channel."""
        axes = (0, 2, 3, 4)
        variance, mean = torch.var_mean(grid, axes, correction=0, keepdim=True)
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            unbiased = variance * (grid[:, 0].numel() / (grid[:, 0].numel() - 1))
            for running, found in ((self.running_mean, mean), (self.running_var, unbiased)):
                running.lerp_(found.flatten(), self.momentum)
        scale = self.weight.view_as(mean) * (variance + self.eps).rsqrt()
        return grid * scale + (self.bias.view_as(mean) - mean * scale)


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
