"""Where the model runs and in which precision."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .errors import PortraitError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def present_devices() -> list[str]:
    """Kinds of devices that torch can use here, GPUs first."""
    kinds: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    return [kind for kind, there in kinds.items() if there()]


def choose_device(name: str) -> torch.device:
    """The device called ``name``; "auto" takes a GPU where torch finds one.

    Raises:
        PortraitError: the device does not exist here.
    """
    present = present_devices()
    if name == "auto":
        return torch.device(present[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    there = device is not None and device.type in present
    if device is not None and there and device.type == "cuda" and device.index is not None:
        there = device.index < torch.cuda.device_count()
    if device is None or not there:
        raise PortraitError(
            "There is no device {0!r} here; there is: {1}.", name, ", ".join(present)
        )
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """The precision called ``name``; "auto" takes the fastest that the device has in hardware.

    Raises:
        PortraitError: there is no such precision.
    """
    if name != "auto":
        if name not in PRECISIONS:
            raise PortraitError(
                "There is no precision {0!r}; choose {1}.", name, ", ".join(PRECISIONS)
            )
        return name
    if device.type == "cpu":
        return "bfloat16" if cpu_has_bfloat16() else "float32"
    return "float16"


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AMX or AVX-512 BF16)."""
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
