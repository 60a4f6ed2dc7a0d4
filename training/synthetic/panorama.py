"""The panoramas that Blender ships for its previews (CC0, Poly Haven), read as plain arrays."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np

_FOLDER = "datafiles/studiolights/world"
_BRIGHTEST = 200.0


@lru_cache(1)
def names() -> tuple[str, ...]:
    """Paths of the panoramas in the installed bpy, sorted; none where there is no bpy."""
    spec = importlib.util.find_spec("bpy")  # finds the folder without starting Blender
    if spec is None or not spec.submodule_search_locations:
        return ()
    places = [Path(place) for place in spec.submodule_search_locations]
    found = [path for place in places for path in place.glob(f"*/{_FOLDER}/*.exr")]
    return tuple(str(path) for path in sorted(found, key=lambda path: path.name))


@lru_cache(16)
def read(path: str) -> np.ndarray:
    """A panorama, (H, W, 3) linear RGB float32, row 0 straight up, laid out as sky directions."""
    import OpenEXR

    with OpenEXR.File(path, separate_channels=True) as file:
        channels = file.parts[0].channels
        pixels = np.stack([np.asarray(channels[c].pixels, np.float32) for c in "RGB"], -1)
    return np.clip(pixels, 0, _BRIGHTEST)


@lru_cache(4)
def sky_directions(height: int, width: int) -> np.ndarray:
    """Unit directions (H, W, 3) in template space of a panorama's pixels, row 0 straight up.

    The columns run as Cycles' environment texture has them.
    """
    up = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    turn = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    elevation, azimuth = np.meshgrid(up, turn, indexing="ij")
    level = np.cos(elevation)
    return np.stack([level * np.cos(azimuth), np.sin(elevation), level * np.sin(azimuth)], -1)
