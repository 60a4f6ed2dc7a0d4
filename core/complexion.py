"""Noses, ears and necks take the complexion of the head that they are put on.

They are skin. w_base should hold its colour and their own codes the rest, but codes that were
fitted to one person's pictures hold some of it as well: a nose on another head was orange, or grey.
The person whose head it is had a nose, too. So a part's mean colour on a head is made that of the
head's own one, which is kept with the people (``python -m training complexions``).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig
from .generators import PartMap
from .indices import index_tensor
from .lifting import opacity
from .parts import part_index
from .traits import nearest_two, some

TAKERS = tuple(part_index(name) for name in ("nose", "ears", "neck"))
"""Parts that are skin, beside the skin itself."""
_DARKEST = 0.02
"""Least light, of 2, whose logarithm is taken."""
_ALIKE = 0.02
"""Difference that is none, for a head's own parts are not computed alike everywhere."""
_ON_THE_WAY = 1.2, 1.6
"""Sum of the distances to two people, as a share of that between them, up to which a head lies
between them, and from which on it is nobody's."""
_MOST = 0.7
"""The largest that is made up for: a factor of two."""


def mean_color(one: PartMap, config: ModelConfig) -> Tensor:
    """Mean logarithm of the light of B parts' coarse colours, where they lie, (B, 3)."""
    light = (one.features[..., :3].float() + 1).clamp_min(_DARKEST).log()
    share = opacity(one.density.float(), config)[..., None]
    return (light * share).sum((1, 2)) / share.sum((1, 2)).clamp_min(1e-6)


def head_color(base: Tensor, people: Tensor, colors: Tensor, known: Tensor) -> Tensor:
    """The colour of a part that belongs to B heads, as :func:`change_of_hue` wants it, (B, 4).

    A random head is one person's or lies between two: so does its colour.

    Args:
        base: w_base of the heads, (B, Zb).
        people: of the people, (S, Zb).
        colors: of their own parts, (S, 3).
        known: whose count, (S,) bool, two at least.
    """
    near, who = nearest_two(base, people, known)
    first, second = who.unbind(1)
    between = (people[first] - people[second]).float().norm(dim=1, keepdim=True)
    whole = near.sum(1, keepdim=True).clamp_min(1e-12)
    share = near[:, :1] / whole
    found = torch.lerp(colors[first].float(), colors[second].float(), share)
    there, gone = _ON_THE_WAY
    shown = (gone - whole / between.clamp_min(1e-12)) / (gone - there)
    return torch.cat([shown.clamp(0, 1), found], 1)


def change_of_hue(color: Tensor, wanted: Tensor) -> Tensor:
    """Logarithm of what multiplies the colours of B parts, (B, 3).

    Args:
        color: as :func:`mean_color` gives it, (B, 3).
        wanted: 1 on the head of somebody known, falling to 0 elsewhere, then the colour of that
            person's own part, (B, 4).
    """
    return F.softshrink(wanted[:, 1:] - color, _ALIKE).clamp(-_MOST, _MOST) * wanted[:, :1]


def hues_of(maps: Mapping[int, PartMap]) -> Tensor | None:
    """The changes of ``TAKERS``, (B, P, 3); None without.

    None as well if nothing changes, as of a head with its own parts, where asking is no wait.
    """
    found = [maps[part].hue for part in TAKERS]
    hues = [hue for hue in found if hue is not None]
    if len(hues) < len(TAKERS):
        return None
    whole = torch.stack(hues, 1)
    return whole if any(some(whole.abs())) else None


def tinted(hues: Tensor, mask: Tensor) -> Tensor:
    """Logarithm of what multiplies the colours of N pictures, (N, 3, h, w).

    Args:
        hues: of N portraits or of one for all, (N or 1, P, 3).
        mask: what the final masks say, (N, K, h, w).
    """
    shares = mask.index_select(1, index_tensor(TAKERS, mask.device)).float()  # (N, P, h, w)
    with torch.autocast(mask.device.type, enabled=False):
        return torch.einsum("npc,nphw->nchw", hues.float().expand(len(mask), -1, -1), shares)
