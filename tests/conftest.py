"""Fixtures of all tests."""

import pytest
from checkout import Checkout, commit, new_checkout


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Checkout:
    """A checkout with tiny settings in which the DAG has run and its result is committed; copy it to change it."""
    checkout = new_checkout(tmp_path_factory.mktemp("tiny") / "checkout")
    checkout.first_run = checkout.repro()
    commit(checkout, "first run")
    return checkout
