"""Whether what hair and clothes hide is whole."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from torch import Tensor

from core.parts import BACKGROUND, part_index

HIDING = "hair", "hat"
"""Parts that lie over the scalp."""
LEAST_PIXELS = 8
"""Brows and mouths of fewer pixels say nothing about where they are."""
LEAST_NECK = 1 / 256
"""So much of a picture is needed for a median of the neck's skin."""
DARK = 0.4
"""Of the median: what is darker than that is no skin but in a deep shadow."""


@dataclass(frozen=True)
class BareHead:
    """The upper head of one picture.

    Attributes:
        crown: how far the crown lies above the brows, in distances from brows to mouth. About 0.9
            in renders of people without hair, from 0.62 to 1.2.
        gaps: share of what lies above the brows, between the outermost pixels of the head in each
            row, that shows something else. 0 for a whole head.
    """

    crown: float
    gaps: float


def bare_head(labels: Tensor) -> BareHead | None:
    """Measure a picture of a head with neither hair nor hat; None without brows or mouth in it.

    Args:
        labels: (S, S), the part of each pixel.
    """
    parts = labels.numpy()
    brows, mouth = (np.nonzero(parts == part_index(name))[0] for name in ("brows", "mouth"))
    if min(len(brows), len(mouth)) < LEAST_PIXELS:
        return None
    head = (parts != BACKGROUND) & (parts != part_index("clothes"))
    brow = brows.mean()
    across = [np.flatnonzero(row) for row in head[: int(brow)] if row.any()]
    whole = sum(found[-1] - found[0] + 1 for found in across)
    if not whole or mouth.mean() <= brow:
        return None
    crown = (brow - np.nonzero(head)[0].min()) / (mouth.mean() - brow)
    return BareHead(float(crown), 1 - sum(len(found) for found in across) / whole)


def bare_shoulders(labels: Tensor) -> float:
    """Share of a picture's lowest sixteenth that somebody without clothes fills, in 0..1.

    Args:
        labels: (S, S), the part of each pixel.
    """
    lowest = labels[-(len(labels) // 16) :]
    return float((lowest != BACKGROUND).float().mean())


def bare_smears(image: Tensor, labels: Tensor) -> float | None:
    """Share of the neck's pixels that are far darker than its median; None where it is hidden.

    What clothes always hide is taught by nothing, and may be of any colour.

    Args:
        image: (3, S, S) in [-1, 1].
        labels: (S, S), the part of each pixel.
    """
    shades = (image.float().mean(0)[labels == part_index("neck")] + 1) / 2
    if len(shades) < LEAST_NECK * labels.numel():
        return None
    return float((shades < DARK * shades.median()).float().mean())


def mean_known(values: Iterable[float | None]) -> float:
    """Mean of those that could be measured; NaN if none could."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else math.nan


def mean_head(heads: list[BareHead | None]) -> BareHead:
    """Mean of those that could be measured; NaN if none could."""
    known = [head for head in heads if head is not None]
    return BareHead(
        mean_known(head.crown for head in known), mean_known(head.gaps for head in known)
    )
