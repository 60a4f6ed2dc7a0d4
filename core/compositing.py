"""Renderings as pictures for other programs: linear light, several portraits, label colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .parts import BACKGROUND, PART_COUNT, PARTS

if TYPE_CHECKING:
    from .picture import Rendering

FAR = 1.0e10
"""Depth where nothing is hit, as Blender's own engines write it."""


def srgb_to_linear(values: Tensor) -> Tensor:
    """IEC 61966-2-1 decoding of values in [0, 1]; what lies outside is clipped."""
    values = values.clamp(0, 1)
    # x ** 2.4 by its logarithm: three times as fast as torch's power, and as exact here
    bright = values.add(0.055).div_(1.055).log_().mul_(2.4).exp_()
    return torch.where(values <= 0.04045, values / 12.92, bright)


def display_picture(rendering: Rendering, *, transparent: bool = False, index: int = 0) -> Tensor:
    """One image of a batch as sRGB with straight alpha, (H, W, 4) in [0, 1].

    Args:
        transparent: alpha is the portrait's own; otherwise 1 everywhere.
    """
    color = (rendering.image[index] + 1).div(2).clamp(0, 1)  # (3, H, W)
    alpha = rendering.alpha[index].clamp(0, 1) if transparent else torch.ones_like(color[0])
    return torch.cat([color, alpha[None]]).permute(1, 2, 0)


def label_picture(labels: Tensor) -> Tensor:
    """Labels (H, W) as the parts' colours, an opaque sRGB picture (H, W, 4) in [0, 1]."""
    colors = [(*part.color, 255) for part in PARTS]
    return torch.tensor(colors, dtype=torch.float32)[labels.long()] / 255


def grey_picture(values: Tensor) -> Tensor:
    """Values (H, W) as an opaque grey picture, (H, W, 4)."""
    return torch.stack([values, values, values, torch.ones_like(values)], -1)


class Picture:
    """One picture of one or more portraits, laid over each other; row 0 is the top.

    What stands behind a portrait shows through where its alpha is below 1. The farthest portrait
    shows its own background, unless the picture is transparent. Everything is computed when it is
    first asked for.

    Args:
        layers: (rendering of one camera, length of a model unit in the caller's units), farthest
            first. All of one size.
        transparent: leave the farthest portrait's background out as well.

    Raises:
        ValueError: there is no layer.
    """

    def __init__(self, layers: Sequence[tuple[Rendering, float]], *, transparent: bool) -> None:
        if not layers:
            raise ValueError("a picture needs at least one layer")
        self._layers, self._transparent = tuple(layers), transparent

    @cached_property
    def color(self) -> Tensor:
        """(H, W, 4) linear RGB, premultiplied by alpha."""
        color = None
        for rendering, _ in self._layers:  # colour plane by colour plane: that is faster
            light = srgb_to_linear((rendering.image[0] + 1).div_(2))  # (3, H, W)
            if color is None and not self._transparent:
                color = torch.cat([light, torch.ones_like(light[:1])])
                continue
            alpha = rendering.alpha[0].clamp(0, 1)
            layer = torch.cat([light.mul_(alpha), alpha[None]])
            color = layer if color is None else layer.add_(color.mul_(1 - alpha))
        assert color is not None
        return color.permute(1, 2, 0)

    @cached_property
    def depth(self) -> Tensor:
        """(H, W) distance along the camera's -Z in the caller's units, ``FAR`` in the void."""
        depths = torch.stack([rendering.depth[0] * unit for rendering, unit in self._layers])
        nearest = depths.amin(0)
        return torch.where(nearest.isfinite(), nearest, FAR)

    @cached_property
    def masks(self) -> Tensor:
        """(K, H, W) share of each part in each pixel, all portraits together; sums to 1."""
        part = torch.arange(PART_COUNT)[:, None, None] != BACKGROUND
        masks = self._layers[0][0].mask[0]
        for rendering, _ in self._layers[1:]:
            masks = masks * (1 - rendering.alpha[0]) + rendering.mask[0] * part
        return masks

    @cached_property
    def labels(self) -> Tensor:
        """(H, W) uint8 index of the part that has most of each pixel."""
        if len(self._layers) == 1:
            return self._layers[0][0].labels[0]
        return self.masks.max(0).indices.to(torch.uint8)  # argmax takes seven times as long
