"""Engine `ray`: Ray Core, one task a shard; with a model, actors that keep it. README.md says why no more."""

import logging
import os
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import stages
from stages.artifacts.shards import Shard
from stages.config.run import Run
from stages.core.errors import InputError, one_line, shown
from stages.engine.task import Report, Task, Worker, environment, thread_variables

RETRIES = 10  # of a shard whose process or machine was lost
STORE_BYTES = 80_000_000  # of Ray's shared memory where it is started here: shards go through files
ADDRESSES = "auto, host:port, ray://host:port, or null for one that is started here"
PASSED_ON = ("NUMBA_CACHE_DIR", "HF_HOME", "HF_HUB_OFFLINE")  # variables that workers have as this process has them


def run_on_ray(task: Task, shards: Sequence[Shard], run: Run, report: Report) -> None:
    """Make `shards` on the cluster at `run.address`, or on one that is started here; `run.workers` at a time.

    All machines see the project's folder under its path here. A shard whose process or machine is lost is begun again
    elsewhere. InputError where Ray is not installed or no cluster answers.
    """
    if not shards:
        return
    ray = _ray()
    _connect(ray, run)
    try:
        free, waiting, running = deque(_slots(ray, task, run, len(shards))), deque(shards), {}
        while waiting or running:
            while free and waiting:
                slot, shard = free.popleft(), waiting.popleft()
                running[slot(shard)] = slot, shard
            (done,), _ = ray.wait(list(running), num_returns=1)
            slot, shard = running.pop(done)
            _result(ray, done, task)
            free.append(slot)
            report(shard.samples)
    finally:
        ray.shutdown()


def _ray():
    try:
        import ray  # here: nothing else needs it
    except ImportError as error:
        raise InputError("params.yaml: run.engine 'ray': Ray is not installed: pip install '.[ray]'") from error
    return ray


def _connect(ray, run: Run) -> None:
    code = str(Path(stages.__file__).parents[1])
    variables = thread_variables(run.threads) | {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH")]))
    options = {"log_to_driver": False, "logging_level": logging.ERROR}
    if run.address is None:  # its processes have this environment: with a runtime_env Ray would begin them twice
        cores = {"num_cpus": run.workers * run.threads, "num_gpus": run.gpus, "object_store_memory": STORE_BYTES}
        options |= {"include_dashboard": False, **cores}
    else:
        options["runtime_env"] = {"env_vars": variables}
    try:
        with environment(variables), warnings.catch_warnings(action="ignore"):  # the error says the same
            ray.init(address=run.address or "local", **options)
    except Exception as error:  # Ray raises plain ones too
        what = f"no Ray cluster: {one_line(error)[:200]}; expected {ADDRESSES}"
        raise InputError(f"params.yaml: run.address {shown(run.address)}: {what}") from error


def _slots(ray, task: Task, run: Run, shards: int) -> list[Callable[[Shard], object]]:
    """What takes a shard each and gives a reference to its end: a task, or the actor that has the model."""
    resources = {"num_cpus": run.threads, "num_gpus": run.gpus / run.workers}
    workers, folder = min(run.workers, shards), os.getcwd()
    if task.loads_model:
        actor = ray.remote(max_restarts=RETRIES, max_task_retries=RETRIES, **resources)(_Actor)
        actors = [actor.remote(task, folder) for _ in range(workers)]
        return [one.do.remote for one in actors]
    function = ray.remote(max_retries=RETRIES, **resources)(_do)
    return [lambda shard: function.remote(task, folder, shard)] * workers


class _Actor:
    """A process with a worker that is made once."""

    def __init__(self, task: Task, folder: str):
        os.chdir(folder)
        self._task, self._worker = task, None

    def do(self, shard: Shard) -> None:
        """Make one shard."""
        self._worker = self._worker or self._task.make_worker()  # here, so that what is wrong reaches the caller
        self._task.do(self._worker, shard)


def _do(task: Task, folder: str, shard: Shard) -> None:
    os.chdir(folder)
    worker: Worker = task.make_worker()
    task.do(worker, shard)


def _result(ray, done, task: Task) -> None:
    """Wait for a shard's end; its own error is raised as it was, a lost machine is one line."""
    try:
        ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from error
    except ray.exceptions.RayError as error:
        what = f"a worker was lost {RETRIES + 1} times or cannot be started: {one_line(error)[:200]}"
        raise InputError(f"{task.unfinished.output}: {what}; run again: what is done stays") from error
