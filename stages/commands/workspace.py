"""A copy of the project in a hidden folder, where the DAG runs under other values of params.yaml.

The checkout's own params.yaml, artifacts and reports stay as they are, and git is not needed. DVC's cache is shared: a
stage that ran with the same inputs, here or there, is not run again.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from dvc.repo import Repo
from filelock import FileLock, Timeout

from stages.artifacts.files import read_json, write_text
from stages.artifacts.paths import Paths
from stages.config.params import load_document, load_params, set_key
from stages.core.errors import InputError
from stages.core.yaml import parse_yaml

FOLDER = ".runs"  # below the project's root; git and DVC ignore it
COPIED = ("stages", "prompts", "data/bundled", "dvc.yaml", "reports/published.yaml", ".dvcignore")
LINKED = ("data/raw", "data/weights")  # large, and put there by hand
RECORDS, LOCK = "prompts/recorded", "data/archives.lock"  # what a run may add to
DVC = ("-m", "dvc")
CONFIG = """[core]
    no_scm = True
    analytics = false
    check_update = false
[cache]
    dir = {cache}
    type = "reflink,hardlink,copy"
"""


class Workspace:
    """The copy of `root` at `root`/.runs/`name`; `overrides` (full key -> value) are what its params.yaml sets."""

    def __init__(self, root: Path, name: str):
        self.root, self.folder = root.resolve(), root.resolve() / FOLDER / name
        self.overrides: dict[str, object] = {}

    @property
    def paths(self) -> Paths:
        """Where the workspace's artifacts lie."""
        return Paths(self.folder)

    def set_params(self, overrides: Mapping[str, object]) -> None:
        """Write params.yaml anew: the checkout's with `overrides`; paths of the user's own become absolute."""
        self.overrides = dict(overrides)
        load_params(self.root, overrides=overrides)  # so that what is wrong is told before anything runs
        document = load_document(self.root)
        for key, value in overrides.items():
            set_key(document, key, value, source=str(self.root / "params.yaml"))
        for owner, key in [(entry, "path") for entry in document["dataset"].values()] + [
            (document["generate"]["corpora"], "folder")
        ]:
            if owner.get(key) and not owner[key].startswith(("data/bundled", *LINKED)):
                owner[key] = str(self.root / owner[key])
        text = yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False, allow_unicode=True)
        path = self.folder / "params.yaml"
        if not path.is_file() or path.read_text() != text:
            write_text(path, text)

    def repro(self, *arguments: str) -> None:
        """`dvc repro` in the workspace, whose stages take this Python; InputError where it fails."""
        done = self._dvc(*arguments)
        if done.returncode:
            raise InputError(f"{self.folder}: dvc repro {' '.join(arguments[:4])}: failed; its output is above")

    def repro_quietly(self, *arguments: str) -> str | None:
        """The same without its output; what the failing stage said, or None where all went well."""
        done = self._dvc(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if not done.returncode:
            return None
        said = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]
        return said[0] if said else " ".join(done.stderr.split())[-300:]

    def stages(self, *, without: str) -> list[str]:
        """Names of the stages that params.yaml selects something for, but `without`, as DVC finds them in dvc.yaml."""
        with Repo(str(self.folder)) as repo:
            found = [stage.name.partition("@")[0] for stage in repo.index.stages if not stage.frozen]
        return [name for name in dict.fromkeys(found) if name != without]

    def state(self) -> str:
        """A hash of what all stages but the report's last ran with and gave: equal where nothing would run again."""
        lock = self.folder / "dvc.lock"
        ran = parse_yaml(lock.read_text(), source=str(lock))["stages"] if lock.is_file() else {}
        ran = {name: entry for name, entry in sorted(ran.items()) if name != "report"}
        return hashlib.sha256(json.dumps(ran, sort_keys=True).encode()).hexdigest()

    def read(self, path: Path) -> dict:
        """The JSON document at `path`, which is relative to the workspace."""
        return read_json(self.folder / path)

    def keep(self) -> None:
        """Copy back to the checkout the language model's answers, which may have cost money, and the fetched hashes."""
        for path in (self.folder / LOCK, *sorted((self.folder / RECORDS).glob("*.jsonl"))):
            if path.is_file() and path.stat().st_size:
                _copy(path, self.root / path.relative_to(self.folder))

    def _dvc(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command = [sys.executable, *DVC, "repro", *arguments]
        return run_together(command, env=os.environ | {"PATH": path}, cwd=self.folder, **options)


@contextmanager
def workspace(root: Path, name: str) -> Iterator[Workspace]:
    """The workspace `name` with the checkout's present sources; InputError where another run is using it.

    Its artifacts, and a record of answers that it already has, stay as they are.
    """
    made = Workspace(root, name)
    made.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{made.folder}.lock", timeout=0):
            _copy_sources(made)
            try:
                yield made
            finally:
                made.keep()
    except Timeout as error:
        raise InputError(f"{made.folder}: another run is using it") from error


def run_together(command: list[str], **options) -> subprocess.CompletedProcess:
    """Run a command that ends with this process, with all that it started, even where this one is killed.

    A shell waits for the end of a pipe, which comes when nothing holds the other end any more.
    """
    with subprocess.Popen(command, process_group=0, **options) as process:
        watch = ["sh", "-c", 'read -r _; kill -s KILL -- "-$1"', "sh", str(process.pid)]
        with subprocess.Popen(watch, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0) as watching:
            try:
                said = process.communicate()
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
            finally:
                watching.kill()
    return subprocess.CompletedProcess(command, process.returncode, *said)


def bytes_below(folder: Path) -> int:
    """Bytes of all files below `folder`, links left out; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _copy_sources(made: Workspace) -> None:
    root, folder = made.root, made.folder
    for name in COPIED:
        _copy(root / name, folder / name)
    if (root / LOCK).is_file():
        _copy(root / LOCK, folder / LOCK)
    for source in sorted((root / RECORDS).glob("*.jsonl*")):
        if not (folder / RECORDS / source.name).exists():
            (folder / RECORDS).mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / RECORDS / source.name)
    if not (folder / "reports/experiments").exists():
        shutil.copytree(root / "reports/experiments", folder / "reports/experiments")
    for name in LINKED:
        (root / name).mkdir(parents=True, exist_ok=True)
        if not (folder / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(root / name, target_is_directory=True)
    (folder / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    write_text(folder / ".dvc/config", CONFIG.format(cache=root / ".dvc/cache"))
    _make_folders(folder)
    _drop_cut_lock(folder / "dvc.lock")


def _copy(source: Path, target: Path) -> None:
    """Make `target` a copy of a file or folder; files that are as they were are left alone, others go."""
    if source.is_file():
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        return
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.parent.name != "recorded"
    }
    for path in wanted:
        _copy(source / path, target / path)
    for path in list(target.rglob("*")):
        if path.is_file() and path.parent.name != "recorded" and path.relative_to(target) not in wanted:
            path.unlink()


def _make_folders(folder: Path) -> None:
    """The folders that stages depend on must be there, whether a stage of the selection writes into them or not."""
    for stage in parse_yaml((folder / "dvc.yaml").read_text(), source="dvc.yaml")["stages"].values():
        for name in stage["deps"]:
            if name.startswith(("data/", "reports/")) and "$" not in name and not Path(name).suffix:
                (folder / name).mkdir(parents=True, exist_ok=True)


def _drop_cut_lock(lock: Path) -> None:
    """A run that was killed while DVC wrote dvc.lock left half of it; the cache has what it knew."""
    with suppress(FileNotFoundError):
        try:
            whole = isinstance(parse_yaml(lock.read_text(), source=str(lock)).get("stages"), dict)
        except (InputError, AttributeError):
            whole = False
        if not whole:
            lock.unlink()
