"""The lines that stand for a portrait in the 3D view.

A mesh of edges without faces: it shows where the head is and which way it looks, can be clicked,
framed and snapped to, and no render engine draws it.
"""

from __future__ import annotations

import math

import bpy

from ..core.config import ModelConfig
from .camera_bridge import model_to_object

# One horizontal ring a line, in model units: height, middle (z), half width (x), half depth (z).
RINGS = (
    (0.82, -0.12, 0.22, 0.26),
    (0.55, -0.10, 0.46, 0.50),
    (0.20, -0.10, 0.50, 0.54),
    (-0.15, -0.02, 0.46, 0.46),
    (-0.52, 0.14, 0.22, 0.22),
    (-0.66, -0.12, 0.27, 0.28),
    (-0.90, -0.16, 0.78, 0.34),
    (-1.00, -0.16, 0.95, 0.38),
)
RING_POINTS = 24
# The middle line of the face from crown to throat, as (height, z): it says which way is front.
PROFILE = (
    (0.90, -0.12),
    (0.82, 0.14),
    (0.55, 0.38),
    (0.28, 0.44),
    (0.16, 0.40),
    (-0.06, 0.54),
    (-0.12, 0.45),
    (-0.24, 0.44),
    (-0.30, 0.40),
    (-0.44, 0.41),
    (-0.54, 0.35),
    (-0.62, 0.16),
    (-0.90, 0.18),
    (-1.00, 0.22),
)

Point = tuple[float, float, float]


def guide_mesh(name: str) -> bpy.types.Mesh:
    """A new mesh with the guide lines, in the portrait object's own axes."""
    lines: list[list[Point]] = [[(0.0, y, z) for y, z in PROFILE]]
    lines += [_ring(*ring) for ring in RINGS]
    lines.append([(0.0, 0.90, -0.12), *((0.0, y, z - depth) for y, z, _, depth in RINGS)])
    for side in (-1.0, 1.0):
        lines.append([(0.0, 0.90, -0.12), *((side * width, y, z) for y, z, width, _ in RINGS)])
    points = [point for line in lines for point in line]
    edges, first = [], 0
    for line in lines:
        edges += [(index, index + 1) for index in range(first, first + len(line) - 1)]
        first += len(line)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, edges, [])
    mesh.transform(model_to_object(ModelConfig.unit_metres))
    return mesh


def _ring(height: float, middle: float, half_width: float, half_depth: float) -> list[Point]:
    turns = [2 * math.pi * index / RING_POINTS for index in range(RING_POINTS + 1)]
    return [
        (half_width * math.sin(turn), height, middle + half_depth * math.cos(turn))
        for turn in turns
    ]
