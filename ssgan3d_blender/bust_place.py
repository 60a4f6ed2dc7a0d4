"""Lines that were moved within a portrait object give the move back to the object.

The picture stands where the object stands, whatever its mesh holds. Apply (Ctrl+A) and Set Origin
change object and mesh against each other, so that nothing on the screen moves: without this, the
lines would stay where they were and the picture would turn away from them.
"""

from __future__ import annotations

import bpy
import numpy as np
from bpy.app.handlers import persistent
from mathutils import Matrix

from . import bust

SAME = 1e-6  # metres
FITS = 1e-4  # of the lines' extent: how far the farthest point may lie from where it should be


def moved_by(mesh: bpy.types.Mesh) -> Matrix | None:
    """Which transform took a portrait's lines from where they belong to where they are.

    Returns:
        4 × 4, in the object's axes; None if they are in their place, or are other lines.
    """
    home = bust.points()
    if len(mesh.vertices) != len(home) or mesh.shape_keys is not None:
        return None
    flat = np.empty(home.size, np.float32)
    mesh.vertices.foreach_get("co", flat)
    found = flat.reshape(home.shape).astype(float)
    if not np.isfinite(found).all() or np.abs(found - home).max() <= SAME:
        return None
    homogeneous = np.pad(home, ((0, 0), (0, 1)), constant_values=1.0)
    move = np.linalg.lstsq(homogeneous, found, rcond=None)[0].T  # (3, 4)
    apart = np.abs(homogeneous @ move.T - found).max()
    if apart > FITS * max(np.ptp(found, axis=0).max(), SAME):
        return None  # somebody has drawn lines of their own
    return Matrix([*move.tolist(), (0.0, 0.0, 0.0, 1.0)])


def give_back(mesh: bpy.types.Mesh) -> None:
    """Put a portrait's lines back into their place, and move the objects that have them instead.

    Neither the lines nor what hangs on them moves in the world.
    """
    move = moved_by(mesh)
    if move is None:
        return
    mesh.vertices.foreach_set("co", bust.points().astype(np.float32).ravel())
    mesh.update()
    for owner in bpy.data.objects:
        if owner.data != mesh:
            continue
        owner.matrix_basis = owner.matrix_basis @ move
        for child in owner.children:
            if child.parent_type == "OBJECT":
                inverse = child.matrix_parent_inverse
                child.matrix_parent_inverse = move.inverted_safe() @ inverse


@persistent
def _changed(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Handler: Blender evaluates the scene once more where this changes it."""
    if not depsgraph.id_type_updated("MESH"):
        return
    for update in depsgraph.updates:
        changed = update.id.original
        if (
            update.is_updated_geometry
            and isinstance(changed, bpy.types.Object)
            and changed.type == "MESH"
            and changed.ssgan3d.is_portrait
            and changed.mode == "OBJECT"  # else the mesh is not up to date
            and changed.data.is_editable
        ):
            give_back(changed.data)


def attach() -> None:
    """Follow what changes meshes."""
    bpy.app.handlers.depsgraph_update_post.append(_changed)


def detach() -> None:
    """Undo :func:`attach`."""
    bpy.app.handlers.depsgraph_update_post.remove(_changed)
