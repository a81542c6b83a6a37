"""The code that computes, as a hash: results of other code are not taken for its own."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("h5py", "numba", "numpy", "open_clip_torch", "pyarrow", "scipy", "torch")  # that numbers depend on


@cache
def source_fingerprint() -> str:
    """SHA-256 of this project's modules and of the versions of what they compute with."""
    digest, folder = hashlib.sha256(), Path(__file__).parents[1]
    for module in sorted(folder.rglob("*.py")):
        digest.update(f"{module.relative_to(folder).as_posix()}\0".encode() + module.read_bytes())
    digest.update(" ".join(version(package) for package in PACKAGES).encode())
    return digest.hexdigest()
