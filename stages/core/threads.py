"""How many threads there are to use, and work shared out over them."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

T = TypeVar("T")
RUNS_A_THREAD = 4  # enough that all threads end together, and few that wait for a task each


def available_cores() -> int:
    """Cores that this process may use; where the system cannot tell (macOS, Windows), those of the machine.

    NUMBA_NUM_THREADS limits them: whoever shares a machine out to several processes sets it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


def map_in_threads(work: Callable[[int], T], count: int) -> Sequence[T]:
    """work(0) to work(count - 1) in order, over as many threads as there are cores, a few runs of them a thread."""
    if count == 1:  # as work that is shared out already: a thread of its own would only cost time
        return [work(0)]
    cores = available_cores()
    length = max(1, -(-count // (RUNS_A_THREAD * cores)))

    def work_on(start: int) -> list[T]:
        return [work(n) for n in range(start, min(start + length, count))]

    with ThreadPoolExecutor(cores) as pool:
        return list(chain.from_iterable(pool.map(work_on, range(0, count, length))))


def write_behind(write: Callable[..., object], pieces: Iterable[tuple]) -> None:
    """write(*piece) of each piece in order, in a thread, while the next piece is made; an error of either is raised."""
    with ThreadPoolExecutor(1) as thread:
        last = None
        for piece in pieces:
            if last is not None:
                last.result()
            last = thread.submit(write, *piece)
        if last is not None:
            last.result()
