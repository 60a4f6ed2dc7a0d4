"""Ray weights on a CPU: what ``volume.ray_weights`` computes, at the samples that can matter.

Most samples of a ray lie in empty space. For every texel of the common grid the table knows between
which depths any shell has density, so that one lookup a sample finds those that count, a quarter or
so of all; depth and density of all parts are then read as rows of one table, weighted sums of four
rows a sample, and summed ray by ray in the same way. Samples are the same as in ``volume``, so the
results agree but for densities below ``FAINT``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import Camera
from .config import ModelConfig
from .lifting import LIFTED, Geometry, model_to_map_factor
from .parts import BACKGROUND, PART_COUNT
from .volume import RayWeights, camera_tensors, sample_offsets

FAINT = 0.02
"""Density (1/unit) below which a shell is taken to be empty: 0.1 % of alpha in a sample."""
_LEAST_EXPONENT = -60.0
"""Where ψ is taken to have faded out: further down it is denormal, and twice as slow."""


@dataclass(frozen=True)
class RaySamples:
    """Samples of one camera's rays in texels of the padded common grid; R rays, N samples.

    Attributes:
        x, y: texel coordinates, (R, N), clamped to the grid, which is empty at its border.
        z: model z, (R, N).
        corner: row of the table that holds the texel up and left of a sample, (R, N) int32.
        depth: planar depth of the samples, (N,).
        step: length of a sample's interval, (R, 1).
    """

    x: Tensor
    y: Tensor
    z: Tensor
    corner: Tensor
    depth: Tensor
    step: Tensor

    @classmethod
    def of(cls, camera: Camera, config: ModelConfig) -> RaySamples:
        """The samples of a canonical camera."""
        origins, directions, centre = (t[0] for t in camera_tensors([camera], config.ray_size))
        offsets, spacing = sample_offsets(config)
        depth = centre + offsets  # (N,)
        ox, oy, oz = origins[..., None].unbind(1)  # (R, 1) each
        dx, dy, dz = directions[..., None].unbind(1)
        z = torch.addcmul(oz, dz, depth)
        factor = model_to_map_factor(z, config)
        u0, u1, v0, v1 = config.geometry_window
        size = config.geometry_size
        x, y = torch.addcmul(ox, dx, depth), torch.addcmul(oy, dy, depth)
        if factor is not None:
            x, y = x.mul_(factor), y.mul_(factor)
        # texel centres lie at whole numbers, and the border shifts them by one
        x.mul_(size / (u1 - u0)).add_(0.5 - u0 * size / (u1 - u0)).clamp_(0, size + 0.999)
        y.mul_(-size / (v1 - v0)).add_(0.5 + v1 * size / (v1 - v0)).clamp_(0, size + 0.999)
        corner = y.int().mul_(size + 2).add_(x.int())
        return cls(x, y, z, corner, depth, directions.norm(dim=1, keepdim=True) * spacing)


@dataclass(frozen=True)
class ShellTable:
    """Depth and density of the parts that have any, as rows: one a texel, with an empty border.

    Attributes:
        parts: their rows in the (K - 1) dimension of a geometry.
        depth, density: ((G + 2)², P).
        low, high: between which depths there is density around a row's texel and its right and
            lower neighbours, ((G + 2)²,).
    """

    parts: list[int]
    depth: Tensor
    density: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, geometry: Geometry, config: ModelConfig) -> ShellTable:
        """The table of one portrait's geometry."""
        rows = (config.geometry_size + 2) ** 2
        parts = (geometry.density[0].amax((1, 2)) > FAINT).nonzero()[:, 0].tolist()
        if not parts:
            nothing = geometry.depth.new_full((rows,), torch.inf)
            empty = geometry.depth.new_zeros(rows, 0)
            return cls(parts, empty, empty, nothing, -nothing)
        depth = F.pad(geometry.depth[0, parts], (1, 1, 1, 1))  # (P, G + 2, G + 2)
        density = F.pad(geometry.density[0, parts], (1, 1, 1, 1))
        # A lookup mixes four texels, so each depth counts wherever a neighbour has density.
        near = _largest_neighbour(density)
        reach = torch.log(near.clamp_min(FAINT) / FAINT).div_(config.shell_alpha).sqrt_()
        empty = near <= FAINT
        high = (depth + reach).masked_fill_(empty, -torch.inf)
        low = (reach - depth).masked_fill_(empty, -torch.inf)  # negated, for max_pool2d
        bounds = torch.stack([high.amax(0), low.amax(0)])
        bounds = F.max_pool2d(F.pad(bounds, (0, 1, 0, 1), value=-torch.inf), 2, 1)
        return cls(
            parts,
            depth.flatten(1).T.contiguous(),
            density.flatten(1).T.contiguous(),
            -bounds[1].flatten(),
            bounds[0].flatten(),
        )


def _largest_neighbour(x: Tensor) -> Tensor:
    """Largest of the 3 × 3 values around each of (P, H, W); max_pool2d takes ten times as long."""
    for axis in (1, 2):
        wide = x.clone()
        length = x.shape[axis] - 1
        before, after = x.narrow(axis, 0, length), x.narrow(axis, 1, length)
        for low, neighbour in ((1, before), (0, after)):
            part = wide.narrow(axis, low, length)
            torch.maximum(part, neighbour, out=part)
        x = wide
    return x


def march(table: ShellTable, rays: Sequence[RaySamples], config: ModelConfig) -> RayWeights:
    """Ray weights of one portrait for V cameras: the fields of ``RayWeights`` with B = 1."""
    return join_views([_march(table, samples, config) for samples in rays])


def join_views(views: Sequence[RayWeights]) -> RayWeights:
    """Views of the same portraits, joined along V."""
    if len(views) == 1:
        return views[0]
    return RayWeights(
        torch.cat([view.mask for view in views], 1),
        torch.cat([view.uv for view in views], 1),
        torch.cat([view.depth for view in views], 1),
    )


def _march(table: ShellTable, rays: RaySamples, config: ModelConfig) -> RayWeights:
    count, samples = rays.z.shape
    corner = rays.corner.flatten()
    active = table.low.index_select(0, corner).reshape(count, samples) < rays.z
    active &= table.high.index_select(0, corner).reshape(count, samples) > rays.z
    chosen = active.flatten().nonzero()[:, 0]  # (M,), ray by ray
    x, y, z = (plane.flatten().index_select(0, chosen) for plane in (rays.x, rays.y, rays.z))
    density = _densities(table, x, y, z, corner.index_select(0, chosen), config)  # (M, P)
    total = density @ density.new_ones(len(table.parts))  # a third of the time of sum(1)
    optical = rays.z.new_zeros(count * samples).scatter_(0, chosen, total)
    # transmittance behind each sample
    left = optical.view(count, samples).mul_(rays.step).cumsum_(1).neg_().exp_()
    weight = F.pad(left[:, :-1], (1, 0), value=1.0) - left  # (R, N)
    share = weight.view(-1).index_select(0, chosen).div_(total.clamp_min_(1e-8))
    per_ray = active.sum(1)
    offsets = per_ray.cumsum(0) - per_ray
    every = torch.arange(len(chosen))

    def sums(values: Tensor) -> Tensor:
        return F.embedding_bag(every, density, offsets, mode="sum", per_sample_weights=values)

    mask = rays.z.new_zeros(count, PART_COUNT)
    covered = sums(share)  # (R, P)
    rows = torch.tensor(table.parts, dtype=torch.long)
    mask.index_copy_(1, torch.tensor(LIFTED)[rows], covered)
    mask[:, BACKGROUND] = left[:, -1]
    u0, u1, v0, v1 = config.geometry_window
    size = config.geometry_size
    uv = rays.z.new_zeros(count, len(LIFTED), 2)
    least = covered.clamp_min_(1e-6)
    u = sums(x.mul_(share)).div_(least).sub_(0.5).mul_((u1 - u0) / size).add_(u0)
    v = sums(y.mul_(share)).div_(least).sub_(0.5).mul_((v0 - v1) / size).add_(v1)
    uv[..., 0].index_copy_(1, rows, u)
    uv[..., 1].index_copy_(1, rows, v)
    depth = (weight @ rays.depth) / (1 - left[:, -1]).clamp_min_(1e-6)
    return RayWeights(mask.T[None, None], uv.transpose(0, 1)[None, None], depth[None, None])


def _densities(
    table: ShellTable, x: Tensor, y: Tensor, z: Tensor, corner: Tensor, config: ModelConfig
) -> Tensor:
    """σ_k^3d of the table's parts at M samples, (M, P)."""
    width = config.geometry_size + 2
    fx, fy = x.frac(), y.frac()
    weights = fx.new_empty(len(fx), 4)  # column by column: a stack takes twice as long
    lower = torch.mul(fx, fy, out=weights[:, 3])
    torch.sub(fx, lower, out=weights[:, 1])
    below = torch.sub(fy, lower, out=weights[:, 2])
    torch.sub(1 - fx, below, out=weights[:, 0])
    taps = torch.stack([corner, corner + 1, corner + width, corner + width + 1], 1)
    depth = F.embedding_bag(taps, table.depth, mode="sum", per_sample_weights=weights)
    density = F.embedding_bag(taps, table.density, mode="sum", per_sample_weights=weights)
    exponent = depth.sub_(z[:, None]).square_().mul_(-config.shell_alpha)
    psi = exponent.clamp_min_(_LEAST_EXPONENT).exp_()
    return density.mul_(psi)
