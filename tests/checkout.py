"""The repository as the tests copy it, and commands run in a copy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TOP = (
    "stages",
    "prompts",
    "data/bundled",
    "reports/experiments",
    "reports/published.yaml",
    "dvc.yaml",
    "dvc.lock",
    "params.yaml",
    "pyproject.toml",
    ".dvcignore",
    ".gitignore",
)
TINY = (
    ("max_samples: null", "max_samples: 8"),
    ("max_scans: null", "max_scans: 1"),
    ("    - llm_1200\n    - llm_four\n    - llm_four_images\n    - llm_one_v1_images\n", "    - llm_four\n"),
    ("    - depth_80\n    - v2_few_shot\n    - llm_four\n    - llm_1200\n    - waffle", "    - llm_four\n    - waffle"),
    ("    - depth_80\n    - llm_1200\n  start", "    - llm_four\n  start"),
    ("    llm_four: llm_four\n    llm_1200: llm_1200\n", "    llm_four: llm_four\n"),
    ("    - parts\n    - llm_1200\n", "    - parts\n    - llm_four\n"),
    (
        "    - adapter\n    - tip_adapter\n    - tip_adapter_f\n    - linear_probe\n",
        "    - adapter\n    - tip_adapter\n",
    ),
    ("    - 2\n    - 4\n    - 8\n    - 16\n    - 32\n", ""),
    ("    - 0\n    - 1\n    - 2\n", "    - 0\n"),
    ("validation_fraction: 0.25", "validation_fraction: 0.5"),
    ("  epochs: null", "  epochs: 2"),
    ("resolution: 224  # pixels", "resolution: 64  # pixels"),
    ("  sweeps: 2", "  sweeps: 1"),
    ("  folds: 5", "  folds: 2"),
    ("bootstrap_samples: 2000", "bootstrap_samples: 100"),
    ("sheet_objects: 9", "sheet_objects: 2"),
    ("projection_objects: 4", "projection_objects: 2"),
)  # params.yaml's lines that make every stage small

FEW_SHAPES = {"seed": 1, "points": 512, "splits": {"train": 1, "val": 1, "test": 1}}  # of every category


class Checkout:
    """A fresh clone's worth of files in `root`, with commands that run there as a user would run them."""

    def __init__(self, root: Path):
        self.root = root

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

    def stage(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run `python -m stages.<...>`; the caller looks at how it ended."""
        return self.run(sys.executable, "-m", *arguments, check=False)

    def repro(self, *options: str) -> list[str]:
        """`dvc repro`; names of the stages that really ran, in order."""
        return ran(self.run("dvc", "repro", *options))

    def locked(self) -> dict[str, dict]:
        """What dvc.lock holds of every stage that is not frozen, by the stage's name."""
        stages = yaml.safe_load((self.root / "dvc.lock").read_text())["stages"]
        return {name: stage for name, stage in stages.items() if not name.startswith("pretrain")}

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, by `new` in a file."""
        text = (self.root / file).read_text()
        assert old in text, f"{file} has no '{old}'"
        (self.root / file).write_text(text.replace(old, new, 1))

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
            # numba's caches come along, since compiling takes half a minute
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.pyc*", "*.tmp.*"))
        else:
            shutil.copy(source, target)
    checkout = Checkout(root)
    for old, new in TINY:
        checkout.edit("params.yaml", old, new)
    (root / "data/bundled/procedural_parts.json").write_text(json.dumps(FEW_SHAPES))
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
