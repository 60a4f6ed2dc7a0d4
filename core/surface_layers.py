"""What lies on a portrait's surface and is finer than rays: paint, strands of hair, grain.

All are made once a portrait, in lifting coordinates, and looked up at every pixel of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from .config import ModelConfig
from .detail import DETAILED
from .generators import PartMap
from .grain import SKIN, grain_of
from .paint import FACE, paint_of, paint_on_view
from .strands import HAIR, CombedHair, Strands, strands_of, strands_on_view
from .volume import RayWeights


@dataclass(frozen=True)
class SurfaceLayers:
    """The layers as N views show them.

    Attributes:
        surface: Σ_k m_k (u_k, v_k, 1) over the parts with detail, (N, 3, r, r).
        paint: what is added to the smooth picture (:mod:`.paint`), (N, 3, S, S).
        strands: what of the fine structure is hair (:mod:`.strands`).
        grain: the tile of the skin (:func:`.grain.grain_of`), of N portraits or of one for all.
    """

    surface: Tensor
    paint: Tensor | None = None
    strands: Strands | None = None
    grain: Tensor | None = None


@dataclass(frozen=True)
class PortraitLayers:
    """The layers of one portrait, wherever it is seen from; None for what its model has not.

    Attributes:
        atlas: of :func:`.paint.face_atlas`, (1, 3, A, A).
        hair: of :func:`.strands.combed_hair`.
        grain: of :func:`.grain.grain_of`, (1, 3, t, t).
    """

    atlas: Tensor | None
    hair: CombedHair | None
    grain: Tensor | None

    def seen(self, weights: RayWeights, config: ModelConfig) -> SurfaceLayers:
        """As V views show them."""
        side = (config.ray_size, config.ray_size)
        return SurfaceLayers(
            weights.surface()[0].unflatten(-1, side),
            paint_on_view(self.atlas, weights, config),
            strands_on_view(self.hair, weights, config),
            self.grain,
        )


def surface_layers(
    maps: Mapping[int, PartMap],
    visible: Tensor | None,
    surface: Callable[[tuple[int, ...]], Tensor],
    hair: CombedHair | None,
    config: ModelConfig,
) -> SurfaceLayers:
    """What V views of each of B portraits show, N = B V.

    Args:
        maps: of all parts.
        visible: (B, K) bool, or None for all.
        surface: gives Σ_k m_k (u_k, v_k, 1) over some parts, (B, V, 3, r, r).
        hair: the fine structure of the portraits' hair.
    """
    whole = surface(DETAILED)
    paint = paint_of(maps, visible, surface(FACE), config)
    grain = grain_of(maps[SKIN].grain, config.grain)
    return SurfaceLayers(
        whole.flatten(0, 1),
        None if paint is None else paint.flatten(0, 1),
        strands_of(hair, surface((HAIR,)), config),
        None if grain is None else grain.repeat_interleave(whole.shape[1], 0),
    )
