"""Brows and beard: where they grow and their strands."""

from __future__ import annotations

import numpy as np

from training.synthetic.identity import Identity
from training.synthetic.maths import UP, normalize, smooth_noise, smoothstep, without_normal
from training.synthetic.regions import Regions
from training.synthetic.strands import Strands, Surface
from training.synthetic.traits import Brows

_BROW_STRANDS = 360
_BEARD_STRANDS = {"stubble": 5000, "short": 5000, "full": 6000, "goatee": 2200, "moustache": 900}
_BEARD_LENGTH = {"stubble": 0.018, "short": 0.06, "full": 0.16, "goatee": 0.1, "moustache": 0.09}


def _brow_arc(brows: Brows, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height and half thickness of the brow at distance ``side`` from the middle."""
    t = np.linspace(0, 1, 12)
    rise = (0.036 + brows.arch * 0.7) * np.sin(np.clip(t / 0.68, 0, 1) * np.pi / 2)
    fall = (0.07 + brows.arch * 0.7) * np.clip((t - 0.60) / 0.40, 0, 1) ** 1.5
    course = np.linspace(brows.inner, brows.outer, 12)
    side = np.clip(side, brows.inner, brows.outer)
    height = np.interp(side, course, brows.height + 0.012 + rise - fall)
    width = np.interp(side, [brows.inner, 0.2, 0.36, brows.outer], [0.85, 1, 0.85, 0.25])
    return height, brows.thickness * width


def brow_mask(identity: Identity, regions: Regions) -> np.ndarray:
    """Where the brows grow, (V,) in 0..1."""
    brows = identity.brows
    height, thickness = _brow_arc(brows, regions.side)
    mask = smoothstep(1.15, 0.75, np.abs(regions.y - height) / thickness)
    mask = mask * smoothstep(0, 0.02, regions.side - brows.inner + 0.01)
    return mask * smoothstep(0, 0.02, brows.outer - regions.side + 0.01) * (regions.z > 0.8)


def grow_brows(identity: Identity, surface: Surface) -> Strands:
    """Strands of both brows."""
    brows, mask = identity.brows, brow_mask(identity, surface.regions)
    steps, points = 4, []
    t = np.linspace(0, 1, steps)[None, :, None]
    for sign in (1, -1):
        rng = identity.stream("brows", f"strands {sign}")
        one_side = mask * (np.sign(surface.regions.x) == sign)
        roots = surface.roots(rng, one_side, 0.2, int(_BROW_STRANDS * brows.density))
        side = np.abs(roots.rest[:, 0])
        height, thickness = _brow_arc(brows, side)
        along = np.clip((side - brows.inner) / (brows.outer - brows.inner), 0, 1)
        upward = np.interp(along, [0, 0.25, 0.6, 1], [1.2, 0.5, 0.05, -0.5])
        upward = upward + (height - roots.rest[:, 1]) / brows.thickness * 0.3
        direction = np.stack([np.full(len(side), float(sign)), upward, -0.25 * along], 1)
        direction = normalize(direction + rng.normal(0, brows.unruly, direction.shape))
        direction = normalize(without_normal(direction, roots.normals) + roots.normals * 0.12)
        length = rng.uniform(0.04, 0.09, len(side)) * (1 - 0.3 * along)
        strand = roots.points[:, None] + roots.normals[:, None] * 0.004
        strand = strand + direction[:, None] * length[:, None, None] * t - 0.012 * UP * t**2
        points.append(strand)
    both = np.concatenate(points)
    return Strands(both, np.broadcast_to(0.0032 * np.linspace(1, 0.3, steps), both.shape[:2]))


def beard_mask(identity: Identity, regions: Regions) -> np.ndarray:
    """Where the beard grows, (V,) in 0..1."""
    if identity.skin.beard == "none":
        return np.zeros_like(regions.y)
    return regions.beard_zones()[identity.skin.beard]


def grow_beard(identity: Identity, surface: Surface) -> Strands | None:
    """Strands of the beard, or None without one."""
    kind = identity.skin.beard
    if kind == "none":
        return None
    rng, regions, steps = identity.stream("skin", "beard"), surface.regions, 6
    mask = beard_mask(identity, regions) * (regions.neck < 0.4)
    roots = surface.roots(rng, mask, 0.1, _BEARD_STRANDS[kind])
    count = len(roots.points)
    x, y, z = roots.points.T
    length = _BEARD_LENGTH[kind] * (rng.uniform(0.6, 1.3) if kind == "full" else 1)
    length = (length * rng.uniform(0.6, 1.2, count) * np.where(y > 6.60, 0.55, 1))[:, None, None]
    direction = normalize(
        roots.normals * 0.8
        - UP * 0.8
        + rng.normal(0, 0.2, (count, 3))
        + smooth_noise(rng, roots.points, 7, 3) * 0.25
    )
    lip = (z > 1.3) & (y > 6.6)
    direction[lip, 0] += np.sign(x[lip]) * 0.5
    direction = normalize(direction)
    t = np.linspace(0, 1, steps)[None, :, None]
    points = roots.points[:, None] + direction[:, None] * length * t - UP * (length * 0.35) * t**2
    points = points + (smooth_noise(rng, roots.points, 20, 3) * 0.12)[:, None] * length * t**2
    radius = 0.0030 if kind == "stubble" else 0.0042
    return Strands(points, np.broadcast_to(radius * np.linspace(1, 0.4, steps), points.shape[:2]))
