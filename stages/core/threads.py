"""How many threads there are to use, and work shared out over them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

S, T = TypeVar("S"), TypeVar("T")
RUNS_A_THREAD = 4  # enough that all threads end together, and few that wait for a task each


def available_cores() -> int:
    """Cores that this process may use; where the system cannot tell (macOS, Windows), those of the machine.

    NUMBA_NUM_THREADS limits them: whoever shares a machine out to several processes sets it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


def map_in_threads(work: Callable[[int], T], count: int, *, threads: int | None = None) -> Sequence[T]:
    """work(0) to work(count - 1) in order, over `threads`, every core when None, a few runs of them a thread."""
    cores = threads or available_cores()
    if min(cores, count) == 1:  # as work that is shared out already: a thread of its own would only cost time
        return [work(n) for n in range(count)]
    length = max(1, -(-count // (RUNS_A_THREAD * cores)))

    def work_on(start: int) -> list[T]:
        return [work(n) for n in range(start, min(start + length, count))]

    with ThreadPoolExecutor(cores) as pool:
        return list(chain.from_iterable(pool.map(work_on, range(0, count, length))))


def worked_ahead(work: Callable[[S], T], pieces: Iterable[S], *, threads: int) -> Iterator[T]:
    """work(piece) of each piece in order; `threads` of them work on the next ones while the caller uses one."""
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


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
