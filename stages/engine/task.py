"""What an engine is given: how a worker is made, and where its shards go."""

from collections.abc import Callable
from dataclasses import dataclass
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

    def do(self, worker: Worker, shard: Shard, report: Report = lambda _: None) -> None:
        """Make `shard`, unless it is done: a shard comes again after its process was lost."""
        if self.unfinished.is_done(shard):
            return
        with self.unfinished.new_shard(shard) as path:
            worker(shard, path, report)


def thread_variables(threads: int) -> dict[str, str]:
    """The environment of a worker process: threads of BLAS, OpenMP, torch, Numba and of this project's own loops."""
    return {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
