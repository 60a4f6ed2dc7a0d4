"""Colours of the face's small parts that are finer than rays: looked up at every pixel.

A ray is four pixels wide and an iris eight. What the render net makes of the rays' features is soft
there, and knows nothing of where on the surface a pixel lies. So the generators of eyes, brows,
nose and mouth also give colours that are added to the smooth picture (as a deferred neural texture:
Thies et al. 2019). All these parts lie on one face, in the same lifting coordinates: they are drawn
into one atlas, once a portrait, which every pixel of a view is looked up in.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig, Window
from .generators import PartMap
from .lifting import opacity, places_in, resampled
from .lookup import lookup
from .parts import FACE
from .volume import RayWeights

WINDOW: Window = (-0.42, 0.42, -0.60, 0.35)
"""Window of the atlas: that of all painted parts."""


def face_atlas(
    maps: Mapping[int, PartMap], visible: Tensor | None, config: ModelConfig
) -> Tensor | None:
    """What the painted parts of B portraits add to the picture, (B, 3, A, A); None without paint.

    Args:
        maps: by part; those without paint are passed over.
        visible: (B, K) bool, or None for all.
    """
    whole: Tensor | None = None
    for part, one in maps.items():
        if one.paint is None:
            continue
        # where the part lies, sharper than any ray sees it
        paint = one.paint.float() * opacity(one.density.detach(), config)[..., None]
        if visible is not None:
            paint = paint * visible[:, part, None, None, None].to(paint)
        window, planes = config.maps[part].window, paint.permute(0, 3, 1, 2)
        paint = resampled(planes, window, WINDOW, config.paint_size, zeros=True)
        whole = paint if whole is None else whole + paint
    return whole


def painted(atlas: Tensor, face: Tensor, scale: int) -> Tensor:
    """What an atlas adds to the pixels of a picture or a piece of one, (B, 3, H, W).

    Args:
        atlas: (B, 3, A, A), or of one portrait for all.
        face: Σ_k m_k (u_k, v_k, 1) over ``FACE``, on rays, (B, 3, H / scale, W / scale).
        scale: pixels a ray is wide.
    """
    size = (face.shape[-2] * scale, face.shape[-1] * scale)
    where = F.interpolate(face.detach().float(), size=size, mode="bilinear")
    share = where[:, 2:]
    return lookup(atlas, places_in(where, WINDOW)) * share


def paint_on_view(atlas: Tensor | None, weights: RayWeights, config: ModelConfig) -> Tensor | None:
    """What one portrait's atlas adds to its V views, (V, 3, S, S); None without paint."""
    if atlas is None:
        return None
    side = config.ray_size
    face = weights.surface(FACE)[0].unflatten(-1, (side, side))
    return painted(atlas, face, config.image_size // side)


def paint_of(
    maps: Mapping[int, PartMap], visible: Tensor | None, face: Tensor, config: ModelConfig
) -> Tensor | None:
    """What paint adds to V views of each of B portraits, (B, V, 3, S, S); None without paint.

    Args:
        maps, visible: as for :func:`face_atlas`.
        face: as for :func:`painted`, (B, V, 3, r, r).
    """
    whole = face_atlas(maps, visible, config)
    if whole is None:
        return None
    batch, views = face.shape[:2]
    each = whole[:, None].expand(-1, views, -1, -1, -1).flatten(0, 1)
    paint = painted(each, face.flatten(0, 1), config.image_size // config.ray_size)
    return paint.unflatten(0, (batch, views))
