"""The device that a backbone runs on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stages.core.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device `name`; `auto` is the first available of CUDA, MPS and CPU. InputError for one that is absent.

    From then on convolutions of fp32 values on CUDA are fp32: torch would round their factors to TF32. A tower that
    may do so says it by itself (`stages.backbones.precision`).
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, available in present.items() if available)
    if not present[name]:
        raise InputError(f"params.yaml: device '{name}': not available on this machine")
    if name == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)


@contextmanager
def one_core_a_thread() -> Iterator[None]:
    """Within the block torch takes one core of the CPU in every thread, for callers that share out the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # of this thread, and of all that use torch for the first time from now on
    try:
        yield
    finally:
        torch.set_num_threads(before)
