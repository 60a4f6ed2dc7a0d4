"""The volume renderer with the semantic mask renderer: features and masks from one geometry.

Along a ray σ = Σ_k σ_k^3d. The alpha-compositing weight of a sample is split among the parts by
their share σ_k / σ, which gives the mask m_k; the background takes the transmittance that is left,
so that Σ_k m_k = 1.

The paper composites σ-weighted features sample by sample. Shells are thin, so a part is met at
about one place along a ray: here its feature is fetched once, at the weighted mean position, with
weight m_k. ``core.reference`` composites sample by sample on the dense grid; a test holds the two
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import Camera
from .config import ModelConfig
from .detail import DETAILED
from .generators import PartMap
from .indices import index_tensor
from .lifting import LIFTED, Geometry, model_to_map, shell, window_coordinates
from .parts import BACKGROUND, PART_COUNT

FETCH_THRESHOLD = 1.0e-3
"""Parts that cover less of a ray than this give no feature (at most 1.2 % of a ray together)."""
assert BACKGROUND == 0, (
    "the background comes before the lifted parts, which keep the order of PARTS"
)


@dataclass
class RayBatch:
    """Sample points of V cameras for each of B portraits; R rays, N samples.

    Attributes:
        uv: lifting coordinates of the samples, (B, V, R, N, 2).
        z: model z of the samples, (B, V, R, N).
        depth: planar depth of the samples, (B, V, R, N) or broadcastable to it.
        step: length of a sample's interval, (B, V, R, N) or (B, V, R, 1).
    """

    uv: Tensor
    z: Tensor
    depth: Tensor
    step: Tensor


@dataclass
class RayWeights:
    """What the geometry says about every ray.

    Attributes:
        mask: m_k, (B, V, K, R); sums to 1 over K.
        uv: mean lifting coordinates at which a ray meets each lifted part, (B, V, K - 1, R, 2).
        depth: mean planar depth of what a ray meets, (B, V, R); meaningless where the background
        is 1.
    """

    mask: Tensor
    uv: Tensor
    depth: Tensor

    def surface(self, parts: tuple[int, ...] = DETAILED) -> Tensor:
        """Σ_k m_k (u_k, v_k, 1) over some lifted parts, (B, V, 3, R).

        Args:
            parts: those that have fine detail, where nobody says otherwise.
        """
        device = self.mask.device
        mask = self.mask.index_select(2, index_tensor(parts, device))
        uv = self.uv.index_select(2, index_tensor(_rows_of(parts), device))
        sums = (uv * mask[..., None]).sum(2)  # (B, V, R, 2)
        return torch.cat([sums, mask.sum(2)[..., None]], -1).transpose(2, 3)


@cache
def _rows_of(parts: tuple[int, ...]) -> tuple[int, ...]:
    """Rows of lifted parts in every (K - 1) dimension."""
    return tuple(LIFTED.index(part) for part in parts)


def camera_tensors(cameras: Sequence[Camera], size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rays of canonical cameras.

    Returns:
        Origins and directions (V, R, 3) with planar unit length, and the planar depth of the origin
        of model space (V,).
    """
    rays = [camera.rays(size, size) for camera in cameras]
    origins, directions = (
        torch.from_numpy(np.stack([pair[i].astype(np.float32).reshape(-1, 3) for pair in rays]))
        for i in (0, 1)
    )
    centre = [float(camera.position @ camera.pose[:3, 2]) for camera in cameras]
    return origins, directions, torch.tensor(centre)


def sample_offsets(config: ModelConfig, samples: int | None = None) -> tuple[Tensor, float]:
    """Planar depth of a ray's samples behind the plane through the origin, (N,); their spacing."""
    count = samples or config.samples
    spacing = (config.far - config.near) / count
    return config.near + spacing * (torch.arange(count) + 0.5), spacing


def sample_rays(
    origins: Tensor,
    directions: Tensor,
    centre: Tensor,
    config: ModelConfig,
    *,
    samples: int | None = None,
    jitter: Tensor | None = None,
) -> RayBatch:
    """Evenly spaced samples between ``near`` and ``far``.

    Args:
        origins, directions: (B, V, R, 3) as from :func:`camera_tensors`.
        centre: planar depth of the model's origin, (B, V).
        samples: N; the configuration's by default.
        jitter: (B, V, R, 1) offsets in [-0.5, 0.5] of a step, for training.
    """
    offsets, spacing = sample_offsets(config, samples)
    offsets = offsets.to(origins.device)
    depth = centre[..., None, None] + offsets  # (B, V, 1, N)
    if jitter is not None:
        depth = depth + jitter * spacing  # (B, V, R, N)
    return rays_at(origins, directions, depth, torch.full_like(depth[..., :1], spacing), config)


def rays_at(
    origins: Tensor, directions: Tensor, depth: Tensor, spacing: Tensor, config: ModelConfig
) -> RayBatch:
    """Samples at given planar depths (B, V, R, N) with given planar intervals (B, V, R, N or 1)."""
    points = origins[..., None, :] + directions[..., None, :] * depth[..., None]
    step = directions.norm(dim=-1, keepdim=True) * spacing
    return RayBatch(model_to_map(points, config), points[..., 2], depth, step)


def ray_weights(geometry: Geometry, rays: RayBatch, config: ModelConfig) -> RayWeights:
    """Alpha compositing along every ray, split by part."""
    return split_weights(ray_densities(geometry, rays, config), rays)


def ray_densities(geometry: Geometry, rays: RayBatch, config: ModelConfig) -> Tensor:
    """σ_k^3d of the geometry's parts at every sample, in 1/unit, (B, parts, V, R, N)."""
    batch, views, count, samples = rays.z.shape
    lifted = geometry.depth.shape[1]
    grid = window_coordinates(rays.uv, config.geometry_window)
    maps = torch.cat([geometry.depth, geometry.density], 1)  # (B, 2 (K - 1), G, G)
    looked_up = F.grid_sample(
        maps, grid.reshape(batch, views * count, samples, 2), align_corners=False
    )
    depth, density = looked_up.reshape(batch, 2, lifted, views, count, samples).unbind(1)
    return density * shell(depth, rays.z[:, None], config)


def split_weights(density: Tensor, rays: RayBatch) -> RayWeights:
    """Alpha compositing of the densities of all lifted parts, (B, K - 1, V, R, N)."""
    total = density.sum(1)  # (B, V, R, N)
    optical = total * rays.step
    passed = torch.cumsum(optical, -1)
    # weight_n = T_n (1 - exp(-σ_n Δ)), T_n = exp(-Σ_{m<n} σ_m Δ)
    weight = torch.exp(optical - passed) - torch.exp(-passed)
    share = weight / total.clamp_min(1e-8)  # (B, V, R, N)
    planar = rays.depth.expand_as(rays.z)
    moments = torch.stack([torch.ones_like(planar), *rays.uv.unbind(-1), planar], -1)
    moments = moments * share[..., None]  # (B, V, R, N, 4)
    sums = torch.einsum("bkvrn,bvrnm->bvkrm", density, moments)  # (B, V, K - 1, R, 4)
    mask = sums[..., 0]
    uv = sums[..., 1:3] / mask[..., None].clamp_min(1e-6)
    covered = mask.sum(2)
    mean_depth = sums[..., 3].sum(2) / covered.clamp_min(1e-6)
    background = torch.exp(-passed[..., -1])  # (B, V, R)
    return RayWeights(torch.cat([background[:, :, None], mask], 2), uv, mean_depth)


def picture_positions(size: int, device: torch.device | None = None) -> Tensor:
    """Picture coordinates of the ray grid, (R, 2), v up: where the background is looked up."""
    line = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(-line, line, indexing="ij")
    return torch.stack([u, v], -1).reshape(-1, 2)


class FeatureTable:
    """The feature maps of all parts as rows of one table, for lookups at any (part, u, v).

    Attributes:
        rows: (B N, C): the texels of all parts of all portraits; N texels a portrait.
    """

    def __init__(self, maps: dict[int, PartMap], config: ModelConfig) -> None:
        flat = [maps[k].features.flatten(1, 2) for k in range(PART_COUNT)]
        self.texels = sum(rows.shape[1] for rows in flat)
        self.rows = torch.cat(flat, 1).flatten(0, 1)
        device = self.rows.device
        sizes = [(spec.height, spec.width) for spec in config.maps]
        starts = [0]
        for height, width in sizes:
            starts.append(starts[-1] + height * width)
        self.sizes = torch.tensor(sizes, device=device)  # (K, 2) height, width
        self.starts = torch.tensor(starts[:-1], device=device)  # (K,)
        self.windows = torch.tensor([spec.window for spec in config.maps], device=device)  # (K, 4)

    def composite(self, weights: RayWeights, config: ModelConfig) -> Tensor:
        """f_render = Σ_k m_k f_k(u_k, v_k): (B, V, C, ray_size, ray_size)."""
        batch, views, _, count = weights.mask.shape
        mask = weights.mask.transpose(2, 3)  # (B, V, R, K)
        where = picture_positions(config.ray_size, mask.device)
        background = where[:, None].expand(batch, views, count, 1, 2)
        # the lifted parts keep the order of PARTS and the background is the first of them
        uv = torch.cat([background, weights.uv.transpose(2, 3)], 3)  # (B, V, R, K, 2)
        ray, part = (mask.detach() > FETCH_THRESHOLD).reshape(-1, PART_COUNT).nonzero(as_tuple=True)
        uv = uv.reshape(-1, PART_COUNT, 2)[ray, part]  # (M, 2)
        share = mask.reshape(-1, PART_COUNT)[ray, part]  # (M,)
        size, window = self.sizes[part], self.windows[part]
        x = (uv[:, 0] - window[:, 0]) / (window[:, 1] - window[:, 0]) * size[:, 1] - 0.5
        y = (window[:, 3] - uv[:, 1]) / (window[:, 3] - window[:, 2]) * size[:, 0] - 0.5
        x = torch.minimum(x.clamp_min(0), size[:, 1] - 1.0)
        y = torch.minimum(y.clamp_min(0), size[:, 0] - 1.0)
        left = torch.minimum(x.detach().long(), size[:, 1] - 2)
        upper = torch.minimum(y.detach().long(), size[:, 0] - 2)
        fx, fy = x - left, y - upper
        portrait = torch.div(ray, views * count, rounding_mode="floor")
        corner = portrait * self.texels + self.starts[part] + upper * size[:, 1] + left
        taps = torch.stack([corner, corner + 1, corner + size[:, 1], corner + size[:, 1] + 1], 1)
        weight = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], 1)
        weight = weight * share[:, None]  # (M, 4)
        per_ray = torch.bincount(ray, minlength=batch * views * count)
        offsets = 4 * (per_ray.cumsum(0) - per_ray)
        rows = self.rows
        if rows.is_cuda and rows.requires_grad:  # CUDA has no gradient of bfloat16 bags
            rows = rows.float()
        features = F.embedding_bag(
            taps.reshape(-1),
            rows,
            offsets,
            mode="sum",
            per_sample_weights=weight.reshape(-1).to(rows.dtype),
        )  # (B V R, C)
        side = config.ray_size
        return features.reshape(batch, views, side, side, -1).permute(0, 1, 4, 2, 3)
