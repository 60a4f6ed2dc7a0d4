"""The matte of hair: where it ends, it ends in strands.

How much of a place is hair comes from maps that are several pixels a texel, and rays that are four
wide. So the ends of hair were a soft border over six pixels, and a fringe that half hides a
forehead was a veil. What is half hair are really strands with nothing between them: there the share
of hair is made more or less by the noise that is combed along its strands (:mod:`.strands`), which
leaves its mean as it is, and against the background its border is made steeper. Colours of hair and
of what is next to it are known from the picture nearby.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .blur import box_means
from .config import ModelConfig
from .parts import BACKGROUND, part_index
from .strands import HAIR, STRENGTH, Strands, agreement, resultant_of
from .tiles import cut, region

_HAT = part_index("hat")
_SHARES = (0.5, 0.75**0.5)
"""Of the coarse and the fine band in the noise; where both can be seen its variance is 1."""
_LEAST_SHOWN = 0.35
"""Where pixels can show less than that of both, there is less noise."""
_PURE = 4
"""Power of the share of hair by which a place says what colour hair has, and likewise the rest."""
_NEAR = 2
"""Rays, either way, over which such colours are averaged, twice."""
_LEAST = 1e-6
_DARKEST = 0.02
"""Light and shares that are divided by are at least this."""
_LEAST_ENERGY = 1e-12
_TRACE = 2e-3
"""Share of hair, or of what is not hair, of a ray in which hair does not end."""
_MOST = 1.0
"""Bound of what noise is multiplied with."""


class Matte(NamedTuple):
    """What ends of hair are in N views.

    Attributes:
        picture: in which hair ends in strands, (N, 3, S, S).
        noise: of the strands, as it brightens that one: hair, and not what is seen beside it,
            (N, bands, S, S).
        change: of the share of hair, (N, 1, S, S).
    """

    picture: Tensor
    noise: Tensor
    change: Tensor


def matte(smooth: Tensor, soft: Tensor, strands: Strands, config: ModelConfig) -> Matte:
    """Let hair end in strands.

    Args:
        smooth: the picture without what is finer than rays, (N, 3, S, S) in about [-1, 1].
        soft: its mask, (N, K, h, w).
        strands: of its hair.
        config: with a ``hair_matte``.
    """
    rays = config.ray_size
    # plane by plane: few channels last are pooled slowly
    smooth, soft = smooth.float().contiguous(), soft.float()
    hair = soft[:, HAIR, None]
    beside = 1 - hair - soft[:, _HAT, None]  # no strands end on hats: these end on them
    picture, noise, change = smooth.clone(), strands.noise.clone(), torch.zeros_like(smooth[:, :1])
    share = _pooled(hair.detach(), rays)[:, 0]
    found = region((share > _TRACE) & (share < 1 - _TRACE))
    if found is None:
        return Matte(picture, noise, change)
    outside = torch.cat([soft[:, BACKGROUND, None], 1 - hair], 1)
    outside = box_means(_pooled(outside, rays), _NEAR)
    outside = outside[:, :1] / outside[:, 1:].clamp_min(_DARKEST)
    within, beyond, steepness = config.hair_matte
    # hair that runs one way ends outside as on heads: its outline has no teeth
    strength = within + (beyond - within) * outside * (1 - straight(strands))
    planes = torch.cat([*colors(smooth, hair, rays), outside, strength, seen(strands)], 1)
    inside, waves = (cut(t, found, rays) for t in (smooth, strands.noise))
    planes, shares = (
        F.interpolate(cut(t, found, rays), size=inside.shape[-2:], mode="bilinear")
        for t in (planes, torch.cat([hair, beside], 1))
    )
    own, other, outside, strength, shown = planes.split([3, 3, 1, 1, 2], 1)
    share, beside = shares.chunk(2, 1)

    ends = 4 * share * beside * strength * (waves * shown).sum(1, keepdim=True)
    ends = ends + (steepness - 1) * outside * (share - 0.5)
    made = (share + ends).clamp(0, 1)
    cut(change, found, rays).copy_(made - share)
    # masks and pictures do not end quite alike: no colour may come out that is not there
    least = torch.minimum(torch.minimum(own, other), inside)
    most = torch.maximum(torch.maximum(own, other), inside)
    mixed = (inside + (made - share) * (own - other)).clamp(least, most)
    cut(picture, found, rays).copy_(mixed)
    own, other = (t.mean(1, keepdim=True).add(1).clamp_min(_DARKEST) for t in (own, other))
    lit = made * own / (share.clamp_min(_DARKEST) * torch.lerp(other, own, made))
    cut(noise, found, rays).copy_(waves * lit.clamp_max(_MOST))
    return Matte(picture, noise, change)


def ended(logits: Tensor, soft: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """A mask in which hair ends as it does in the picture: logits and shares, (N, K, h, w) each.

    The shares add up to 1 but where hair begins that the mask had none of.

    Args:
        logits, soft: the mask as it was.
        change: of :class:`Matte`.
    """
    change = _pooled(change, soft.shape[-1])
    hair = soft[:, HAIR, None].clamp(_TRACE, 1 - _TRACE)
    made = (hair + change).clamp(_TRACE, 1 - _TRACE)
    # what is not hair keeps its shares of the rest
    rest, own = (1 - made) / (1 - hair), made / hair
    step = rest.log()
    logits, shares = logits + step, soft * rest
    logits[:, HAIR, None] += own.log() - step
    shares[:, HAIR, None] *= own / rest
    return logits, shares


def colors(picture: Tensor, share: Tensor, rays: int) -> tuple[Tensor, Tensor]:
    """What colour a part has near each ray, and what is not that part, (N, 3, r, r) each.

    Args:
        picture: (N, 3, S, S).
        share: how much of a place is the part, (N, 1, h, w).
        rays: r.
    """
    picture, share = (_pooled(t, rays) for t in (picture, share))
    own, other = (_LEAST + t.pow(_PURE) for t in (share, 1 - share))
    near = torch.cat([own * picture, own, other * picture, other], 1)
    for _ in range(2):
        near = box_means(near, _NEAR)
    return near[:, :3] / near[:, 3:4], near[:, 4:7] / near[:, 7:]


def seen(strands: Strands) -> Tensor:
    """What the noise of each band is multiplied with, on rays, (N, bands, r, r).

    The sum of both has a variance of 1 wherever pixels can show enough of them.
    """
    assert strands.shown is not None, "a model with a matte knows where its strands are shown"
    # band by band: a recorded CUDA graph can copy no numbers to the GPU
    coarse, fine = (strands.shown[:, band, None] * _SHARES[band] for band in range(2))
    whole = torch.hypot(coarse, fine).clamp_min(_LEAST_SHOWN)
    return torch.cat([coarse / (whole * STRENGTH[0]), fine / (whole * STRENGTH[1])], 1)


def straight(strands: Strands) -> Tensor:
    """How far the strands near each ray run one way, in [0, 1], (N, 1, r, r)."""
    energy = strands.amount.detach().float().square().unflatten(1, (2, -1)).sum(1)
    energy = box_means(energy, _NEAR)  # of the nearest hair, beside it as well
    energy = energy / energy.sum(1, keepdim=True).clamp_min(_LEAST_ENERGY)
    return agreement(resultant_of(energy), HAIR)


def _pooled(x: Tensor, side: int) -> Tensor:
    """(N, C, h, w) → (N, C, side, side)."""
    return F.avg_pool2d(x, x.shape[-1] // side)
