"""How this process asks the operating system for memory."""

import ctypes
import os

# Settings of glibc's malloc.h: how much may lie free at the heap's end, by how much it grows, and from which size on a
# block is apart from it.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
ALL, TOP_PAD = 2**31 - 1, 2**28  # bytes


def keep_freed_memory() -> bool:
    """Let freed blocks stay with this process, however large; False where its C library is not glibc.

    A training step takes and frees gigabytes. With glibc's defaults they go back to the system every time, and a third
    of a step is spent on getting empty pages anew.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if not hasattr(library, "mallopt"):
        return False
    settings = {M_MMAP_THRESHOLD: ALL, M_TRIM_THRESHOLD: ALL, M_TOP_PAD: TOP_PAD}
    return all(library.mallopt(name, value) for name, value in settings.items())
