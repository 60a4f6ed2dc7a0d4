"""Eyeballs, lashes, teeth and tongue."""

from __future__ import annotations

import math

import numpy as np

from training.synthetic.head import LEFT_EYE, RIGHT_EYE, HeadModel
from training.synthetic.identity import IRISES, Identity
from training.synthetic.maths import gaussian, smooth_noise, smoothstep

_RINGS, _SEGMENTS = 40, 64
_IRIS_RADIUS = 0.475
_SCLERA = np.array([0.70, 0.66, 0.62])


class Eyeball:
    """A unit sphere that looks along +z, dense about the pupil.

    Attributes:
        vertices: (V, 3); quads: (F, 4); polar, azimuth: (V,) radians.
    """

    def __init__(self) -> None:
        dense = np.linspace(0, 0.75, 26)
        rest = np.linspace(0.75, math.pi * 0.62, _RINGS - 25)[1:]
        polar, azimuth = np.meshgrid(
            np.concatenate([dense, rest]),
            np.arange(_SEGMENTS) / _SEGMENTS * 2 * math.pi,
            indexing="ij",
        )
        self.polar, self.azimuth = polar.ravel(), azimuth.ravel()
        ring = np.sin(self.polar)
        self.vertices = np.stack(
            [ring * np.cos(self.azimuth), ring * np.sin(self.azimuth), np.cos(self.polar)], -1
        )
        index = np.arange(polar.size).reshape(polar.shape)
        right = np.roll(index, -1, 1)
        self.quads = np.stack([index[:-1], index[1:], right[1:], right[:-1]], -1).reshape(-1, 4)


def eye_vertices(identity: Identity, vertices: np.ndarray, ball: Eyeball) -> np.ndarray:
    """Both eyeballs placed in the head with template ``vertices``, (2 V, 3)."""
    bulge = 1 + 0.055 * smoothstep(0.62, 0, ball.polar)  # the cornea
    local = ball.vertices * bulge[:, None]
    yaw, pitch = identity.eyes.gaze
    placed = []
    for which, toe in ((LEFT_EYE, 0.02), (RIGHT_EYE, -0.02)):
        template = vertices[which]
        center = (template.max(0) + template.min(0)) / 2
        turn = _rotation_y(yaw + toe) @ _rotation_x(pitch)
        placed.append(local @ turn.T * np.ptp(template[:, 0]) / 2 + center)
    return np.concatenate(placed)


def eye_colors(identity: Identity, ball: Eyeball) -> np.ndarray:
    """Linear RGB of both eyeballs: sclera, iris with streaks, limbal ring, pupil, (2 V, 3)."""
    eyes = identity.eyes
    iris = np.array(IRISES[eyes.iris]) * np.exp(eyes.iris_shift)
    radius = np.where(ball.polar < 1.6, np.sin(ball.polar), 1)
    around = np.stack([np.cos(ball.azimuth) * 6, np.sin(ball.azimuth) * 6, radius * 3], 1)
    streaks = smooth_noise(identity.stream("eyes", "iris"), around, 2.2, octaves=2)
    collarette = smoothstep(0.30, 0.20, radius)[:, None] * np.array([1.2, 0.9, 0.5])
    iris_color = iris * (1 + 0.45 * streaks + 0.8 * collarette)
    veins = smoothstep(0.6, 1, radius)[:, None] * np.array([0.3, 1, 1])
    color = np.where((radius < _IRIS_RADIUS)[:, None], iris_color, _SCLERA * (1 - 0.12 * veins))
    ring = (gaussian(radius, _IRIS_RADIUS, 0.045) * 0.85)[:, None]
    color = color * (1 - ring) + iris * 0.12 * ring
    pupil = smoothstep(eyes.pupil + 0.02, eyes.pupil - 0.02, radius)[:, None]
    color = np.clip(color * (1 - pupil) + 0.002 * pupil, 0.001, 1)
    return np.concatenate([color, color])


def lash_opacity(identity: Identity, head: HeadModel) -> np.ndarray:
    """Opacity of the lash strips, falling off away from the lids, (V,)."""
    rest = head.lashes.rest
    centers = head.eye_centers(head.data.vertices)
    distance = np.min([np.linalg.norm(rest - center, axis=1) for center in centers], axis=0)
    upper = np.where(rest[:, 1] > 7.284, 0.95, 0.45)
    return smoothstep(0.235, 0.165, distance) * upper * identity.eyes.lashes


def teeth_vertices(head: HeadModel, vertices: np.ndarray) -> np.ndarray:
    """Both rows, brought forward: where the template has them the lips hide them."""
    shift = np.where(head.upper_teeth[:, None], [0, -0.05, 0.05], [0, 0.01, 0.035])
    return head.teeth.of(vertices) + shift


def _rotation_x(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _rotation_y(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
