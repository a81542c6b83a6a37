"""What an engine is given: how a worker is made, and where its shards go."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stages.artifacts.shards import Shard
from stages.artifacts.unfinished import Unfinished

Report = Callable[[int], object]  # is told how many samples more are done
Worker = Callable[[Shard, Path, Report], None]  # writes the shard at the path


@dataclass(frozen=True)
class Task:
    """Pickled once for every worker process; `loads_model` says that making a worker takes seconds."""

    make_worker: Callable[[], Worker]
    unfinished: Unfinished
    loads_model: bool

    def do(self, worker: Worker, shard: Shard) -> None:
        """Make `shard`, unless it is done: a shard comes again after its process was lost."""
        if not self.unfinished.is_done(shard):
            self.write(worker, shard)()

    def write(self, worker: Worker, shard: Shard, report: Report = lambda _: None) -> Callable[[], None]:
        """Write `shard`; a call of what is returned, in any thread, waits for the disk and enters it as done."""
        path = self.unfinished.new_name(shard)
        worker(shard, path, report)
        return partial(self.unfinished.enter, shard, path)


def thread_variables(threads: int) -> dict[str, str]:
    """The environment of a worker process: threads of BLAS, OpenMP, torch, Numba and of this project's own loops."""
    return {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """`variables` for the processes that begin in the block: libraries read them when they are loaded."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
