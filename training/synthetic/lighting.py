"""Light, exposure and cameras, sampled without any rendering library.

Siblings share all of it, so that their pictures differ by the resampled part alone. For the same
reason exposure comes from the light and the skin tone and never from the picture itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from training.synthetic import panorama
from training.synthetic.maths import srgb_from_linear
from training.synthetic.numbering import stream

LAMP_DISTANCE = 12.0
FRAME_SIDE = 3.1
SKY_HEIGHT, SKY_WIDTH = 64, 128
LENSES = 35.0, 135.0
"""Shortest and longest focal length in mm, of a sensor 24 mm high."""
FOCUS = np.array([0.0, 7.12, 0.85])
_YAW_SPREAD, _YAW_MAX = 0.42, 0.85
_PITCH_SPREAD, _PITCH_MAX = 0.12, 0.35
_SENSOR = 24.0
_LENS_MIDDLE, _LENS_SPREAD = 75.0, 0.4
_PHOTOGRAPHED = 0.55  # share of identities that a photographed surrounding lights
_SUN_LIMIT = 25.0  # of the mean: a sun of a few pixels would only make noise
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
    """``sky``: linear RGB (H, W, 3) from where ``panorama.sky_directions`` points."""

    sky: np.ndarray
    lamps: tuple[Lamp, Lamp, Lamp]


def sample_light(seed: int) -> Light:
    """Key, fill and rim lamps in a sky of three colours, or weaker ones in a photographed world."""
    rng = stream(seed, "light", "lamps")
    level, warmth = rng.uniform([0.25, -0.12], [0.9, 0.12])

    def tinted(value: float, warm: float) -> np.ndarray:
        return value * np.array([1 + warm, 1, 1 - warm])

    bands = [
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
    tints = [rng.normal(0.03, 0.08) for _ in settings]
    photograph = _photographed_sky(stream(seed, "light", "world"))
    dim = 1.0 if photograph is None else float(stream(seed, "light", "mix").uniform(0.1, 0.8))
    key, fill, rim = (
        Lamp(
            direction=orbit_direction(math.radians(azimuth), math.radians(elevation)),
            size=float(size),
            power=float(power) * dim * LAMP_DISTANCE**2 * 7.26,
            color=tinted(1.0, tint),
        )
        for (azimuth, elevation, size, power), tint in zip(settings, tints, strict=True)
    )
    if photograph is None:
        photograph = _three_colours(np.array(bands)) * strength
    return Light(photograph, (key, fill, rim))


def _three_colours(bands: np.ndarray) -> np.ndarray:
    """A sky from colours below, at and above the horizon (3, 3)."""
    share = panorama.sky_directions(SKY_HEIGHT, SKY_WIDTH)[..., 1:2] * 0.5 + 0.5  # (H, W, 1)
    low, middle, high = bands
    lower = low + (middle - low) * np.clip(share * 2, 0, 1)
    return lower + (high - middle) * np.clip(share * 2 - 1, 0, 1)


def _photographed_sky(rng: np.random.Generator) -> np.ndarray | None:
    """One of Blender's own panoramas, turned at random, or None where lamps alone light."""
    names = panorama.names()
    if rng.random() >= _PHOTOGRAPHED or not names:
        return None
    sky = panorama.read(str(rng.choice(names)))
    height, width = sky.shape[:2]
    blocks = (SKY_HEIGHT, height // SKY_HEIGHT, SKY_WIDTH, width // SKY_WIDTH, 3)
    sky = sky.reshape(blocks).mean((1, 3))
    mean = float(_mean_over_sphere(sky) @ _LUMINANCE)
    sky = np.minimum(sky, _SUN_LIMIT * mean)
    sky = sky * (rng.uniform(0.5, 1.2) / float(_mean_over_sphere(sky) @ _LUMINANCE))
    if rng.random() < 0.5:
        sky = sky[:, ::-1]
    return np.roll(sky, rng.integers(SKY_WIDTH), 1)


def _mean_over_sphere(sky: np.ndarray) -> np.ndarray:
    """Mean of a panorama (H, W, 3) over all directions, (3,)."""
    rows = np.cos((np.arange(len(sky)) + 0.5) / len(sky) * np.pi - np.pi / 2)
    return (sky.mean(1) * rows[:, None]).sum(0) / rows.sum()


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
    height, width = light.sky.shape[:2]
    directions = panorama.sky_directions(height, width)
    solid = np.sqrt(1 - directions[..., 1] ** 2) * (2 * math.pi**2 / (height * width))  # (H, W)
    facing = np.clip(np.einsum("nc,hwc->nhw", _FACE_NORMALS, directions), 0, 1)
    radiance = np.einsum("nhw,hw,hwc->nc", facing, solid, light.sky) / math.pi
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


def sample_lens(seed: int, view: int) -> float:
    """Focal length in mm with which an identity's view is taken, 35 to 135."""
    rng = stream(seed, "light", f"lens {view}")
    return float(np.clip(_LENS_MIDDLE * np.exp(rng.normal(0, _LENS_SPREAD)), *LENSES))


def camera_distance(lens: float) -> float:
    """Distance in decimetres from which a lens (mm) frames the head: its perspective."""
    return FRAME_SIDE * lens / _SENSOR
