"""A job: the shards of one output, each a function of its rows and the job's inputs. What is done is not done again."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from stages.artifacts.files import hash_or_name
from stages.artifacts.shards import Shard
from stages.artifacts.unfinished import BusyError, Join, Unfinished, fingerprint
from stages.config.backbone import Backbone
from stages.config.run import Run
from stages.core.errors import InputError, shown
from stages.core.source import source_fingerprint
from stages.engine.local import run_local
from stages.engine.on_ray import run_on_ray
from stages.engine.task import Task, Worker

ENGINES = {"local": run_local, "ray": run_on_ray}


@dataclass(frozen=True)
class Job:
    """What to make: `output` of `shards`, by a worker that `make_worker`, which is pickled, makes in its process.

    `inputs` is plain data that, with the code, decides the bytes. `join` makes one file of the shards, None leaves them
    as a folder.
    """

    output: Path
    shards: tuple[Shard, ...]
    make_worker: Callable[[], Worker]
    inputs: dict
    description: str
    unit: str
    loads_model: bool = False
    join: Join | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides the bytes."""
        ranges = [[shard.name, shard.rows] for shard in self.shards]
        return fingerprint({"inputs": self.inputs, "shards": ranges, "code": source_fingerprint()})


def backbone_inputs(entry: Backbone, root: Path) -> dict:
    """What the bytes of features depend on of a backbone: its entry and its files."""
    files = [hash_or_name(root, name) for name in (entry.architecture, entry.pretrained)]
    return {"backbone": asdict(entry), "weights": files}


def run_job(job: Job, run: Run, *, part: str | None = None) -> None:
    """Make the shards that are missing and put the whole in its place; of a `part` such as 3/64, its shards alone.

    Of several parts the one that ends last puts the whole in its place. InputError where another run is at work on it.
    """
    unfinished = Unfinished(job.output, job.fingerprint)
    wanted = job.shards if part is None else shards_of_part(job.shards, part)
    task = Task(job.make_worker, unfinished, loads_model=job.loads_model)
    with unfinished.open(part=part):
        missing = [shard for shard in wanted if not unfinished.is_done(shard)]
        samples, left = (sum(shard.samples for shard in shards) for shards in (wanted, missing))
        description = job.description if part is None else f"{job.description}, part {part}"
        options = {"total": samples, "initial": samples - left, "unit": job.unit, "desc": description}
        with tqdm(**options, disable=None) as bar:
            ENGINES[run.engine](task, missing, run, bar.update)
        if part is None:
            unfinished.finish(job.shards, join=job.join)
    if part is not None:
        _finish_where_all_are_there(job, unfinished)


def shards_of_part(shards: Sequence[Shard], part: str) -> list[Shard]:
    """The shards of part `k/n`, every n-th one from the k-th on; InputError where it is no such part."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", part)
    number, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= parts:
        raise InputError(f"--shard {shown(part)}: expected k/n with k from 1 to n, such as 3/64")
    return list(shards[number - 1 :: parts])


def _finish_where_all_are_there(job: Job, unfinished: Unfinished) -> None:
    """Put the whole in its place unless other parts are still at work: the last of them does it."""
    try:
        with unfinished.open():
            unfinished.finish(job.shards, join=job.join)
    except BusyError:
        return
