"""The device that a backbone runs on."""

import torch

from stages.core.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device `name`; `auto` is the first available of CUDA, MPS and CPU. InputError for one that is absent."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, available in present.items() if available))
    if not present[name]:
        raise InputError(f"params.yaml: device '{name}': not available on this machine")
    return torch.device(name)
