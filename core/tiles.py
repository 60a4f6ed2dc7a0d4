"""Periodic tiles on the surface: where pixels lie on them, and what they show there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig
from .lookup import lookup


def texels_of(config: ModelConfig) -> float:
    """Texels a unit of lifting coordinates."""
    return config.detail_density * config.image_size / config.frame_side


def tile_positions(surface: Tensor, size: Sequence[int], config: ModelConfig) -> Tensor:
    """Where the pixels of a picture lie, (B, 2, H, W), in texels (right, up).

    Args:
        surface: Σ_k m_k (u_k, v_k, 1), on rays, (B, 3, h, w).
        size: (H, W).
    """
    where = F.interpolate(surface.detach().float(), size=tuple(size), mode="bilinear")
    return on_tiles(where, config)


def on_tiles(where: Tensor, config: ModelConfig) -> Tensor:
    """Σ_k m_k (u_k, v_k, 1), (B, 3, H, W), as texels of tiles (right, up), (B, 2, H, W)."""
    return where[:, :2] / where[:, 2:].clamp_min(1e-4) * texels_of(config)


def tile_coordinates(side: int, config: ModelConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Lifting coordinates (u, v) of a tile's texels around the head's middle, (t, t) each.

    Args:
        side: t.
    """
    line = (torch.arange(side, device=device) + 0.5) / texels_of(config)
    period = side / texels_of(config)
    line = torch.where(line * 2 > period, line - period, line)
    v, u = torch.meshgrid(line, line, indexing="ij")
    return u, v


def shown_by_pixels(texels: Tensor) -> Tensor:
    """How much of a texture pixels can show which lie on it at (B, 2, H, W), in [0, 1].

    Less where a pixel covers texels: (B, 1, H, W).
    """
    across, down = _steps(texels)
    longest = torch.maximum(across.square().sum(1, True), down.square().sum(1, True))
    return 1 / longest.clamp_min(1)


def unstretched(texels: Tensor, least: float) -> Tensor:
    """How much a texture that lies at (B, 2, H, W) is not stretched, in [0, 1], (B, 1, H, W).

    Lifting projects it from within the head: on the head's sides, seen from there, it is streaks.

    Args:
        least: texels a pixel, in the direction where they are fewest, that are enough.
    """
    across, down = _steps(texels)
    area = (across[:, :1] * down[:, 1:] - across[:, 1:] * down[:, :1]).abs()
    longest = torch.maximum(across.square().sum(1, True), down.square().sum(1, True)).sqrt()
    return (area / longest.clamp_min(1e-6) / least).clamp_max(1)


def _steps(texels: Tensor) -> tuple[Tensor, Tensor]:
    """From each pixel to the next one, to the right and down, (B, 2, H, W) each."""
    grown = F.pad(texels, (0, 1, 0, 1), mode="replicate")
    here = grown[..., :-1, :-1]
    return grown[..., :-1, 1:] - here, grown[..., 1:, :-1] - here


def extent(found: Tensor) -> tuple[slice, slice] | None:
    """Rows and columns of a picture (h, w) of bools where there is any, and one more around them.

    None where there is none.
    """
    spans = []
    for axis in (1, 0):
        where = found.any(axis).nonzero()[:, 0].tolist()
        if not where:
            return None
        spans.append(slice(max(where[0] - 1, 0), min(where[-1] + 2, found.shape[1 - axis])))
    return spans[0], spans[1]


def region(found: Tensor) -> tuple[slice, slice] | None:
    """:func:`extent` of all of N pictures (N, h, w); rows and columns whole on a GPU.

    To ask there would be a wait, and a recorded graph has one course.
    """
    if found.is_cuda:
        return slice(0, found.shape[1]), slice(0, found.shape[2])
    return extent(found.any(0))


def cut(x: Tensor, part: tuple[slice, slice], side: int) -> Tensor:
    """What of (…, h, w) lies in some rows and columns of ``side`` either way; a view."""
    scale = x.shape[-1] // side
    rows, columns = (slice(one.start * scale, one.stop * scale) for one in part)
    return x[..., rows, columns]


def wrapped(tiles: Tensor) -> Tensor:
    """Tiles (…, C, t, t) with a texel of what follows around them, for :func:`looked_up`."""
    return F.pad(tiles, (1, 1, 1, 1), mode="circular")


def looked_up(tiles: Tensor, texels: Tensor) -> Tensor:
    """Periodic tiles at (B, 2, H, W) texels, (B, C, H, W).

    Args:
        tiles: as from :func:`wrapped`, (B or 1, C, t + 2, t + 2).
    """
    period = tiles.shape[-1] - 2
    texel = torch.remainder(texels, period) + 1  # in the wrapped tile
    grid = (texel / (period + 2) * 2 - 1).permute(0, 2, 3, 1)
    return lookup(tiles.float(), grid)
