"""Memory that the process has freed, returned to the system."""

from __future__ import annotations

import gc


def trim_memory() -> bool:
    """Return free memory to the system, where glibc can: see malloc_trim(3)."""
    import ctypes  # here, since it takes memory that few services need

    # This also empties Python's lists of freed objects, such as thousands of tuples, any of which
    # keeps the memory round it from the system.
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
