"""The plain renderer: the equations of the paper on a dense grid, slow and easy to check.

It builds f_k^3d = ψ_k f_k^2d and σ_k^3d = ψ_k σ_k^2d for every part on a G × G × Z grid, looks both
up by trilinear interpolation at every sample of every ray, takes the density-weighted mean of the
parts' features at each sample, and composites. The paper leaves open how ψ enters the mean, which
both lifted quantities carry; here it enters once,

    f = Σ_k σ_k^2d f_k^3d / Σ_k σ_k^3d  =  Σ_k σ_k^3d f_k^2d / Σ_k σ_k^3d,

so that a feature does not fade with the distance from its shell: density alone says how much of it
is seen. The grid lies in lifting coordinates (u, v, z), where a shell is a height field.

A grid blurs what is finer than its cells. Without one (``levels=None``) the same equations take ψ,
σ and f from the maps themselves at every sample of every ray: the limit of ever finer grids.

``core.volume`` computes the same without the grid. Tests hold the two together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig, Window
from .generators import PartMap
from .lifting import LIFTED, Geometry, shell, to_grid, window_coordinates
from .model import SSGAN3D, GeneratorOutput, PosedFeatures
from .parts import BACKGROUND, PART_COUNT
from .strands import COMBED, combed_hair
from .surface_layers import surface_layers
from .volume import RayBatch, picture_positions

_REACH = 4.0
"""Standard deviations of a shell that the grid keeps on either side of it."""


def volume_extent(geometry: Geometry, config: ModelConfig) -> tuple[float, float]:
    """Smallest and largest z at which any shell has density."""
    reach = _REACH / math.sqrt(2 * config.shell_alpha)
    depth = geometry.depth.detach()[geometry.density > 0]
    if not depth.numel():
        return config.near, config.far
    return float(depth.min()) - reach, float(depth.max()) + reach


def _lookup(volume: Tensor, rays: RayBatch, extent: tuple[float, float], config: ModelConfig):  # type: ignore[no-untyped-def]
    """Trilinear interpolation of (B, C, Z, G, G) at all samples: (B, C, V, R, N)."""
    batch, views, count, samples = rays.z.shape
    across = window_coordinates(rays.uv, config.geometry_window)
    along = (rays.z - extent[0]) / (extent[1] - extent[0]) * 2 - 1
    grid = torch.cat([across, along[..., None]], -1).reshape(batch, 1, views * count, samples, 3)
    return F.grid_sample(volume, grid, align_corners=False).reshape(
        batch, -1, views, count, samples
    )


def _gridded(
    maps: dict[int, PartMap], geometry: Geometry, rays: RayBatch, config: ModelConfig, levels: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """σ_k^3d (B, V, R, N) and σ_k^2d f_k^3d (B, C, V, R, N) of each part at all samples."""
    extent = volume_extent(geometry, config)
    line = (torch.arange(levels, device=rays.z.device) + 0.5) / levels
    z = (extent[0] + line * (extent[1] - extent[0]))[None, :, None, None]  # (1, Z, 1, 1)
    for row, part in enumerate(LIFTED):
        psi = shell(geometry.depth[:, row, None], z, config)  # (B, Z, G, G)
        texels = maps[part].features.float().permute(0, 3, 1, 2).flatten(0, 1)  # (B C, H, W)
        flat = to_grid(texels, config.maps[part].window, config, zeros=False)
        lifted = flat.unflatten(0, (rays.z.shape[0], -1))[:, :, None] * psi[:, None]  # f_k^3d
        weighted = lifted * geometry.density[:, row, None, None]
        density = (geometry.density[:, row, None] * psi)[:, None]
        yield (
            _lookup(density, rays, extent, config)[:, 0],
            _lookup(weighted, rays, extent, config),
        )


def _continuous(
    maps: dict[int, PartMap], geometry: Geometry, rays: RayBatch, config: ModelConfig
) -> Iterator[tuple[Tensor, Tensor]]:
    """What :func:`_gridded` gives, from the maps at the samples' own places."""
    shape = rays.z.shape

    def lookup(texels: Tensor, window: Window, padding: str) -> Tensor:
        grid = window_coordinates(rays.uv, window).reshape(shape[0], -1, shape[-1], 2)
        found = F.grid_sample(texels, grid, padding_mode=padding, align_corners=False)
        return found.reshape(shape[0], -1, *shape[1:])

    for row, part in enumerate(LIFTED):
        texels = torch.stack([geometry.depth[:, row], geometry.density[:, row]], 1)
        depth, density = lookup(texels, config.geometry_window, "zeros").unbind(1)
        density = density * shell(depth, rays.z, config)
        features = maps[part].features.float().permute(0, 3, 1, 2)
        yield density, lookup(features, config.maps[part].window, "border") * density[:, None]


def composite(
    maps: dict[int, PartMap],
    geometry: Geometry,
    rays: RayBatch,
    config: ModelConfig,
    *,
    visible: Tensor | None = None,
    levels: int | None = 32,
) -> PosedFeatures:
    """Render part maps sample by sample.

    Args:
        maps: f_k^2d by part index.
        geometry: d̂_k and σ_k^2d of the lifted parts on the common grid.
        rays: samples of V cameras for each of B portraits.
        visible: (B, K) bool, or None for all.
        levels: Z, layers of the grid; None looks everything up without a grid.
    """
    batch, views, count, samples = rays.z.shape
    density = rays.z.new_zeros(batch, PART_COUNT, views, count, samples)
    features = rays.z.new_zeros(batch, maps[BACKGROUND].features.shape[-1], views, count, samples)
    fields = _continuous(maps, geometry, rays, config)
    if levels is not None:
        fields = _gridded(maps, geometry, rays, config, levels)
    combed = [combed_hair(maps[part], config, part) for part in COMBED]
    of_part = {part: features[:, config.features :].clone() for part in COMBED}
    for part, (sigma, weighted) in zip(LIFTED, fields, strict=True):
        density[:, part] = sigma
        features += weighted
        if part in of_part:
            of_part[part] += weighted[:, config.features :]
    total = density.sum(1)  # (B, V, R, N)
    features = features / total.clamp_min(1e-8)[:, None]
    alpha = 1 - torch.exp(-total * rays.step)
    left = torch.cumprod(1 - alpha, -1)  # transmittance behind each sample
    passed = torch.cat([torch.ones_like(left[..., :1]), left[..., :-1]], -1)
    weight = passed * alpha  # (B, V, R, N)
    share = density / total.clamp_min(1e-8)[:, None]
    mask = (weight[:, None] * share).sum(-1)  # (B, K, V, R)
    mask[:, BACKGROUND] = left[..., -1]
    posed = (weight[:, None] * features).sum(-1)  # (B, C, V, R)
    posed = posed + left[:, None, ..., -1] * _backdrop(maps[BACKGROUND], config)[:, :, None]
    depth = (weight * rays.depth).sum(-1) / weight.sum(-1).clamp_min(1e-6)
    side = (config.ray_size, config.ray_size)

    def surface(parts: Sequence[int]) -> Tensor:
        """Σ_k m_k (u_k, v_k, 1), (B, V, 3, r, r)."""
        fine = (weight[:, None] * share[:, list(parts)]).sum(1)  # (B, V, R, N)
        moments = [fine * rays.uv[..., 0], fine * rays.uv[..., 1], fine]
        return torch.stack([moment.sum(-1) for moment in moments], 2).unflatten(-1, side)

    layers = surface_layers(maps, geometry, visible, surface, combed, config)
    strands = []
    for seen, amounts in zip((layers.strands, layers.stubble), of_part.values(), strict=True):
        amounts = amounts / total.clamp_min(1e-8)[:, None]
        amount = (weight[:, None] * amounts).sum(-1)  # (B, T, V, R)
        amount = amount.transpose(1, 2).flatten(0, 1).unflatten(-1, side)
        strands.append(None if seen is None else replace(seen, amount=amount))
    layers = replace(layers, strands=strands[0], stubble=strands[1])
    return PosedFeatures(
        posed.transpose(1, 2).unflatten(-1, side),
        mask.transpose(1, 2).unflatten(-1, side),
        depth.unflatten(-1, side),
        layers,
    )


def _backdrop(part: PartMap, config: ModelConfig) -> Tensor:
    """The background's features at the ray grid, (B, C, R)."""
    where = window_coordinates(
        picture_positions(config.ray_size, part.features.device), config.maps[BACKGROUND].window
    )
    texels = part.features.float().permute(0, 3, 1, 2)
    grid = where.expand(texels.shape[0], 1, -1, 2)
    return F.grid_sample(texels, grid, padding_mode="border", align_corners=False)[:, :, 0]


def render(
    model: SSGAN3D,
    base: Tensor,
    shape: Tensor,
    texture: Tensor,
    visible: Tensor | None,
    rays: RayBatch,
    *,
    levels: int | None = 32,
) -> GeneratorOutput:
    """What ``SSGAN3D.forward`` computes, by way of the dense grid or, with None, without one."""
    maps = model.part_maps(base, shape, texture)
    geometry = model.geometry(maps, visible)
    posed = composite(maps, geometry, rays, model.config, visible=visible, levels=levels)
    return model.finish(posed)
