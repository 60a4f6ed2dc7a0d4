"""Growing strands on a surface: where they root, how they fall, how they keep off the head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from training.synthetic.maths import UP, normalize, smoothstep, vertex_normals
from training.synthetic.regions import Regions


@dataclass(frozen=True)
class Strands:
    """``points`` (N, K, 3) and ``radii`` (N, K) in decimetres; radius 0 hides a point."""

    points: np.ndarray
    radii: np.ndarray


@dataclass(frozen=True)
class Roots:
    """Where strands start: positions, surface normals and template coordinates, (N, 3) each."""

    points: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    density: np.ndarray


class Surface:
    """The body of one identity as strands see it."""

    def __init__(self, vertices: np.ndarray, quads: np.ndarray, regions: Regions):
        self.vertices, self.quads, self.regions = vertices, quads, regions
        self.normals = vertex_normals(vertices, quads)
        self._near = vertices[regions.collides]
        self._near_normals = self.normals[regions.collides]
        self._tree = cKDTree(self._near)
        # Roots are drawn on the template's areas: the same strands for every shape of the head.
        corner = regions.rest[quads]
        diagonals = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
        self._areas = np.linalg.norm(diagonals, axis=1)

    def roots(self, rng: np.random.Generator, mask: np.ndarray, floor: float, count: int) -> Roots:
        """``count`` random roots, as dense as ``mask`` (V,) where its face mean exceeds ``floor``.

        Raises:
            ValueError: the mask is empty.
        """
        density = mask[self.quads].mean(1)
        density = np.where(density > floor, density, 0)
        if not density.any():
            raise ValueError("Strands need a region to grow in; the mask is empty.")
        area = self._areas * density
        face = rng.choice(len(self.quads), count, p=area / area.sum())
        u, v = rng.random((2, count))
        weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], 1)

        def blend(values: np.ndarray) -> np.ndarray:
            return np.einsum("nk,nk...->n...", weights, values[self.quads[face]])

        normals = normalize(blend(self.normals))
        return Roots(blend(self.vertices), normals, blend(self.regions.rest), blend(mask))

    def height(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distance to the nearest vertex, signed height above its plane, and its normal."""
        distance, nearest = self._tree.query(points)
        normal = self._near_normals[nearest]
        signed = np.einsum("ij,ij->i", points - self._near[nearest], normal)
        return distance, signed, normal


@dataclass(frozen=True)
class Growth:
    """How strands of one style grow.

    Attributes:
        direction: (N, 3) unit start directions.
        length: (N,) decimetres.
        steps: points a strand.
        margin: (N,) how far above the skin each strand comes to lie.
        gravity: pull per 0.15 dm.
        attraction: 0..1, how firmly strands are drawn down to their margin.
        part_from_face: how strongly strands before the face are pushed aside.
        drift: direction added at (points, t).
        margin_scale: factor on the margin at points, e.g. beneath a hat.
    """

    direction: np.ndarray
    length: np.ndarray
    steps: int
    margin: np.ndarray
    gravity: float
    attraction: float
    part_from_face: float
    drift: Callable[[np.ndarray], np.ndarray]
    margin_scale: Callable[[np.ndarray], np.ndarray]


def grow(surface: Surface, roots: np.ndarray, growth: Growth) -> np.ndarray:
    """Integrate strands step by step with collision against the head, (N, K, 3)."""
    points = np.zeros((len(roots), growth.steps, 3))
    points[:, 0] = position = roots
    direction = growth.direction
    step = (growth.length / (growth.steps - 1))[:, None]
    for k in range(1, growth.steps):
        t = k / (growth.steps - 1)
        pull = growth.drift(position) - growth.gravity * UP
        direction = normalize(direction + pull * step / 0.15)
        position = position + direction * step
        if growth.part_from_face > 0:
            before_face = smoothstep(0.75, 1.1, position[:, 2])
            before_face = before_face * smoothstep(7.95, 7.6, position[:, 1])
            before_face = before_face * smoothstep(0.72, 0.3, np.abs(position[:, 0]) - 0.02)
            aside = before_face * growth.part_from_face * step[:, 0]
            position[:, 0] += np.sign(position[:, 0] + 1e-6) * aside * 1.5
            position[:, 2] -= aside * 0.7
        margin = growth.margin * min(1, t * 4 + 0.1) * growth.margin_scale(position)
        for _ in range(2):
            distance, height, normal = surface.height(position)
            push = np.where((distance < 0.6) & (height < margin), margin - height, 0)
            if not push.any():
                break
            position = position + normal * push[:, None]
        if growth.attraction > 0:
            near = (distance < 0.8) & (height > margin)
            pull_in = (height - margin) * growth.attraction * smoothstep(6.7, 7.2, position[:, 1])
            position = position - normal * np.where(near, pull_in, 0)[:, None]
        direction = normalize(position - points[:, k - 1])
        position = points[:, k - 1] + direction * step
        points[:, k] = position
    return points


def coil(points: np.ndarray, amplitude: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Wind strands (N, K, 3) round their own course by ``angle`` (N, K) at ``amplitude`` (N, K)."""
    tangent = normalize(np.gradient(points, axis=1))
    first = normalize(np.cross(tangent, np.array([0.31, 0.2, 0.93])))
    second = np.cross(tangent, first)
    turn = np.cos(angle)[..., None] * first + np.sin(angle)[..., None] * second
    return points + amplitude[..., None] * turn
