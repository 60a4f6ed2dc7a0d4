"""The garment: the template's body suit, cut at a collar with a hem, and what is worn over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synthetic.head import Piece
from training.synthetic.identity import Identity
from training.synthetic.maths import smooth_noise, smoothstep, tube, vertex_normals
from training.synthetic.strands import Surface
from training.synthetic.traits import Clothes


@dataclass(frozen=True)
class Garment:
    """What covers the shoulders.

    Attributes:
        vertices: (V, 3); colors: (V, 3) linear RGB; inside: (V,): cloth where positive.
        hem: (R, 3) vertices of the ring along the collar, with the quads of ``ring_quads``, or None
            where the shoulders are bare.
        hem_color: linear RGB.
        jacket, jacket_inside: a second skin over the first, or None.
        ring: (R, 3) vertices of a scarf or a hood that lies on the shoulders, or None.
    """

    vertices: np.ndarray
    colors: np.ndarray
    inside: np.ndarray
    hem: np.ndarray | None
    hem_color: np.ndarray
    jacket: np.ndarray | None
    jacket_inside: np.ndarray | None
    ring: np.ndarray | None


RING_POINTS, _RING_SIDES = 96, 12
FOLDS, BLOTCHES = 3.0, 1.6
"""Radians a decimetre of a garment's folds, and of blotches for a ``pattern_scale`` of 1."""
_AXIS_Z = 0.25


def ring_quads() -> np.ndarray:
    """Quads of hems, scarves and hoods, (F, 4)."""
    index = np.arange(RING_POINTS * _RING_SIDES).reshape(RING_POINTS, _RING_SIDES)
    after, beside = np.roll(index, -1, 0), np.roll(index, -1, 1)
    both = np.roll(after, -1, 1)
    return np.stack([index, after, both, beside], -1).reshape(-1, 4)


def make_garment(
    identity: Identity, piece: Piece, vertices: np.ndarray, surface: Surface
) -> Garment:
    """The garment on the head with template ``vertices`` and body ``surface``."""
    clothes, rest = identity.clothes, piece.rest
    noise = identity.stream("clothes", "noise")
    skin = piece.of(vertices)
    offset = 0.045 if clothes.collar == "turtle" else clothes.offset
    lift = offset + 0.02 * smooth_noise(noise, rest, FOLDS)
    inside = _collar_line(clothes, rest) - rest[:, 1]

    share = _pattern(identity, noise, rest)[:, None]
    first, second = clothes.colors
    colors = first * (1 - share) + second * share
    trim = (np.abs(inside - 0.035) < 0.035)[:, None]
    colors = np.where(trim, trim_color(clothes), colors)
    normals = vertex_normals(skin, piece.quads)
    cloth = skin + normals * lift
    if not clothes.present:
        bare = np.full_like(inside, -1.0)
        return Garment(cloth, colors, bare, None, first, None, None, None)
    jacket = jacket_inside = None
    if clothes.layer == "jacket":
        jacket = cloth + normals * 0.07
        jacket_inside = _jacket_line(clothes, rest)
    return Garment(
        cloth,
        colors,
        inside,
        _hem(clothes.hem, cloth, inside, piece.quads),
        clothes.colors[clothes.trim] * 0.85,
        jacket,
        jacket_inside,
        _ring(identity, surface) if clothes.layer in ("scarf", "hood") else None,
    )


def trim_color(clothes: Clothes) -> np.ndarray:
    """Colour of the band along the collar, linear RGB."""
    return clothes.colors[clothes.trim] * 0.8


def jacket_opening(clothes: Clothes) -> float:
    """Half of how wide a jacket is open at the chest, in decimetres."""
    return 0.1 + 0.25 * clothes.plunge


def _jacket_line(clothes: Clothes, rest: np.ndarray) -> np.ndarray:
    """Positive where a jacket covers the garment: open in front, (V,)."""
    side = np.abs(rest[:, 0])
    back = 6.0 - rest[:, 1] + 0.9 * smoothstep(0.75, 1.15, side)
    opening = jacket_opening(clothes) + 0.75 * np.clip(rest[:, 1] - 5.0, 0, None)
    front = np.where(rest[:, 2] > 0.2, side - opening, 1.0)
    return np.minimum(back, front)


def _azimuth(points: np.ndarray) -> np.ndarray:
    return np.arctan2(points[..., 0], points[..., 2] - _AXIS_Z)


def _round(values: np.ndarray, azimuth: np.ndarray, width: int) -> np.ndarray:
    """Values (N, C) at angles (N,) as a smooth function of the ring's angles, (P, C)."""
    order = np.argsort(azimuth)
    angles, values = azimuth[order], values[order]
    angles = np.concatenate([angles - 2 * np.pi, angles, angles + 2 * np.pi])
    values = np.concatenate([values] * 3)
    fine = np.linspace(-np.pi, np.pi, 4 * RING_POINTS, endpoint=False)
    round_trip = np.stack([np.interp(fine, angles, v) for v in values.T], 1)
    kernel = np.hanning(width + 2)[1:-1]
    kernel = kernel / kernel.sum()
    padded = np.concatenate([round_trip[-width:], round_trip, round_trip[:width]])
    smooth = np.stack([np.convolve(v, kernel, "same") for v in padded.T], 1)
    return smooth[width:-width][::4]


def _hem(thickness: float, cloth: np.ndarray, inside: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """A roll along the edge at which the garment is cut: cloth has a thickness."""
    edges = np.concatenate([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2, 4)
    first, second = edges[:, 0].ravel(), edges[:, 1].ravel()
    cut = (inside[first] > 0) != (inside[second] > 0)
    first, second = first[cut], second[cut]
    share = (inside[first] / (inside[first] - inside[second]))[:, None]
    points = cloth[first] * (1 - share) + cloth[second] * share
    near = np.abs(points[:, 0]) < 1.1
    path = _round(points[near], _azimuth(points[near]), 9)
    return tube(path, thickness, closed=True, sides=_RING_SIDES)[0]


def _ring(identity: Identity, surface: Surface) -> np.ndarray:
    """A scarf wound round the neck, or a hood that lies on the shoulders."""
    clothes, rng = identity.clothes, identity.stream("clothes", "layer")
    angle = np.linspace(-np.pi, np.pi, RING_POINTS, endpoint=False)
    front = 0.5 + 0.5 * np.cos(angle)
    if clothes.layer == "scarf":
        high, thick = rng.uniform([5.9, 0.13], [6.05, 0.19])
        level = high - 0.16 * front
        wide, tall = np.full(RING_POINTS, 0.8 * thick), np.full(RING_POINTS, 1.25 * thick)
    else:
        high, thick = rng.uniform([6.0, 0.2], [6.15, 0.3])
        level = high - 0.42 * front
        wide, tall = thick * (1 - 0.72 * front), thick * (1.1 - 0.85 * front)
    x, y, z = surface.vertices.T
    around = _azimuth(surface.vertices)
    wanted = np.interp(around, angle, level, period=2 * np.pi)
    near = (np.abs(y - wanted) < 0.1) & (np.abs(x) < 1.0)
    radius = np.hypot(x, z - _AXIS_Z)[near, None]
    reach = _round(radius, around[near], 21)[:, 0] + 0.6 * wide + 0.02
    turn = np.arange(_RING_SIDES) / _RING_SIDES * 2 * np.pi
    folds = 1 + 0.22 * np.sin(3 * turn + 2 * angle[:, None] + rng.uniform(0, 6))
    bumps = smooth_noise(rng, np.stack([np.sin(angle), np.cos(angle), level], 1), 4)
    size = folds * (1 + 0.12 * bumps)
    out = reach[:, None] + np.cos(turn) * wide[:, None] * size
    up = level[:, None] + np.sin(turn) * tall[:, None] * size
    points = [np.sin(angle)[:, None] * out, up, _AXIS_Z + np.cos(angle)[:, None] * out]
    return np.stack(points, -1).reshape(-1, 3)


def collar_shape(clothes: Clothes) -> tuple[float, float, float, float, float]:
    """What a collar's line is made of, in decimetres.

    Its height behind, how much lower it is in front, how deep its notch there is and half of its
    width, and how much higher the line is on the shoulders, which stay covered.
    """
    plunge = clothes.plunge
    if clothes.collar == "turtle":
        return 6.12, 0.1, 0.0, 1.0, 0.0
    if clothes.collar == "v":
        return 5.78, 0.05, 0.5 + 0.5 * plunge, 0.55, 0.9
    if clothes.collar == "wide":
        return 5.62, 0.25, 0.0, 1.0, 0.9
    if clothes.collar == "shirt":
        return 5.98, 0.16, 0.25 + 0.35 * plunge, 0.28, 0.9
    return 5.88 - 0.1 * plunge, 0.17, 0.0, 1.0, 0.9


def _collar_line(clothes: Clothes, rest: np.ndarray) -> np.ndarray:
    """Height of the collar at every vertex, (V,)."""
    level, drop, depth, width, rise = collar_shape(clothes)
    side = np.abs(rest[:, 0])
    notch = np.clip(1 - side / width, 0, 1) * depth
    line = level - smoothstep(-0.2, 0.9, rest[:, 2]) * (drop + notch)
    return line + rise * smoothstep(0.75, 1.15, side)


def _pattern(identity: Identity, rng: np.random.Generator, rest: np.ndarray) -> np.ndarray:
    """Share of the second colour, (V,)."""
    x, y, _ = rest.T
    scale = identity.clothes.pattern_scale
    if identity.clothes.pattern == "stripe":
        return (np.sin(y * scale * 2 * np.pi) > 0).astype(float)
    if identity.clothes.pattern == "check":
        return 0.5 * (np.sin(y * scale * 4) > 0) + 0.5 * (np.sin(x * scale * 4) > 0)
    if identity.clothes.pattern == "blotch":
        return smoothstep(-0.1, 0.1, smooth_noise(rng, rest, scale * BLOTCHES, octaves=2)[:, 0])
    if identity.clothes.pattern == "yoke":
        return (y < 5.3).astype(float)
    if identity.clothes.pattern == "pinstripe":
        return (np.sin(x * scale * 5) > 0.75).astype(float)
    if identity.clothes.pattern == "dots":
        return (np.sin(x * scale * 5) * np.sin(y * scale * 5) > 0.55).astype(float)
    if identity.clothes.pattern == "heather":
        return 0.35 + 0.35 * smooth_noise(rng, rest, 40, octaves=2)[:, 0]
    return np.zeros(len(rest))
