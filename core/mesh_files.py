"""Meshes as .glb, .obj, .ply or .stl files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .config import ModelConfig
from .errors import PortraitError
from .files import write_bytes
from .meshing import load_trimesh

if TYPE_CHECKING:
    import trimesh

FORMATS = (".glb", ".obj", ".ply", ".stl")


def check_format(path: Path) -> None:
    """Raise PortraitError unless meshes can be written to a file of that suffix."""
    if path.suffix.lower() not in FORMATS:
        raise PortraitError(f"Meshes are written as {', '.join(FORMATS)}, not as {path.name}.")


def export_meshes(
    meshes: dict[str, trimesh.Trimesh],
    path: Path,
    *,
    unit_metres: float = ModelConfig.unit_metres,
) -> None:
    """Write meshes to one .glb, .obj, .ply or .stl file in metres, at once or not at all.

    GLB keeps the parts apart and named; the others hold one mesh. STL has no colours. Colours of a
    GLB are linear, as glTF asks, and those of the others sRGB.

    Raises:
        PortraitError: the suffix is another one, there is no mesh, or a package is missing.
        OSError: the file cannot be written.
    """
    trimesh = load_trimesh()
    path = Path(path)
    check_format(path)
    kind = path.suffix.lower()
    if not meshes:
        raise PortraitError("There is no mesh to write: no part of the portrait is visible.")
    scaled = {name: mesh.copy() for name, mesh in meshes.items()}
    for mesh in scaled.values():
        mesh.apply_scale(unit_metres)
    if kind == ".glb":
        for mesh in scaled.values():
            mesh.visual.vertex_colors = _linear(mesh.visual.vertex_colors)
        data = trimesh.Scene(scaled).export(file_type="glb")
    else:
        whole = trimesh.util.concatenate(list(scaled.values()))
        data = whole.export(file_type=kind[1:])
    write_bytes(path, data.encode() if isinstance(data, str) else data)


def _linear(colors: np.ndarray) -> np.ndarray:
    """Decode sRGB bytes (N, 4) to linear bytes; alpha stays."""
    values = colors[:, :3] / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.concatenate([np.round(linear * 255).astype(np.uint8), colors[:, 3:]], 1)
