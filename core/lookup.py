"""Bilinear lookups in maps, of one picture with all threads."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST_PLACES = 4096
"""Of a lookup that more than one thread is worth."""


def lookup(maps: Tensor, grid: Tensor, *, repeat_border: bool = False) -> Tensor:
    """``F.grid_sample``: what maps show at some places, (B, C, H, W).

    Args:
        maps: of each picture, or of one for all, (B or 1, C, h, w).
        grid: where, in [-1, 1], (B, H, W, 2).
        repeat_border: outside of the maps; there is nothing if not.
    """
    batch, height, width, _ = grid.shape
    padding = "border" if repeat_border else "zeros"
    parts = 1
    # on a CPU torch shares lookups out by picture: one picture had one thread
    if batch == 1 and grid.device.type == "cpu" and height * width >= _LEAST_PLACES:
        parts = math.gcd(height, torch.get_num_threads())
    if parts == 1:
        return F.grid_sample(
            maps.expand(batch, -1, -1, -1), grid, padding_mode=padding, align_corners=False
        )
    rows = grid[0].unflatten(0, (parts, -1))
    found = F.grid_sample(
        maps.expand(parts, -1, -1, -1), rows, padding_mode=padding, align_corners=False
    )
    return found.transpose(0, 1).flatten(1, 2)[None]
