"""Strands of hair: its fine structure, combed along the directions that it has.

The generator of hair says how much structure lies in which direction (:mod:`.detail`). Noise of a
few fixed directions, mixed, is felt: its strands are short, and cross where hair runs between two
of them. So noise is averaged along the direction that the amounts of a place agree on (line
integral convolution: Cabral and Leedom 1993), as far as they agree, so that curls stay curls. That
takes one map a portrait, in lifting coordinates, which every pixel of a view is looked up in, as
paint is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig
from .detail import oriented_noise
from .generators import PartMap
from .lifting import window_coordinates
from .parts import part_index
from .volume import RayWeights

HAIR = part_index("hair")
LEVELS = (2.0, 4.0, 8.0)
"""Texels before and behind a place at which noise is averaged, one after the other: together eight
samples, four texels apart."""
AGREEMENT = (0.1, 0.3)
"""Resultant of the directions' energies, by doubled angles, below which hair is left as it is, and
above which it is combed wholly. (Afros of the embedded model have 0.1 to 0.2, long hair 0.5.)"""
_NARROWNESS = 3.0
"""Combed hair has its direction's noise by the exponential of minus this, times the square of how
many directions it is from each of them."""
_SMOOTH = 5
"""Texels of the hair's map over which directions are averaged, twice."""
_NOISE_SIDE = 256
_SPREAD = 8
"""Texels of the combed noise over which its variance is made 1."""
_TINY = 1e-12
_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class CombedHair:
    """The fine structure of the hair of B portraits.

    Attributes:
        amounts: of each tile, on the hair's own map, (B, T, H, W).
        noise: of the coarse and the fine band, of variance 1, (B, 2, h, w); it covers the window of
            that map with ``detail_density`` texels a pixel.
    """

    amounts: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Strands:
    """The fine structure of hair as N views show it.

    Attributes:
        amount: of each tile, what the hair has of Σ_k m_k a_k, (N, T, r, r).
        noise: the combed noise of both bands at each pixel, (N, 2, S, S).
    """

    amount: Tensor
    noise: Tensor


def combed_hair(part: PartMap, config: ModelConfig) -> CombedHair | None:
    """The fine structure of hair, from the hair's maps; None of a model without any."""
    if not config.detail_directions:
        return None
    amounts = part.features[..., config.features :].float().permute(0, 3, 1, 2).contiguous()
    return CombedHair(amounts, combed_noise(amounts, config))


@torch.no_grad()
def combed_noise(amounts: Tensor, config: ModelConfig) -> Tensor:
    """Noise along the directions of hair, as ``CombedHair.noise``, from its ``amounts``."""
    directions = config.detail_directions
    energy = amounts.square().unflatten(1, (2, directions)).sum(1)  # (B, D, H, W)
    energy = _smoothed(energy)
    energy = energy / energy.sum(1, keepdim=True).clamp_min(_TINY)
    # filter d's structure varies most along π d / D, counted from x to y, y down as rows run
    angles = torch.arange(directions, device=amounts.device) * (math.pi / directions)
    doubled = torch.stack([(2 * angles).cos(), (2 * angles).sin()])  # (2, D)
    # no matrix product, which autocast would round
    resultant = (energy[:, None] * doubled[:, :, None, None]).sum(2)  # (B, 2, H, W)
    share = _agreement(resultant)  # (B, 1, H, W)
    apart = torch.atan2(resultant[:, 1:], resultant[:, :1]) / 2 - angles[:, None, None]
    apart = (torch.remainder(apart + math.pi / 2, math.pi) - math.pi / 2) * directions / math.pi
    narrow = (-_NARROWNESS * apart.square()).softmax(1)  # (B, D, H, W)

    window = config.maps[HAIR].window
    texels = config.detail_density * config.image_size / config.frame_side  # a unit
    size = (round((window[3] - window[2]) * texels), round((window[1] - window[0]) * texels))
    tiles = _noise(directions, size, amounts.device)  # (2, D, h, w)
    weights = torch.lerp(energy, narrow, share).sqrt()
    weights = F.interpolate(weights, size=size, mode="bilinear")  # (B, D, h, w)
    noise = (tiles * weights[:, None]).sum(2)  # (B, 2, h, w)
    along = _along(F.interpolate(resultant, size=size, mode="bilinear"))  # (B, h, w, 2)
    grid = _texel_centres(size, amounts.device)
    texel = along.new_tensor([2 / size[1], 2 / size[0]])
    for reach in LEVELS:
        step = along * (reach * texel)
        before, behind = (
            F.grid_sample(noise, place, padding_mode="border", align_corners=False)
            for place in (grid - step, grid + step)
        )
        noise = (before + behind) / 2
    variance = F.avg_pool2d(noise.square(), _SPREAD, ceil_mode=True)
    variance = F.avg_pool2d(variance, 3, 1, 1, count_include_pad=False)
    return noise * F.interpolate(variance, size=size, mode="bilinear").clamp_min(_TINY).rsqrt()


def strands_seen(hair: CombedHair, surface: Tensor, config: ModelConfig) -> Strands:
    """What N views show of it.

    Args:
        hair: of N portraits, or of one for all.
        surface: Σ m (u, v, 1) of the hair alone, on rays, (N, 3, r, r).
    """
    met = surface[:, 2:]
    amount = F.grid_sample(
        hair.amounts.expand(len(surface), -1, -1, -1),
        _places(surface, config),
        padding_mode="border",
        align_corners=False,
    )
    size = (config.image_size, config.image_size)
    where = F.interpolate(surface.detach(), size=size, mode="bilinear")
    noise = F.grid_sample(
        hair.noise.expand(len(surface), -1, -1, -1), _places(where, config), align_corners=False
    )
    return Strands(amount * met, noise)


def strands_on_view(
    hair: CombedHair | None, weights: RayWeights, config: ModelConfig
) -> Strands | None:
    """What V views of one portrait show of its hair; None of a model without fine structure."""
    if hair is None:
        return None
    side = config.ray_size
    return strands_seen(hair, weights.surface((HAIR,))[0].unflatten(-1, (side, side)), config)


def strands_of(hair: CombedHair | None, surface: Tensor, config: ModelConfig) -> Strands | None:
    """What V views of each of B portraits show, N = B V; None of a model without fine structure.

    Args:
        hair: of B portraits.
        surface: as for :func:`strands_seen`, (B, V, 3, r, r).
    """
    if hair is None:
        return None
    views = surface.shape[1]
    each = CombedHair(*(t.repeat_interleave(views, 0) for t in (hair.amounts, hair.noise)))
    return strands_seen(each, surface.flatten(0, 1), config)


def _places(surface: Tensor, config: ModelConfig) -> Tensor:
    """Where Σ m (u, v, 1), (N, 3, h, w), lies on the hair's map, (N, h, w, 2) in [-1, 1]."""
    surface = surface.detach()
    where = surface[:, :2] / surface[:, 2:].clamp_min(_LEAST_SHARE)
    return window_coordinates(where.permute(0, 2, 3, 1), config.maps[HAIR].window)


def _agreement(resultant: Tensor) -> Tensor:
    """How far hair is combed, in [0, 1], (B, 1, h, w), from resultants (B, 2, h, w)."""
    low, high = AGREEMENT
    length = torch.hypot(resultant[:, :1], resultant[:, 1:])
    return ((length - low) / (high - low)).clamp(0, 1)


def _along(resultant: Tensor) -> Tensor:
    """How strands run, (B, h, w, 2) in texels (right, down), as long as they are combed."""
    across = torch.atan2(resultant[:, 1], resultant[:, 0]) / 2
    direction = torch.stack([-across.sin(), across.cos()], -1)
    return direction * _agreement(resultant)[:, 0, ..., None]


def _smoothed(x: Tensor) -> Tensor:
    """(B, C, H, W) averaged over squares, twice."""
    for _ in range(2):
        x = F.avg_pool2d(x, _SMOOTH, 1, _SMOOTH // 2, count_include_pad=False)
    return x


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _noise(directions: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """Oriented noise of a whole map, (2, D, h, w)."""
    tiles = oriented_noise(directions, _NOISE_SIDE)
    height, width = size
    copies = (1, -(-height // _NOISE_SIDE), -(-width // _NOISE_SIDE))
    whole = tiles.repeat(copies)[:, :height, :width]
    return whole.unflatten(0, (2, directions)).contiguous().to(device)


@cache
@torch.inference_mode(False)
def _texel_centres(size: tuple[int, int], device: torch.device) -> Tensor:
    """Where texels lie, (h, w, 2) in [-1, 1]."""
    y, x = ((torch.arange(n, device=device) + 0.5) / n * 2 - 1 for n in size)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)
