"""Fine structure that is fixed to the surface: strands of hair, cloth, stubble, pores.

A texel of a part's map is several pixels wide and a ray four. Whatever is finer had to come from
the render net, which knows pixels but not places on the surface: strands that it draws stand still
on the screen while the head turns. So periodic tiles of noise lie on the surface, in lifting
coordinates, one texel a pixel of a face in the trained framing: strands in a few directions, coarse
and fine. Each part's generator says how much of each shows where; the tiles are looked up at every
pixel. Those of hair, which alone has coarse ones, are combed first (:mod:`.strands`). Skin has
grain besides, of each person's own (:mod:`.grain`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ModelConfig
from .grain import grain_light
from .parts import PART_NAMES
from .tiles import looked_up, shown_by_pixels, tile_positions, wrapped

if TYPE_CHECKING:
    from .surface_layers import SurfaceLayers

DETAILED = tuple(PART_NAMES.index(n) for n in ("skin", "nose", "hair", "neck", "clothes", "hat"))
"""Parts with fine structure of their own; the small ones are edges and colours all over."""
COARSE = (PART_NAMES.index("hair"),)
"""Those that coarse tiles lie on; on skin they are blotches, on clothes they took up prints."""
MOST = 0.15
"""Bound of one tile's amount."""
LENGTHS = {
    "nose": (0.0, 0.006),
    "hair": (0.12, 0.2),
    "neck": (0.0, 0.006),
    "clothes": (0.0, 0.03),
    "hat": (0.0, 0.12),
}
"""Bounds of the root of the sum of a part's squared amounts, of coarse tiles and of fine ones.

Amounts are learnt where renders show the part. At its borders and beneath others they are not: all
tiles at once, unbounded, were curls at fringes and a ring of sparks around the nose. Cloth has a
grain; knit is form and colour. That of skin is a model's own, ``detail_on_skin``: it is for beards
alone, and of noses and necks next to nothing.
"""
FAINT = {"skin": (0.0, 0.015)}
"""Lengths that are taken away, as energies are: bare skin has 0.008 to 0.015, stubble a median of
0.025, short beards of 0.045. What is learnt of pores differs between directions by chance, and was
canvas that the upscaler made brush strokes of; they are :mod:`.grain`."""
BANDS = ((0.045, 0.11), (0.11, 0.5))
"""Frequencies of coarse and fine tiles, in cycles a texel."""
FALLOFF = 1.2
"""Amplitudes fall with the frequency to this power, as the renders' hair does."""
_TINY = 1e-8
_LEAST_ENERGY = 1e-12


class SurfaceDetail(nn.Module):
    """The tiles on the surface: by how much they change the light of each pixel."""

    tiles: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        # v points up and a picture's rows run down: strands lean as the filters see them
        noise = oriented_noise(config.detail_directions, config.detail_side).flip(1)
        fine = noise[config.detail_directions :]  # coarse ones are the hair's alone
        # made again wherever a model is loaded; three dimensions, as four would be turned to
        # channels last with the net's weights
        self.register_buffer("tiles", wrapped(fine), persistent=False)  # (D, t + 2, t + 2)
        self.config, self.directions = config, config.detail_directions

    def forward(
        self,
        amount: Tensor,
        layers: SurfaceLayers,
        size: int,
        share: Tensor | None = None,
        skin: Tensor | None = None,
        cloth: Tensor | None = None,
        hue: Tensor | None = None,
    ) -> Tensor:
        """By how much the picture is brightened, as a share of its light.

        The tiles add up to the logarithm of 1 + that: strands shine more than gaps are dark. (The
        structure of hair in renders has a skewness of 0.5, and more peaks than Gaussian noise.)

        Args:
            amount: of each tile, Σ_k m_k a_k, (B, T, r, r).
            layers: whose surface, strands, grain and prints are drawn.
            size: S.
            share: how much of the amounts counts, (B, 1, h, w); all of them where it is None.
            skin: how much of a place is skin with grain, (B, 1, h, w); nothing where it is None.
            cloth: the same of clothes, which prints lie on.
            hue: of :func:`.complexion.tinted`, (B, 3, h, w).

        Returns:
            (B, 1, S, S), or (B, 3, S, S) where there is grain, a print or a hue: they are
            coloured.
        """
        amount = amount[:, self.directions :].float()
        for strands in layers.combed():
            amount = (amount - strands.amount[:, self.directions :]).clamp_min(0)
        # plane by plane, as the lookup gives its tiles: mixed layouts multiply five times as slowly
        amount = F.interpolate(amount.contiguous(), size=(size, size), mode="bilinear")
        position = tile_positions(layers.surface, (size, size), self.config)
        gain = (amount * looked_up(self.tiles[None], position)).sum(1, keepdim=True)
        for strands in layers.combed():
            bands = strands.amount.unflatten(1, (2, self.directions))
            bands = bands.square().sum(2).clamp_min(_LEAST_ENERGY).sqrt()  # (B, 2, r, r)
            bands = F.interpolate(bands, size=(size, size), mode="bilinear")
            gain = gain + (bands * strands.noise).sum(1, keepdim=True)
        if share is not None:
            gain = gain * F.interpolate(share, size=(size, size), mode="bilinear")
        if layers.grain is not None and skin is not None:
            gain = gain + grain_light(
                looked_up(layers.grain, position), position, skin, self.config
            )
        gain = gain * shown_by_pixels(position)
        if layers.prints is not None and cloth is not None:
            cloth = F.interpolate(cloth, size=(size, size), mode="bilinear")
            gain = gain + layers.prints * cloth
        if hue is not None:
            gain = gain + F.interpolate(hue, size=(size, size), mode="bilinear")
        return gain.expm1()

    def resolved(self, surface: Tensor, size: int) -> Tensor:
        """How much of the tiles a pixel can show, in [0, 1], (B, 1, S, S); as :meth:`forward`."""
        return shown_by_pixels(tile_positions(surface, (size, size), self.config))


def length_bounds(parts: Sequence[int], config: ModelConfig) -> Tensor:
    """``LENGTHS`` of parts, (K, 2); zero where a part has no such tiles."""
    lengths = LENGTHS | {"skin": (0.0, config.detail_on_skin)}
    return torch.tensor([lengths.get(PART_NAMES[part], (0.0, 0.0)) for part in parts])


def faint_lengths(parts: Sequence[int]) -> Tensor:
    """``FAINT`` of parts, (K, 2)."""
    return torch.tensor([FAINT.get(PART_NAMES[part], (0.0, 0.0)) for part in parts])


def bounded_amounts(x: Tensor, lengths: Tensor, faint: Tensor | None = None) -> Tensor:
    """What a part's head gives, (…, T), as the amounts of the tiles.

    Each is 0 to ``MOST``, x² where it is small; those of a band are no longer than its length.

    Args:
        lengths, faint: of the parts' :func:`length_bounds` and :func:`faint_lengths`, to be
            broadcast to (…, 2); no ``faint`` is none.
    """
    squared = x.square()
    amounts = (squared / (1 + squared / MOST)).unflatten(-1, (2, -1))  # (…, 2, D)
    # vector_norm, for its gradient at zero is zero
    own = torch.linalg.vector_norm(amounts, dim=-1)
    shrunk = (lengths / own.clamp_min(1e-6)).clamp_max(1)  # (…, 2)
    if faint is not None:
        left = (1 - (faint / own.clamp_min(1e-6)).square()).clamp_min(_TINY)
        shrunk = shrunk * left.sqrt()  # whose gradient at zero is infinite
    return (amounts * shrunk[..., None]).flatten(-2)


def oriented_filters(
    directions: int,
    side: int,
    falloff: float = 0.0,
    bands: Sequence[tuple[float, float]] = BANDS,
) -> Tensor:
    """Band-pass filters as factors of the frequencies of a square picture, (2 D, side, side).

    D for each of ``bands``; those of the coarse band come first. Filter d of a band lets pass what
    varies most along π d / D, counted from x to y: strands that run across that. Between neighbours
    it is e^-0.5.
    """
    line = torch.fft.fftfreq(side)
    fy, fx = torch.meshgrid(line, line, indexing="ij")
    radius, angle = torch.hypot(fx, fy), torch.atan2(fy, fx)
    filters = []
    for low, high in bands:
        band = ((radius > low) & (radius <= high)).float()
        radial = band * radius.clamp_min(low) ** -falloff
        for number in range(directions):
            apart = torch.remainder(angle - math.pi * (number / directions - 0.5), math.pi)
            apart = (apart - math.pi / 2) * directions / math.pi  # in directions
            filters.append(radial * torch.exp(-2 * apart.square()))
    return torch.stack(filters)


def oriented_noise(
    directions: int, side: int, bands: Sequence[tuple[float, float]] = BANDS
) -> Tensor:
    """Periodic noise through :func:`oriented_filters`, (2 D, side, side), each of variance 1.

    It is drawn from a fixed seed: the same everywhere up to rounding.
    """
    generator = torch.Generator().manual_seed(0)
    tiles = []
    for spectrum in oriented_filters(directions, side, FALLOFF, bands):
        white = torch.randn(side, side, generator=generator)
        tile = torch.fft.ifft2(torch.fft.fft2(white) * spectrum).real
        tiles.append(tile / tile.std())
    return torch.stack(tiles)
