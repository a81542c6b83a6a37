"""The repository as the tests copy it, with tiny settings; stages run in this process, commands as a user runs them."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml
from dvc.repo import Repo

from stages.config.params import set_key

ROOT = Path(__file__).parents[1]
TOP = (
    "stages",
    "prompts",
    "data/bundled",
    "data/weights",
    "reports/experiments",
    "reports/published.yaml",
    "dvc.yaml",
    "params.yaml",
    "pyproject.toml",
    ".dvcignore",
    ".gitignore",
)
TINY = ROOT / "tests/tiny.yaml"  # key of params.yaml -> value: settings that make every stage small


class Stage(NamedTuple):
    """A stage of dvc.yaml for one dataset and backbone: its module's name, arguments, and paths below the root."""

    name: str
    module: str
    arguments: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]


class Checkout:
    """A fresh clone's worth of files in `root`."""

    def __init__(self, root: Path):
        self.root = root

    def stages(self) -> list[Stage]:
        """The selected stages that are not frozen, each after those that it depends on."""
        with Repo(str(self.root)) as repo:
            waiting = [_stage(stage) for stage in repo.index.stages if not stage.frozen]
        ordered = []
        while waiting:
            unmade = [out for stage in waiting for out in stage.outs]
            ready = next(stage for stage in waiting if not any(overlap(d, out) for d in stage.deps for out in unmade))
            waiting.remove(ready)
            ordered.append(ready)
        return ordered

    def run_stage(self, stage: Stage) -> None:
        """Run one stage in this process."""
        importlib.import_module(stage.module).main(*stage.arguments, root=self.root)

    def commit_outputs(self) -> None:
        """Tell DVC that all outputs are what its stages made."""
        self.run("dvc", "commit", "--force")

    def environment(self) -> dict[str, str]:
        """This process's variables with this Python's programs first on PATH."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run `command` to its end."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(), text=True, capture_output=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *command: str) -> subprocess.Popen:
        """Start `command` as `run` does, in a process group of its own, without waiting for it."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=self.root, env=self.environment(), start_new_session=True, **quiet)

    def python(self, module: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run `python -m <module> ...`; the caller looks at how it ended."""
        return self.run(sys.executable, "-m", module, *arguments, check=False)

    def repro(self, *options: str) -> list[str]:
        """`dvc repro`; names of the stages that really ran, in order."""
        return ran(self.run("dvc", "repro", *options))

    def would_run(self) -> list[str]:
        """Names of the stages that `dvc repro` would run, those that wait for another's output included."""
        return ran(self.run("dvc", "repro", "--dry"))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, by `new` in a file."""
        text = (self.root / file).read_text()
        assert old in text, f"{file} has no '{old}'"
        (self.root / file).write_text(text.replace(old, new, 1))

    def set_params(self, values: dict[str, object]) -> None:
        """Set keys of params.yaml by their full names."""
        path = self.root / "params.yaml"
        document = yaml.safe_load(path.read_text())
        for key, value in values.items():
            set_key(document, key, value, source=str(path))
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def copy(self, root: Path) -> "Checkout":
        """The same files, cache and history at another place."""
        shutil.copytree(self.root, root, symlinks=True)
        return Checkout(root)


def ran(done: subprocess.CompletedProcess) -> list[str]:
    """Names of the stages that DVC says it ran."""
    return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]


def contents(root: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """Bytes of every file at or below `paths`, by its path; not those of hidden partial files."""
    below = [file for path in paths for file in [root / path, *(root / path).rglob("*")]]
    seen = (file for file in below if file.is_file() and not file.name.startswith("."))
    return {str(file.relative_to(root)): file.read_bytes() for file in seen}


def new_checkout(root: Path) -> Checkout:
    """The repository's files in an empty folder, with settings that make every stage small, committed to git."""
    for name in TOP:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    checkout = Checkout(root)
    checkout.set_params(yaml.safe_load(TINY.read_text()))
    checkout.run("git", "init", "-q")
    checkout.run("git", "config", "user.name", "tests")
    checkout.run("git", "config", "user.email", "tests@example.org")
    checkout.run("dvc", "init", "-q")
    shutil.copy(ROOT / ".dvcignore", root / ".dvcignore")
    checkout.run("dvc", "config", "core.analytics", "false")
    commit(checkout, "tiny settings")
    return checkout


def commit(checkout: Checkout, message: str) -> None:
    """Commit everything."""
    checkout.run("git", "add", "-A")
    checkout.run("git", "commit", "-qm", message)


def _stage(stage) -> Stage:
    _, _, module, *arguments = stage.cmd.split()
    deps, outs = (tuple(str(item.def_path) for item in items) for items in (stage.deps, stage.outs))
    return Stage(stage.name, module, tuple(arguments), deps, outs)


def overlap(first: str, second: str) -> bool:
    """Whether one of two paths lies at or below the other."""
    a, b = Path(first), Path(second)
    return a == b or a in b.parents or b in a.parents
