"""Random portraits in pairs that differ in one part, and where in the picture they may differ."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from core.model import SSGAN3D
from core.parts import FACE_BASE, PART_COUNT
from training.adversarial import random_codes
from training.warm_start import FittedCodes

SWAPPED = tuple(part for part in range(PART_COUNT) if part != FACE_BASE)
"""All parts but the skin: whatever sits on a head follows its form."""


def swapped_pairs(
    model: SSGAN3D, count: int, generator: torch.Generator, swapped: Sequence[int] = SWAPPED
) -> tuple[FittedCodes, Tensor]:
    """Codes of ``count`` random portraits, then of the same with one part of somebody else.

    Both wear the part, which is any of ``swapped``.

    Returns:
        Codes of 2 ``count`` portraits, and the swapped parts (count,).
    """
    codes, donors = (random_codes(model, count, generator) for _ in range(2))
    parts = torch.tensor(swapped)[torch.randint(len(swapped), (count,), generator=generator)]
    chosen = F.one_hot(parts, PART_COUNT).bool().to(codes.visible.device)  # (B, K)
    visible = codes.visible | chosen
    edited = codes.with_parts_of(donors, chosen)
    pairs = FittedCodes(
        torch.cat([codes.base, edited.base]),
        torch.cat([codes.shape, edited.shape]),
        torch.cat([codes.texture, edited.texture]),
        visible.repeat(2, 1),
    )
    return pairs, parts


def edited_pixels(mask: Tensor, parts: Tensor, size: int, margin: int) -> Tensor:
    """Pixels that a swap may change: those of the part in either picture, and some around them.

    Args:
        mask: (2 B, K, h, h), values or logits, first halves of the pairs first; the largest is a
            pixel's label.
        parts: (B,) the swapped parts.
        size: side of the result, a multiple of h.
        margin: so many of its pixels around the part count as well.

    Returns:
        (B, 1, size, size) bool.
    """
    labels = mask.argmax(1)  # (2 B, h, h)
    of_part = labels == parts.to(labels.device).repeat(2)[:, None, None]
    either = torch.stack(of_part.chunk(2)).any(0)[:, None].float()  # (B, 1, h, h)
    return dilated(F.interpolate(either, size=(size, size)), margin)


def dilated(pixels: Tensor, margin: int) -> Tensor:
    """Pixels of (B, 1, H, W) and those at most ``margin`` columns and rows away, as bool."""
    return F.max_pool2d(pixels.float(), 2 * margin + 1, 1, margin) > 0
