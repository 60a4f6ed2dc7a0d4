"""Strands of hair and beards: their fine structure, combed along the directions that it has.

The generator of hair, or of the skin that a beard grows on, says how much structure lies in which
direction (:mod:`.detail`). Noise of a few fixed directions, mixed, is felt: its strands are short,
and cross where hair runs between two of them. So noise is averaged along the direction that the
amounts of a place agree on (line integral convolution: Cabral and Leedom 1993), as far as they
agree, so that curls stay curls. That takes one map a portrait and part, in lifting coordinates,
which every pixel of a view is looked up in, as paint is.

Larger pictures, which the upscaler has doubled, get the strands that only they can show: an octave
of noise more for each doubling, combed on a finer map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from .blur import box_means
from .config import ModelConfig
from .detail import BANDS, oriented_noise
from .generators import PartMap
from .grain import SKIN
from .lifting import places_in
from .lookup import lookup
from .parts import part_index
from .tiles import cut, extent, on_tiles, shown_by_pixels, unstretched
from .volume import RayWeights

HAIR = part_index("hair")
COMBED = (HAIR, SKIN)
"""Parts whose fine structure is strands: hair, and beards on skin."""
LEVELS = (2.0, 4.0, 8.0)
"""Texels before and behind a place at which noise is averaged, one after the other: together eight
samples, four texels apart."""
AGREEMENT = {HAIR: (0.2, 1.0), SKIN: (0.4, 1.2)}
"""Resultant of the directions' energies, by doubled angles, below which hair or beards are left as
they are, and above which they would be combed wholly."""
_NARROWNESS = 1.0
"""Combed hair has its direction's noise by the exponential of minus this, times the square of how
many directions it is from each of them. With both numbers, and ``LEVELS``, pictures of training
people have hair about as straight as their renders' (docs/experiments.md)."""
_SMOOTH = 2
"""Texels of the hair's map, either way, over which directions are averaged, twice."""
_SHARPENED = 8.0
"""Times what a mean of 3 × 3 texels lacks, added to combed noise: averaging along directions that
are never quite those of a wave takes most of the finest ones."""
STRENGTH = (1.2, 1.35)
"""Root mean squares of combed noise of the coarse and the fine band. Amounts are bounded by what
tiles could be without becoming curls; with these, the hair of random portraits has the energy of
143 training renders' in both bands (measured: 1.19 and 1.36)."""
_NOISE_SIDE = 256
_OCTAVE = ((0.25, 0.5),)
"""Frequencies of what a doubling adds, in cycles a texel of its own map."""
OCTAVE_SHARE = 0.33
"""How much of it there is for an amount of fine structure: what hair of 79 renders of 512 pixels
has more in that octave than the upscaler makes of their halves (root mean squares; median 0.32)."""
_NEXT_SHARE = 0.5
"""The same from an octave to the next: in these renders, between the fine band and that octave."""
_SPREAD = 8
"""Texels of the combed noise over which its variance is made even."""
_TINY = 1e-12
_LEAST_TEXELS = 0.7
"""Of noise a pixel, in the direction where they are fewest: with fewer it is streaks."""
_LEAST_SHARE = 1e-4
_LEAST_AMOUNT = 1e-3
"""Of a tile that can be seen: with less there are no strands."""


@dataclass(frozen=True)
class CombedHair:
    """The fine structure of the hair, or of the beards, of B portraits.

    Attributes:
        amounts: of each tile, on the part's own map, (B, T, H, W).
        noise: of the coarse and the fine band, as strong as ``STRENGTH`` says, (B, 2, h, w); it
            covers the window of that map with ``detail_density`` texels a pixel.
        part: of ``COMBED``.
    """

    amounts: Tensor
    noise: Tensor
    part: int = HAIR


@dataclass(frozen=True)
class Strands:
    """The fine structure of hair, or of beards, as N views show it.

    Attributes:
        amount: of each tile, what the hair has of Σ_k m_k a_k, (N, T, r, r).
        noise: the combed noise of both bands at each pixel, (N, 2, S, S).
        surface: Σ m (u, v, 1) of the part alone, on rays, (N, 3, r, r).
        shown: how much of each band's noise pixels can show, in [0, 1], on rays, (N, bands, r, r);
            None where nothing asks for it.
    """

    amount: Tensor
    noise: Tensor
    surface: Tensor
    shown: Tensor | None = None

    def fine(self) -> Tensor:
        """What larger pictures are given finer strands by, (N, 4, r, r).

        That is the length of the fine amounts, and ``surface``.
        """
        amounts = self.amount.unflatten(1, (2, -1))[:, 1]
        return torch.cat([amounts.square().sum(1, keepdim=True).sqrt(), self.surface], 1)


def combed_hair(maps: PartMap, config: ModelConfig, part: int = HAIR) -> CombedHair | None:
    """The fine structure of one of ``COMBED``, from its maps; None of a model without any.

    And of portraits without any, like most who have no beard, where asking for that is no wait: on
    a CPU.
    """
    if not config.detail_directions:
        return None
    amounts = maps.features[..., config.features :].float().permute(0, 3, 1, 2).contiguous()
    if not amounts.is_cuda and float(amounts.detach().amax()) < _LEAST_AMOUNT:
        return None
    return CombedHair(amounts, combed_noise(amounts, config, part=part), part)


@torch.no_grad()
def combed_noise(
    amounts: Tensor, config: ModelConfig, doublings: int = 0, part: int = HAIR
) -> Tensor:
    """Noise along the directions of hair, as ``CombedHair.noise``, from its ``amounts``.

    Args:
        part: of ``COMBED``.
        doublings: of the picture that it is for; if any, the noise is only what the last of them
            can show more, (B, 1, h, w), with texels as many times finer.
    """
    directions = config.detail_directions
    energy = amounts.square().unflatten(1, (2, directions)).sum(1)  # (B, D, H, W)
    for _ in range(2):
        energy = box_means(energy, _SMOOTH)
    energy = energy / energy.sum(1, keepdim=True).clamp_min(_TINY)
    resultant = resultant_of(energy)  # (B, 2, H, W)
    share = agreement(resultant, part)  # (B, 1, H, W)
    angles = _angles(directions, amounts.device)
    apart = torch.atan2(resultant[:, 1:], resultant[:, :1]) / 2 - angles[:, None, None]
    apart = (torch.remainder(apart + math.pi / 2, math.pi) - math.pi / 2) * directions / math.pi
    narrow = (-_NARROWNESS * apart.square()).softmax(1)  # (B, D, H, W)

    window = config.maps[part].window
    texels = config.detail_density * config.image_size / config.frame_side * 2**doublings  # a unit
    size = (round((window[3] - window[2]) * texels), round((window[1] - window[0]) * texels))
    bands = _OCTAVE if doublings else BANDS
    noise_of = _noise if doublings else _kept_noise
    tiles = noise_of(directions, size, amounts.device, bands)  # (bands, D, h, w)
    weights = torch.lerp(energy, narrow, share).sqrt()
    weights = F.interpolate(weights, size=size, mode="bilinear")  # (B, D, h, w)
    noise = tiles[:, 0] * weights[:, :1]  # (B, bands, h, w)
    for direction in range(1, directions):  # all at once would not fit a processor's cache
        noise.addcmul_(tiles[:, direction], weights[:, direction, None])
    along, combed = _along(F.interpolate(resultant, size=size, mode="bilinear"), part)
    grid = _texel_centres(size, amounts.device)
    step = along * along.new_tensor([2 / size[1], 2 / size[0]])[:, None, None]
    ways = along.new_tensor([-1, 1])[:, None, None, None, None]  # behind, and before
    # as long on the head, whatever the texels
    for reach in (*LEVELS, *(LEVELS[-1] * 2 ** (n + 1) for n in range(doublings))):
        places = torch.addcmul(grid, ways, step, value=reach).flatten(0, 1)  # (2 B, 2, h, w)
        # both ways in one batch: of one portrait that is no copy of the noise
        twice = noise[None].expand(2, *[-1] * 4).flatten(0, 1)
        behind, before = lookup(twice, places.permute(0, 2, 3, 1), repeat_border=True).chunk(2)
        noise = behind.add_(before).mul_(0.5)
    fine = noise[:, -1:]
    lost = fine - _means_of_nine(fine)
    noise = torch.cat([noise[:, :-1], fine + _SHARPENED * combed * lost], 1)
    variance = F.avg_pool2d(noise.square(), _SPREAD, ceil_mode=True)
    variance = F.avg_pool2d(variance, 3, 1, 1, count_include_pad=False)
    deviation = F.interpolate(variance, size=size, mode="bilinear").clamp_min(_TINY).sqrt()
    strength = noise.new_tensor(STRENGTH[-noise.shape[1] :])
    return noise / deviation * strength[:, None, None]


def strands_seen(hair: CombedHair, surface: Tensor, config: ModelConfig) -> Strands:
    """What N views show of it.

    Args:
        hair: of N portraits, or of one for all.
        surface: Σ m (u, v, 1) of the part alone, on rays, (N, 3, r, r).
    """
    met, window = surface[:, 2:], config.maps[hair.part].window
    amount = lookup(hair.amounts, places_in(surface, window), repeat_border=True)
    size = (config.image_size, config.image_size)
    where = F.interpolate(surface.detach(), size=size, mode="bilinear")
    noise = lookup(hair.noise, places_in(where, window))
    shown = _shown(surface, config) if config.hair_matte and hair.part == HAIR else None
    return Strands(amount * met, noise, surface, shown)


def finer_strands(
    noise: Tensor, fine: Tensor, share: Tensor, size: int, doublings: int, config: ModelConfig
) -> Tensor:
    """By how much finer strands brighten a picture that was doubled, (1, 1, size, size).

    Args:
        noise: of that many doublings (:func:`combed_noise`), (1, 1, h, w).
        fine: of :meth:`Strands.fine`, (1, 4, r, r).
        share: how much of the amounts counts, (1, 1, s, s), s a multiple of r.
        size: pixels of the picture either way.
        doublings: how often it was doubled.
    """
    gain, rays = fine.new_zeros(1, 1, size, size), fine.shape[-1]
    found = extent(fine[0, 3] > _LEAST_SHARE)
    if found is None:
        return gain
    inside = cut(gain, found, rays)  # where the hair is
    near, share = (
        F.interpolate(cut(t, found, rays), size=inside.shape[-2:], mode="bilinear")
        for t in (fine, share)
    )
    places = places_in(near[:, 1:], config.maps[HAIR].window)  # (1, h', w', 2)
    shine = lookup(noise, places)
    half = places.new_tensor([noise.shape[-1] / 2, noise.shape[-2] / 2])
    shown = shown_by_pixels((places * half).permute(0, 3, 1, 2))
    length = near[:, :1] * OCTAVE_SHARE * _NEXT_SHARE ** (doublings - 1)
    inside.copy_((length * shine * share * shown).expm1())
    return gain


def _shown(surface: Tensor, config: ModelConfig) -> Tensor:
    """How much of each band's noise pixels can show that lie on a surface: ``Strands.shown``."""
    # of rays, which are several pixels apart: what lies between them is interpolated anyway
    pixels = config.image_size // config.ray_size
    texels = on_tiles(surface.detach().float(), config) / pixels
    spans = [shown_by_pixels(texels * (high / BANDS[-1][1])) for _, high in BANDS]
    return torch.cat(spans, 1) * unstretched(texels, _LEAST_TEXELS)


def strands_on_view(
    hair: CombedHair | None, weights: RayWeights, config: ModelConfig
) -> Strands | None:
    """What V views of one portrait show of it; None of a model without fine structure."""
    if hair is None:
        return None
    side = (config.ray_size, config.ray_size)
    return strands_seen(hair, weights.surface((hair.part,))[0].unflatten(-1, side), config)


def strands_of(hair: CombedHair | None, surface: Tensor, config: ModelConfig) -> Strands | None:
    """What V views of each of B portraits show, N = B V; None of a model without fine structure.

    Args:
        hair: of B portraits.
        surface: as for :func:`strands_seen`, (B, V, 3, r, r).
    """
    if hair is None:
        return None
    views = surface.shape[1]
    amounts, noise = (t.repeat_interleave(views, 0) for t in (hair.amounts, hair.noise))
    each = CombedHair(amounts, noise, hair.part)
    return strands_seen(each, surface.flatten(0, 1), config)


def resultant_of(energy: Tensor) -> Tensor:
    """How strands run, by doubled angles, and how far they agree: (B, 2, H, W).

    Args:
        energy: of each direction, adding up to 1 or to 0, (B, D, H, W).
    """
    angles = _angles(energy.shape[1], energy.device)
    doubled = torch.stack([(2 * angles).cos(), (2 * angles).sin()])  # (2, D)
    # no matrix product, which autocast would round
    return (energy[:, None] * doubled[:, :, None, None]).sum(2)


def _angles(directions: int, device: torch.device) -> Tensor:
    """Where filter d's structure varies most: π d / D, from x to y, y down as rows run; (D,)."""
    return torch.arange(directions, device=device) * (math.pi / directions)


def agreement(resultant: Tensor, part: int) -> Tensor:
    """How far a part is combed, in [0, 1], (B, 1, h, w), from resultants (B, 2, h, w)."""
    low, high = AGREEMENT[part]
    length = torch.hypot(resultant[:, :1], resultant[:, 1:])
    return ((length - low) / (high - low)).clamp(0, 1)


def _along(resultant: Tensor, part: int) -> tuple[Tensor, Tensor]:
    """How strands run, (B, 2, h, w) in texels (right, down), as long as they are combed.

    And how far they are combed, (B, 1, h, w).
    """
    across = torch.atan2(resultant[:, 1:], resultant[:, :1]) / 2
    combed = agreement(resultant, part)
    return torch.cat([-across.sin(), across.cos()], 1) * combed, combed


def _means_of_nine(x: Tensor) -> Tensor:
    """Means of 3 × 3 texels of (B, C, h, w), borders repeated: pooling takes ten times as long."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = x[..., :-2] + x[..., 1:-1] + x[..., 2:]
    return (x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]) / 9


@torch.inference_mode(False)  # it may be kept from a render and used in training
def _noise(
    directions: int,
    size: tuple[int, int],
    device: torch.device,
    bands: tuple[tuple[float, float], ...],
) -> Tensor:
    """Oriented noise of a whole map, (bands, D, h, w)."""
    tiles = oriented_noise(directions, _NOISE_SIDE, bands)
    height, width = size
    copies = (1, -(-height // _NOISE_SIDE), -(-width // _NOISE_SIDE))
    whole = tiles.repeat(copies)[:, :height, :width]
    return whole.unflatten(0, (len(bands), directions)).contiguous().to(device)


_kept_noise = cache(_noise)
"""For what every edit of hair needs; that of pictures doubled twice would be 55 MB for good."""


@cache
@torch.inference_mode(False)
def _texel_centres(size: tuple[int, int], device: torch.device) -> Tensor:
    """Where texels lie, (2, h, w) in [-1, 1]."""
    y, x = ((torch.arange(n, device=device) + 0.5) / n * 2 - 1 for n in size)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1])
