"""Small numeric helpers shared by the modules. All arrays are numpy, all vectors rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

UP = np.array([0.0, 1.0, 0.0])


def smoothstep(start: float, end: float, x: np.ndarray | float) -> np.ndarray:
    """Cubic ramp from 0 at ``start`` to 1 at ``end``; falls where ``start`` > ``end``."""
    t = np.clip((np.asarray(x) - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def gaussian(x: np.ndarray, center: float, width: float) -> np.ndarray:
    """exp(-((x - center) / width)^2)."""
    return np.exp(-(((x - center) / width) ** 2))


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors along the last axis; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def without_normal(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """The unit tangential part of ``vectors`` (N, 3) on a surface with unit ``normals`` (N, 3)."""
    return normalize(vectors - normals * np.sum(vectors * normals, axis=-1, keepdims=True))


def linear_from_srgb(color: np.ndarray | tuple[float, ...]) -> np.ndarray:
    """Linear light of sRGB values in 0..1."""
    color = np.asarray(color, np.float64)
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(color: np.ndarray) -> np.ndarray:
    """Encode non-negative linear light as sRGB."""
    color = np.clip(color, 0, None)
    curve = 1.055 * np.maximum(color, 1e-9) ** (1 / 2.4) - 0.055
    return np.where(color <= 0.0031308, color * 12.92, curve)


def smooth_noise(
    rng: np.random.Generator,
    points: np.ndarray,
    frequency: float,
    channels: int = 1,
    octaves: int = 1,
) -> np.ndarray:
    """Smooth random field at ``points`` (N, 3): sums of random sinusoids, (N, channels), about ±1.

    The field depends on the state of ``rng`` alone, so the same points always get the same values.
    """
    field = np.zeros((len(points), channels))
    for wave, phase, height in random_waves(rng, frequency, channels, octaves):
        field += np.sin(points @ wave + phase) / height
    return field


def random_waves(
    rng: np.random.Generator, frequency: float, channels: int = 1, octaves: int = 1
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """The sinusoids of :func:`smooth_noise`, five an octave.

    Yields:
        Radians a unit (3, channels), phases (channels,), and what the sine is divided by.
    """
    for octave in range(octaves):
        for _ in range(5):
            wave = rng.normal(size=(3, channels))
            wave = wave / np.linalg.norm(wave, axis=0) * frequency * 2**octave
            wave = wave * rng.uniform(0.6, 1.4)
            phase = rng.uniform(0, 2 * np.pi, channels)
            yield wave, phase, 2.2 * 2**octave


def vertex_normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Area-weighted unit vertex normals of a quad mesh, (V, 3)."""
    face = np.cross(
        vertices[quads[:, 2]] - vertices[quads[:, 0]], vertices[quads[:, 3]] - vertices[quads[:, 1]]
    )
    normals = np.zeros_like(vertices)
    for corner in range(4):
        for axis in range(3):
            normals[:, axis] += np.bincount(quads[:, corner], face[:, axis], len(vertices))
    return normalize(normals)


def tube(
    path: np.ndarray, radius: float, *, closed: bool, sides: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """A tube of ``radius`` round ``path`` (P, 3): vertices (P·sides, 3) and quads."""
    path = np.asarray(path, float)
    step = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    tangent = normalize(step)
    first = normalize(np.cross(tangent, np.broadcast_to([0.1, 0.2, 1.0], tangent.shape)))
    second = np.cross(tangent, first)
    angle = np.arange(sides) / sides * 2 * np.pi
    ring = np.cos(angle)[None, :, None] * first[:, None]
    ring = ring + np.sin(angle)[None, :, None] * second[:, None]
    vertices = (path[:, None] + radius * ring).reshape(-1, 3)
    count = len(path)
    quads = [
        (
            i * sides + j,
            (i + 1) % count * sides + j,
            (i + 1) % count * sides + (j + 1) % sides,
            i * sides + (j + 1) % sides,
        )
        for i in range(count if closed else count - 1)
        for j in range(sides)
    ]
    return vertices, np.array(quads)


def pick(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """One of the names, each as often as its share of the sum."""
    share = np.array(list(shares.values()), float)
    return str(rng.choice(list(shares), p=share / share.sum()))
