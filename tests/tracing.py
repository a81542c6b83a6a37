"""Which files a stage reads and writes below a folder, as the interpreter sees them.

What C++ and Rust libraries open themselves (HDF5, Parquet, safetensors) the project asks for with `Path.is_file` first.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_listeners: list["Trace"] = []


class Trace:
    """Paths below `root`, relative to it, that were read and that were put in place."""

    def __init__(self, root: Path):
        self._root, self.read, self.written = str(root.resolve()), set(), set()

    def note(self, found: set[str], path: object) -> None:
        """Add `path` to `found` where it lies below the root and has no temporary name in it."""
        if isinstance(path, str | os.PathLike):
            relative = os.path.relpath(os.path.realpath(path), self._root)
            if not relative.startswith("..") and not any(part.startswith(".") for part in Path(relative).parts):
                found.add(relative)


@contextmanager
def traced(root: Path) -> Iterator[Trace]:
    """Trace the block's reads and writes below `root`."""
    trace = Trace(root)
    is_file = Path.is_file

    def asked(path, *arguments, **options):
        there = is_file(path, *arguments, **options)
        if there:
            trace.note(trace.read, path)
        return there

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "is_file", asked)
        _listeners.append(trace)
        try:
            yield trace
        finally:
            _listeners.remove(trace)
    trace.read -= trace.written


def _hook(event: str, arguments: tuple) -> None:
    for trace in _listeners:
        if event == "open" and arguments[0] is not None:
            writing = isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
            trace.note(trace.written if writing else trace.read, arguments[0])
        elif event == "os.rename":
            trace.note(trace.written, arguments[1])


sys.addaudithook(_hook)
