"""Grain of the skin: pores, spots and patches of colour.

They have no place that a code could hold, and what was learnt of them differed between directions
by chance. Without them skin is wax of one colour. So noise lies on the surface, in lifting
coordinates (where a StyleGAN has its noise inputs: Karras et al. 2019); in each band of sizes, and
along each axis of colour, as much as renders have more than a fitted model's pictures
(``python -m training grain``).

Each person has grain of their own, as one pattern on every face is soon known: a mixture of a few
noises by the w_base of the skin, which all of a person's edits keep. Between people it changes
gradually and is as strong everywhere, since the squares of what is mixed add up to one.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig, Spectrum
from .parts import PART_NAMES
from .tiles import (
    cut,
    extent,
    looked_up,
    shown_by_pixels,
    texels_of,
    tile_positions,
    unstretched,
    wrapped,
)

SKIN = PART_NAMES.index("skin")
GRAINED = tuple(PART_NAMES.index(name) for name in ("skin", "nose", "neck"))
"""Parts that have grain."""
BANDS = ((0.25, 0.75), (0.125, 0.25), (0.0625, 0.125), (0.03125, 0.0625))
"""Frequencies in cycles a texel, which is one of the tiles of :mod:`.detail`: octaves."""
AXES = ("light", "red against green", "green against blue")
"""Of colours, as logarithms."""
SIDE = 256
"""Texels of the periodic tile either way: two units, so that no face shows it twice."""

OCTAVE_SHARE = 1.0
"""How strong the octave is that a doubled picture shows more, beside the finest of ``BANDS``. With
it the skin of 46 doubled pictures has about what renders of 512 pixels have there (``python -m
training grain --compare``; docs/training.md)."""
_NEXT_SHARE = 0.8
"""The same from an octave to the next: in these renders, about that between the others."""
_LEAST_SKIN = 1e-3
_LEAST_TEXELS = 0.7
"""A pixel, either way: with fewer grain fades. From in front a face has 0.9."""
FOREHEAD = 0.2, 0.35
"""Lifting coordinate v, up, from which grain falls to what foreheads have, and where it has."""
NOISES = 6
"""That are mixed: two people's grain is alike (correlated by more than 0.9) in one of 100 pairs."""
_TURN = 2.0
"""By how much the angles that mix them differ between people, in radians, where entries of w_base
differ by ``_USUAL``."""
_USUAL = 0.28


def grain_mix(base: Tensor) -> Tensor:
    """How much of each noise people have, (B, ``NOISES``), from the w_base of their skin (B, Z)."""
    turns = _turns(base.shape[-1], base.device)
    # no matrix product, which autocast would round
    angles = (base.detach().float()[..., None] * turns[:-1]).sum(-2) + turns[-1]
    return F.normalize(angles.cos(), dim=-1)


def grain_of(mix: Tensor | None, spectrum: Spectrum) -> Tensor | None:
    """Grain of B portraits, (B, 3, t + 2, t + 2); None of a model without any.

    It is the logarithm of what red, green and blue are multiplied with: a periodic tile of t texels
    either way, with a texel of what follows around it.

    Args:
        mix: of the skin's :class:`.generators.PartMap`.
    """
    if mix is None:
        return None
    noises = _noises(spectrum, mix.device)
    shares = mix[:, :, None, None, None]
    tile = noises[0] * shares[:, 0]
    for number in range(1, NOISES):
        tile = tile.addcmul_(noises[number], shares[:, number])
    return tile


def grain_on_view(
    grain: Tensor,
    octave: Tensor | None,
    surface: Tensor,
    skin: Tensor,
    size: int,
    doublings: int,
    config: ModelConfig,
) -> Tensor:
    """Logarithm of what grain multiplies a square picture with that was doubled, (1, 3, H, H).

    Args:
        grain, octave: of :func:`grain_of`, by a model's spectrum and by its :func:`finest` band,
            which only doubled pictures need.
        surface: Σ_k m_k (u_k, v_k, 1) over the parts with detail, on rays, (1, 3, r, r).
        skin: how much of a place is skin with grain (:func:`grained_share`), (1, 1, h, w).
        size: H.
        doublings: how often it was doubled.
    """
    light = surface.new_zeros(1, len(AXES), size, size)
    rays = surface.shape[-1]
    found = extent(F.adaptive_max_pool2d(skin, rays)[0, 0] > _LEAST_SKIN)
    if found is None:
        return light
    inside = cut(light, found, rays)
    surface, skin = (cut(t, found, rays) for t in (surface, skin))
    texels = tile_positions(surface, inside.shape[-2:], config)
    shown = looked_up(grain, texels)
    for number in range(doublings):
        assert octave is not None
        strength = OCTAVE_SHARE * _NEXT_SHARE**number
        shown.add_(looked_up(octave, texels * 2 ** (number + 1)), alpha=strength)
    inside.copy_(grain_light(shown, texels, skin, config, doublings) * shown_by_pixels(texels))
    return light


def finest(spectrum: Spectrum) -> Spectrum:
    """The first band of a spectrum alone."""
    return spectrum[0], *(tuple(0.0 for _ in band) for band in spectrum[1:])


def grain_light(
    grain: Tensor, texels: Tensor, skin: Tensor, config: ModelConfig, doublings: int = 0
) -> Tensor:
    """Logarithm of what grain multiplies red, green and blue of pixels with, (B, 3, H, W).

    Args:
        grain: at the pixels, (B, 3, H, W).
        texels: where these lie (:func:`.tiles.tile_positions`), (B, 2, H, W).
        skin: how much of a place is skin with grain (:func:`grained_share`), (B, 1, h, w).
        doublings: how often the picture was doubled.
    """
    share = F.interpolate(skin, size=texels.shape[-2:], mode="bilinear")
    share = share * grained_height(texels[:, 1:] / texels_of(config), config)
    return share * unstretched(texels, _LEAST_TEXELS / 2**doublings) * grain


def grained_share(soft: Tensor) -> Tensor:
    """How much of a place is skin with grain, (B, 1, h, w), from final masks (B, K, h, w)."""
    share = soft[:, GRAINED[0], None]
    for part in GRAINED[1:]:  # no list of channels: a GPU would be waited for
        share = share + soft[:, part, None]
    return share


def grained_height(height: Tensor, config: ModelConfig) -> Tensor:
    """How much of the grain places have by their v, (B, 1, H, W), in [0, 1]."""
    low, high = FOREHEAD
    risen = ((height - low) / (high - low)).clamp(0, 1)
    return 1 - (1 - config.forehead_grain) * risen


def grain_tile(spectrum: Spectrum, seed: int = 0) -> Tensor:
    """One of the noises, (3, ``SIDE``, ``SIDE``): the same everywhere up to rounding."""
    generator = torch.Generator().manual_seed(seed)
    line = torch.fft.fftfreq(SIDE)
    radius = torch.hypot(line[:, None], line)
    tile = torch.zeros(len(AXES), SIDE, SIDE)
    for (low, high), strengths in zip(BANDS, spectrum, strict=True):
        white = torch.randn(tile.shape, generator=generator)
        band = ((radius > low) & (radius <= high)).float()
        noise = torch.fft.ifft2(torch.fft.fft2(white) * band).real
        deviation = noise.flatten(1).std(1)[:, None, None]
        tile += noise / deviation * torch.tensor(strengths)[:, None, None]
    return from_axes(tile)


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _noises(spectrum: Spectrum, device: torch.device) -> Tensor:
    """(``NOISES``, 3, t + 2, t + 2)."""
    tiles = torch.stack([grain_tile(spectrum, seed) for seed in range(NOISES)])
    return wrapped(tiles).to(device)


@cache
@torch.inference_mode(False)
def _turns(base_dim: int, device: torch.device) -> Tensor:
    """Angles by the entries of w_base, and those that are added to them, (Z + 1, ``NOISES``)."""
    generator = torch.Generator().manual_seed(0)
    turns = torch.randn(base_dim + 1, NOISES, generator=generator)
    turns[:-1] *= _TURN / _USUAL / base_dim**0.5
    turns[-1] *= math.pi
    return turns.to(device)


def to_axes(logarithm: Tensor) -> Tensor:
    """Logarithms of red, green and blue, (…, 3, H, W), along ``AXES``."""
    red, green, blue = logarithm.unbind(-3)
    return torch.stack([(red + green + blue) / 3, red - green, green - blue], -3)


def from_axes(axes: Tensor) -> Tensor:
    """Inverse of :func:`to_axes`."""
    light, red_green, green_blue = axes.unbind(-3)
    green = light + (green_blue - red_green) / 3
    return torch.stack([green + red_green, green, green - green_blue], -3)
