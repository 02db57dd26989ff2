"""The memory of a process that answers while it loads another model."""

import ctypes
import gc
from contextlib import suppress


def trim_memory() -> None:
    """Return what has been freed to the system: the C library would keep most of a model's size."""
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def keep_loaded() -> None:
    """Spare the garbage collector what a model brings, whose objects stay: hundreds of thousands.

    Going through these takes a third of a second, in which no other thread runs.
    """
    gc.collect()
    gc.freeze()
    trim_memory()
