"""What garments are made of, and where: cloth, a print on it, a collar's trim, a layer over it.

Which colour is where is not learnt but told by who made the renders (``python -m training
traits``): a hundred numbers a person, kept with the people whom a model mixes (:mod:`.traits`).
They say it as the renders' cloth does: by places in the template of the body that all garments are
cut from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .traits import some

KINDS = ("stripes", "pinstripes", "checks", "dots", "blotches", "yoke")
"""Prints: level stripes, upright lines, both at half strength, islands where both waves are high,
where ten waves add up to more than nothing, and another colour below the chest."""
LINE = 0.75
"""Height of a wave above which it is a line: for a quarter of its length."""
DOT = 0.55
"""Height of two waves' product above which there is a dot: on a sixth of the cloth."""
YOKE = 5.3
"""Height in the template below which a yoke ends, in decimetres."""
WAVES = 10
"""Of a print. Those of blotches are five, and five about twice as fine and half as high."""
_BLOTCH = 2.2, 0.1
"""What the sum of the waves of blotches is divided by, and the half width of their edges."""
TRIM = 0.07
"""Width of a collar's trim in decimetres."""
MESH = 0.06
"""Distance of the vertices that renders' prints are painted on, in decimetres: about."""
TERMS = 10
"""Of a place that is brought into the template: 1, x, y, z and their products."""
ORDER = 3
"""Of the Fourier series of the edges of what lies around the neck."""
LOOSE = 0.05
"""Model units by which that may reach farther."""
NECK_AXIS = -0.6 / 1.55
"""z of the axis that it lies around, in model units."""
FIELDS = (1, len(KINDS), 4 * WAVES, 9, 3 * TERMS, 3 * TERMS, 5, 2, 3 * (2 * ORDER + 1))
"""Numbers of a :class:`Garment`."""
WORN = sum(FIELDS)


class Garment(NamedTuple):
    """B garments. Lengths are decimetres of the template, where nothing else is said.

    Attributes:
        shown: how much of all that there is, (B, 1): it fades between people.
        kinds: which print, 1 in one of ``KINDS`` or none, (B, 6).
        waves: radians a decimetre and phase, (B, 4 WAVES). All kinds but blotches and yokes have
            the first, or the first two.
        colors: logarithms of red, green and blue of the print, the trim and the layer over the
            ground's, (B, 9).
        moved: x, y, z of the renders' garment as polynomials of the model's, in model units,
            (B, 3 TERMS).
        place: the template's x, y, z as polynomials of those, (B, 3 TERMS).
        collar: what :func:`collar_line` is made of, (B, 5).
        jacket: 1 where there is one, and half of its opening, (B, 2).
        around: Fourier series of the lower and the upper edge of a scarf or a hood and of how far
            it reaches, in model units, over the angle around the neck, (B, 3 (2 ORDER + 1)); zeros
            for none.
    """

    shown: Tensor
    kinds: Tensor
    waves: Tensor
    colors: Tensor
    moved: Tensor
    place: Tensor
    collar: Tensor
    jacket: Tensor
    around: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> Garment:
        """From (B, WORN)."""
        return cls(*numbers.split(FIELDS, -1))


def terms(places: Tensor) -> Tensor:
    """1, x, y, z, x², y², z², xy, xz and yz of places (B, 3, …): (B, TERMS, …)."""
    x, y, z = places.unbind(1)
    return torch.stack([torch.ones_like(x), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z], 1)


def polynomial(numbers: Tensor, places: Tensor) -> Tensor:
    """Polynomials (B, 3 TERMS) at places (B, 3, …): (B, 3, …)."""
    return (numbers.unflatten(-1, (3, TERMS)) @ terms(places).flatten(2)).view_as(places)


def series(angle: Tensor) -> Tensor:
    """1, then cosines and sines of an angle (B, …) up to ``ORDER``: (B, 2 ORDER + 1, …)."""
    orders = [order * angle for order in range(1, ORDER + 1)]
    waves = [wave(order) for order in orders for wave in (torch.cos, torch.sin)]
    return torch.stack([torch.ones_like(angle), *waves], 1)


def worn_colors(
    garment: Garment, places: Tensor, texel: float, unit: float, nearby: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Colours of garments over those of their grounds, (B, 3, h, w) twice.

    The first is of what garments are made of, printed cloth in its mean colour; the second is what
    prints multiply that with.

    Args:
        garment: of B portraits.
        places: on their surface, in model units, (B, 3, h, w).
        texel: how far those are apart, in model units: edges are as wide.
        unit: decimetres in one.
        nearby: means of maps (B, 1, h, w), for the mean colour of a print.
    """
    places = polynomial(garment.moved, places)
    rest = polynomial(garment.place, places)
    fine = texel * unit
    cloth, trim, layer = garment.colors.exp()[:, :, None, None].split(3, 1)  # (B, 3, 1, 1)
    hem = edge(TRIM - (collar_line(garment.collar, rest) - rest[:, 1]), fine)[:, None]
    color = lines = torch.ones_like(places)
    over = torch.zeros_like(hem)
    if any(some(garment.kinds)):
        share = printed(garment.kinds, garment.waves, rest, max(fine, MESH))[:, None]
        color = 1 + nearby(share) * (cloth - 1)
        lines = (1 + share * (cloth - 1)) / color
    color = color.lerp(trim.expand_as(places), hem)
    if any(some(garment.jacket[:, :1])):
        jacket = edge(jacket_line(garment.jacket[:, 1:], rest), fine)
        over = (jacket * garment.jacket[:, :1, None])[:, None]
    if any(some(garment.around.abs())):
        over = torch.maximum(over, around_neck(garment.around, places, texel)[:, None])
    color = color.lerp(layer.expand_as(places), over)
    return color, 1 + (lines - 1) * (1 - hem) * (1 - over)


def around_neck(around: Tensor, places: Tensor, texel: float) -> Tensor:
    """Share of a scarf or a hood, (B, h, w).

    Args:
        around: of :class:`Garment`.
        places, texel: as for :func:`worn_colors`.
    """
    x, y, z = places.unbind(1)
    z = z - NECK_AXIS
    waves = series(torch.atan2(x, z)).flatten(2)
    ends = around.unflatten(-1, (3, 2 * ORDER + 1)) @ waves
    low, high, reach = ends.view(len(y), 3, *y.shape[1:]).unbind(1)
    inside = torch.minimum(torch.minimum(y - low, high - y), reach + LOOSE - torch.hypot(x, z))
    return edge(inside, texel) * (high > low)


def printed(kinds: Tensor, waves: Tensor, rest: Tensor, texel: float) -> Tensor:
    """Share of the print's colour, (B, h, w).

    Args:
        kinds, waves: of :class:`Garment`.
        rest: places in the template, (B, 3, h, w).
        texel: how far they are apart, in decimetres.
    """
    waves = waves.unflatten(-1, (WAVES, 4))  # (B, W, 4)
    worn = some(kinds)
    several = WAVES if worn[KINDS.index("blotches")] else 2
    phase = (waves[:, :several, :3] @ rest.flatten(2) + waves[:, :several, 3:]).sin()
    height = phase.unflatten(-1, rest.shape[-2:])  # (B, W, h, w)
    # not zero: who has no such wave stands beside others who have it
    wide = (waves[..., :3].norm(dim=-1)[..., None, None] * texel).clamp_min(1e-6)  # (B, W, 1, 1)
    one, other = height[:, 0], height[:, 1]
    first, second = wide[:, 0], wide[:, 1]

    def blotches() -> Tensor:
        coarse, fine = height.split(WAVES // 2, 1)
        scale, soft = _BLOTCH
        ramp = ((coarse.sum(1) + fine.sum(1) / 2) / (2 * scale * soft) + 0.5).clamp(0, 1)
        return ramp * ramp * (3 - 2 * ramp)

    # a wave's height changes by a radian a radian where it crosses zero
    found: tuple[Callable[[], Tensor], ...] = (
        lambda: edge(one, first),
        lambda: edge(one - LINE, first * (1 - LINE**2) ** 0.5),
        lambda: (edge(one, first) + edge(other, second)) / 2,
        lambda: edge(one * other - DOT, torch.maximum(first, second)),
        blotches,
        lambda: edge(YOKE - rest[:, 1], texel),
    )
    share = torch.zeros_like(one)
    for make, kind, present in zip(found, kinds.unbind(-1), worn, strict=True):
        if present:
            share = share + make() * kind[:, None, None]
    return share


def collar_line(collar: Tensor, rest: Tensor) -> Tensor:
    """Height in the template at which a garment ends, (B, h, w).

    Args:
        collar: its height behind, how much lower it is in front, how deep its notch, half of its
            width, and how much higher it is on the shoulders, (B, 5).
        rest: places in the template, (B, 3, h, w).
    """
    level, drop, notch, width, rise = collar[:, :, None, None].unbind(1)
    side, front = rest[:, 0].abs(), smoothstep(-0.2, 0.9, rest[:, 2])
    cut = (1 - side / width.clamp_min(1e-3)).clamp(0, 1) * notch
    return level - front * (drop + cut) + rise * smoothstep(0.75, 1.15, side)


def jacket_line(opening: Tensor, rest: Tensor) -> Tensor:
    """Positive where a jacket covers the garment, as far as to its edge, (B, h, w).

    Args:
        opening: half of its width at the chest, (B, 1).
        rest: places in the template, (B, 3, h, w).
    """
    x, y, z = rest.unbind(1)
    side = x.abs()
    back = 6.0 - y + 0.9 * smoothstep(0.75, 1.15, side)
    front = side - opening[..., None] - 0.75 * (y - 5.0).clamp_min(0)
    return torch.minimum(back, torch.where(z > 0.2, front, torch.ones_like(front)))


def smoothstep(start: float, end: float, x: Tensor) -> Tensor:
    """Cubic ramp from 0 at ``start`` to 1 at ``end``."""
    t = ((x - start) / (end - start)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def edge(height: Tensor, width: Tensor | float) -> Tensor:
    """1 where a height is above zero, 0 below, and what is between over a width."""
    return (height / width + 0.5).clamp(0, 1)
