"""What the colours of a surface would have to be multiplied with to be those of renders.

It is brought onto a map of the surface, from all views of a person together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.drawn_people import DrawnView

ROUNDS = 3
"""Rounds of bringing what is still missing onto the map."""
_FLOOR = 0.05
"""Added to the light of both pictures, of 2: what is darker says little about colours."""
_UNSURE = 0.3
"""Pixels a texel at which its map is half known."""
_FEW = 0.15
"""The least number of pixels that what a texel is missing is divided by."""


@dataclass(frozen=True)
class Asked:
    """What one view asks of a map.

    Attributes:
        wanted: the logarithm that its pixels ask for, (1, 3, S, S).
        shares: how much of the map each shows, (1, 1, S, S).
        sure: which of them count, (1, 1, S, S).
        grid: where they lie on the map, in [-1, 1], (1, S, S, 2).
    """

    wanted: Tensor
    shares: Tensor
    sure: Tensor
    grid: Tensor


def wanted_light(view: DrawnView, largest: float) -> Tensor:
    """Logarithm of what a render is of the model's picture, at most ``largest``, (1, 3, S, S)."""
    real, own = (picture.clamp(-1, 1) + 1 + _FLOOR for picture in (view.real, view.drawn.image[0]))
    return (real / own).log().clamp(-largest, largest)


@torch.no_grad()
def missing_light(
    people: Iterable[tuple[int, list[DrawnView]]],
    count: int,
    asks: Callable[[DrawnView], Asked],
    size: tuple[int, int],
    largest: float,
) -> tuple[Tensor, Tensor]:
    """The maps of a model's people.

    Args:
        people: as :func:`.drawn_people.drawn_people` gives them.
        count: of them that there are, S.
        asks: what a view asks of the map.
        size: of the map, h and w.
        largest: bound of the logarithms.

    Returns:
        Maps (S, 3, h, w), the closer to zero the less is known of them, and how far they are known,
        (S, 1, h, w) in [0, 1].
    """
    maps = torch.zeros(count, 3, *size)
    known = torch.zeros(count, 1, *size)
    for row, views in people:
        asked = [asks(view) for view in views]
        weight = torch.zeros(1, 1, *size, device=asked[0].shares.device)
        for one in asked:
            weight += _splat(one.shares.square() * one.sure, one.grid, size)
        light = weight.new_zeros(1, 3, *size)
        for _ in range(ROUNDS):
            change = torch.zeros_like(light)
            for one in asked:
                seen = F.grid_sample(light, one.grid, align_corners=False)
                left = one.wanted - one.shares * seen
                change += _splat(left * one.shares * one.sure, one.grid, size)
            light += change / weight.clamp_min(_FEW)
        trust = weight / (weight + _UNSURE)
        known[row] = trust[0].cpu()
        maps[row] = (light * trust).clamp(-largest, largest)[0].cpu()
    return maps, known


def _splat(pixels: Tensor, grid: Tensor, size: tuple[int, int]) -> Tensor:
    """The transpose of looking a map up: pixels (1, C, S, S) added to it, (1, C, h, w)."""
    with torch.enable_grad():
        light = pixels.new_zeros(1, pixels.shape[1], *size, requires_grad=True)
        shown = F.grid_sample(light, grid, align_corners=False)
        return torch.autograd.grad(shown, light, pixels)[0]
