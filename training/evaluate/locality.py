"""Do edits stay local: how much changes outside the part that was swapped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.camera import Camera
from core.engine import PortraitEngine
from core.parts import PART_NAMES, part_index
from training.data import PortraitSet, View
from training.swaps import dilated

MARGIN = 4 / 256
"""Dilation of the edited part's mask as a share of the picture's side: one cell of the ray grid."""
YAWS = (-40.0, -20.0, 0.0, 20.0, 40.0)
"""Degrees."""
HEADLINE = ("eyes", "brows", "nose", "mouth", "glasses")
"""The parts that ``edit_outside_ratio`` averages over."""


@dataclass
class Change:
    """Sums over edits; differences of R, G and B in [0, 1].

    Attributes:
        whole: Σ of D_mean, over the whole picture.
        outside: Σ of D_mean^masked, outside the part.
        count: edits.
    """

    whole: float = 0.0
    outside: float = 0.0
    count: int = 0

    def __add__(self, other: Change) -> Change:
        return Change(
            self.whole + other.whole, self.outside + other.outside, self.count + other.count
        )

    @property
    def ratio(self) -> float:
        """D_mean^masked / D_mean; NaN where nothing changed."""
        return self.outside / self.whole if self.whole > 0 else math.nan


def change(before: Tensor, after: Tensor, edited: Tensor) -> Change:
    """D_mean and D_mean^masked of one edit.

    Args:
        before, after: (3, S, S) in [-1, 1].
        edited: (S, S) bool, pixels of the part before or after; dilated here.
    """
    side = edited.shape[-1]
    reach = max(1, round(MARGIN * side))
    grown = dilated(edited[None, None], reach)[0, 0]
    difference = (before - after).abs().mean(0) / 2  # (S, S)
    outside = difference[~grown]
    return Change(float(difference.mean()), float(outside.mean()) if outside.numel() else 0.0, 1)


def swap_changes(
    engine: PortraitEngine,
    pairs: Sequence[tuple[int, int]],
    truncation: float,
    parts: Sequence[str] = PART_NAMES,
    yaws: Sequence[float] = YAWS,
) -> dict[tuple[str, str], Change]:
    """Swap every part's shape and texture between pairs of seeds.

    The part is put on both portraits, so that glasses change where neither would wear any.

    Returns:
        Sums by (part, "shape" or "texture").
    """
    cameras = [Camera.orbit(math.radians(yaw)) for yaw in yaws]
    sums: dict[tuple[str, str], Change] = {}
    for first, second in pairs:
        own, other = (engine.sample(seed, truncation) for seed in (first, second))
        for part in parts:
            index = part_index(part)
            base = own.with_visible({*own.visible_names, part})
            donor = other.with_visible({*other.visible_names, part})
            before = engine.render(base, cameras)
            for kind in ("shape", "texture"):
                chosen = {"shape": kind == "shape", "texture": kind == "texture"}
                after = engine.render(base.replace(part, donor, **chosen), cameras)
                edited = (before.labels == index) | (after.labels == index)
                for view in range(len(cameras)):
                    one = change(before.image[view], after.image[view], edited[view])
                    sums[part, kind] = sums.get((part, kind), Change()) + one
    return sums


def sibling_pairs(views: Sequence[View]) -> list[tuple[int, int, str]]:
    """Pairs of renders that differ in exactly one part and in nothing else, with that part."""
    groups: dict[tuple, list[int]] = {}
    for row, view in enumerate(views):
        key = (view.light, view.factors["global"], round(view.yaw, 6), round(view.pitch, 6))
        groups.setdefault((*key, round(view.distance, 6)), []).append(row)
    pairs = []
    for rows in groups.values():
        for position, second in enumerate(rows):
            for first in rows[:position]:
                a, b = views[first], views[second]
                other = [n for n in PART_NAMES if a.factors[n] != b.factors[n]]
                if len(other) == 1:
                    pairs.append((first, second, other[0]))
    return pairs


def sibling_changes(data: PortraitSet) -> dict[str, Change]:
    """The same measure between renders of siblings, by part; empty where the set has none."""
    sums: dict[str, Change] = {}
    for first, second, part in sibling_pairs(data.views):
        index = part_index(part)
        edited = (data.labels[first] == index) | (data.labels[second] == index)
        pictures = data.picture([first, second])
        sums[part] = sums.get(part, Change()) + change(pictures[0], pictures[1], edited)
    return sums


def part_ratios(sums: dict[tuple[str, str], Change]) -> dict[str, float]:
    """Ratio of each part, shape and texture together."""
    parts = dict.fromkeys(part for part, _ in sums)
    return {
        part: sum((c for (p, _), c in sums.items() if p == part), Change()).ratio for part in parts
    }


def headline(ratios: dict[str, float]) -> float:
    """Mean ratio of the headline's parts; NaN where one of them is missing."""
    return float(torch.tensor([ratios.get(part, math.nan) for part in HEADLINE]).mean())
