"""One thread that does all that takes long, one request after the other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")
MOST_WAITING = 8  # requests at a time, the one that is served among them


class BusyError(Exception):
    """So many requests wait that one more is refused."""


class Worker:
    """Serves requests one at a time: torch and numba are used from one thread, and memory is that of one request."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._places = MOST_WAITING

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place in the queue; BusyError where all are taken."""
        if not self._places:
            raise BusyError
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def run(self, work: Callable[..., T], *arguments, **named) -> T:
        """What `work` gives, called in the thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*arguments, **named))
