"""Means of maps nearby, as products of matrices: a CPU is slow at convolving few channels."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

_BLOCK = 64
"""Texels that one product makes, in a row of a map that is longer than a kernel."""
_REACH = 4.0
"""Standard deviations after which a Gaussian ends."""


def box_means(maps: Tensor, reach: int) -> Tensor:
    """Means over squares of 2 ``reach`` + 1 texels, as far as they lie in a map (…, h, w)."""
    down, across = (_box(size, reach, maps.device) for size in maps.shape[-2:])
    with torch.autocast(maps.device.type, enabled=False):
        return down @ maps @ across.T


def gaussian_means(maps: Tensor, spread: float) -> Tensor:
    """Gaussian means, as far as they lie in a map (…, C, h, w), of a deviation in texels."""
    kernel = gaussian(spread, maps.device)[None]
    inside = [_inside(size, spread, maps.device) for size in maps.shape[-2:]]
    means = blurred(F.pad(maps, [kernel.shape[1] // 2] * 4), kernel)
    return means / (inside[0][:, None] * inside[1])


def blurred(maps: Tensor, kernels: Tensor) -> Tensor:
    """Maps (…, C, h + n - 1, w + n - 1) beneath kernels both ways: (…, C, h, w).

    Args:
        kernels: of each channel or of all, (C or 1, n).
    """
    maps = blurred_lines(maps, kernels)
    return blurred_lines(maps.transpose(-1, -2), kernels).transpose(-1, -2)


def blurred_lines(maps: Tensor, kernels: Tensor) -> Tensor:
    """Lines of maps (…, C, h, w + n - 1) beneath kernels (C or 1, n): (…, C, h, w)."""
    bands = _bands(kernels)  # (C or 1, BLOCK + n - 1, BLOCK)
    reach = kernels.shape[1] - 1
    width = maps.shape[-1] - reach
    blocks = math.ceil(width / _BLOCK)
    maps = F.pad(maps, (0, blocks * _BLOCK - width))
    pieces = maps.unfold(-1, _BLOCK + reach, _BLOCK)  # (…, C, h, blocks, BLOCK + n - 1)
    with torch.autocast(maps.device.type, enabled=False):
        made = pieces.flatten(-3, -2) @ bands
    return made.unflatten(-2, pieces.shape[-3:-1]).flatten(-2)[..., :width]


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def gaussian(spread: float, device: torch.device) -> Tensor:
    """A Gaussian of that standard deviation that sums to 1, (n,)."""
    reach = math.ceil(_REACH * spread)
    line = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(line.square() / (-2 * spread**2))
    return (kernel / kernel.sum()).to(device)


@cache
@torch.inference_mode(False)
def _inside(size: int, spread: float, device: torch.device) -> Tensor:
    """How much of a Gaussian around each texel of a line lies on it, (size,)."""
    kernel = gaussian(spread, device)[None]
    line = F.pad(torch.ones(1, 1, size, device=device), [kernel.shape[1] // 2] * 2)
    return blurred_lines(line, kernel)[0, 0]


def _bands(kernels: Tensor) -> Tensor:
    """What pieces of lines are multiplied with, (C, BLOCK + n - 1, BLOCK)."""
    count, length = kernels.shape
    # each row of zeros that follows a kernel moves it on by one
    rows = F.pad(kernels, (0, _BLOCK)).repeat(1, _BLOCK)[:, :-_BLOCK]
    return rows.view(count, _BLOCK, _BLOCK + length - 1).transpose(1, 2)


@cache
@torch.inference_mode(False)
def _box(size: int, reach: int, device: torch.device) -> Tensor:
    """(size, size)."""
    line = torch.arange(size, device=device)
    near = ((line[:, None] - line).abs() <= reach).float()
    return near / near.sum(1, keepdim=True)
