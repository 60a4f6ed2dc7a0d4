"""How a process that trains uses threads, memory and small numbers."""

from __future__ import annotations

import ctypes
import platform

import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def set_up(threads: int) -> None:
    """Make this process one that trains, with so many CPU threads."""
    keep_heap()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # the tails of the shells are denormal, and ten times slower


def keep_heap() -> bool:
    """Make glibc keep freed memory instead of handing it back to the system.

    By default every large temporary is mapped afresh and faulted in page by page, which doubled the
    time of a training step here. Only for a process that trains: its memory never shrinks.

    Returns:
        Whether the allocator took the settings (it does on Linux with glibc).
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 256 * 2**20}
    return all(mallopt(name, value) == 1 for name, value in settings.items())
