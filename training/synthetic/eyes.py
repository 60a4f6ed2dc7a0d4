"""Eyeballs, lashes, teeth and tongue."""

from __future__ import annotations

import math

import numpy as np

from training.synthetic.head import LEFT_EYE, RIGHT_EYE, HeadModel
from training.synthetic.identity import Identity
from training.synthetic.maths import gaussian, smooth_noise, smoothstep
from training.synthetic.traits import IRISES

_RINGS, _SEGMENTS = 40, 64
_IRIS_RADIUS = 0.475
# The dental arch in the template: half width, depth, and z of its ends.
_ARCH = 0.31, 0.54, 0.96
_UPPER_WIDTHS = (8.5, 6.6, 7.6, 7.0, 6.8, 10.0, 10.0)
_LOWER_WIDTHS = (5.3, 5.9, 6.9, 7.0, 7.2, 11.0, 11.0)
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


def tooth_marks(identity: Identity, head: HeadModel) -> np.ndarray:
    """Place along the arch in teeth, gap between two, gap in the middle, at every vertex (V, 3).

    Whole numbers of the first are borders of teeth, 0 the middle.
    """
    rest, mouth = head.teeth.rest, identity.mouth
    x, z = rest[:, 0], rest[:, 2]
    turn = np.arctan2(np.abs(x) / _ARCH[0], np.clip((z - _ARCH[2]) / _ARCH[1], 0, None))
    course = np.linspace(0, np.pi / 2, 200)
    steps = np.hypot(np.diff(np.sin(course)) * _ARCH[0], np.diff(np.cos(course)) * _ARCH[1])
    length = np.concatenate([[0], np.cumsum(steps)])
    along = np.interp(turn, course, length) / length[-1]
    number = np.zeros(len(rest))
    for widths, row in ((_UPPER_WIDTHS, head.upper_teeth), (_LOWER_WIDTHS, ~head.upper_teeth)):
        borders = np.concatenate([[0], np.cumsum(widths)]) / sum(widths)
        number[row] = np.interp(along, borders, np.arange(len(borders)))[row]
    middle = mouth.middle_gap * head.upper_teeth
    return np.stack([np.sign(x) * number, np.full(len(rest), mouth.tooth_gap), middle], 1)


def tooth_color(identity: Identity) -> np.ndarray:
    """Linear RGB of the teeth."""
    warm = np.array([0.0, -0.06, -0.20]) * identity.mouth.teeth_warmth
    return (np.array([0.86, 0.81, 0.74]) + warm) * identity.mouth.teeth


def _rotation_x(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _rotation_y(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
