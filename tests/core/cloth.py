"""Garments for tests."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from core.garment import KINDS, TERMS, WORN, Garment

UNIT = 1.55
"""Decimetres in a model unit."""


def worn(
    kind: str | None = None,
    waves: Sequence[Sequence[float]] = (),
    colors: Sequence[float] = (0.0,) * 9,
    collar: float = 100.0,
) -> torch.Tensor:
    """Numbers of a garment whose template is model space, ``UNIT`` times as large, (1, WORN).

    Args:
        kind: of its print; None for plain cloth.
        waves: radians across, up and in depth, and phases.
        colors: logarithms of the print's, the trim's and the layer's.
        collar: height at which it ends: far up.
    """
    numbers = torch.zeros(1, WORN)
    garment = Garment.of(numbers)
    garment.shown.fill_(1)
    if kind is not None:
        garment.kinds[0, KINDS.index(kind)] = 1
    for row, wave in enumerate(waves):
        garment.waves[0, 4 * row : 4 * row + 4] = torch.tensor(wave)
    garment.colors.copy_(torch.tensor(colors))
    for axis in range(3):
        garment.moved[0, axis * TERMS + 1 + axis] = 1
        garment.place[0, axis * TERMS + 1 + axis] = UNIT
    garment.collar.copy_(torch.tensor([collar, 0.0, 0.0, 1.0, 0.0]))
    return numbers
