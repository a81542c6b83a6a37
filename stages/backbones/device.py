"""Where the towers run, chosen once."""

import torch

from stages.core.errors import InputError


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA, then MPS, then the CPU; a device that is asked for by name and absent is an InputError."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, there in present.items() if there))
    if not present[name]:
        raise InputError(f"params.yaml: device '{name}': not available on this machine")
    return torch.device(name)
