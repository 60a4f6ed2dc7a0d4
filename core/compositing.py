"""Renderings as pictures for other programs: linear light, several portraits, label colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .parts import BACKGROUND, PART_COUNT, PARTS

if TYPE_CHECKING:
    from .picture import Rendering

FAR = 1.0e10
"""Depth where nothing is hit, as Blender's own engines write it."""
_OPAQUE = 0.95
"""Alpha from which on a pixel shows nothing of the background to speak of."""
_EDGE = 1 / 48
"""Reach, as a share of the network's frame, within which a soft edge finds its colour."""
_FURTHEST = 32
"""Most pixels of reach: an edge this soft is a close-up, and the time grows with the reach."""


def srgb_to_linear(values: Tensor) -> Tensor:
    """IEC 61966-2-1 decoding of values in [0, 1]; what lies outside is clipped."""
    values = values.clamp(0, 1)
    # x ** 2.4 by its logarithm: three times as fast as torch's power, and as exact here
    bright = values.add(0.055).div_(1.055).log_().mul_(2.4).exp_()
    return torch.where(values <= 0.04045, values / 12.92, bright)


def without_background(image: Tensor, alpha: Tensor, frame_side: float) -> Tensor:
    """The portrait's own colours at its soft edges, where the model's picture shows background too.

    The picture is a mixture there that before another background is a bright or dark rim. The
    portrait's share of it cannot be had exactly, for the render net does not composite; so edges
    take the mean colour of what is opaque close by, all the more the less opaque they are.

    Args:
        image: (3, H, W), any range.
        alpha: (H, W) in [0, 1].
        frame_side: side of the network's frame in pixels. Edges are as soft as it is large, and a
            crop of a picture has the same as the whole.

    Returns:
        (3, H, W); what is opaque is as it was, and so is what has nothing opaque near.
    """
    reach = min(max(1, round(frame_side * _EDGE)), _FURTHEST)
    weight = (alpha[None] / _OPAQUE).clamp_max(1).square().square().square()
    spread = torch.cat([image * weight, weight])
    for _ in range(2):  # a box twice is a tent: no edges of its own
        for kernel, pad in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
            spread = F.avg_pool2d(spread, kernel, 1, pad, count_include_pad=False)
    near = spread[:3] / spread[3:].clamp_min(1e-6)
    share = (1 - weight) * (spread[3:] / 1e-3).clamp(0, 1)
    return image + (near - image) * share


def _in_unit_range(image: Tensor) -> Tensor:
    """From the network's [-1, 1] to [0, 1]; what lies outside is clipped."""
    return (image + 1).div_(2).clamp_(0, 1)


def _cut_out(rendering: Rendering, index: int) -> tuple[Tensor, Tensor]:
    """One portrait without its background: sRGB (3, H, W) and alpha (H, W), both in [0, 1]."""
    color = _in_unit_range(rendering.image[index])
    alpha = rendering.alpha[index].clamp(0, 1)
    return without_background(color, alpha, rendering.frame_side(index)), alpha


def display_picture(rendering: Rendering, *, transparent: bool = False, index: int = 0) -> Tensor:
    """One image of a batch as sRGB with straight alpha, (H, W, 4) in [0, 1].

    Args:
        transparent: alpha is the portrait's own; otherwise 1 everywhere.
    """
    if transparent:
        color, alpha = _cut_out(rendering, index)
    else:
        color = _in_unit_range(rendering.image[index])  # (3, H, W)
        alpha = torch.ones_like(color[0])
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
            if color is None and not self._transparent:
                light = srgb_to_linear(_in_unit_range(rendering.image[0]))  # (3, H, W)
                color = torch.cat([light, torch.ones_like(light[:1])])
                continue
            shown, alpha = _cut_out(rendering, 0)
            layer = torch.cat([srgb_to_linear(shown).mul_(alpha), alpha[None]])
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
