"""Prints, trims and layers of clothes, drawn on the garment's surface.

Their edges are finer than rays, and where they lie is each garment's own: generators that serve a
thousand people drew the mean of all colours. What is where is told by a few numbers
(:mod:`.garment`). From them and the clothes' depth an atlas of the garment is drawn, once a
portrait, which every pixel of a view is looked up in, as paint is.

A generator draws what is coarse of a garment's colours. So the atlas holds what is fine of them:
the logarithm of the colours over their mean nearby.
"""

from __future__ import annotations

from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional as F

from .blur import box_means, gaussian_means
from .config import ModelConfig
from .garment import Garment, worn_colors
from .lifting import (
    LIFTED,
    Geometry,
    model_to_map_factor,
    places_in,
    shell_opacity,
    window_coordinates,
)
from .lookup import lookup
from .parts import PART_NAMES
from .tiles import cut, region, texels_of
from .traits import some

CLOTHES = PART_NAMES.index("clothes")
SPREAD = 0.02
"""Standard deviation, in model units, of the mean of a garment's colours that is taken away."""
PRINT_SPREAD = 0.08
"""The same of a print, of which a generator draws less."""
SHARPEST = 0.4
"""Bound of the logarithms of edges: one that lies beside the generator's is a line."""
_SMOOTH = 4
"""Texels of the common grid, either way, over which the depth of cloth is averaged, twice: a print
runs on over folds and the edges of collars, where depth leaps."""
_LEAST_SHARE = 1e-4


@torch.no_grad()
def print_atlas(garment: Tensor | None, geometry: Geometry, config: ModelConfig) -> Tensor | None:
    """What edges and prints multiply the colours of the clothes of B portraits with, (B, 3, h, w).

    It is the logarithm, on the window of the clothes' map; None of a model without garments, and of
    clothes between people where asking for that is no wait: on a CPU.

    Args:
        garment: the traits of the clothes' :class:`.generators.PartMap`.
        geometry: of the portraits; where their clothes lie.
    """
    if garment is None or not any(some(garment[:, :1])):
        return None
    unit, texel = 10 * config.unit_metres, 1 / texels_of(config)
    worn, places = Garment.of(garment.float()), cloth_places(geometry, config)
    with torch.autocast(places.device.type, enabled=False):
        nearby = partial(gaussian_means, spread=PRINT_SPREAD / texel)
        made, prints = worn_colors(worn, places, texel, unit, nearby)
        edges = (made / gaussian_means(made, SPREAD / texel)).log().clamp(-SHARPEST, SHARPEST)
        return (edges + prints.log()) * worn.shown[..., None, None]


def atlas_size(config: ModelConfig) -> tuple[int, int]:
    """Texels of an atlas of prints, (h, w)."""
    u0, u1, v0, v1 = config.maps[CLOTHES].window
    return round((v1 - v0) * texels_of(config)), round((u1 - u0) * texels_of(config))


def cloth_places(geometry: Geometry, config: ModelConfig) -> Tensor:
    """(x, y, z) of the clothes of B portraits at the texels of an atlas of prints, (B, 3, h, w)."""
    row = LIFTED.index(CLOTHES)
    depth, density = (maps[:, row, None].float() for maps in (geometry.depth, geometry.density))
    share = shell_opacity(density, config) + _LEAST_SHARE
    both = torch.cat([depth * share, share], 1)
    for _ in range(2):
        both = box_means(both, _SMOOTH)
    depth = both[:, :1] / both[:, 1:]
    uv = atlas_places(config, depth.device)
    grid = _common_grid(config, depth.device).expand(len(depth), -1, -1, -1)
    z = lookup(depth, grid, repeat_border=True)  # (B, 1, h, w)
    factor = model_to_map_factor(z, config)
    uv = uv.expand(len(depth), -1, -1, -1)
    return torch.cat([uv if factor is None else uv / factor, z], 1)


def prints_seen(atlas: Tensor | None, surface: Tensor, config: ModelConfig) -> Tensor | None:
    """What N views show of prints, (N, C, S, S); None of a model without.

    Args:
        atlas: of N portraits, or of one for all, (N or 1, C, h, w).
        surface: Σ m (u, v, 1) of the clothes alone, on rays, (N, 3, r, r).
    """
    if atlas is None:
        return None
    rays = config.ray_size
    seen = atlas.new_zeros(len(surface), atlas.shape[1], config.image_size, config.image_size)
    found = region(surface[:, 2] > 0)
    if found is not None:
        inside = cut(seen, found, rays)
        where = cut(surface.detach().float(), found, rays)
        where = F.interpolate(where, size=inside.shape[-2:], mode="bilinear")
        inside.copy_(lookup(atlas, places_in(where, config.maps[CLOTHES].window)))
    return seen


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def atlas_places(config: ModelConfig, device: torch.device) -> Tensor:
    """(u, v) of the texels of an atlas of prints, (2, h, w)."""
    u0, u1, v0, v1 = config.maps[CLOTHES].window
    height, width = atlas_size(config)
    u = u0 + (torch.arange(width, device=device) + 0.5) / width * (u1 - u0)
    v = v1 - (torch.arange(height, device=device) + 0.5) / height * (v1 - v0)
    return torch.stack(torch.meshgrid(v, u, indexing="ij")[::-1])


@cache
@torch.inference_mode(False)
def _common_grid(config: ModelConfig, device: torch.device) -> Tensor:
    """Where they lie on the common grid, (1, h, w, 2)."""
    places = atlas_places(config, device).permute(1, 2, 0)
    return window_coordinates(places, config.geometry_window)[None]
