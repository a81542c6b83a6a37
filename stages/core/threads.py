"""How many threads there are to use, and work shared out over them."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

T = TypeVar("T")
RUNS_A_THREAD = 4  # enough that all threads end together, and few that wait for a task each


def available_cores() -> int:
    """Cores that this process may use; where the system cannot tell (macOS, Windows), those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
