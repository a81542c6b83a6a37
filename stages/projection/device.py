"""Where a projection runs: the compiled loops on the CPU, or torch on a device."""

import ctypes
import platform
from typing import TYPE_CHECKING

from stages.core.errors import InputError
from stages.projection.methods import METHODS, method_named

if TYPE_CHECKING:
    import torch

DRIVERS = {"Linux": "libcuda.so.1", "Windows": "nvcuda.dll"}  # the library of CUDA's driver


def projection_device(name: str, *, method: str, key: str) -> "torch.device | None":
    """The device of torch that `name` says, None for the compiled loops on the CPU.

    `auto` is the first available of CUDA and MPS where the method is written in torch. torch is imported only where the
    machine has a device. InputError names `key` of params.yaml for a device that is absent or that the method has not.
    """
    in_torch = method_named(method).in_torch
    if name == "cpu" or (name == "auto" and not (in_torch and _may_have_device())):
        return None
    if not in_torch:
        able = ", ".join(known for known in METHODS if METHODS[known].in_torch)
        raise InputError(f"params.yaml: {key} {name!r}: method {method} runs on the CPU alone, expected one of {able}")
    import torch  # here: it takes seconds, and the loops on the CPU need none

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name != "auto" and not present[name]:
        raise InputError(f"params.yaml: {key} {name!r}: not available on this machine")
    chosen = name if name != "auto" else next((device for device, there in present.items() if there), None)
    return chosen and torch.device(chosen)


def _may_have_device() -> bool:
    """Whether this is a Mac or CUDA's driver is installed; only torch knows whether it has a device then."""
    if platform.system() == "Darwin":
        return True
    try:
        ctypes.CDLL(DRIVERS.get(platform.system(), ""))
    except OSError:
        return False
    return platform.system() in DRIVERS
