"""Light, exposure, background picture and camera angles, sampled without any rendering library.

Siblings share all of it, so that their pictures differ by the resampled part alone. For the same
reason exposure comes from the light and the skin tone and never from the picture itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from training.synthetic.identity import stream
from training.synthetic.maths import linear_from_srgb, smooth_noise, smoothstep, srgb_from_linear

LAMP_DISTANCE = 12.0
CAMERA_DISTANCE = 9.0
FRAME_SIDE = 3.1
FOCUS = np.array([0.0, 7.12, 0.85])
_YAW_SPREAD, _YAW_MAX = 0.42, 0.85
_PITCH_SPREAD, _PITCH_MAX = 0.12, 0.35
_GOLDEN = (math.sqrt(5) - 1) / 2
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Lamp:
    """A disk far from the head: ``direction`` (3,) towards it, ``size`` in decimetres."""

    direction: np.ndarray
    size: float
    power: float
    color: np.ndarray


@dataclass(frozen=True)
class Light:
    """``sky``: linear RGB of the world below, at and above the horizon, (3, 3)."""

    sky: np.ndarray
    sky_strength: float
    lamps: tuple[Lamp, Lamp, Lamp]


def sample_light(seed: int) -> Light:
    """Key, fill and rim lamps in a sky of three colours."""
    rng = stream(seed, "light", "lamps")
    level, warmth = rng.uniform([0.25, -0.12], [0.9, 0.12])

    def tinted(value: float, warm: float) -> np.ndarray:
        return value * np.array([1 + warm, 1, 1 - warm])

    sky = [
        tinted(rng.uniform(0.05, 0.35) * level, warmth * 0.5 + 0.08),
        tinted(rng.uniform(0.3, 0.7) * level, warmth),
        tinted(rng.uniform(0.5, 1.2) * level, -warmth * 0.6),
    ]
    strength = rng.uniform(0.5, 1)
    settings = (
        (rng.uniform(-75, 75), rng.uniform(5, 60), rng.uniform(3, 10), rng.uniform(0.7, 1.5)),
        (rng.uniform(-90, 90), rng.uniform(-10, 40), rng.uniform(6, 14), rng.uniform(0, 0.4)),
        (
            rng.choice([-1, 1]) * rng.uniform(120, 165),
            rng.uniform(10, 50),
            rng.uniform(2, 6),
            rng.uniform(0, 1.3),
        ),
    )
    key, fill, rim = (
        Lamp(
            direction=orbit_direction(math.radians(azimuth), math.radians(elevation)),
            size=float(size),
            power=float(power) * LAMP_DISTANCE**2 * 7.26,
            color=tinted(1.0, rng.normal(0.03, 0.08)),
        )
        for azimuth, elevation, size, power in settings
    )
    return Light(np.array(sky), float(strength), (key, fill, rim))


def orbit_direction(yaw: float, pitch: float) -> np.ndarray:
    """Unit vector from the head; yaw > 0 towards +x, pitch > 0 upwards."""
    return np.array(
        [math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)]
    )


def exposure(light: Light, albedo: np.ndarray) -> float:
    """Gain that brings a face of this albedo (3,) part of the way to a common brightness."""
    gain = (_TARGET_LUMINANCE / max(1e-3, face_luminance(light, albedo))) ** 0.55
    return float(np.clip(gain, 0.5, 2.2))


_TARGET_LUMINANCE = 0.22
_UNSHADOWED = 0.72  # measured: rendered faces over this estimate, which knows no shadows
# Directions that the visible half of a face points in: they stand for the head without its shape.
_FACE_NORMALS = np.array(
    [
        orbit_direction(math.radians(yaw), math.radians(pitch))
        for yaw in (-60, -30, 0, 30, 60)
        for pitch in (-30, 0, 30)
    ]
)


def face_luminance(light: Light, albedo: np.ndarray) -> float:
    """Mean luminance of a face of this albedo (3,) lit so."""
    up = _FACE_NORMALS[:, 1]
    below, level, above = light.sky
    ambient = level + np.where(up[:, None] > 0, above - level, level - below) * up[:, None] * 0.5
    radiance = ambient * light.sky_strength
    for lamp in light.lamps:
        # A matt white face reflects irradiance / π; the lamp gives power · cos / (π distance²).
        facing = np.clip(_FACE_NORMALS @ lamp.direction, 0, 1)
        direct = lamp.power / (math.pi**2 * LAMP_DISTANCE**2) * facing
        radiance = radiance + direct[:, None] * lamp.color
    return float((radiance.mean(0) * albedo) @ _LUMINANCE) * _UNSHADOWED


def tone_map(radiance: np.ndarray) -> np.ndarray:
    """Display values (sRGB, 0..1) of linear light, with a soft shoulder above 0.72."""
    radiance = np.clip(radiance, 0, None)
    knee = 0.72
    shoulder = knee + (1 - knee) * (1 - np.exp(-(radiance - knee) / (1 - knee)))
    return srgb_from_linear(np.where(radiance < knee, radiance, shoulder))


def sample_background(seed: int, size: int) -> np.ndarray:
    """A blurred backdrop, (size, size, 3) linear RGB, row 0 at the top."""
    rng = stream(seed, "background", "picture")
    row, column = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    first, second = (
        linear_from_srgb(np.clip(rng.uniform(0.1, 0.95) * (1 + rng.normal(0, spread, 3)), 0.02, 1))
        for spread in (0.12, 0.2)
    )
    kind = rng.integers(4)
    if kind == 0:
        return np.broadcast_to(first, (size, size, 3))
    if kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        along = 0.5 + (column - 0.5) * math.cos(angle) + (row - 0.5) * math.sin(angle)
        share = smoothstep(0, 1, along)[..., None]
        return first * (1 - share) + second * share
    if kind == 2:
        share = smoothstep(0.2, 0.9, np.hypot(column - 0.5, row - 0.5))[..., None]
        return first * (1 - 0.6 * share)
    points = np.stack([column.ravel(), row.ravel(), np.zeros(size * size)], 1)
    blobs = smooth_noise(rng, points, rng.uniform(3, 14), 3, octaves=2)
    blobs = np.clip(0.5 + 0.5 * blobs, 0, 1).reshape(size, size, 3)
    share = blobs.mean(-1, keepdims=True) * 0.8 + blobs * 0.2
    return np.clip(first * (1 - share) + second * share, 0.005, 1)


def sample_angles(seed: int, view: int) -> tuple[float, float]:
    """Yaw and pitch in radians of an identity's view.

    Yaws follow a normal distribution along a golden-ratio sequence: the first views of one identity
    already see it from both sides, however many are rendered.
    """
    start = stream(seed, "light", "yaw").random()
    yaw = _YAW_SPREAD * ndtri(np.clip((start + view * _GOLDEN) % 1, 1e-6, 1 - 1e-6))
    pitch = stream(seed, "light", f"pitch {view}").normal(0, _PITCH_SPREAD)
    return (
        float(np.clip(yaw, -_YAW_MAX, _YAW_MAX)),
        float(np.clip(pitch, -_PITCH_MAX, _PITCH_MAX)),
    )
