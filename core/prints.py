"""Prints of cloth: stripes, checks, dots and blotches on the garment's surface.

Their lines are finer than rays, and where they lie is each garment's own: generators that serve a
thousand people drew the mean of both colours. But prints are simple: waves across and up, which
repeat. So what each person's garment is printed with is a few numbers, told by who made its renders
(``python -m training traits``) and kept with the people whom the model mixes (:mod:`.traits`).
From them and the clothes' depth an atlas of the garment is drawn, once a portrait, which every
pixel of a view is looked up in, as paint is.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig
from .lifting import (
    LIFTED,
    Geometry,
    model_to_map_factor,
    places_in,
    shell_opacity,
    window_coordinates,
)
from .parts import PART_NAMES
from .tiles import cut, region, texels_of
from .traits import some

CLOTHES = PART_NAMES.index("clothes")
KINDS = ("stripes", "pinstripes", "checks", "dots", "blotches")
"""Level stripes, upright lines, both at half strength, islands where both waves are high, and
where waves of four lengths and directions add up to more than nothing."""
LINE = 0.75
"""Height of a wave above which it is a line: for a quarter of its length."""
DOT = 0.55
"""Height of two waves' product above which there is a dot: on a sixth of the cloth."""
SHARES = (0.5, 0.5 - math.asin(LINE) / math.pi, 0.5, 0.163, 0.5)
"""How much of the cloth has the print's colour; the rest has that of the ground."""
_BLOTCHES = ((1.0, 0.31), (0.73, -1.17), (-0.41, 1.31), (1.19, 0.57))
"""Waves of blotches as multiples of those across and up: of no common period."""
FIELDS = (len(KINDS), 2, 2, 3)
"""Numbers of a pattern: how much of each kind it is, radians a unit across and up, the phase of
both waves, and the logarithm of the print's red, green and blue over the ground's."""
PATTERN = sum(FIELDS)
_SMOOTH = 4
"""Texels of the common grid, either way, over which the depth of cloth is averaged, twice: a print
runs on over folds and the edges of collars, where depth leaps."""
_LEAST_SHARE = 1e-4


def printed(kinds: Tensor, across: Tensor, up: Tensor, blur: Tensor) -> Tensor:
    """How much more of the print's colour there is than on average, broadcast of what is given.

    Args:
        kinds: how much of each of ``KINDS``, (…, 5).
        across, up: phase of the waves, in radians.
        blur: what a texel is of a radian, (…, 2): edges are as wide.
    """
    a, b = across.sin(), up.sin()
    wide, tall = blur[..., 0], blur[..., 1]
    most = torch.maximum(wide, tall)

    def upright() -> Tensor:
        # a wave's height changes by a radian a radian where it crosses zero
        return _edge(a, wide)

    def level() -> Tensor:
        return _edge(b, tall)

    def blotches() -> Tensor:
        waves = torch.stack([(x * across + y * up).sin() for x, y in _BLOTCHES]).sum(0)
        return _edge(waves, most * len(_BLOTCHES) ** 0.5)

    found = (
        level,
        lambda: _edge(a - LINE, wide * (1 - LINE**2) ** 0.5),
        lambda: (upright() + level()) / 2,
        lambda: _edge(a * b - DOT, most),
        blotches,
    )
    more = torch.zeros_like(a * b)
    rows = zip(found, SHARES, kinds.unbind(-1), some(kinds), strict=True)
    for one, share, kind, present in rows:
        if present:
            more = more + (one() - share) * kind
    return more


def _edge(height: Tensor, width: Tensor) -> Tensor:
    """1 where a height is above zero, 0 below, and what is between over a width."""
    return (height / width.clamp_min(1e-6) + 0.5).clamp(0, 1)


@torch.no_grad()
def print_atlas(pattern: Tensor | None, geometry: Geometry, config: ModelConfig) -> Tensor | None:
    """What prints multiply the colours of the clothes of B portraits with, (B, 3, h, w).

    It is the logarithm, on the window of the clothes' map; None of a model without prints, and of
    plain cloth where asking for that is no wait: on a CPU.

    Args:
        pattern: the traits of the clothes' :class:`.generators.PartMap`.
        geometry: of the portraits; where their clothes lie.
    """
    if pattern is None or not any(some(pattern[:, : len(KINDS)])):
        return None
    x, y = cloth_places(geometry, config).unbind(1)
    pattern = pattern[:, None, None]  # (B, 1, 1, N)
    kinds, frequency, phase, contrast = pattern.split(FIELDS, -1)
    across = x * frequency[..., 0] + phase[..., 0]
    up = y * frequency[..., 1] + phase[..., 1]
    more = printed(kinds, across, up, frequency / texels_of(config))  # (B, h, w)
    return more[:, None] * contrast.permute(0, 3, 1, 2)


def atlas_size(config: ModelConfig) -> tuple[int, int]:
    """Texels of an atlas of prints, (h, w)."""
    u0, u1, v0, v1 = config.maps[CLOTHES].window
    return round((v1 - v0) * texels_of(config)), round((u1 - u0) * texels_of(config))


def cloth_places(geometry: Geometry, config: ModelConfig) -> Tensor:
    """(x, y) of the clothes of B portraits at the texels of an atlas of prints, (B, 2, h, w)."""
    row, window = LIFTED.index(CLOTHES), 2 * _SMOOTH + 1
    depth, density = (maps[:, row, None].float() for maps in (geometry.depth, geometry.density))
    share = shell_opacity(density, config) + _LEAST_SHARE
    both = torch.cat([depth * share, share], 1)
    for _ in range(2):
        both = F.avg_pool2d(both, window, 1, _SMOOTH, count_include_pad=False)
    depth = both[:, :1] / both[:, 1:]
    uv = atlas_places(config, depth.device)
    grid = _common_grid(config, depth.device).expand(len(depth), -1, -1, -1)
    z = F.grid_sample(depth, grid, padding_mode="border", align_corners=False)  # (B, 1, h, w)
    factor = model_to_map_factor(z, config)
    return uv.expand(len(depth), -1, -1, -1) if factor is None else uv / factor


def prints_seen(atlas: Tensor | None, surface: Tensor, config: ModelConfig) -> Tensor | None:
    """What N views show of prints, (N, C, S, S); None of a model without.

    Args:
        atlas: of N portraits, or of one for all, (N or 1, C, h, w).
        surface: Σ m (u, v, 1) of the clothes alone, on rays, (N, 3, r, r).
    """
    if atlas is None:
        return None
    rays = config.ray_size
    seen = atlas.new_zeros(len(surface), atlas.shape[1], config.image_size, config.image_size)
    found = region(surface[:, 2] > 0)
    if found is not None:
        inside = cut(seen, found, rays)
        where = cut(surface.detach().float(), found, rays)
        where = F.interpolate(where, size=inside.shape[-2:], mode="bilinear")
        grid = places_in(where, config.maps[CLOTHES].window)
        atlas = atlas.expand(len(surface), -1, -1, -1)
        inside.copy_(F.grid_sample(atlas, grid, align_corners=False))
    return seen


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def atlas_places(config: ModelConfig, device: torch.device) -> Tensor:
    """(u, v) of the texels of an atlas of prints, (2, h, w)."""
    u0, u1, v0, v1 = config.maps[CLOTHES].window
    height, width = atlas_size(config)
    u = u0 + (torch.arange(width, device=device) + 0.5) / width * (u1 - u0)
    v = v1 - (torch.arange(height, device=device) + 0.5) / height * (v1 - v0)
    return torch.stack(torch.meshgrid(v, u, indexing="ij")[::-1])


@cache
@torch.inference_mode(False)
def _common_grid(config: ModelConfig, device: torch.device) -> Tensor:
    """Where they lie on the common grid, (1, h, w, 2)."""
    places = atlas_places(config, device).permute(1, 2, 0)
    return window_coordinates(places, config.geometry_window)[None]
