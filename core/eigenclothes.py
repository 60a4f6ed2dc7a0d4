"""What generators leave out of people's clothes, as principal components.

As eigenskins (:mod:`.eigenskin`), on a map of the clothes, beside prints (:mod:`.prints`): where a
jacket ends and the shirt below it begins, folds, and the light on shoulders. They are what renders
of the people whom a model mixes have more than its pictures of them (``python -m training
eigenclothes``).
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from .config import ModelConfig, Window
from .generators import PartMap
from .lifting import Geometry, window_coordinates
from .lookup import lookup
from .prints import atlas_places, print_atlas

WINDOW: Window = (-1.3, 1.3, -1.5, -0.55)
"""Of the map: what pictures show of clothes, nearly always."""
SIZE = 48, 132
"""Its texels down and across: 2.5 pixels either way, in the trained framing."""


def cloth_atlas(cloth: PartMap, geometry: Geometry, config: ModelConfig) -> Tensor | None:
    """What multiplies the colours of the clothes of B portraits, as :func:`.prints.print_atlas`.

    Args:
        cloth: the maps of the clothes.
        geometry: of the portraits.
    """
    atlas = print_atlas(cloth.traits, geometry, config)
    if cloth.tint is None:
        return atlas
    grid = _grid(config, cloth.tint.device).expand(len(cloth.tint), -1, -1, -1)
    tint = lookup(cloth.tint, grid)
    return tint if atlas is None else atlas + tint


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _grid(config: ModelConfig, device: torch.device) -> Tensor:
    """Where the atlas's texels lie on the map, (1, h, w, 2)."""
    return window_coordinates(atlas_places(config, device).permute(1, 2, 0), WINDOW)[None]
