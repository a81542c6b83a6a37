"""Checkpoints: the state of unfinished training as bytes; the caller decides where they are stored."""

import importlib.resources
import io
from typing import Any, Protocol

import torch


class Checkpoint(Protocol):
    """A place that holds one checkpoint."""

    def read(self) -> bytes | None:
        """What was written last, None before anything was."""

    def write(self, content: bytes) -> None:
        """Replace what was there, whole or not at all."""


def serialise(document: dict[str, Any]) -> bytes:
    """Tensors, numbers, strings, and lists, tuples and dictionaries of them, as bytes."""
    buffer = io.BytesIO()
    torch.save(document, buffer)
    return buffer.getvalue()


def deserialise(content: bytes) -> dict[str, Any]:
    """What `serialise` was given, on the CPU; no code in it is executed."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def source_code() -> bytes:
    """The source of this package: a checkpoint of other code is not continued."""
    modules = importlib.resources.files(__package__).iterdir()
    return b"".join(module.read_bytes() for module in sorted(modules, key=str) if module.name.endswith(".py"))
