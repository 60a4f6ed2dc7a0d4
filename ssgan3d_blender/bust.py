"""The lines that stand for a portrait in the 3D view.

A mesh of edges without faces: it shows where the head is and which way it looks, can be clicked,
framed and snapped to, and no render engine draws it. Its measures are the average portrait's.
"""

from __future__ import annotations

import functools
import math

import bpy
import numpy as np

from ..core.config import ModelConfig
from .camera_bridge import model_to_object

Point = tuple[float, float, float]
Line = list[Point]

# Lines in model units: x to the right as seen, y up, z toward the viewer.
PROFILE: Line = [  # the middle line, from the crown over the face to the chest
    (0.0, y, z)
    for y, z in (
        *((0.78, -0.15), (0.76, 0.02), (0.69, 0.17), (0.58, 0.28), (0.44, 0.35), (0.28, 0.38)),
        *((0.18, 0.39), (0.11, 0.36), (0.04, 0.39), (-0.08, 0.46), (-0.16, 0.51), (-0.20, 0.49)),
        *((-0.23, 0.43), (-0.28, 0.40), (-0.32, 0.43), (-0.36, 0.41), (-0.40, 0.43)),
        *((-0.44, 0.41), (-0.49, 0.37), (-0.56, 0.39), (-0.63, 0.40), (-0.69, 0.36)),
        *((-0.71, 0.28), (-0.70, 0.16), (-0.74, 0.07), (-0.84, 0.06), (-0.93, 0.10), (-1.0, 0.15)),
    )
]
BACK: Line = [  # the middle line, from the crown over the nape to the back
    (0.0, y, z)
    for y, z in (
        *((0.78, -0.15), (0.77, -0.30), (0.71, -0.45), (0.60, -0.57), (0.44, -0.64), (0.26, -0.66)),
        *((0.08, -0.63), (-0.10, -0.56), (-0.26, -0.46), (-0.42, -0.39), (-0.58, -0.37)),
        *((-0.74, -0.39), (-0.88, -0.44), (-1.0, -0.50)),
    )
]
HEAD: Line = [  # the outline as seen from the front: its right half, from the crown to the chin
    *((0.0, 0.78, -0.15), (0.13, 0.765, -0.15), (0.25, 0.72, -0.15), (0.35, 0.64, -0.14)),
    *((0.42, 0.53, -0.13), (0.46, 0.40, -0.12), (0.48, 0.24, -0.11), (0.48, 0.06, -0.10)),
    *((0.47, -0.10, -0.08), (0.45, -0.25, -0.04), (0.41, -0.39, 0.03), (0.35, -0.51, 0.12)),
    *((0.26, -0.61, 0.22), (0.14, -0.68, 0.32), (0.0, -0.69, 0.36)),
]
SHOULDER: Line = [  # from below the right ear to the cut through the chest
    *((0.31, -0.52, -0.08), (0.31, -0.66, -0.12), (0.33, -0.75, -0.15), (0.40, -0.82, -0.16)),
    *((0.53, -0.87, -0.17), (0.70, -0.91, -0.17), (0.85, -0.95, -0.17), (0.96, -1.0, -0.17)),
]
# Level rings: height, half width, z of the back and of the front.
RINGS = ((0.09, 0.48, -0.63, 0.36), (-1.0, 0.96, -0.50, 0.15))
RING_POINTS = 32


def guide_mesh(name: str) -> bpy.types.Mesh:
    """A new mesh with the guide lines, in the portrait object's own axes."""
    edges: list[tuple[int, int]] = []
    first = 0
    for line in _lines():
        edges += [(index, index + 1) for index in range(first, first + len(line) - 1)]
        first += len(line)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points().tolist(), edges, [])
    return mesh


@functools.cache
def points() -> np.ndarray:
    """The points of the guide lines in their order, (N, 3), in metres and the object's own axes."""
    model = np.array([(*point, 1.0) for line in _lines() for point in line])
    return (model @ np.array(model_to_object(ModelConfig.unit_metres)).T)[:, :3]


def _lines() -> list[Line]:
    sides = [HEAD, _mirrored(HEAD), SHOULDER, _mirrored(SHOULDER)]
    return [PROFILE, BACK, *sides, *(_ring(*ring) for ring in RINGS)]


def _mirrored(line: Line) -> Line:
    return [(-x, y, z) for x, y, z in line]


def _ring(height: float, half_width: float, back: float, front: float) -> Line:
    middle, half_depth = (back + front) / 2, (front - back) / 2
    turns = [2 * math.pi * index / RING_POINTS for index in range(RING_POINTS + 1)]
    return [
        (half_width * math.sin(turn), height, middle + half_depth * math.cos(turn))
        for turn in turns
    ]
