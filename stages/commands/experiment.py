"""A DVC experiment: runs stages under other values of params.yaml and gives what they wrote."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dvc.api
from dvc.exceptions import DvcException

from stages.core.errors import InputError, one_line

DVC = (sys.executable, "-m", "dvc")


def experiment_name(name: str, *, root: Path = Path()) -> str:
    """`name` with the commit that is checked out: the name alone may be that of an experiment on another commit."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=root
    )
    if done.returncode:
        raise InputError(
            f"{root.resolve()}: no git commit, which an experiment starts from; {' '.join(done.stderr.split())}"
        )
    return f"{name}-{done.stdout.strip()}"


def run_experiment(name: str, overrides: Mapping[str, object], *options: str, root: Path = Path()) -> None:
    """`dvc exp run` with `overrides` (full key -> value) set, in place of an older experiment of that name."""
    # --force would replace it too, but run every stage again, from the download on
    subprocess.run([*DVC, "exp", "remove", name], capture_output=True, check=False, cwd=root)
    sets = [
        f"--set-param={key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in overrides.items()
    ]
    run_dvc("exp", "run", "--name", name, *sets, *options, root=root)


def run_dvc(*arguments: str, root: Path = Path()) -> None:
    """Run DVC, whose stages then take this Python; InputError where it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if subprocess.run([*DVC, *arguments], env=os.environ | {"PATH": path}, check=False, cwd=root).returncode:
        raise InputError(f"dvc {' '.join(arguments[:4])}: failed; its output is above")


def read_output(experiment: str, path: Path, *, root: Path = Path()) -> dict:
    """The JSON document that the experiment wrote to `path`, which is relative to `root`."""
    try:
        return json.loads(dvc.api.read(path.as_posix(), repo=str(root), rev=experiment))
    except (DvcException, OSError) as error:
        raise InputError(f"{path}: not in experiment {experiment} ({one_line(error)})") from error
