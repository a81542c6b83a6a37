"""The repository as the tests copy it, and commands run in a copy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOP = (
    "stages",
    "prompts",
    "data/bundled",
    "reports/experiments",
    "dvc.yaml",
    "dvc.lock",
    "params.yaml",
    "pyproject.toml",
    ".dvcignore",
    ".gitignore",
)


class Checkout:
    """A fresh clone's worth of files in `root`, with commands that run there as a user would run them."""

    def __init__(self, root: Path):
        self.root = root

    def environment(self) -> dict[str, str]:
        """This process's variables with this Python's programs first on PATH."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return os.environ | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run `command` to its end."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(), text=True, capture_output=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *command: str) -> subprocess.Popen:
        """Start `command` as `run` does, without waiting for it."""
        return subprocess.Popen(
            command, cwd=self.root, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stage(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run `python -m stages.<...>`; the caller looks at how it ended."""
        return self.run(sys.executable, "-m", *arguments, check=False)

    def repro(self) -> list[str]:
        """`dvc repro`; names of the stages that really ran, in order."""
        lines = self.run("dvc", "repro").stdout.splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, by `new` in a file."""
        text = (self.root / file).read_text()
        assert old in text, f"{file} has no '{old}'"
        (self.root / file).write_text(text.replace(old, new, 1))

    def copy(self, root: Path) -> "Checkout":
        """The same files, cache and history at another place."""
        shutil.copytree(self.root, root, symlinks=True)
        return Checkout(root)


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
    checkout.edit("params.yaml", "max_samples: null", "max_samples: 24")
    checkout.edit("params.yaml", "sheet_objects: 8", "sheet_objects: 2")
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
