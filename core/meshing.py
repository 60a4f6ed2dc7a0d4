"""Part meshes: the surface of each part (``surfaces``), cleaned up and coloured.

Model units, y up, z toward the viewer of a frontal portrait, which is also glTF's convention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import PackageError, PortraitError
from .files import load_trimesh
from .latents import PortraitLatents
from .lifting import LIFTED
from .mesh_colors import color_meshes
from .parts import BACKGROUND, PART_NAMES, part_index
from .surfaces import find_surfaces

if TYPE_CHECKING:
    import trimesh

    from .engine import PortraitEngine

RESOLUTIONS = (16, 512)
_COUNTED_RESOLUTION = 48
_LEAST_COMPONENT = 0.05


def extract_meshes(
    engine: PortraitEngine,
    latents: PortraitLatents,
    *,
    parts: Sequence[str] | None = None,
    resolution: int = 128,
    smoothing: int = 0,
    max_faces: int | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, trimesh.Trimesh]:
    """Mesh the visible parts of a portrait.

    Args:
        parts: names of the parts; None takes all that are visible. The background has no mesh.
        resolution: cells along each side of the meshed cube.
        smoothing: rounds of Taubin smoothing, which keeps the volume.
        max_faces: most triangles of one part.
        progress: called with the share that is done, 0 to 1; what it raises ends the work.

    Returns:
        Closed meshes with normals outward and sRGB vertex colours, by part name. Parts that the
        portrait does not show are left out.

    Raises:
        PortraitError: a package is missing, or an argument is out of range.
    """
    trimesh = load_trimesh()
    _check_resolution(resolution)
    if smoothing < 0 or (max_faces is not None and max_faces < 4):
        raise PortraitError("Smoothing must not be negative, and 4 faces are the least of a mesh.")
    wanted = _wanted(latents, parts)
    if not wanted:  # nothing that was asked for is visible
        return {}
    fields = engine.part_fields(latents)
    progress(0.05)
    found = find_surfaces(
        fields.geometry, engine.config, wanted, resolution, lambda done: progress(0.05 + 0.6 * done)
    )
    meshes: dict[str, Any] = {}
    for part, (vertices, faces) in found.items():
        progress(0.65 + 0.25 * len(meshes) / len(found))
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        mesh = _largest_components(mesh)
        if smoothing:
            trimesh.smoothing.filter_taubin(mesh, iterations=2 * smoothing)
        if max_faces is not None and len(mesh.faces) > max_faces:
            mesh = _decimated(mesh, max_faces)
        if _signed_volume(mesh) < 0:
            mesh.invert()
        meshes[PART_NAMES[part]] = mesh
    progress(0.9)
    color_meshes(engine, latents, fields, meshes, lambda share: progress(0.9 + 0.1 * share))
    progress(1.0)
    return meshes


def estimate_triangles(
    engine: PortraitEngine, latents: PortraitLatents, *, resolution: int
) -> dict[str, int]:
    """About how many triangles each part's mesh will have, in a tenth of the time.

    Surfaces grow with the square of the resolution, so they are counted on a coarse grid. Parts as
    small as eyes come out up to a quarter too low, a whole portrait up to a tenth.

    Raises:
        PortraitError: a package is missing, or the resolution is out of range.
    """
    _check_resolution(resolution)
    wanted, coarse = _wanted(latents, None), min(resolution, _COUNTED_RESOLUTION)
    if not wanted:
        return {}
    found = find_surfaces(engine.part_fields(latents).geometry, engine.config, wanted, coarse)
    growth = (resolution / coarse) ** 2
    return {PART_NAMES[part]: round(len(faces) * growth) for part, (_, faces) in found.items()}


def _largest_components(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh without crumbs. Pairs (eyes, ears) and strands stay: they are of like size."""
    trimesh = load_trimesh()
    labels = trimesh.graph.connected_component_labels(mesh.edges_unique, len(mesh.vertices))
    counts = np.bincount(labels[mesh.faces[:, 0]])
    keep = counts >= _LEAST_COMPONENT * counts.max()
    if not keep.all():
        mesh.update_faces(keep[labels[mesh.faces[:, 0]]])
        mesh.remove_unreferenced_vertices()
    return mesh


def _signed_volume(mesh: trimesh.Trimesh) -> float:
    """Volume, negative if the faces turn inward; trimesh's own computes all moments for it."""
    a, b, c = np.asarray(mesh.vertices)[mesh.faces].swapaxes(0, 1)
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def _decimated(mesh: trimesh.Trimesh, max_faces: int) -> trimesh.Trimesh:
    """Quadric edge collapse, by fast-simplification: what trimesh itself calls; small and kept."""
    try:
        simple = mesh.simplify_quadric_decimation(face_count=max_faces)
    except ImportError:
        raise PackageError("A limit of faces", "fast-simplification") from None
    return simple


def _check_resolution(resolution: int) -> None:
    if not RESOLUTIONS[0] <= resolution <= RESOLUTIONS[1]:
        raise PortraitError(
            "The resolution of meshes must lie between {0} and {1}; it is {2}.",
            RESOLUTIONS[0],
            RESOLUTIONS[1],
            resolution,
        )


def _wanted(latents: PortraitLatents, parts: Sequence[str] | None) -> list[int]:
    """The lifted parts that are visible and asked for."""
    visible = [k for k in LIFTED if latents.visible[k]]
    if parts is None:
        return visible
    chosen = {_lifted_part(name) for name in parts}
    return [k for k in visible if k in chosen]


def _lifted_part(name: str) -> int:
    try:
        part = part_index(name)
    except ValueError as error:
        raise PortraitError(str(error)) from None
    if part == BACKGROUND:
        raise PortraitError("The background has no mesh: it is a picture behind the portrait.")
    return part
