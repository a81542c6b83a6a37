"""The whole DAG in a new checkout with tiny settings, in one process: `python tests/tiny_dag.py <folder> <traces>`.

It is a process of its own, because the workers of pytest hold threads and open files of the tests before it.
"""

import faulthandler
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkout import Checkout, commit, new_checkout
from tracing import traced

LONGEST = 400  # seconds after which the stacks of all threads are shown and the run has failed


def main(root: Path, traces: Path) -> None:
    """Run every stage and commit what they wrote; into `traces`, by stage, the files that it read and wrote."""
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    found = run_all(new_checkout(root))
    faulthandler.cancel_dump_traceback_later()
    traces.write_text(json.dumps(found))


def run_all(checkout: Checkout) -> dict[str, dict[str, list[str]]]:
    """Run every stage in this process and commit what they wrote; by stage the files that it read and wrote."""
    found = {}
    for stage in checkout.stages():
        with traced(checkout.root) as trace:
            checkout.run_stage(stage)
        found[stage.name] = {"read": sorted(trace.read), "written": sorted(trace.written)}
    checkout.commit_outputs()
    commit(checkout, "first run")
    return found


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
