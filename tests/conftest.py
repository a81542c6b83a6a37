"""Fixtures of all tests, and what they have in common: one thread a worker, one cache of compiled code a session."""

import fcntl
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports numpy or torch
os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(tempfile.gettempdir(), f"stages_numba_{os.getuid()}"))

import pytest
from checkout import Checkout


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Checkout:
    """A checkout with tiny settings in which the DAG has run and its result is committed; copy it to change it.

    All of pytest-xdist's workers share one: the first makes it while the others wait. `tiny.traces` holds what every
    stage read and wrote.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, traces = shared / "tiny", shared / "traces.json"
    with (shared / "tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not traces.exists():
            command = [sys.executable, Path(__file__).with_name("tiny_dag.py"), root, traces]
            done = subprocess.run(command, text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr[-3000:]
    checkout = Checkout(root)
    checkout.traces = json.loads(traces.read_text())
    return checkout


@pytest.fixture
def pointclip(capsys, monkeypatch):
    """Run the command in this process; its exit status, what it printed, and the lines on stderr without warnings."""
    from stages.commands.pointclip.main import main

    def run(*arguments, given=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        try:
            main([*map(str, arguments)])
            status = 0
        except SystemExit as ended:
            status = ended.code
        said = capsys.readouterr()
        lines = [
            line for line in said.err.splitlines() if not line.startswith(("warning: backbone", "note: compiling"))
        ]
        return status, said.out, [*lines, *([status] if isinstance(status, str) else [])]

    return run
