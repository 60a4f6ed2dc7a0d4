"""What lies on a portrait's surface and is finer than rays: paint, strands, grain, prints.

All are made once a portrait, in lifting coordinates, and looked up at every pixel of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from .complexion import hues_of
from .config import ModelConfig
from .detail import DETAILED
from .eigenclothes import cloth_atlas
from .generators import PartMap
from .grain import SKIN
from .lifting import Geometry
from .paint import paint_of, paint_on_view
from .parts import FACE
from .prints import CLOTHES, prints_seen
from .spots import skin_tile
from .strands import HAIR, CombedHair, Strands, strands_of, strands_on_view
from .volume import RayWeights


@dataclass(frozen=True)
class SurfaceLayers:
    """The layers as N views show them.

    Attributes:
        surface: Σ_k m_k (u_k, v_k, 1) over the parts with detail, (N, 3, r, r).
        paint: what is added to the smooth picture (:mod:`.paint`), (N, 3, S, S).
        strands: what of the fine structure is hair (:mod:`.strands`).
        stubble: what of it are beards.
        grain: the tile of the skin (:func:`.spots.skin_tile`), of N portraits or of one for all.
        hues: logarithm of what multiplies the colours of noses, ears and necks
            (:mod:`.complexion`), (N, P, 3), or of one portrait for all.
        prints: logarithm of what clothes' colours are multiplied with (:mod:`.prints`), wherever
            the clothes end, (N, 3, S, S).
    """

    surface: Tensor
    paint: Tensor | None = None
    strands: Strands | None = None
    grain: Tensor | None = None
    prints: Tensor | None = None
    stubble: Strands | None = None
    hues: Tensor | None = None

    def combed(self) -> list[Strands]:
        """All strands."""
        return [one for one in (self.strands, self.stubble) if one is not None]


@dataclass(frozen=True)
class PortraitLayers:
    """The layers of one portrait, wherever it is seen from; None for what its model has not.

    Attributes:
        atlas: of :func:`.paint.face_atlas`, (1, 3, A, A).
        hair, stubble: of :func:`.strands.combed_hair`.
        grain: of :func:`.spots.skin_tile`, (1, 3, t + 2, t + 2).
        prints: of :func:`.eigenclothes.cloth_atlas`, (1, 3, h, w).
        hues: of :func:`.complexion.hues_of`, (1, P, 3).
    """

    atlas: Tensor | None
    hair: CombedHair | None
    grain: Tensor | None
    prints: Tensor | None
    stubble: CombedHair | None
    hues: Tensor | None

    def seen(self, weights: RayWeights, config: ModelConfig) -> SurfaceLayers:
        """As V views show them."""
        side = (config.ray_size, config.ray_size)
        return SurfaceLayers(
            weights.surface()[0].unflatten(-1, side),
            paint_on_view(self.atlas, weights, config),
            strands_on_view(self.hair, weights, config),
            self.grain,
            prints_seen(self.prints, weights.surface((CLOTHES,))[0].unflatten(-1, side), config),
            strands_on_view(self.stubble, weights, config),
            self.hues,
        )


def surface_layers(
    maps: Mapping[int, PartMap],
    geometry: Geometry,
    visible: Tensor | None,
    surface: Callable[[tuple[int, ...]], Tensor],
    combed: Sequence[CombedHair | None],
    config: ModelConfig,
) -> SurfaceLayers:
    """What V views of each of B portraits show, N = B V.

    Args:
        maps: of all parts.
        geometry: what they are on the common grid.
        visible: (B, K) bool, or None for all.
        surface: gives Σ_k m_k (u_k, v_k, 1) over some parts, (B, V, 3, r, r).
        combed: the fine structure of each of ``strands.COMBED``.
    """
    whole = surface(DETAILED)
    hair, stubble = combed
    paint = paint_of(maps, visible, surface(FACE), config)
    grain = skin_tile(maps[SKIN], config)
    prints = cloth_atlas(maps[CLOTHES], geometry, config)
    views = whole.shape[1]
    if prints is not None:
        each = prints.repeat_interleave(views, 0)
        prints = prints_seen(each, surface((CLOTHES,)).flatten(0, 1), config)
    hues = hues_of(maps)
    return SurfaceLayers(
        whole.flatten(0, 1),
        None if paint is None else paint.flatten(0, 1),
        strands_of(hair, surface((HAIR,)), config),
        None if grain is None else grain.repeat_interleave(views, 0),
        prints,
        strands_of(stubble, surface((SKIN,)), config),
        None if hues is None else hues.repeat_interleave(views, 0),
    )
