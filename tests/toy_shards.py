"""A job of shards of numbers, whose workers can be slow or end: `python tests/toy_shards.py <folder> key=value...`.

Keys are those of `run` in params.yaml, and `part`, `seconds` that every shard after the third takes, and `ends`: the
shard whose process is killed when it is first made. `log` in the folder has a line for every shard that was begun.
"""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from stages.artifacts.hdf5 import new_h5
from stages.artifacts.shards import cut
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.engine.jobs import Job, run_job

ROOT = Path(__file__).parents[1]
COUNTS = {"test": 13, "train": 27}


class Toy:
    """Writes the number of every row, and of its split."""

    def __init__(self, folder, seconds, ends):
        self._folder, self._seconds, self._ends = folder, seconds, ends

    def __call__(self, shard, path, report):
        with (self._folder / "log").open("a") as log:
            log.write(f"{shard.name}\n")
        time.sleep(self._seconds * (shard.name > "00002.h5"))
        if shard.name == self._ends and not (self._folder / "ended").exists():
            (self._folder / "ended").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self._ends == "wrong input":
            raise InputError(f"{shard.name}: wrong")
        with new_h5(path, classes=["a"]) as file:
            for split, rows in shard.rows.items():
                file.create_dataset(f"{split}/numbers", data=np.arange(*rows) + 100 * list(COUNTS).index(split))
        report(shard.samples)


def job(folder, *, shard_samples=4, seconds=0.0, ends=None, loads_model=False, inputs="some"):
    """The job that makes folder/out."""
    make_worker = partial(Toy, folder, seconds, ends)
    shards, said = cut(COUNTS, shard_samples), {"description": "toy", "unit": "row", "loads_model": loads_model}
    return Job(folder / "out", shards, make_worker, {"inputs": inputs}, **said)


def settings(**changes):
    """The section `run` with changes."""
    return load_params(ROOT, overrides={f"run.{key}": value for key, value in changes.items()}).run


def main(folder, *arguments):
    """Run the job as the arguments say."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    given = {key: yaml.safe_load(value) for key, value in given.items() if key != "part"} | (
        {"part": given["part"]} if "part" in given else {}
    )
    part = given.pop("part", None)
    changes = {key: given.pop(key) for key in ("engine", "workers", "address") if key in given}
    try:
        run_job(job(Path(folder), **given), settings(**changes), part=part)
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    from toy_shards import main as importable  # other processes find its classes under this module's name

    importable(*sys.argv[1:])
