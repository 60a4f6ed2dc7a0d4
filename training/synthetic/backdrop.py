"""The picture behind the head: plain, graded, or a place that the lens has blurred."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.signal import fftconvolve

from training.synthetic import panorama
from training.synthetic.maths import linear_from_srgb, smooth_noise, smoothstep
from training.synthetic.numbering import stream

_KINDS = {
    "plain": 0.12,
    "gradient": 0.12,
    "vignette": 0.10,
    "blobs": 0.10,
    "place": 0.34,
    "room": 0.22,
}
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def sample_backdrop(seed: int, size: int) -> np.ndarray:
    """A backdrop, (size, size, 3) linear RGB, row 0 at the top."""
    rng = stream(seed, "background", "picture")
    first, second = (
        linear_from_srgb(np.clip(rng.uniform(0.1, 0.95) * (1 + rng.normal(0, spread, 3)), 0.02, 1))
        for spread in (0.12, 0.2)
    )
    kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    if kind == "place" and panorama.names():
        return _place(rng, size)
    if kind == "room":
        return _room(rng, size, first, second)
    row, column = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    if kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        along = 0.5 + (column - 0.5) * math.cos(angle) + (row - 0.5) * math.sin(angle)
        share = smoothstep(0, 1, along)[..., None]
        return first * (1 - share) + second * share
    if kind == "vignette":
        share = smoothstep(0.2, 0.9, np.hypot(column - 0.5, row - 0.5))[..., None]
        return first * (1 - 0.6 * share)
    if kind == "plain":
        return np.broadcast_to(first, (size, size, 3))
    points = np.stack([column.ravel(), row.ravel(), np.zeros(size * size)], 1)
    blobs = smooth_noise(rng, points, rng.uniform(3, 14), 3, octaves=2)
    blobs = np.clip(0.5 + 0.5 * blobs, 0, 1).reshape(size, size, 3)
    share = blobs.mean(-1, keepdims=True) * 0.8 + blobs * 0.2
    return np.clip(first * (1 - share) + second * share, 0.005, 1)


def _place(rng: np.random.Generator, size: int) -> np.ndarray:
    """Part of one of Blender's panoramas, out of focus."""
    pixels = panorama.read(str(rng.choice(panorama.names())))
    height, width = pixels.shape[:2]
    field, turn, lift = rng.uniform([25, 0, -8], [60, width, 10])
    span = np.tan(math.radians(field) / 2)
    radius = rng.uniform(0.015, 0.06) * size
    margin = int(radius) + 2
    line = (np.arange(-margin, size + margin) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(line * span, -line * span)
    azimuth = np.arctan2(x, 1.0)
    elevation = np.arctan2(y, np.hypot(x, 1.0)) + math.radians(lift)
    rows = (0.5 - elevation / np.pi) * height
    columns = turn + azimuth / (2 * np.pi) * width
    picture = np.stack(
        [
            map_coordinates(pixels[..., c], [rows, columns], order=1, mode="grid-wrap")
            for c in range(3)
        ],
        -1,
    )
    # Lights stay brighter than white, so that they blur into discs, as they do in photographs.
    picture = picture * (rng.uniform(0.12, 0.5) / max(float(np.median(picture @ _LUMINANCE)), 1e-3))
    return _out_of_focus(np.minimum(picture, 6.0), radius, margin)


def _room(rng: np.random.Generator, size: int, wall: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A wall with a window, shelves, a picture and a lamp, out of focus."""
    radius = rng.uniform(0.012, 0.05) * size
    margin = int(radius) + 2
    line = (np.arange(-margin, size + margin) + 0.5) / size
    column, row = np.meshgrid(line, line)
    wall = 0.15 * wall + 0.35 * wall.mean()
    picture = wall * (1.15 - 0.4 * column * rng.uniform(-1, 1) - 0.25 * row)[..., None]

    def paint(left: float, top: float, wide: float, high: float, color: np.ndarray) -> None:
        inside = (column > left) & (column < left + wide) & (row > top) & (row < top + high)
        picture[inside] = color

    floor = rng.uniform(0.7, 1.1)
    paint(-1, floor, 3, 1, 0.4 * other)
    if rng.random() < 0.6:  # a window with its bars
        left, top, wide, high = rng.uniform([-0.1, -0.1, 0.2, 0.3], [0.8, 0.3, 0.45, 0.7])
        paint(left - 0.02, top - 0.02, wide + 0.04, high + 0.04, wall * 1.4)
        sky = np.array([0.85, 0.95, 1.1]) * rng.uniform(0.6, 2.5)
        paint(left, top, wide, high, sky)
        paint(
            left, top + high * rng.uniform(0.5, 0.8), wide, high * 0.2, np.array([0.15, 0.25, 0.1])
        )
        for bar in range(rng.integers(1, 3)):
            paint(left + wide * (bar + 1) / 3, top, 0.015, high, wall * 1.4)
    if rng.random() < 0.6:  # shelves of books
        left, wide = rng.uniform([-0.1, 0.25], [0.8, 0.5])
        paint(left, 0.05, wide, 0.9, 0.3 * other)
        for shelf in np.arange(0.1, 0.9, rng.uniform(0.14, 0.24)):
            for book in np.arange(left + 0.01, left + wide - 0.03, 0.035):
                high = rng.uniform(0.06, 0.12)
                cover = linear_from_srgb(rng.uniform(0.1, 0.8, 3))
                paint(book, shelf + 0.12 - high, 0.03, high, cover)
    for _ in range(rng.integers(0, 3)):  # pictures on the wall
        left, top, wide, high = rng.uniform([0, 0.05, 0.08, 0.08], [0.9, 0.45, 0.25, 0.25])
        paint(left, top, wide, high, other * rng.uniform(0.2, 1))
    for _ in range(rng.integers(0, 4)):  # lamps
        x, y = rng.random(2)
        lamp = np.hypot(column - x, row - 0.6 * y) < rng.uniform(0.01, 0.035)
        picture[lamp] = np.array([1.0, 0.8, 0.5]) * rng.uniform(2, 6)
    return _out_of_focus(picture, radius, margin)


def _out_of_focus(picture: np.ndarray, radius: float, margin: int) -> np.ndarray:
    """Blur with a disc of ``radius`` pixels and cut the ``margin`` off."""
    reach = np.arange(-margin, margin + 1)
    disc = np.clip(radius + 0.5 - np.hypot(reach[:, None], reach), 0, 1)[..., None]
    blurred = fftconvolve(picture, disc / disc.sum(), mode="same", axes=(0, 1))
    return np.clip(blurred[margin:-margin, margin:-margin], 0.003, 4)
