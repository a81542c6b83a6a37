"""A process that has imported every stage once and forks a child a run, so that hundreds of runs cost seconds.

First line in: the names of the stages. Then one JSON line in a run: {"stage", "arguments", "kill_after", "file_limit"},
both null where nothing is to go wrong; one out: {"status", "seconds", "stderr"}.
"""

import importlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # code that numba has compiled already; the stages run in the copy

from stages.core.cli import run_stage


def main():
    modules = {name: importlib.import_module(f"stages.{name}") for name in json.loads(sys.stdin.readline())}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(modules, **json.loads(line))), flush=True)


def _answer(modules, *, stage, arguments, kill_after, file_limit):
    begun = time.perf_counter()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        _run(modules[stage], stage, arguments, file_limit)
    os.close(writing)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with open(reading) as stderr:
        said = stderr.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"status": status, "seconds": time.perf_counter() - begun, "stderr": said}


def _run(module, stage, arguments, file_limit):
    """The stage as `python -m` runs it; never returns."""
    status = 1
    try:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        sys.argv = [stage, *arguments]
        run_stage(module.main)
        status = 0
    except SystemExit as end:
        print(end, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
