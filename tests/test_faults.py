"""A stage that is stopped, has no disk left or may not write loses nothing: the next run ends in the same bytes.

Stopping is played twice: at the moment a file would be put in place, in this process, and (slow) by SIGKILL at random.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checkout import contents

ROUNDS = 10
KEPT = "prompts/recorded"  # what DVC does not remove before it runs a stage
STAGES = (
    "download",
    "weights",
    "generate",
    "render",
    "extract",
    "embed",
    "search",
    "evaluate",
    "train",
    "evaluate_fewshot",
    "patches",
    "segment",
    "detect",
    "examples",
    "report",
)


class Stopped(BaseException):
    """The process ends here, as far as the code under test can tell."""


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
def firsts(whole):
    """The first run of every stage."""
    found = {}
    for stage in whole.stages():
        found.setdefault(stage.module.removeprefix("stages."), stage)
    assert set(found) == set(STAGES)
    return found


@pytest.fixture(scope="module")
def zygote(whole):
    process = Zygote(whole)
    yield process
    process.close()


def outputs(stage):
    """Paths that DVC removes before it runs a stage."""
    return [out for out in stage.outs if not out.startswith(KEPT)]


def clear(root, paths):
    """Remove outputs as DVC does before it runs a stage."""
    for path in paths:
        target = root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)


def partial_files(root):
    """What an unfinished writer has left."""
    return [path for folder in ("data", "reports", "prompts") for path in (root / folder).rglob("*.partial")]


def stopped_at(call, patch):
    """Let `os.replace` stop the process at its call of that number; the list counts the calls."""
    calls, replace = [], os.replace

    def counted(*arguments, **options):
        calls.append(arguments)
        if len(calls) - 1 == call:
            raise Stopped
        return replace(*arguments, **options)

    patch.setattr(os, "replace", counted)
    return calls


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_stopped_before_a_file_is_in_place_ends_in_the_same_bytes_when_it_runs_again(name, whole, firsts):
    stage = firsts[name]
    outs = outputs(stage)
    undisturbed = contents(whole.root, outs)
    clear(whole.root, outs)
    with pytest.MonkeyPatch.context() as patch:
        calls = stopped_at(None, patch)
        whole.run_stage(stage)
    assert contents(whole.root, outs) == undisturbed
    for call in sorted({0, len(calls) - 1}):
        clear(whole.root, outs)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
            stopped_at(call, patch)
            whole.run_stage(stage)
        assert contents(whole.root, outs).items() <= undisturbed.items()
        whole.run_stage(stage)
        assert contents(whole.root, outs) == undisturbed
        assert partial_files(whole.root) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_a_stage_killed_at_any_moment_ends_in_the_same_bytes_when_it_runs_again(name, whole, firsts, zygote):
    rng, stage = np.random.default_rng(STAGES.index(name)), firsts[name]
    outs = outputs(stage)
    undisturbed = contents(whole.root, outs)
    seconds, killed = zygote.run(name, stage.arguments)["seconds"], 0
    while killed < ROUNDS:
        clear(whole.root, outs)
        if zygote.run(name, stage.arguments, kill_after=rng.uniform(0, seconds))["status"] == 0:
            continue  # it ended before
        killed += 1
        assert contents(whole.root, outs).items() <= undisturbed.items()
        again = zygote.run(name, stage.arguments)
        assert again["status"] == 0, again["stderr"]
        assert contents(whole.root, outs) == undisturbed
        assert partial_files(whole.root) == []
        seconds = again["seconds"]


@pytest.mark.parametrize("name", STAGES)
def test_a_full_disk_is_one_line_and_loses_nothing(name, whole, firsts, zygote):
    stage = firsts[name]
    before = contents(whole.root, outputs(stage))
    done = zygote.run(name, stage.arguments, file_limit=16 if name == "weights" else 512)
    assert done["status"] == 1
    said = [line for line in done["stderr"].splitlines() if not line.startswith("warning: ")]  # of unknown words
    assert [line.startswith("error: ") for line in said] == [True], done["stderr"]
    assert "File too large" in done["stderr"]
    assert contents(whole.root, outputs(stage)) == before
    assert partial_files(whole.root) == []


def test_a_folder_that_may_not_be_written_is_one_line(whole, firsts):
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv: root may write everywhere, and it takes that right away")
    stage, folder = firsts["download"], whole.root / "data/points"
    before = contents(whole.root, outputs(stage))
    folder.chmod(0o555)
    try:
        unprivileged = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
        done = whole.run(*unprivileged, sys.executable, "-m", stage.module, *stage.arguments, check=False)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: data/points/") and "Permission denied" in done.stderr
    assert contents(whole.root, outputs(stage)) == before


def test_dvc_finds_everything_as_it_was(whole):
    assert whole.repro() == []
