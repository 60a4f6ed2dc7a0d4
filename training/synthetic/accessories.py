"""Glasses, hat and earrings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synthetic.eyes import Eyeball
from training.synthetic.maths import gaussian, smoothstep, tube
from training.synthetic.regions import Regions
from training.synthetic.strands import Surface
from training.synthetic.traits import Earrings, Glasses, Hat

_EYE_SIDE = 0.315
_RIM_POINTS = 48


def make_glasses(glasses: Glasses, surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of rims, temples and bridge; the quads never change."""
    bridge_z = _bridge(surface)
    width = glasses.half_size[0]
    radius, outer = glasses.radius, _EYE_SIDE + width
    pieces = []
    for sign in (1, -1):
        pieces.append(tube(_on_lens(glasses, bridge_z, sign, 1.0), radius, closed=True))
        temple = [
            [sign * outer, 7.31, bridge_z - 0.21 * outer**2],
            [sign * 0.68, 7.31, bridge_z - 0.25],
            [sign * 0.74, 7.30, 0.75],
            [sign * 0.74, 7.27, 0.45],
            [sign * 0.72, 7.10, 0.33],
        ]
        pieces.append(tube(np.array(temple), radius * 0.9, closed=False))
    across = np.linspace(width - _EYE_SIDE, _EYE_SIDE - width, 7)
    bridge = [across, 7.29 + 0.03 * np.cos(across * 8), np.full(7, bridge_z + 0.005)]
    pieces.append(tube(np.stack(bridge, 1), radius, closed=False))
    starts = np.cumsum([0] + [len(vertices) for vertices, _ in pieces[:-1]])
    quads = [quads + start for (_, quads), start in zip(pieces, starts, strict=True)]
    return np.concatenate([vertices for vertices, _ in pieces]), np.concatenate(quads)


def make_lenses(glasses: Glasses, surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of both panes; the quads never change."""
    bridge_z, rings = _bridge(surface), np.linspace(0.02, 1, 6)
    panes = [_on_lens(glasses, bridge_z, sign, share) for sign in (1, -1) for share in rings]
    index = np.arange(len(rings) * _RIM_POINTS).reshape(len(rings), _RIM_POINTS)
    right = np.roll(index, -1, 1)
    # Facing forwards: seen from behind, glass reflects everything beyond 40 degrees.
    quads = np.stack([index[:-1], index[1:], right[1:], right[:-1]], -1).reshape(-1, 4)
    return np.concatenate(panes), np.concatenate([quads, quads + index.size])


def _bridge(surface: Surface) -> float:
    """Depth at which glasses sit on the nose."""
    x, y, z = surface.vertices.T
    return float(z[(np.abs(x) < 0.03) & (np.abs(y - 7.25) < 0.05)].max() + 0.03)


def _on_lens(glasses: Glasses, bridge_z: float, sign: int, share: float) -> np.ndarray:
    """A closed curve on one lens at ``share`` of its size, the rim at 1."""
    angle = np.linspace(0, 2 * np.pi, _RIM_POINTS, endpoint=False)
    (width, height), power = glasses.half_size, 2 / glasses.exponent
    cos, sin = np.cos(angle), np.sin(angle)
    x = sign * _EYE_SIDE + share * np.sign(cos) * np.abs(cos) ** power * width
    y = 7.25 + share * np.sign(sin) * np.abs(sin) ** power * height
    return np.stack([x, y, bridge_z - 0.12 * x**2], 1)


@dataclass(frozen=True)
class WornHat:
    """A hat on a head.

    Attributes:
        vertices: (V, 3).
        inside: (V,) height above the rim in template space: hat where positive.
        slope, level: the plane y = slope · z + level that fits the rim best.
    """

    vertices: np.ndarray
    inside: np.ndarray
    slope: float
    level: float

    def height(self, points: np.ndarray) -> np.ndarray:
        """Height of points (N, 3) above the rim's plane, (N,)."""
        return points[:, 1] - self.slope * points[:, 2] - self.level


@dataclass(frozen=True)
class Beanie:
    """The part of the body's mesh that can carry a beanie: vertex indices and local quads."""

    indices: np.ndarray
    quads: np.ndarray

    @classmethod
    def of(cls, regions: Regions, quads: np.ndarray) -> Beanie:
        """The part of the body with these regions and quads."""
        # No further down than the lowest rim: rays to the eyes can cross few transparent surfaces.
        lowest = 7.57 + 0.42 * np.minimum(regions.z - 1.3, 0)
        indices = np.flatnonzero((regions.y > np.maximum(lowest, 6.9)) & (regions.ears < 0.3))
        local = np.full(len(regions.y), -1)
        local[indices] = np.arange(len(indices))
        covered = local[quads]
        return cls(indices, covered[(covered >= 0).all(1)])

    def fit(self, hat: Hat, surface: Surface) -> WornHat:
        """The hat on this head."""
        rest = surface.regions.rest[self.indices]
        inside = rest[:, 1] - hat.rim - hat.slope * (rest[:, 2] - 1.3)
        top = smoothstep(8.1, 8.5, rest[:, 1])
        roll = 0.05 * gaussian(np.clip(inside - 0.12, -0.2, 9), 0, 0.12)
        stand_off = 0.12 + roll + 0.12 * top
        on_head = surface.vertices[self.indices]
        vertices = on_head + surface.normals[self.indices] * stand_off[:, None]
        rim = on_head[np.abs(inside) < 0.03]
        slope, level = np.polyfit(rim[:, 2], rim[:, 1], 1)
        return WornHat(vertices, inside, float(slope), float(level))


def make_earrings(earrings: Earrings, surface: Surface, ball: Eyeball) -> np.ndarray:
    """Two beads below the lobes, (2 V, 3)."""
    regions, beads = surface.regions, []
    for sign in (1, -1):
        distance = np.linalg.norm(regions.rest - np.array([sign * 0.76, 6.86, 0.50]), axis=1)
        lobe = surface.vertices[np.argmin(distance - 10 * (regions.ears > 0.3))]
        hang = np.array([sign * 0.01, -earrings.radius * earrings.drop, 0.02])
        beads.append(ball.vertices * earrings.radius + lobe + hang)
    return np.concatenate(beads)
