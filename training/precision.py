"""In which precision a training step multiplies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.device import cpu_has_bfloat16

_float32_only = False


def mixed(device: str) -> torch.autocast:
    """bfloat16 products inside, where the device has them in hardware; float32 elsewhere.

    Emulated, they would be slower than float32.

    Args:
        device: kind of the device, "cpu" or "cuda".
    """
    hardware = device != "cpu" or cpu_has_bfloat16()
    return torch.autocast(device, torch.bfloat16, enabled=hardware and not _float32_only)


@contextmanager
def float32_only() -> Iterator[None]:
    """Multiply in float32 everywhere inside: what a plain step is measured with."""
    global _float32_only
    before, _float32_only = _float32_only, True
    try:
        yield
    finally:
        _float32_only = before
