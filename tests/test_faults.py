"""A stage that is killed, has no disk left or may not write loses nothing: the next run ends in the same bytes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checkout import contents

ROUNDS = 10
KEPT = ("reports/seconds", "prompts/recorded")  # clock readings; what DVC does not remove before it runs a stage
STAGES = (
    "download",
    "generate",
    "render",
    "extract",
    "embed",
    "search",
    "train",
    "evaluate",
    "patches",
    "segment",
    "detect",
    "report",
)


class Zygote:
    """Runs stages in children of one process that has imported them all."""

    def __init__(self, checkout):
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("zygote.py")],
            cwd=checkout.root,
            env=checkout.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._ask(STAGES) == "ready"

    def run(self, stage, arguments, *, kill_after=None, file_limit=None):
        """Exit status (negative: the signal), seconds and what was printed of one run."""
        return self._ask({"stage": stage, "arguments": arguments, "kill_after": kill_after, "file_limit": file_limit})

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, message):
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """A finished run, to be broken."""
    return tiny.copy(tmp_path_factory.mktemp("faults") / "copy")


@pytest.fixture(scope="module")
def runs(whole):
    """(arguments, outputs) of the first run of every stage."""
    found = {}
    for stage in whole.locked().values():
        _, _, module, *arguments = stage["cmd"].split()
        outs = [out["path"] for out in stage["outs"] if not out["path"].startswith(KEPT)]
        found.setdefault(module.removeprefix("stages."), (arguments, outs))
    assert set(found) == set(STAGES)
    return found


@pytest.fixture(scope="module")
def zygote(whole):
    process = Zygote(whole)
    yield process
    process.close()


def clear(root, paths):
    """Remove outputs as DVC does before it runs a stage."""
    for path in paths:
        target = root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)


def partial_files(root):
    """What an unfinished writer has left."""
    return [path for folder in ("data", "reports", "prompts") for path in (root / folder).rglob("*.partial")]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_at_any_moment_ends_in_the_same_bytes_when_it_runs_again(stage, whole, runs, zygote):
    rng, (arguments, outs) = np.random.default_rng(STAGES.index(stage)), runs[stage]
    undisturbed = contents(whole.root, outs)
    seconds, killed = zygote.run(stage, arguments)["seconds"], 0
    while killed < ROUNDS:
        clear(whole.root, outs)
        if zygote.run(stage, arguments, kill_after=rng.uniform(0, seconds))["status"] == 0:
            continue  # it ended before
        killed += 1
        assert contents(whole.root, outs).items() <= undisturbed.items()
        again = zygote.run(stage, arguments)
        assert again["status"] == 0, again["stderr"]
        assert contents(whole.root, outs) == undisturbed
        assert partial_files(whole.root) == []
        seconds = again["seconds"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_one_line_and_loses_nothing(stage, whole, runs, zygote):
    arguments, outs = runs[stage]
    before = contents(whole.root, outs)
    done = zygote.run(stage, arguments, file_limit=512)
    assert done["status"] == 1
    assert [line.startswith("error: ") for line in done["stderr"].splitlines()] == [True], done["stderr"]
    assert "File too large" in done["stderr"]
    assert contents(whole.root, outs) == before
    assert partial_files(whole.root) == []


def test_a_folder_that_may_not_be_written_is_one_line(whole, runs):
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv: root may write everywhere, and it takes that right away")
    (arguments, outs), folder = runs["download"], whole.root / "data/points"
    before = contents(whole.root, outs)
    folder.chmod(0o555)
    try:
        unprivileged = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
        done = whole.run(*unprivileged, sys.executable, "-m", "stages.download", *arguments, check=False)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: data/points/") and "Permission denied" in done.stderr
    assert contents(whole.root, outs) == before


def test_dvc_finds_everything_as_it_was(whole):
    assert whole.repro() == []
