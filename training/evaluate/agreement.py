"""Do the views agree: pixels of one view carried to another by depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.camera import Camera
from training.evaluate.pictures import Pictures, resized

TOLERANCE = 0.04
"""Model units by which depths of a pair of pixels may differ (6 mm)."""
GRID = 128
"""Largest side of the pictures that are compared: that of the renders' depth."""
MOST = math.radians(35)
"""Views of one person whose directions differ by more are not compared: too much is hidden."""


@dataclass
class Carried:
    """Sums over the foreground pixels of the first view.

    Attributes:
        error: Σ over pairs of the mean absolute difference of R, G and B in [0, 1].
        pairs: pixels that found a partner.
        orphans: pixels whose place in the second view is outside the frame, background, or at
            another depth.
    """

    error: float = 0.0
    pairs: int = 0
    orphans: int = 0

    def __add__(self, other: Carried) -> Carried:
        return Carried(
            self.error + other.error, self.pairs + other.pairs, self.orphans + other.orphans
        )

    @property
    def disagreement(self) -> float:
        """Mean absolute difference of paired pixels; NaN where there is no pair."""
        return self.error / self.pairs if self.pairs else math.nan

    @property
    def orphaned(self) -> float:
        """Share of the pixels without a partner."""
        return self.orphans / max(self.pairs + self.orphans, 1)


def shrink_depth(depth: Tensor, size: int) -> Tensor:
    """Depth (H, W) at the middle of squares: averaging would mix surfaces."""
    step = depth.shape[-1] // size
    return depth[step // 2 :: step, step // 2 :: step]


def carry(
    image: Tensor,
    depth: Tensor,
    camera: Camera,
    other_image: Tensor,
    other_depth: Tensor,
    other_camera: Camera,
) -> Carried:
    """Carry one view's foreground pixels into another view of the same scene.

    Args:
        image, other_image: (3, S, S) in [-1, 1].
        depth, other_depth: (S, S) planar depth, +inf in the background.
    """
    size = depth.shape[-1]
    origins, directions = camera.rays(size, size)
    shown = torch.isfinite(depth)
    planar = torch.where(shown, depth, 0.0).double().numpy()
    points = (origins + directions * planar[..., None])[shown.numpy()]  # (M, 3)
    place, reach = other_camera.project(points)
    inside = (np.abs(place) < 1 - 1 / size).all(1)
    grid = torch.from_numpy(place * [1, -1]).float()[None, None]  # (1, 1, M, 2), y down
    # the second view's depth, looked up without mixing surfaces
    solid = other_depth.clamp_max(1e6)[None, None].float()
    met = F.grid_sample(solid, grid, mode="nearest", align_corners=False)[0, 0, 0]
    seen = torch.from_numpy(inside) & ((met - torch.from_numpy(reach).float()).abs() < TOLERANCE)
    color = F.grid_sample(other_image[None], grid, align_corners=False, padding_mode="border")
    own = image[:, shown]  # (3, M)
    error = (color[0, :, 0] - own).abs().mean(0) / 2
    return Carried(float(error[seen].sum()), int(seen.sum()), int((~seen).sum()))


def carry_pairs(pictures: Pictures, pairs: Sequence[tuple[int, int]]) -> Carried:
    """Both ways over pairs of pictures of the same people."""
    side = min(GRID, pictures.image.shape[-1])
    images = resized(pictures.image, side)
    depths = torch.stack([shrink_depth(depth, side) for depth in pictures.depth])
    total = Carried()
    for first, second in pairs:
        for a, b in ((first, second), (second, first)):
            total += carry(
                images[a],
                depths[a],
                pictures.cameras[a],
                images[b],
                depths[b],
                pictures.cameras[b],
            )
    return total


def near_pairs(pictures: Pictures, count: int) -> list[tuple[float, int, int]]:
    """The ``count`` pairs of pictures of one person from the closest directions.

    Returns:
        Angles in radians, at most ``MOST``, in rising order, with the pictures' rows.
    """
    pairs = []
    for second in range(len(pictures)):
        for first in range(second):
            if pictures.people[first] == pictures.people[second]:
                cosine = pictures.cameras[first].direction @ pictures.cameras[second].direction
                angle = math.acos(max(-1.0, min(1.0, float(cosine))))
                if angle <= MOST:
                    pairs.append((angle, first, second))
    return sorted(pairs)[:count]
