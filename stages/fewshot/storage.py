"""What is kept of a run between two calls, as bytes: whoever calls decides where they lie."""

import importlib.resources
import io
from typing import Any, Protocol

import torch


class Storage(Protocol):
    """One place for one document."""

    def get(self) -> bytes | None:
        """What was put last, None before anything was."""

    def put(self, content: bytes) -> None:
        """Keep `content` instead of what was there, whole or not at all."""


def pack(document: dict[str, Any]) -> bytes:
    """Tensors, numbers, words, lists, tuples and dictionaries of them as bytes."""
    buffer = io.BytesIO()
    torch.save(document, buffer)
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, Any]:
    """What `pack` was given, on the CPU; nothing in it is executed."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def source_code() -> bytes:
    """The source of this package: what other code has stored is not continued."""
    modules = importlib.resources.files(__package__).iterdir()
    return b"".join(module.read_bytes() for module in sorted(modules, key=str) if module.name.endswith(".py"))
