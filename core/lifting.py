"""Depth-guided lifting: where the 2D maps lie in space.

ψ_k(u, v, z) = exp(-α (d̂_k(u, v) - z)²),  d̂_k = d_k + d_faceBase  (the face base's own is absolute);
f_k^3d = ψ_k f_k^2d and σ_k^3d = ψ_k σ_k^2d (paper, depth-guided lifting).

The paper lifts along parallel lines: (u, v) = (x, y). Here (u, v) = (x, y) c / (z + c): lines
spread from a point c behind the origin, so that the sides of a head face the map instead of being
seen edge on. c = ∞ gives the paper's lifting.

Depth and density of all parts are brought onto one common (u, v) grid, because the renderer looks
them up at every ray sample: one lookup of 2 (K - 1) channels costs a fraction of K - 1 lookups in
separate windows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from .config import ModelConfig, Window
from .generators import PartMap
from .indices import index_tensor
from .parts import BACKGROUND, FACE, FACE_BASE, PART_COUNT, part_index
from .relief import on_one_surface

LIFTED: tuple[int, ...] = tuple(k for k in range(PART_COUNT) if k != BACKGROUND)
"""Indices of the parts that are lifted, in the order of every (K - 1) dimension."""
_FACE = slice(LIFTED.index(FACE[0]), LIFTED.index(FACE[-1]) + 1)
HAIR, HAT = LIFTED.index(part_index("hair")), LIFTED.index(part_index("hat"))
_MIN_REACH = 0.05
_LEAST_SHARE = 1e-4
"""Of a ray that parts cover, below which where they lie is not asked."""
_HAT_DENSITY = 2.0
"""Of a hat, in 1/unit, from which it presses hair down in full."""
_HAT_GAP = 0.06
"""How far below the hat pressed hair lies, in units: about a shell's standard deviation."""
_RIM = 0.1
"""Share of the common grid's height over which hair beside a hat ends, from its lowest row up."""


@dataclass
class Geometry:
    """Depth and density of the lifted parts on the common grid.

    Attributes:
        depth: d̂_k, absolute, (B, K - 1, G, G); row 0 is the largest v.
        density: σ_k in 1/unit, zero outside a part's window, (B, K - 1, G, G).
    """

    depth: Tensor
    density: Tensor


class PartGeometry(NamedTuple):
    """One part of B portraits on the common grid, all (B, G, G).

    Attributes:
        depth: relative to the face base; the face base's own is absolute.
        density: in 1/unit, zero outside the part's window.
        relief: of :class:`~.generators.PartMap`, zero outside the window but for the face base's;
            None of parts without.
    """

    depth: Tensor
    density: Tensor
    relief: Tensor | None = None


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _resample_matrix(
    low: float,
    high: float,
    count: int,
    grid_low: float,
    grid_high: float,
    size: int,
    zeros: bool,
    device: torch.device,
) -> Tensor:
    """(size, count) matrix of 1D linear interpolation from window texels to grid texels.

    Outside the window a row is zero (``zeros``) or repeats the edge texel.
    """
    centres = grid_low + (torch.arange(size, dtype=torch.float64) + 0.5) / size * (
        grid_high - grid_low
    )
    position = (centres - low) / (high - low) * count - 0.5  # (size,) in texels
    inside = (position > -0.5) & (position < count - 0.5)
    position = position.clamp(0, count - 1)
    left = position.floor().long().clamp(max=max(count - 2, 0))
    right = (left + 1).clamp(max=count - 1)
    fraction = position - left
    matrix = torch.zeros(size, count, dtype=torch.float64)
    rows = torch.arange(size)
    matrix[rows, left] += 1 - fraction
    matrix[rows, right] += fraction
    if zeros:
        matrix[~inside] = 0
    return matrix.float().to(device)


def resampled(maps: Tensor, window: Window, other: Window, side: int, *, zeros: bool) -> Tensor:
    """Resample (…, H, W) in ``window`` to a grid (…, side, side) in the ``other`` window.

    Outside of the window it is zero (``zeros``) or repeats the edge.
    """
    height, width = maps.shape[-2:]
    u0, u1, v0, v1 = other
    across = _resample_matrix(window[0], window[1], width, u0, u1, side, zeros, maps.device)
    # rows run from the top, so v runs backwards
    down = _resample_matrix(-window[3], -window[2], height, -v1, -v0, side, zeros, maps.device)
    return down.to(maps) @ maps @ across.to(maps).T


def to_grid(maps: Tensor, window: Window, config: ModelConfig, *, zeros: bool) -> Tensor:
    """Resample (B, H, W) in ``window`` to the common grid (B, G, G)."""
    with torch.autocast(maps.device.type, enabled=False):  # half a shell would be rounded away
        return resampled(maps, window, config.geometry_window, config.geometry_size, zeros=zeros)


def part_geometry(part: int, part_map: PartMap, config: ModelConfig) -> PartGeometry:
    """One part on the common grid."""
    window, relief = config.maps[part].window, part_map.relief
    depth = to_grid(part_map.depth, window, config, zeros=False)
    density = to_grid(part_map.density * config.density_scale, window, config, zeros=True)
    if relief is not None:
        relief = to_grid(relief, window, config, zeros=part != FACE_BASE)
    return PartGeometry(depth, density, relief)


def gather_geometry(
    parts: Mapping[int, PartGeometry], config: ModelConfig, visible: Tensor | None = None
) -> Geometry:
    """Join :func:`part_geometry` of all lifted parts.

    Args:
        parts: by part index.
        visible: (B, K) bool; hidden parts get density 0. The face base's depth is used even when it
            is hidden, because the other parts are placed relative to it.
    """
    base = parts[FACE_BASE].depth
    depth = torch.stack([base if k == FACE_BASE else parts[k].depth + base for k in LIFTED], 1)
    density = torch.stack([parts[k].density for k in LIFTED], 1)
    if visible is not None:
        shown = visible.index_select(1, index_tensor(LIFTED, visible.device))
        density = density * shown[:, :, None, None].to(density)
    geometry = _with_one_face(Geometry(depth, density), parts, config)
    # without a hat it changes nothing: a GPU presses sooner than the CPU could ask it
    return (
        press_hair(geometry) if density.is_cuda or bool((density[:, HAT] > 0).any()) else geometry
    )


def _with_one_face(
    geometry: Geometry, parts: Mapping[int, PartGeometry], config: ModelConfig
) -> Geometry:
    """The same with the parts of the face on one surface, where a model has one."""
    reliefs = [relief for part in FACE if (relief := parts[part].relief) is not None]
    if len(reliefs) < len(FACE):
        return geometry
    faces = (geometry.depth[:, _FACE], geometry.density[:, _FACE])
    found = Geometry(geometry.depth.clone(), geometry.density.clone())
    found.depth[:, _FACE], found.density[:, _FACE] = on_one_surface(
        *faces, torch.stack(reliefs, 1), config
    )
    return found


def press_hair(geometry: Geometry) -> Geometry:
    """Hair beneath the hat that is worn on it: any hat on any hair.

    Where the hat is, hair lies below it. Beside and above it hair would stand out of it at the
    height of its crown: it ends there, over some rows from the hat's lowest one upwards. What hangs
    below the hat, or out of it over the forehead, stays.
    """
    hair, hat_depth = geometry.depth[:, HAIR], geometry.depth[:, HAT]  # (B, G, G)
    hat = (geometry.density[:, HAT] / _HAT_DENSITY).clamp(0, 1)
    worn = hat >= 1
    between = (worn.cumsum(2) > 0) & (worn.flip(2).cumsum(2).flip(2) > 0)  # hat to both sides
    rows = worn.any(2).flip(1).cumsum(1).flip(1)  # (B, G), rows of the hat from here downwards
    ends = (rows / (_RIM * hat.shape[1])).clamp(max=1)[:, :, None] * ~between
    depth, density = geometry.depth.clone(), geometry.density.clone()
    depth[:, HAIR] = hair.lerp(torch.minimum(hair, hat_depth - _HAT_GAP), hat)
    density[:, HAIR] = geometry.density[:, HAIR] * (1 - ends)
    return Geometry(depth, density)


def model_to_map(points: Tensor, config: ModelConfig) -> Tensor:
    """(u, v) of model points (..., 3) → (..., 2)."""
    factor = model_to_map_factor(points[..., 2:], config)
    return points[..., :2] if factor is None else points[..., :2] * factor


def model_to_map_factor(z: Tensor, config: ModelConfig) -> Tensor | None:
    """(u, v) over (x, y) at model z, in the shape of ``z``; None where they are the same."""
    if math.isinf(config.lift_origin):
        return None
    return config.lift_origin / (z + config.lift_origin).clamp_min(_MIN_REACH)


def window_coordinates(uv: Tensor, window: Window) -> Tensor:
    """(u, v) → grid_sample coordinates in [-1, 1], y down."""
    u0, u1, v0, v1 = window
    x = (uv[..., 0] - u0) * (2 / (u1 - u0)) - 1
    y = 1 - (uv[..., 1] - v0) * (2 / (v1 - v0))
    return torch.stack([x, y], -1)


@cache
@torch.inference_mode(False)
def _window_line(window: Window, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scale and shift of :func:`window_coordinates`, (2, 1, 1) each."""
    u0, u1, v0, v1 = window
    scale, shift = (2 / (u1 - u0), -2 / (v1 - v0)), ((u0 + u1) / (u0 - u1), (v0 + v1) / (v1 - v0))
    both = torch.tensor([scale, shift], device=device)[..., None, None]
    return both[0], both[1]


def places_in(surface: Tensor, window: Window) -> Tensor:
    """Where Σ_k m_k (u_k, v_k, 1), (N, 3, h, w), lies in a window, (N, h, w, 2) in [-1, 1]."""
    surface = surface.detach()
    where = surface[:, :2] / surface[:, 2:].clamp_min(_LEAST_SHARE)
    scale, shift = _window_line(window, surface.device)
    # plane by plane: x and y side by side take twice as long
    return torch.addcmul(shift, where, scale).permute(0, 2, 3, 1)


def opacity(density: Tensor, config: ModelConfig) -> Tensor:
    """How much of what is behind it a shell of such a raw density hides, seen from in front.

    ∫ ψ dz = √(π / α) for ψ = exp(-α (d̂ - z)²).
    """
    return shell_opacity(density * config.density_scale, config)


def shell_opacity(density: Tensor, config: ModelConfig) -> Tensor:
    """The same of a shell of a density in 1/unit, as :class:`Geometry` has it."""
    return 1 - torch.exp(-density * math.sqrt(math.pi / config.shell_alpha))


def shell(depth: Tensor, z: Tensor, config: ModelConfig) -> Tensor:
    """ψ = exp(-α (d̂ - z)²), broadcasting."""
    return torch.exp((depth - z).square() * -config.shell_alpha)
