"""Proposals by 3DETR from an official checkpoint: `load_detr3d(path, device=device)(points)`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from stages.core.errors import InputError
from stages.detection.detr3d.checkpoint import load_network
from stages.detection.detr3d.network import Network


class NetworkBoxes(NamedTuple):
    """Q boxes for each of B scans; the background is in no `class_probabilities`, which sum to the objectness."""

    boxes: np.ndarray  # f4 [B, Q, 6] centre and size, metres
    angle: np.ndarray  # f4 [B, Q] heading, always 0 on ScanNet
    class_probabilities: np.ndarray  # f4 [B, Q, C]
    objectness: np.ndarray  # f4 [B, Q], 1 - probability of background


class Detr3d:
    """A frozen 3DETR on a device."""

    def __init__(self, network: Network, *, device: torch.device):
        self._network = network.to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, points: np.ndarray) -> NetworkBoxes:
        """Boxes of scans f4 [B, M, 3] in metres, up axis z; InputError for a scan without finite points."""
        points = np.ascontiguousarray(points, np.float32)
        if points.ndim != 3 or points.shape[2] != 3 or not points.shape[1]:
            raise InputError(f"3DETR: scans of shape {list(points.shape)}, expected [B, M, 3] with M > 0 points")
        usable = np.isfinite(points).all(axis=(1, 2)) & (np.ptp(points, axis=1) > 0).all(axis=1)
        if not usable.all():
            raise InputError(f"3DETR: scan {int(usable.argmin())}: expected finite points with an extent on every axis")
        found = self._network(torch.from_numpy(points).to(self._device))
        probabilities = found.logits.softmax(-1)
        boxes = torch.cat([found.centre, found.size], dim=-1)
        values = (boxes, torch.zeros_like(boxes[..., 0]), probabilities[..., :-1], 1 - probabilities[..., -1])
        return NetworkBoxes(*(value.cpu().numpy() for value in values))


def load_detr3d(path: Path, *, device: torch.device) -> Detr3d:
    """3DETR or 3DETR-m from an official checkpoint; InputError naming file and key where it is another's."""
    return Detr3d(load_network(path), device=device)
