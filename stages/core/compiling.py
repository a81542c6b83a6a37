"""Says once that numba compiles, which is slow and silent at the first call on a machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from numba.core import event

MESSAGE = "note: compiling the projection for this machine; it takes up to a minute, once, and is kept on disk"


class _Announcer(event.Listener):
    """Prints MESSAGE when the first function is compiled; one that is loaded from disk is not."""

    said = False

    def on_start(self, _: event.Event) -> None:
        if not _Announcer.said:
            _Announcer.said = True
            print(MESSAGE, file=sys.stderr, flush=True)

    def on_end(self, _: event.Event) -> None:
        pass


@contextmanager
def announced() -> Iterator[None]:
    """Within the block a compilation is announced on stderr, at most once in a process."""
    with event.install_listener("numba:compile", _Announcer()):
        yield
