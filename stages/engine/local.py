"""Engine `local`: in this process, or in a pool of processes on this machine."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

from stages.artifacts.shards import Shard
from stages.config.run import Run
from stages.core.cli import warn
from stages.core.errors import InputError
from stages.core.threads import write_behind
from stages.engine.task import Report, Task, Worker, environment, thread_variables


def run_local(task: Task, shards: Sequence[Shard], run: Run, report: Report) -> None:
    """Make `shards`: one worker works in this process, with all its threads; several in a process each.

    Where a process is lost the others' shards stay, and what is missing is begun again, as long as that brings more.
    """
    if min(run.workers, len(shards)) <= 1:
        _run_here(task, shards, report)
        return
    left = list(shards)
    while left:
        try:
            for shard in _in_pool(task, left, run):
                report(shard.samples)
        except BrokenProcessPool as error:
            before, left = left, [shard for shard in left if not task.unfinished.is_done(shard)]
            if len(left) == len(before):
                again = "run again: what is done stays; run.workers or run.shard_samples may ask for too much memory"
                raise InputError(f"{task.unfinished.output}: a worker process was killed; {again}") from error
            warn(f"a worker process was killed; {len(left)} shards are left")
        else:
            return


def _run_here(task: Task, shards: Sequence[Shard], report: Report) -> None:
    """One shard after the other; each is hashed and waits for the disk while the next one is made."""
    if shards:
        worker = task.make_worker()
        write_behind(lambda enter: enter(), ((task.write(worker, shard, report),) for shard in shards))


def _in_pool(task: Task, shards: Sequence[Shard], run: Run) -> Iterator[Shard]:
    """The shards as they are done. Processes are spawned: threads and CUDA do not live on in a forked one."""
    context, workers = multiprocessing.get_context("spawn"), min(run.workers, len(shards))
    ranks = context.SimpleQueue()
    for rank in range(workers):
        ranks.put(rank)
    with environment(thread_variables(run.threads)):
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(task, ranks, run.gpus))
        try:
            futures = {pool.submit(_do, shard): shard for shard in shards}
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        finally:
            pool.shutdown(cancel_futures=True)


class _Process:
    """What a process of the pool keeps between its shards; the worker is made with the first of them."""

    task: Task
    worker: Worker | None = None


def _begin(task: Task, ranks: multiprocessing.SimpleQueue, gpus: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    rank = ranks.get()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(rank % gpus)
    _Process.task = task


def _do(shard: Shard) -> None:
    if _Process.worker is None:  # here, so that what is wrong with it reaches the caller
        _Process.worker = _Process.task.make_worker()
    _Process.task.do(_Process.worker, shard)


def _end_with_parent() -> None:
    """A pool whose process was killed would wait for work for ever."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
