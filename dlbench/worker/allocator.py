"""What the C library does with memory that torch frees on the CPU."""

import ctypes

LIBC = ctypes.CDLL(None)
"""The C library of this process."""

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # mallopt(3)
KEPT_BYTES = 2**30
"""Free memory at the top of the heap that is kept; a step's activations are seldom more on a CPU."""

LARGE_BYTES = 2**25
"""From this size on, an allocation is a mapping of its own; glibc allows no more."""


def keep_freed_memory() -> None:
    """Let glibc keep what a training step frees for the step that follows.

    Otherwise large tensors go back to the system and come again as untouched pages, each of which costs a fault: the
    same step pays thousands of them again and again. Other C libraries are left as they are.
    """
    if hasattr(LIBC, "mallopt"):
        LIBC.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        LIBC.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        LIBC.mallopt(M_TOP_PAD, 2**26)


def give_back_freed_memory() -> None:
    """Hand free memory back to the system, so that it does not count as in use."""
    if hasattr(LIBC, "malloc_trim"):
        LIBC.malloc_trim(0)
