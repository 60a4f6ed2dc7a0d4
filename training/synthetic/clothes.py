"""The garment: the template's body suit, pushed out and cut at a collar line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synthetic.head import Piece
from training.synthetic.identity import Identity
from training.synthetic.maths import smooth_noise, smoothstep, vertex_normals


@dataclass(frozen=True)
class Garment:
    """``vertices`` (V, 3), ``colors`` (V, 3) linear RGB, ``inside`` (V,): cloth where positive."""

    vertices: np.ndarray
    colors: np.ndarray
    inside: np.ndarray


def make_garment(identity: Identity, piece: Piece, vertices: np.ndarray) -> Garment:
    """The garment on the head with template ``vertices``."""
    clothes, rest = identity.clothes, piece.rest
    noise = identity.stream("clothes", "noise")
    surface = piece.of(vertices)
    offset = 0.045 if clothes.collar == "turtle" else clothes.offset
    lift = offset + 0.02 * smooth_noise(noise, rest, 3)
    inside = _collar_line(identity, rest) - rest[:, 1]

    share = _pattern(identity, noise, rest)[:, None]
    first, second = clothes.colors
    colors = first * (1 - share) + second * share
    trim = (np.abs(inside - 0.035) < 0.035)[:, None]
    colors = np.where(trim, clothes.colors[clothes.trim] * 0.8, colors)
    return Garment(surface + vertex_normals(surface, piece.quads) * lift, colors, inside)


def _collar_line(identity: Identity, rest: np.ndarray) -> np.ndarray:
    """Height of the collar at every vertex, (V,)."""
    clothes = identity.clothes
    side, plunge = np.abs(rest[:, 0]), clothes.plunge
    front = smoothstep(-0.2, 0.9, rest[:, 2])
    if clothes.collar == "turtle":
        return 6.12 - 0.1 * front
    if clothes.collar == "v":
        notch = np.clip(1 - side / 0.55, 0, 1) * (0.5 + 0.5 * plunge)
        line = 5.78 - front * notch - 0.05 * front
    elif clothes.collar == "wide":
        line = 5.62 - front * 0.25
    elif clothes.collar == "shirt":
        notch = np.clip(1 - side / 0.28, 0, 1) * (0.25 + 0.35 * plunge)
        line = 5.98 - front * notch - 0.16 * front
    else:
        line = 5.88 - front * 0.17 - 0.1 * plunge
    return line + 0.9 * smoothstep(0.75, 1.15, side)  # the shoulders stay covered


def _pattern(identity: Identity, rng: np.random.Generator, rest: np.ndarray) -> np.ndarray:
    """Share of the second colour, (V,)."""
    x, y, _ = rest.T
    scale = identity.clothes.pattern_scale
    if identity.clothes.pattern == "stripe":
        return (np.sin(y * scale * 2 * np.pi) > 0).astype(float)
    if identity.clothes.pattern == "check":
        return 0.5 * (np.sin(y * scale * 4) > 0) + 0.5 * (np.sin(x * scale * 4) > 0)
    if identity.clothes.pattern == "blotch":
        return smoothstep(-0.1, 0.1, smooth_noise(rng, rest, scale * 1.6, octaves=2)[:, 0])
    if identity.clothes.pattern == "yoke":
        return (y < 5.3).astype(float)
    return np.zeros(len(rest))
