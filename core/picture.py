"""From what the network made in its own framing to the pictures that the caller asked for.

The network's picture is square and aimed at the origin (:func:`~.camera.canonical_camera`). The
caller's camera has the same rays in another arrangement, so its picture is a homography of that.
What lies outside the network's frame is background, with alpha 0: a bust that is cut by the frame
stays cut. There the background that is seen at the frame's border goes on, the more blurred the
further away it is: a border that is merely repeated is all streaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import Camera, picture_homography
from .lookup import lookup
from .parts import BACKGROUND
from .render_net import enlarge_to

_SAME = 1.0e-6
_FILL_STEPS = 4
_SOLID = 0.05
_BLUR = 0.55
"""By how much the background's texels grow with the distance from the frame, in shares of it; they
end as the whole frame, for halves of it meet in lines. Slower shows streaks, faster the frame."""
_OUTSIDE_SIDE = 192
"""Pixels of the longer side at which what lies outside the frame is made, about."""
MOST_DOUBLINGS = 2
"""Of a view for a larger picture: what the upscaler adds to a picture of its own is little."""
_LEAST_ENLARGED = 1.5
"""By how much a picture must be larger than a view, so that the view is doubled for it: an eighth
less than half way, so that a doubled one need not be halved for it."""
HALO = 5
"""Texels of the masks around a portrait whose background it darkens or brightens."""


@dataclass(frozen=True)
class View:
    """One portrait in the network's own framing; S is the picture's size, r the ray grid's.

    Attributes:
        camera: the canonical camera.
        image: (3, S, S) float32 in [-1, 1].
        mask_logits: (K, S / 2, S / 2).
        backdrop: the background's coarse colours, (3, h, w), about [-1, 1].
        depth: planar depth of what the rays meet, (r, r).
        coverage: share of each ray that is not background, (r, r).
        strands: what larger pictures are given finer strands of hair by (:meth:`.Strands.fine`),
            (4, r, r); (0, r, r) of a draft, or of a model without fine structure.
        surface: Σ_k m_k (u_k, v_k, 1) over the parts with detail, where larger pictures are given
            their grain, (3, r, r); (0, r, r) of a draft, or of a model without grain.
    """

    camera: Camera
    image: Tensor
    mask_logits: Tensor
    backdrop: Tensor
    depth: Tensor
    coverage: Tensor
    strands: Tensor
    surface: Tensor

    @cached_property
    def background(self) -> list[Tensor]:
        """The picture without the portrait, (1, 3, s, s), s halved from one to the next.

        Where the portrait hides it, it is filled from the next coarser level, and the coarsest one
        from ``backdrop``. That says little elsewhere: nobody ever saw what is behind clothes.
        """
        hidden = 1 - self.mask_logits.float()[None].softmax(1)[:, :1]
        # hair ends within its soft border, the rest of which may still shine there
        met = enlarge_to(self.coverage.float()[None, None], hidden.shape[-2:])
        hidden = torch.maximum(hidden, met)
        hidden = F.max_pool2d(hidden, HALO, 1, HALO // 2)
        seen = enlarge_to(1 - hidden, self.image.shape[-1]).square()  # (1, 1, S, S)
        levels = [(self.image.float()[None] * seen, seen)]
        while levels[-1][1].shape[-1] > 1:
            color, weight = levels[-1]
            levels.append((F.avg_pool2d(color, 2), F.avg_pool2d(weight, 2)))
        filled = self.backdrop.float().clamp(-1, 1).mean((1, 2))[None, :, None, None]
        made = []
        for color, weight in reversed(levels):
            trust = (4 * weight).clamp_max(1)
            coarser = enlarge_to(filled, color.shape[-1])
            filled = color / weight.clamp_min(1e-6) * trust + (1 - trust) * coarser
            made.append(filled)
        return made[::-1]


@dataclass(frozen=True)
class _Warp:
    """Where the pixels of one picture lie in a view.

    Attributes:
        grid: coordinates for grid_sample, (1, H, W, 2).
        inside: whether a pixel lies in the view's frame, (H, W) bool, or None where all do.
        stretch: the depth of a pixel's point along the caller's axis is its depth along the view's
            divided by this, plus ``shift``; (H, W).
        shift: see ``stretch``.
        frame_side: side of the view's frame in the picture, in its pixels; NaN where a corner of it
            lies behind the camera.
        halvings: how often the view is to be halved before it is looked up.
    """

    grid: Tensor
    inside: Tensor | None
    stretch: Tensor
    shift: float
    frame_side: float
    halvings: int


def _warp(source: Camera, target: Camera, size: tuple[int, int], view_size: int) -> _Warp | None:
    """The warp from ``source``'s square view to ``target``'s picture; None if they are the same."""
    matrix = picture_homography(source, target)
    # The third row of the homography is a pixel's depth along the view's axis for depth 1 along the
    # caller's. It must not be scaled, so the test for equality divides a copy.
    aligned = np.abs(matrix / matrix[2, 2] - np.eye(3)).max() < _SAME if matrix[2, 2] > 0 else False
    shift = 0.0
    if source.orthographic:  # whose pictures do not tell how far away it stands, but depth does
        shift = float((target.position - source.position) @ target.pose[:3, 2])
    if aligned and size == (view_size, view_size) and abs(shift) < _SAME:
        return None
    height, width = size
    x = (torch.arange(width, dtype=torch.float64) + 0.5) / width * 2 - 1
    y = 1 - (torch.arange(height, dtype=torch.float64) + 0.5) / height * 2
    m = matrix.tolist()
    rows = [(m[i][0] * x)[None, :] + (m[i][1] * y + m[i][2])[:, None] for i in range(3)]
    stretch = rows[2]  # (H, W)
    ahead = stretch > 1e-6
    safe = stretch.clamp_min(1e-6)
    u, v = rows[0] / safe, rows[1] / safe
    inside = (u.abs() <= 1) & (v.abs() <= 1) & ahead
    grid = torch.stack([u, -v], -1).clamp(-1.0e3, 1.0e3).float()[None]
    side = _frame_side(picture_homography(target, source), size)
    return _Warp(
        grid,
        None if bool(inside.all()) else inside,
        safe.float(),
        shift,
        side,
        _halvings(side, view_size),
    )


def _frame_side(matrix: np.ndarray, size: tuple[int, int]) -> float:
    """Root of the area, in pixels, that a view's frame has in a picture; see :class:`_Warp`.

    Args:
        matrix: homography from the view's NDC to the picture's.
        size: (height, width) of the picture.
    """
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1.0]]) @ matrix.T
    if corners[:, 2].min() <= 1e-6:
        return math.nan
    x = corners[:, 0] / corners[:, 2] * size[1] / 2  # pixels
    y = corners[:, 1] / corners[:, 2] * size[0] / 2
    return math.sqrt(0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))))


def _halvings(frame_side: float, view_size: int) -> int:
    """How often to halve a view so that its pixels are about as large as the picture's."""
    if math.isnan(frame_side):
        return 0
    ratio = view_size / max(frame_side, 1.0)
    most = int(math.log2(view_size)) - 1
    return max(0, min(round(math.log2(ratio)), most))


def _doublings(frame_side: float, view_size: int) -> int:
    """How often to double a view so that its pixels are about as small as the picture's."""
    if not frame_side >= _LEAST_ENLARGED * view_size:  # NaN is not either
        return 0
    return min(1 + int(math.log2(frame_side / (_LEAST_ENLARGED * view_size))), MOST_DOUBLINGS)


def _halve(x: Tensor, times: int) -> Tensor:
    """Average over squares of 2^times pixels."""
    return F.avg_pool2d(x, 2**times) if times else x


def _sample(x: Tensor, grid: Tensor) -> Tensor:
    """Bilinear lookup of (1, C, h, w) that repeats the border."""
    return lookup(x, grid, repeat_border=True)


def _outside(view: View, warp: _Warp) -> Tensor:
    """The background as it goes on outside the frame, (1, 3, H, W)."""
    height, width = warp.grid.shape[1:3]
    # it is smooth: a coarse picture shows all of it
    step = max(1, max(height, width) // _OUTSIDE_SIDE)
    coarse = (-(-height // step), -(-width // step))
    grid = F.interpolate(warp.grid.permute(0, 3, 1, 2), coarse, mode="bilinear")
    beyond = torch.linalg.vector_norm((grid.abs() - 1).relu(), dim=1)  # 1 for half a frame
    side = view.image.shape[-1]
    texel = 2**warp.halvings + _BLUR * side * beyond  # in pixels of the view
    wanted = texel.clamp_max(side).log2()  # (1, h, w)
    color = torch.zeros(1, 3, *coarse)
    for number, level in enumerate(view.background):
        share = (1 - (wanted - number).abs()).relu()  # linear between two levels
        if bool(share.any()):
            color += share * _sample(level, grid.permute(0, 2, 3, 1))
    return F.interpolate(color, (height, width), mode="bilinear")


class Rendering:
    """Pictures of B views. Everything but the image is made when it is first asked for.

    All are CPU tensors, float32 unless said otherwise; row 0 is the top of the picture.

    Attributes:
        cameras: the cameras that were rendered: the caller's, moved into the trained range where
            they stood outside.
        size: (height, width).
    """

    def __init__(
        self,
        views: Sequence[View],
        cameras: Sequence[Camera],
        size: tuple[int, int],
        *,
        background_visible: bool = True,
        doubled: Callable[[int, int], Tensor] | None = None,
    ) -> None:
        """
        Args:
            doubled: gives the picture of a view, by its index, after so many doublings: what
                larger pictures than the network's are looked up in. None for its picture itself.
        """
        self.cameras, self.size = tuple(cameras), size
        self._views = tuple(views)
        self._background_visible = background_visible
        view_size = views[0].image.shape[-1]
        self._warps = [
            _warp(view.camera, camera, size, view_size)
            for view, camera in zip(views, cameras, strict=True)
        ]
        self.image = self._image(doubled)

    @torch.no_grad()
    def _image(self, doubled: Callable[[int, int], Tensor] | None) -> Tensor:
        """(B, 3, H, W) sRGB in [-1, 1]."""
        pictures = []
        for index, (view, warp) in enumerate(zip(self._views, self._warps, strict=True)):
            picture = view.image.float()[None]
            if warp is not None:
                times = _doublings(warp.frame_side, picture.shape[-1])
                if doubled is not None and times:
                    picture = doubled(index, times)[None]
                picture = _sample(_halve(picture, warp.halvings), warp.grid)
                if warp.inside is not None:
                    picture = torch.where(warp.inside, picture, _outside(view, warp))
            pictures.append(picture)
        image = torch.cat(pictures)
        if not self._background_visible:  # white behind the portrait
            alpha = self.alpha[:, None]
            image = image * alpha + (1 - alpha)
        return image

    def frame_side(self, index: int) -> float:
        """Side of the network's frame in one picture, in pixels: the same in any crop of it."""
        warp = self._warps[index]
        side = self.size[0] if warp is None else warp.frame_side
        return float(max(self.size)) if math.isnan(side) else side

    @cached_property
    @torch.no_grad()
    def mask(self) -> Tensor:
        """Share of each part in each pixel, (B, K, H, W); sums to 1 over the parts."""
        masks = []
        for view, warp in zip(self._views, self._warps, strict=True):
            # bilinear lookups of few channels are several times faster plane by plane
            logits = view.mask_logits.float().contiguous()[None]
            if warp is None:
                soft = enlarge_to(logits, self.size[0]).softmax(1)
            elif warp.halvings:
                # logits of many pixels do not average to the share of each part: their masks do
                soft = _halve(logits.softmax(1), warp.halvings - 1)
                soft = _sample(soft, warp.grid)
            else:
                soft = _sample(logits, warp.grid).softmax(1)
            if warp is not None and warp.inside is not None:
                soft *= warp.inside
                soft[:, BACKGROUND] += ~warp.inside
            masks.append(soft)
        return masks[0] if len(masks) == 1 else torch.cat(masks)

    @cached_property
    @torch.no_grad()
    def labels(self) -> Tensor:
        """Index of the part that has most of each pixel, (B, H, W) uint8."""
        return self.mask.max(1).indices.to(torch.uint8)  # argmax takes seven times as long

    @cached_property
    @torch.no_grad()
    def alpha(self) -> Tensor:
        """Share of the portrait in each pixel: 1 - background, (B, H, W)."""
        return 1 - self.mask[:, BACKGROUND]

    @cached_property
    @torch.no_grad()
    def depth(self) -> Tensor:
        """Distance along the camera's -Z in model units, +inf where alpha < 0.5; (B, H, W)."""
        depths = []
        for view, warp in zip(self._views, self._warps, strict=True):
            coarse = _filled_depth(view.depth.float(), view.coverage.float())[None, None]
            if warp is None:
                depth = enlarge_to(coarse, self.size[0])[0, 0]
            else:
                depth = _sample(coarse, warp.grid)[0, 0] / warp.stretch + warp.shift
            depths.append(depth)
        return torch.stack(depths).masked_fill_(self.alpha < 0.5, math.inf)


def _filled_depth(depth: Tensor, coverage: Tensor) -> Tensor:
    """Depth (r, r) with rays that meet next to nothing filled from their neighbours.

    The final mask may reach a pixel further than the rays' own, and a lookup between a ray that
    hits and one that does not must not average with a meaningless depth.
    """
    weight = (coverage > _SOLID).float()
    total = (depth * weight)[None, None]
    weight = weight[None, None]
    for _ in range(_FILL_STEPS):
        near, count = F.avg_pool2d(total, 3, 1, 1), F.avg_pool2d(weight, 3, 1, 1)
        grown = (weight == 0) & (count > 0)
        total = torch.where(grown, near / count.clamp_min(1e-9), total)
        weight = torch.where(grown, 1.0, weight)
    return total[0, 0]
