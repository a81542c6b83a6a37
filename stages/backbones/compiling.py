"""An encoder that torch compiles while it works, where the work that is left pays for it.

Compiling a tower takes COMPILING seconds and saves a share of the time of every batch afterwards: SAVED, measured on an
H200 in bf16. So it pays where the batches that are left would take longer than COMPILING / SAVED seconds, as the first
batches tell. That is for ResNets: a transformer whose blocks are folded (`folding`) is as fast without.
"""

import time
from collections.abc import Callable

import torch
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor
from torch.nn.functional import pad

from stages.core.cli import warn
from stages.core.errors import one_line

COMPILING = 17.0  # seconds: RN50 16, RN101 17
SAVED = 0.55  # RN50: 8,981 -> 19,851 maps a second; RN101 0.59
WARM_UP, TIMED = 3, 8  # batches


def break_even(visual: torch.nn.Module, device: torch.device) -> float:
    """Seconds of work from which on compiling an image tower pays; infinite where it is no ResNet on CUDA."""
    return COMPILING / SAVED if device.type == "cuda" and isinstance(visual, ModifiedResNet) else float("inf")


class CompiledWhereItPays:
    """`encode` (pixels [b, 3, r, r] -> features [b, D]) for `batches` batches, the last of them maybe smaller.

    The caller takes the result of a batch before it asks for the one after the next, so that calls keep the device's
    pace. A compiled encoder sees one shape: a smaller batch is padded. Where no compiler works, one line says so.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor], *, batches: int, pays_from: float):
        self._encode, self._batches, self._pays_from = encode, batches, pays_from
        self._done, self._begun, self._rows = 0, 0.0, 0

    def __call__(self, pixels: Tensor) -> Tensor:
        """Features of one batch."""
        if self._done == WARM_UP:
            self._begun = time.perf_counter()
        if self._done == WARM_UP + TIMED and self._seconds_left() > self._pays_from:
            self._compile(pixels)
        self._done += 1
        if len(pixels) >= self._rows:
            return self._encode(pixels)
        padded = pad(pixels, (0, 0, 0, 0, 0, 0, 0, self._rows - len(pixels)))
        return self._encode(padded)[: len(pixels)]

    def _seconds_left(self) -> float:
        return (time.perf_counter() - self._begun) / TIMED * (self._batches - self._done)

    def _compile(self, pixels: Tensor) -> None:
        compiled = torch.compile(self._encode, dynamic=False)
        try:
            compiled(pixels)
        except RuntimeError as error:  # as all errors of torch's compilers are
            warn(f"torch.compile does not work here, going on without it: {one_line(error)[:200]}")
        else:
            self._encode, self._rows = compiled, len(pixels)
