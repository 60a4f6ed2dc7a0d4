"""Surfaces of parts in the lifted field, where the renderer sees them.

A shell of density σ exp(-α t²), t the distance from its depth d̂ along the lifting line, has the
optical depth

    τ = σ √(π / α)                              all through,
    A(t) = τ / 2 · erfc(√α |t|)                 from outside to |t|.

Where the shell is dense, the picture shows the depth at which half of the light is gone: A = ln 2.
A part ends where rays stop being half absorbed. Rays at a silhouette graze the shell and pass about
GRAZING times as much of it as one that meets it head on: the border lies at τ_0 = ln 2 / GRAZING,
where the mesh's front and back meet, A = τ_0 / 2 at t = 0. The surface A = T with

    T = τ_0 / 2 + (ln 2 - τ_0 / 2) (1 - τ_0 / τ)²

is both. Several parts together hide what each alone would let through, so A and τ are sums over the
parts; the body that they make is divided among them by the largest A, and part meshes neither
overlap nor leave gaps.

Model units, y up, z toward the viewer of a frontal portrait, which is also glTF's convention.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ModelConfig
from .errors import PackageError
from .lifting import LIFTED, Geometry, model_to_map, shell_opacity, window_coordinates
from .parts import PART_NAMES
from .relief import face_share, front_of

SIDE = 2.3
"""Side of the meshed cube: the trained frame and a margin for what leans toward the camera."""
GRAZING = 1.5
_LEAST_THICKNESS = 0.75
_BLOCK = 4
_NEAR = 0.16
"""Distance from a shell beyond which nothing of it is above the threshold (τ would exceed 100)."""
_OVERLAP = 0.8
"""How far parts reach under their neighbours, in log share. Marching cubes cuts corners, and two
cut corners side by side are a groove that renders as a dark line; much more, and the colours of
what lies below show through."""
RIMS = ("hair", "hat", "clothes")
"""Parts that end behind the head, where training has hardly looked and their maps are ragged."""
SMOOTH = ("skin", "neck")
"""Parts that are smooth, but generated with bumps: they are calmed beyond the surface of the face
(:mod:`.relief`), in models that have one."""
_BLUR = 2.0
"""Standard deviation of what calms both, in texels of the common grid."""
_RIM_DEPTH = 0.3
"""How far behind the head's middle (z = 0) rims are calmed in full; in front of it, not at all."""
_DENSE = 6.0
"""Optical depth from which on a calmed front follows it: borders are thinner."""
_OUTSIDE = -4.0
_LEAST_OPACITY = 1.0e-3
_FAINT = 1.0e-9
"""Optical depth that stands for none, so that it has a logarithm."""
_CHUNK = 1 << 17


def find_surfaces(
    geometry: Geometry,
    config: ModelConfig,
    wanted: Sequence[int],
    resolution: int,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Vertices (N, 3) in model units and faces (M, 3) of the parts that have any.

    Args:
        progress: is told the share that is done, from 0 to 1; what it raises ends the work.
    """
    blocks = -(-resolution // _BLOCK)
    cell = SIDE / (blocks * _BLOCK)
    thickness = _LEAST_THICKNESS * cell
    active = _blocks_near_shells(geometry, config, blocks)  # (M, 3)
    if not len(active):
        return {}
    inner = torch.stack(
        torch.meshgrid(*[torch.arange(_BLOCK)] * 3, indexing="ij"), -1
    )  # (b, b, b, 3)
    geometry, shown = _without_empty_parts(geometry)
    geometry = _calm_bumps(_calm_rims(geometry, shown, config), shown, config)
    wanted = [part for part in wanted if part in shown]
    rows = [shown.index(part) for part in wanted]
    fields = torch.empty(len(wanted), len(active), *[_BLOCK] * 3)
    step = max(1, _CHUNK // _BLOCK**3)
    for start in range(0, len(active), step):
        progress(0.7 * start / len(active))
        cells = active[start : start + step, None, None, None] * _BLOCK + inner
        points = ((cells + 0.5) * cell - SIDE / 2).reshape(-1, 3)
        field = surface_field(*part_optics(points, geometry, config, thickness))[rows]
        fields[:, start : start + step] = field.reshape(len(wanted), -1, *[_BLOCK] * 3)
    found = {}
    for number, (part, field) in enumerate(zip(wanted, fields, strict=True)):
        progress(0.7 + 0.3 * number / len(wanted))
        occupied = field.flatten(1).amax(1) > 0
        if not occupied.any():
            continue
        # one block more on every side, so that the surface closes inside what is evaluated
        low = active[occupied].amin(0) - 1
        high = active[occupied].amax(0) + 2
        within = ((active >= low) & (active < high)).all(1)
        size = high - low
        dense = torch.full((int(size[0]), int(size[1]), int(size[2]), *[_BLOCK] * 3), _OUTSIDE)
        dense[tuple((active[within] - low).T)] = field[within]
        dense = dense.permute(0, 3, 1, 4, 2, 5).reshape(*(size * _BLOCK).tolist())
        vertices, faces = marching_cubes(dense.numpy())
        if len(faces):
            origin = (low * _BLOCK).numpy() + 0.5
            found[part] = ((vertices + origin) * cell - SIDE / 2, faces)
    return found


def part_optics(
    points: Tensor, geometry: Geometry, config: ModelConfig, thickness: float
) -> tuple[Tensor, Tensor]:
    """A and ψ^¼ τ of the parts of a geometry at model points (N, 3): both (parts, N).

    ψ^¼ says which shells lie so close that a ray through the point meets them together.

    Args:
        thickness: distance from a shell up to which A is taken as at its middle, so that a shell
            that is thinner than the grid's cells is not lost between them. Twice as far away A is
            exact again.
    """
    grid = window_coordinates(model_to_map(points, config), config.geometry_window)[None, None]
    maps = torch.cat([geometry.depth, geometry.density], 1)
    looked_up = F.grid_sample(maps, grid, align_corners=False)[0, :, 0]  # (2 parts, N)
    depth, density = looked_up.unflatten(0, (2, -1)).unbind(0)
    through = density * math.sqrt(math.pi / config.shell_alpha)  # τ
    offset = (depth - points[:, 2]).abs_()
    offset = torch.minimum(offset, (offset - thickness).clamp_min_(0).mul_(2))
    offset.mul_(math.sqrt(config.shell_alpha))
    passed = through * torch.erfc(offset) * 0.5
    together = through.mul_(offset.square_().mul_(-0.25).exp_())
    return passed, together


def surface_field(passed: Tensor, together: Tensor) -> Tensor:
    """A function that is positive inside each part, from :func:`part_optics`: (parts, N).

    It is the smaller of log(A / T), the body of all parts, and log(A_k / largest other A), a part's
    share of it, with a little overlap.
    """
    half, rim = math.log(2), math.log(2) / GRAZING
    dense = 1 - rim / together.sum(0).clamp_min(rim)  # 0 at a border, 1 inside
    threshold = rim / 2 + (half - rim / 2) * dense.square()
    body = torch.log(passed.sum(0).clamp_min(_FAINT) / threshold)
    own = passed.clamp_min(_FAINT).log_()
    first = own.amax(0)
    leads = own == first
    second = own.masked_fill(leads, math.log(_FAINT)).amax(0)
    rival = torch.where(leads, second, first)
    return torch.minimum(own - rival + _OVERLAP, body).clamp_(_OUTSIDE, -_OUTSIDE)


def _without_empty_parts(geometry: Geometry) -> tuple[Geometry, list[int]]:
    """The parts that have any density, and which they are."""
    rows = geometry.density[0].amax((1, 2)).nonzero()[:, 0].tolist()
    shown = Geometry(geometry.depth[:, rows], geometry.density[:, rows])
    return shown, [LIFTED[row] for row in rows]


def _calm_rims(geometry: Geometry, shown: Sequence[int], config: ModelConfig) -> Geometry:
    """Depth and opacity of ``RIMS`` blurred behind the head; what lies in front stays as it is."""
    rows = [row for row, part in enumerate(shown) if PART_NAMES[part] in RIMS]
    if not rows:
        return geometry
    depth, density = geometry.depth[:, rows], geometry.density[:, rows]
    smooth, blurred = _blurred(depth, density, config)
    behind = (smooth / -_RIM_DEPTH).clamp(0, 1)
    behind = behind.square() * (3 - 2 * behind)
    calm = Geometry(geometry.depth.clone(), geometry.density.clone())
    calm.depth[:, rows] = torch.lerp(depth, smooth, behind)
    calm.density[:, rows] = _thinned(density, blurred, behind, config)
    return calm


def _calm_bumps(geometry: Geometry, shown: Sequence[int], config: ModelConfig) -> Geometry:
    """Fronts and opacity of ``SMOOTH`` blurred beyond the surface of the face."""
    rows = [row for row, part in enumerate(shown) if PART_NAMES[part] in SMOOTH]
    if not rows or not config.relief:
        return geometry
    length = math.sqrt(math.pi / config.shell_alpha)
    density = geometry.density[:, rows]
    front = geometry.depth[:, rows] + front_of((density * length).clamp_min(_DENSE), config)
    smooth, blurred = _blurred(front, density, config)
    beyond = 1 - face_share(front.shape[-1], config)
    calm = Geometry(geometry.depth.clone(), geometry.density.clone())
    thinned = _thinned(density, blurred, beyond, config)
    calm.density[:, rows] = thinned
    before = front_of((thinned * length).clamp_min(_DENSE), config)
    calm.depth[:, rows] = torch.lerp(front, smooth, beyond) - before
    return calm


def _blurred(surface: Tensor, density: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Surfaces and opacities of shells, blurred, (B, K, G, G) each.

    A surface counts as far as there is something at it: outside of a part it is arbitrary.
    """
    opacity = shell_opacity(density, config)
    deviation = _BLUR * surface.shape[-1] / config.geometry_size
    blurred = _blur(opacity, deviation)
    smooth = _blur(surface * opacity, deviation) / blurred.clamp_min(_LEAST_OPACITY)
    return torch.where(blurred > _LEAST_OPACITY, smooth, surface), blurred


def _thinned(density: Tensor, blurred: Tensor, share: Tensor, config: ModelConfig) -> Tensor:
    """Densities that go over to those of blurred opacities, by a share (…, G, G)."""
    length = math.sqrt(math.pi / config.shell_alpha)
    thin = blurred.clamp_max(1 - torch.finfo(blurred.dtype).eps)
    return torch.lerp(density, -torch.log1p(-thin) / length, share)


def _blur(maps: Tensor, deviation: float) -> Tensor:
    """Gaussian blur of (B, K, H, W)."""
    reach = math.ceil(3 * deviation)
    kernel = torch.exp(torch.arange(-reach, reach + 1).square() / (-2 * deviation**2))
    kernel = (kernel / kernel.sum()).to(maps).expand(maps.shape[1], 1, -1)  # (K, 1, 2 reach + 1)
    padded = F.pad(maps, [reach] * 4, mode="replicate")
    across = F.conv2d(padded, kernel[:, :, None], groups=maps.shape[1])
    return F.conv2d(across, kernel[..., None], groups=maps.shape[1])


def _blocks_near_shells(geometry: Geometry, config: ModelConfig, blocks: int) -> Tensor:
    """Indices (M, 3) of the blocks of the cube that a shell passes through or close by."""
    line = (torch.arange(blocks) + 0.5) / blocks * SIDE - SIDE / 2
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    near = torch.zeros(len(points), dtype=torch.bool)
    grid = window_coordinates(model_to_map(points, config), config.geometry_window)[None, None]
    reach = _NEAR + SIDE / blocks  # a block's centre may lie so much further from the shell
    # a block's centre may miss a narrow part, so densities are spread over a block first
    left, right, *_ = config.geometry_window
    texel = (right - left) / geometry.depth.shape[-1]
    spread = 2 * math.ceil(SIDE / blocks / texel) + 1
    dense = F.max_pool2d(geometry.density, spread, 1, spread // 2)
    least = 0.2 * math.log(2) / math.sqrt(math.pi / config.shell_alpha)
    for row in range(geometry.depth.shape[1]):
        if dense[:, row].max() <= least:
            continue
        maps = torch.stack([geometry.depth[:, row], dense[:, row]], 1)
        depth, density = F.grid_sample(maps, grid, align_corners=False)[0, :, 0]
        near |= (density > least) & ((depth - points[:, 2]).abs() < reach)
    grown = F.max_pool3d(near.float().reshape(1, 1, blocks, blocks, blocks), 3, 1, 1)
    return grown[0, 0].nonzero()


def marching_cubes(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The zero surface of ``field``, positive inside: vertices (N, 3) in cells and faces (M, 3).

    Faces turn counter-clockwise as seen from outside.

    Raises:
        PackageError: neither PyMCubes nor scikit-image is installed.
    """
    try:
        import mcubes
    except ImportError:
        pass
    else:
        vertices, faces = mcubes.marching_cubes(field, 0.0)
        return vertices, faces.astype(np.int64)
    try:
        from skimage import measure
    except ImportError:
        raise PackageError("A mesh", "PyMCubes") from None
    if field.max() <= 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    vertices, faces, _, _ = measure.marching_cubes(field, 0.0, gradient_direction="ascent")
    return vertices.astype(np.float64), faces.astype(np.int64)
