"""Fixtures of all tests."""

import fcntl
import json
import os

import pytest
from checkout import Checkout, commit, new_checkout


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Checkout:
    """A checkout with tiny settings in which the DAG has run and its result is committed; copy it to change it.

    All of pytest-xdist's workers share one: the first makes it while the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, first_run = shared / "tiny", shared / "first_run.json"
    with (shared / "tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not first_run.exists():
            checkout = new_checkout(root)
            names = checkout.repro()
            commit(checkout, "first run")
            first_run.write_text(json.dumps(names))
    checkout = Checkout(root)
    checkout.first_run = json.loads(first_run.read_text())
    return checkout
