"""Colours finer than a ray: a texture of each part's own, looked up at every pixel.

Rays are four pixels apart and a texel of a part's map is two to four wide. What is finer (the edge
of an iris, a lash line, the corner of a mouth) had to come from the render net, which knows pixels
but not places on the surface. So some parts carry a texture of colours of several texels to one of
their map, which is added to the picture where rays meet the part: it moves with the surface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig, Window
from .indices import index_tensor
from .parts import PART_NAMES

FINE = tuple(
    PART_NAMES.index(name)
    for name in ("skin", "brows", "eyes", "nose", "mouth", "hair", "clothes", "glasses")
)
"""Parts with a texture of their own; of the others little is finer than a ray."""
_COVERED = 1.0e-3
"""Where a part covers less of a ray or a pixel than this its texture is not looked up."""
_NOWHERE = 9.0
"""A coordinate outside of every texture."""


def fine_places(mask: Tensor, uv: Tensor, lifted: Sequence[int]) -> Tensor:
    """m_k (u_k, v_k, 1) of the parts with a texture, (B, V, F, 3, R).

    Args:
        mask: m, (B, V, K, R).
        uv: mean lifting coordinates where rays meet each lifted part, (B, V, K - 1, R, 2).
        lifted: part indices of the rows of ``uv``.
    """
    rows = tuple(lifted.index(part) for part in FINE)
    share = mask.index_select(2, index_tensor(FINE, mask.device))[..., None]  # (B, V, F, R, 1)
    places = uv.index_select(2, index_tensor(rows, uv.device))
    return torch.cat([places * share, share], -1).transpose(3, 4)


def fine_color(textures: Mapping[int, Tensor], places: Tensor, config: ModelConfig) -> Tensor:
    """Σ_k m_k t_k(u_k, v_k) at every pixel, (B, V, 3, S, S), to be added to the picture.

    Args:
        textures: t_k of the parts in ``FINE``, (B, 3, h, w) each.
        places: as from :func:`fine_places`, (B, V, F, 3, r, r). No gradient flows into it: colours
            must not move surfaces.
    """
    batch, views, _, _, side, _ = places.shape
    size = config.image_size
    step = size // side
    places = places.detach().float()
    color = places.new_zeros(batch, views, 3, size, size)
    for row, part in enumerate(FINE):
        rows, columns = _covered(places[:, :, row, 2])
        crop = places[:, :, row, :, rows, columns].flatten(0, 1)  # (B V, 3, h, w)
        if not crop.numel():
            continue
        crop = _homogeneous(crop, config.maps[part].window)
        where = F.interpolate(crop, scale_factor=float(step), mode="bilinear")
        found = _looked_up(textures[part].float(), where, views)
        top, left, height, width = rows.start * step, columns.start * step, *where.shape[2:]
        color[..., top : top + height, left : left + width] += found
    return color


def _looked_up(texture: Tensor, where: Tensor, views: int) -> Tensor:
    """Colours m t(x, y), (B, V, 3, h, w), of a texture (B, 3, ·, ·) at m (x, y, 1), (B V, …)."""
    share = where[:, 2]  # (B V, h, w)
    least = share.clamp_min(1e-4)
    # beyond the outermost texels these go on
    edges = [1 - 1 / texels for texels in (texture.shape[-1], texture.shape[-2])]
    line = [(where[:, axis] / least).clamp(-edge, edge) for axis, edge in enumerate(edges)]
    if where.is_cuda:  # the gradients of all hidden pixels would queue at one texel
        line[0] = line[0].masked_fill(share <= _COVERED, _NOWHERE)
    height, width = share.shape[1:]
    grid = torch.stack(line, -1).reshape(-1, views * height, width, 2)
    found = F.grid_sample(texture, grid, align_corners=False)  # (B, 3, V h, w)
    found = found.unflatten(2, (views, height)).transpose(1, 2)
    return found * share.reshape(-1, views, 1, height, width)


def _homogeneous(places: Tensor, window: Window) -> Tensor:
    """``places`` (N, 3, h, w) as m (x, y, 1) of a window's coordinates in [-1, 1], y down."""
    u0, u1, v0, v1 = window
    u, v, share = places.unbind(1)
    x = (u - u0 * share) * (2 / (u1 - u0)) - share
    y = share - (v - v0 * share) * (2 / (v1 - v0))
    return torch.stack([x, y, share], 1)


def _covered(share: Tensor) -> tuple[slice, slice]:
    """Rows and columns of the rays that a part covers in any view, and one more on every side.

    A GPU looks everything up faster than the CPU could ask it where there is something.
    """
    side = share.shape[-1]
    if share.device.type != "cpu":
        return slice(0, side), slice(0, side)
    shown = (share > _COVERED).flatten(0, 1).any(0)  # (r, r)
    return _extent(shown.any(1)), _extent(shown.any(0))


def _extent(shown: Tensor) -> slice:
    found = shown.nonzero()[:, 0].tolist()
    if not found:
        return slice(0, 0)
    return slice(max(found[0] - 1, 0), min(found[-1] + 2, len(shown)))
