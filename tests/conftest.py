"""Fixtures of all tests, and what they have in common: one thread a worker, one cache of compiled code a session."""

import fcntl
import json
import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports numpy or torch
os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(tempfile.gettempdir(), f"stages_numba_{os.getuid()}"))

import pytest
from checkout import Checkout, commit, new_checkout
from tracing import traced


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
            found = _run_all(new_checkout(root))
            traces.write_text(json.dumps(found))
    checkout = Checkout(root)
    checkout.traces = json.loads(traces.read_text())
    return checkout


def _run_all(checkout: Checkout) -> dict[str, dict[str, list[str]]]:
    """Run every stage in this process and commit what they wrote; by stage the files that it read and wrote."""
    found = {}
    for stage in checkout.stages():
        with traced(checkout.root) as trace:
            checkout.run_stage(stage)
        found[stage.name] = {"read": sorted(trace.read), "written": sorted(trace.written)}
    checkout.commit_outputs()
    commit(checkout, "first run")
    return found
