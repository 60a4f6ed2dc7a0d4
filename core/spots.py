"""Spots of the skin: blemishes, freckles, age spots and moles; wrinkles, and how deep pores are.

They are a pixel to five wide, and lie anywhere: a generator that serves a thousand people has none
of them. How many a person has is kept with the people whom a model mixes (:mod:`.traits`); where
they lie is chance, but always the same for the same person. They are drawn into the tile of the
skin's grain (:mod:`.grain`), which no face shows twice, and cost a picture nothing.

A kind of spots are balls around the points of a jittered lattice (cells: Worley 1996), cut by the
skin. A person has as many of them as the amount says, in places where skin has them. Wrinkles are
level folds on forehead and around eyes, as light and shadow. Pores are the finest light and shadow
of the grain: deeper in the middle of the face, and with some people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from .blur import blurred
from .config import ModelConfig, Spectrum
from .eigenskin import eigenskin_tile
from .generators import PartMap
from .grain import SIDE, grain_of, grained_height
from .tiles import tile_coordinates, wrapped
from .traits import some

KINDS = ("blemishes", "freckles", "age spots", "moles", "wrinkles", "pores")
FIELDS = (len(KINDS), 3, 2)
"""Numbers of a person's spots: how much of each kind there is (of pores, how much deeper they are
than ``USUAL_PORES``), the linear red, green and blue of the skin, and by which shares of the tile
the lattices are moved across and up."""
SPOTS = sum(FIELDS)
USUAL_PORES = 0.8
PORE_BANDS = 2
"""Of the grain's bands, the finest ones, whose light and shadow are pores."""
_ROUGH = 0.13, 0.83
"""Skin that varies by √(_ROUGH[0] + p²) in the light of these bands, p the depth of its pores, has
as much of them as the spectrum says where that is _ROUGH[1]. On 106 training renders of people
without a beard, what pictures lack there rises so, from 0.0023 for p = 0.33 to 0.0079 for 1.35."""
_LIGHT = 1 / 2.2
"""Exponent of light that makes the colours of pictures, about."""
_UNDER_SKIN = 0.4
_SCATTER = (2.2, 0.8, 0.4)
"""Share of red, green and blue that comes out of the skin elsewhere, and how far from where it went
in, in texels (standard deviations): spots are redder at their rims."""
_OTHERS = 31.0
"""By how much what chooses among the lattice's points moves with the lattice: not the same ones."""
_SOFT = 0.05
"""How gradually spots come with their amount."""


@dataclass(frozen=True)
class _Lattice:
    """Spots of one form.

    Attributes:
        cells: of the tile, either way.
        radius, rim: of a ball, in cells: where it ends, and over which width, 0 for a texel.
    """

    cells: int
    radius: float
    rim: float = 0.0


_LATTICES = (_Lattice(20, 0.24, 0.18), _Lattice(74, 0.18), _Lattice(10, 0.055))
"""Of blemishes, of freckles and age spots, and of moles."""
_BLEMISH = (0.95, 0.52, 0.5)
"""What multiplies the light of blemished skin."""
_FRECKLE, _MOLE = (0.16, 0.06, 0.03), (0.06, 0.025, 0.015)
"""Linear colours of what covers the skin."""
_BLEMISHED, _MOLES = 0.35, 0.16
"""Share of the lattice's points that are spots where the amount is 1."""
_MOLE_COVER = 0.65
_FOLD = 0.18, 0.07
"""Folds a texel up the face, mean and standard deviation."""
_FOLD_LENGTH = 0.025
"""The same across."""
WRINKLED = 0.024
"""Root mean square of the logarithm of light on skin with an amount of wrinkles of 1: with it the
foreheads of training people over 62 vary as much from row to row as their renders'."""


def skin_tile(skin: PartMap, config: ModelConfig) -> Tensor | None:
    """The grain, the spots and the eigenskin of B portraits, as of :func:`.grain.grain_of`.

    Args:
        skin: the maps of the skin.
    """
    spots = skin.traits
    if skin.grain is None or spots is None:
        tile = grain_of(skin.grain, config.grain)
    else:
        pores, rest = split_pores(config.grain)
        tile, fine = grain_of(skin.grain, rest), grain_of(skin.grain, pores)
        assert tile is not None and fine is not None
        tile = torch.addcmul(tile, fine, wrapped(pore_gain(spots, config)))
        if any(some(spots[:, : len(KINDS) - 1])):
            tile = tile + wrapped(spots_tile(spots, config))
    if tile is None or skin.tint is None:
        return tile
    return tile + wrapped(eigenskin_tile(skin.tint, config))


def split_pores(spectrum: Spectrum) -> tuple[Spectrum, Spectrum]:
    """The light of ``PORE_BANDS`` alone, and all the rest."""
    pores = tuple(
        (light if band < PORE_BANDS else 0.0, *(0.0 for _ in colors))
        for band, (light, *colors) in enumerate(spectrum)
    )
    rest = tuple(
        (0.0 if band < PORE_BANDS else light, *colors)
        for band, (light, *colors) in enumerate(spectrum)
    )
    return pores, rest


@torch.no_grad()
def pore_gain(spots: Tensor, config: ModelConfig) -> Tensor:
    """What multiplies the pores of B people, (B, 1, t, t).

    Args:
        spots: (B, ``SPOTS``).
    """
    pores = _zones(config, spots.device)[KINDS.index("pores")]
    depth = (USUAL_PORES + spots[:, KINDS.index("pores"), None, None, None].float()) * pores
    least, usual = _ROUGH
    return (least + depth.square()).sqrt() / usual


@torch.no_grad()
def spots_tile(spots: Tensor, config: ModelConfig) -> Tensor:
    """Logarithm of what spots multiply red, green and blue of the skin with, (B, 3, t, t).

    Args:
        spots: (B, ``SPOTS``).
    """
    amounts, albedo, moved = spots.float().split(FIELDS, 1)
    device = spots.device
    cover, chance = _lattices(device)  # (3, t, t) each
    zones = _zones(config, device)  # (6, t, t)
    tiles = []
    for amount, color, offset in zip(amounts, albedo, moved, strict=True):
        there, drawn = (_rolled(maps, offset) for maps in (cover, chance))
        drawn = torch.remainder(drawn + _OTHERS * offset.sum(), 1)
        blemished, freckled, aged, moled, wrinkled, _ = some(amount)
        light = torch.ones(3, SIDE, SIDE, device=device)
        if blemished:
            share = there[0] * _comes(_BLEMISHED * amount[0] * zones[0] - drawn[0])
            light = light.mul_(1 - share * (1 - _column(_BLEMISH, device)))
        if freckled or aged:
            share = there[1] * torch.maximum(amount[1] * zones[1], amount[2] * zones[2])
            light = light.mul_(_covered(share, _FRECKLE, color))
        if moled:
            share = there[2] * _comes(_MOLES * amount[3] * zones[3] - drawn[2]) * _MOLE_COVER
            light = light.mul_(_covered(share, _MOLE, color))
        light = _scattered(light)[0].log_().mul_(_LIGHT)
        if wrinkled:
            light = light + amount[4] * zones[4] * _rolled(_folds(device), offset) * WRINKLED
        tiles.append(light)
    # what lies on foreheads is drawn with the share of grain that these have
    height = tile_coordinates(SIDE, config, device)[1]
    return torch.stack(tiles) / grained_height(height, config).clamp_min(0.1)


def _covered(share: Tensor, target: tuple[float, float, float], color: Tensor) -> Tensor:
    """What multiplies the light of skin (3,) of which a share (t, t) has a darker colour."""
    over = _column(target, share.device) / color[:, None, None].clamp_min(1e-2)
    return 1 - share * (1 - over.clamp_max(1))


def _comes(excess: Tensor) -> Tensor:
    """How much of a spot is there, by how far its chance lies below the amount."""
    return (excess / _SOFT).clamp(0, 1)


def _column(color: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(color, device=device)[:, None, None]


def _rolled(maps: Tensor, offset: Tensor) -> Tensor:
    """Periodic maps (…, t, t) moved by shares (2,) of them across and up."""
    line = torch.arange(SIDE, device=maps.device)
    across, up = ((line + (share * SIDE).long()) % SIDE for share in offset)
    return maps.index_select(-1, across).index_select(-2, up)


def _scattered(light: Tensor) -> Tensor:
    """Light (3, t, t) of a periodic tile, part of it from nearby: (1, 3, t, t)."""
    kernels = _kernels(light.device)  # (3, n)
    grown = F.pad(light[None], [kernels.shape[1] // 2] * 4, mode="circular")
    return torch.lerp(light[None], blurred(grown, kernels), _UNDER_SKIN)


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _kernels(device: torch.device) -> Tensor:
    """Gaussians of ``_SCATTER``, (3, n)."""
    reach = math.ceil(3 * max(_SCATTER))
    line = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernels = torch.stack([torch.exp(line.square() / (-2 * width**2)) for width in _SCATTER])
    return (kernels / kernels.sum(1, keepdim=True)).to(device)


@cache
@torch.inference_mode(False)
def _lattices(device: torch.device) -> tuple[Tensor, Tensor]:
    """How much of a texel a spot of each lattice covers, and the chance of that, (3, t, t) each."""
    generator = torch.Generator().manual_seed(0)
    covers, chances = [], []
    for lattice in _LATTICES:
        cells = lattice.cells
        points = torch.rand(3, cells, cells, generator=generator)
        drawn = torch.rand(cells, cells, generator=generator)
        line = (torch.arange(SIDE) + 0.5) / SIDE * cells
        up, across = torch.meshgrid(line, line, indexing="ij")
        nearest, chance = torch.full_like(up, math.inf), torch.zeros_like(up)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                row, column = (up.floor() + down), (across.floor() + right)
                index = row.long() % cells, column.long() % cells
                apart = row + points[0][index] - up, column + points[1][index] - across
                away = torch.stack([*apart, points[2][index] - 0.5]).square().sum(0).sqrt()
                closer = away < nearest
                nearest = torch.where(closer, away, nearest)
                chance = torch.where(closer, drawn[index], chance)
        rim = lattice.rim or cells / SIDE
        middle = lattice.radius - (lattice.rim / 2)
        cover = ((middle - nearest) / rim + 0.5).clamp(0, 1)
        covers.append(cover.square() * (3 - 2 * cover) if lattice.rim else cover)
        chances.append(chance)
    return torch.stack(covers).to(device), torch.stack(chances).to(device)


@cache
@torch.inference_mode(False)
def _folds(device: torch.device) -> Tensor:
    """Noise of level folds, (t, t), of variance 1."""
    generator = torch.Generator().manual_seed(0)
    line = torch.fft.fftfreq(SIDE)
    middle, width = _FOLD
    up = torch.exp(((line.abs() - middle) / width).square() / -2)
    across = torch.exp((line / _FOLD_LENGTH).square() / -2)
    white = torch.randn(SIDE, SIDE, generator=generator)
    folds = torch.fft.ifft2(torch.fft.fft2(white) * up[:, None] * across).real
    return (folds / folds.std()).to(device)


@cache
@torch.inference_mode(False)
def _zones(config: ModelConfig, device: torch.device) -> Tensor:
    """Where each kind of spots is found, in [0, 1], and how deep pores are there, (6, t, t)."""
    u, v = tile_coordinates(SIDE, config, device)

    def around(side: float, height: float, radius: float) -> Tensor:
        away = (u.abs() - side).square() + (v - height).square()
        return torch.exp(away / (-2 * radius**2))

    def level(height: float, radius: float) -> Tensor:
        return torch.exp((v - height).square() / (-2 * radius**2))

    # cheeks, forehead and chin; nose and cheeks; the whole face
    blemishes = around(0.29, -0.18, 0.226) + 0.7 * level(0.4, 0.161) + 0.5 * level(-0.5, 0.129)
    freckles = around(0.161, -0.083, 0.226)
    face = torch.ones_like(u)
    # forehead, corners of the eyes, beneath them
    wrinkles = ((v - 0.24) / 0.08).clamp(0, 1)
    wrinkles = wrinkles + 0.6 * around(0.32, 0.06, 0.077) + 0.4 * around(0.19, -0.006, 0.065)
    # the middle of the face, and cheeks
    middle = torch.exp((u / 0.194).square() / -2) + around(0.245, -0.096, 0.18)
    pores = 0.5 + 0.8 * middle.clamp_max(1)
    return torch.stack([blemishes.clamp_max(1), freckles, face, face, wrinkles.clamp_max(1), pores])
