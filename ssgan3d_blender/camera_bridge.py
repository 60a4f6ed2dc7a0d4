"""From Blender's views to core's cameras: the one place that knows both conventions.

A portrait object's axes: +X is the model's x (the portrait's left to right as seen), +Z the model's
y (up), -Y the model's z (the way the face looks, what Blender's Front view shows). One unit of the
object is a metre.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..core.errors import CameraRangeError, PortraitError

if TYPE_CHECKING:
    from ..core.camera import Camera

# Columns: where the model's x, y and z axes lie in the portrait object.
AXES = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))
EVEN = 1e-3


class View(NamedTuple):
    """What is seen: a camera object's frame or a 3D view's region.

    Attributes:
        matrix: camera to world.
        projection: the 4 × 4 OpenGL projection of the whole frame.
        border: the part of the frame that is wanted, as (left, right, bottom, top) in 0..1.
    """

    matrix: Matrix
    projection: Matrix
    border: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0)


def view_of_camera(
    camera: bpy.types.Object,
    depsgraph: bpy.types.Depsgraph,
    size: tuple[int, int],
    pixel_aspect: tuple[float, float] = (1.0, 1.0),
    border: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0),
) -> View:
    """The frame of a camera object; lens, sensor fit, shift and aspect count.

    Args:
        size: (width, height) of the whole frame in pixels.

    Raises:
        PortraitError: the camera is of a kind that has no flat picture (panoramic, custom).
    """
    camera = camera.evaluated_get(depsgraph)
    kind = camera.data.type if camera.type == "CAMERA" else "object"
    if kind not in {"PERSP", "ORTHO"}:
        raise PortraitError(
            "Camera {0!r} is of type {1}: portraits need a perspective or an orthographic camera.",
            camera.name,
            kind.title(),
        )
    projection = camera.calc_matrix_camera(
        depsgraph, x=size[0], y=size[1], scale_x=pixel_aspect[0], scale_y=pixel_aspect[1]
    )
    return View(camera.matrix_world.normalized(), projection, border)


def view_of_region(
    region: bpy.types.RegionView3D,
    border: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0),
) -> View:
    """What a 3D view shows, in camera view as well: zoom, offset and lens are in its matrices."""
    return View(region.view_matrix.inverted(), region.window_matrix.copy(), border)


def border_of_region(
    region: bpy.types.RegionView3D,
    space: bpy.types.SpaceView3D,
    scene: bpy.types.Scene,
    size: tuple[int, int],
) -> tuple[float, float, float, float] | None:
    """The part of a 3D view that is to be rendered, as (left, right, bottom, top) in 0..1.

    That is the render border of the scene in camera view, of the 3D view otherwise. Its ends lie on
    whole pixels.

    Args:
        size: (width, height) of the region in pixels.

    Returns:
        None where the border has no pixel in the region.
    """
    border = (0.0, 1.0, 0.0, 1.0)
    camera = space.camera
    if region.view_perspective == "CAMERA" and camera is not None and camera.type == "CAMERA":
        if scene.render.use_border:
            render = scene.render
            corners = [
                region.window_matrix @ c.to_4d() for c in camera.data.view_frame(scene=scene)
            ]
            frame = []
            for axis, low, high in (
                (0, render.border_min_x, render.border_max_x),
                (1, render.border_min_y, render.border_max_y),
            ):
                places = [(corner[axis] / corner[3] + 1) / 2 for corner in corners]
                first, length = min(places), max(places) - min(places)
                frame += [first + low * length, first + high * length]
            border = (frame[0], frame[1], frame[2], frame[3])
    elif space.use_render_border:
        border = (
            space.render_border_min_x,
            space.render_border_max_x,
            space.render_border_min_y,
            space.render_border_max_y,
        )
    left, right = (min(max(round(end * size[0]), 0), size[0]) for end in border[:2])
    bottom, top = (min(max(round(end * size[1]), 0), size[1]) for end in border[2:])
    if left >= right or bottom >= top:
        return None
    return left / size[0], right / size[0], bottom / size[1], top / size[1]


def corners_at(view: View, depth: float) -> list[Vector]:
    """Where the corners of a view lie in the world at a distance along the view's direction.

    Args:
        depth: in Blender units.

    Returns:
        Lower left, lower right, upper right, upper left.
    """
    onto = view.projection @ Vector((0.0, 0.0, -depth, 1.0))
    back = view.matrix @ view.projection.inverted()
    left, right, bottom, top = (2 * end - 1 for end in view.border)
    corners = []
    for x, y in ((left, bottom), (right, bottom), (right, top), (left, top)):
        corner = back @ Vector((x * onto.w, y * onto.w, onto.z, onto.w))
        corners.append(corner.xyz / corner.w)
    return corners


def model_to_object(unit: float) -> Matrix:
    """From model units to the portrait object's axes; ``unit`` is the model unit in metres."""
    return AXES @ Matrix.Scale(unit, 4)


def object_scale(portrait_matrix: Matrix) -> float:
    """How many Blender units one metre of a portrait takes.

    Raises:
        PortraitError: the object is stretched, mirrored, or of size zero.
    """
    lengths = [column.length for column in portrait_matrix.to_3x3().col]
    if not all(map(math.isfinite, lengths)) or min(lengths) < 1e-9:
        raise PortraitError("A portrait's scale is zero or not a number: set its scale to 1.")
    x, y, z = (column.normalized() for column in portrait_matrix.to_3x3().col)
    skew = max(abs(x.dot(y)), abs(y.dot(z)), abs(z.dot(x)))
    if max(lengths) > min(lengths) * (1 + EVEN) or skew > EVEN:
        sizes = " × ".join(f"{length:.3g}" for length in lengths)
        raise PortraitError(
            "A portrait is stretched (scale {0}): a portrait needs one scale in all "
            "directions. Set the same scale in X, Y and Z here and in what it hangs on.",
            sizes,
        )
    if portrait_matrix.determinant() < 0:
        raise PortraitError("A portrait is mirrored (negative scale): set a positive scale.")
    return lengths[0]


def to_core(view: View, portrait_matrix: Matrix, unit: float) -> Camera:
    """Core's camera for a portrait that stands at ``portrait_matrix``.

    Args:
        portrait_matrix: the portrait object's matrix_world.
        unit: length of a model unit in metres (``ModelConfig.unit_metres``).

    Raises:
        PortraitError: the portrait is stretched, mirrored, of size zero or not finite.
        CameraRangeError: the view is not finite.
    """
    from ..core.camera import Camera

    scale = object_scale(portrait_matrix) * unit
    pose = (portrait_matrix @ model_to_object(unit)).inverted() @ view.matrix
    orthographic = view.projection[3][3] == 1.0
    # NDC x is (P00 X + P02 Z) / -Z in perspective, P00 X + P03 in parallel projection; the window
    # is where it is -1 and 1, at Z = -1 or at any Z.
    bounds = []
    for axis in (0, 1):
        row = view.projection[axis]
        for end in (-1.0, 1.0):
            bound = end - row[3] if orthographic else end + row[2]
            bounds.append(bound / row[axis] / (scale if orthographic else 1.0))
    if not all(map(math.isfinite, bounds)):
        raise CameraRangeError("The camera's lens, shift or scale is not a number.")
    left, right, bottom, top = bounds
    width, height = right - left, top - bottom
    window = (
        left + width * view.border[0],
        left + width * view.border[1],
        bottom + height * view.border[2],
        bottom + height * view.border[3],
    )
    return Camera(np.array([list(row) for row in pose]), window, orthographic)


def depth_of(view: View, portrait_matrix: Matrix) -> float:
    """Distance of a portrait's origin along the view's direction, in Blender units."""
    return -(view.matrix.inverted() @ portrait_matrix.translation).z
