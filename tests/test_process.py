"""Threads that work ahead, and memory that stays with the process."""

import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from stages.core.errors import printable
from stages.core.memory import keep_freed_memory
from stages.core.threads import map_in_threads, worked_ahead, write_behind

ROOT = Path(__file__).parents[1]
BLOCKS, BYTES = 20, 2**27
NEW_PAGES = f"""
import resource
import numpy as np
from stages.core.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def fill():
    np.ones({BYTES}, np.uint8)

keep_freed_memory() if KEPT else None
fill()
before = faults()
for _ in range({BLOCKS}):
    fill()
print(faults() - before)
"""


def new_pages(*, kept):
    """Pages that a process gets from the system when it takes, fills and frees a large block again and again."""
    code = NEW_PAGES.replace("KEPT", str(kept))
    return int(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_freed_memory_is_used_again_without_the_system():
    assert new_pages(kept=False) > BLOCKS * 2 >= new_pages(kept=True)


@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_that_are_worked_ahead_come_in_their_order(threads):
    def slow_at_first(piece):
        time.sleep(0.02 * (piece == 0))
        return piece * piece

    assert list(worked_ahead(slow_at_first, range(20), threads=threads)) == [n * n for n in range(20)]
    assert list(worked_ahead(slow_at_first, (), threads=threads)) == []


def test_an_error_comes_at_its_piece_and_no_more_is_begun_than_is_near():
    begun = []

    def work(piece):
        begun.append(piece)
        return 1 // (3 - piece)

    found = worked_ahead(work, range(1000), threads=2)
    assert [next(found) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert max(begun) <= 3 + 2 * 2


def test_the_next_piece_is_made_while_one_is_written_and_pieces_are_written_in_order():
    made, written = threading.Event(), []

    def pieces():
        yield (0,)
        made.set()
        yield from ((n,) for n in range(1, 5))

    def write(piece):
        assert made.wait(10)
        written.append(piece)

    write_behind(write, pieces())
    assert all(a < b for a, b in pairwise(written)) and len(written) == 5


def test_an_error_in_writing_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        write_behind(lambda piece: 1 // piece, ((n,) for n in (1, 0, 1)))


@pytest.mark.parametrize("threads", [None, 1, 2, 7])
def test_work_in_threads_comes_in_order(threads):
    assert list(map_in_threads(lambda n: n * n, 23, threads=threads)) == [n * n for n in range(23)]


def test_a_line_break_in_a_value_is_spelt_and_letters_are_left():
    assert printable("no such file: a\nb\x07 é") == "no such file: a\\nb\\x07 é"
