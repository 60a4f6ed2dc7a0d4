"""Camera objects that show a portrait the way the model was trained, and where others stand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from mathutils import Matrix, Vector

from ..core.config import ModelConfig
from ..core.errors import PortraitError
from . import animation, portraits
from .messages import describe

if TYPE_CHECKING:
    from ..core.camera import Camera

SENSOR = 36.0
LEAST_SHARE = 0.05  # of the picture's width: a portrait that fills less is a dot
PLACE = {"location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle"}
# Where a camera stands matters here and not its lens, so any projection of its kind will do.
PARALLEL = Matrix.Identity(4)
CENTRAL = Matrix(((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, -1, -1), (0, 0, -1, 0)))


def trained_lens(camera: bpy.types.Camera, render: bpy.types.RenderSettings) -> None:
    """Set a lens that shows the whole trained frame in the shorter side of the picture."""
    camera.type = "PERSP"
    camera.shift_x = camera.shift_y = 0.0
    camera.lens_unit = "MILLIMETERS"
    camera.sensor_width = camera.sensor_height = SENSOR
    camera.lens = lens_at(ModelConfig.camera_distance * ModelConfig.unit_metres)
    wide = render.resolution_x * render.pixel_aspect_x > render.resolution_y * render.pixel_aspect_y
    camera.sensor_fit = "VERTICAL" if wide else "HORIZONTAL"


def lens_at(distance: float) -> float:
    """Focal length in millimetres that shows the whole trained frame from ``distance`` metres."""
    return SENSOR * distance / (ModelConfig.frame_side * ModelConfig.unit_metres)


def front_matrix() -> Matrix:
    """A camera straight before the face at the trained distance, in the portrait's own axes."""
    distance = ModelConfig.camera_distance * ModelConfig.unit_metres
    return Matrix.Translation((0.0, -distance, 0.0)) @ Matrix.Rotation(math.radians(90), 4, "X")


def aim(camera: bpy.types.Object, portrait: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Move a camera in front of a portrait and give it the trained framing."""
    orbit(camera, portrait, 0.0, 0.0)
    trained_lens(camera.data, scene.render)


def moved_by(camera: bpy.types.Object, portrait: bpy.types.Object) -> str | None:
    """What keeps a camera from staying before a portrait's face where it is put, as a clause.

    None if it stays. It may hang on the portrait itself, whose face it then follows.
    """
    if camera.parent not in (None, portrait):
        return rpt_("it moves with its parent {0}").format(camera.parent.name)
    constraint = next((item for item in camera.constraints if not item.mute), None)
    if constraint is not None:
        return rpt_("its constraint {0} moves it").format(constraint.name)
    if any(path.removeprefix("delta_") in PLACE for path in animation.animated_paths(camera)):
        return rpt_("keyframes or drivers move it")
    return None


def create(name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """A new camera object."""
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.data.display_size = ModelConfig.unit_metres
    collection.objects.link(camera)
    return camera


def use(scene: bpy.types.Scene, camera: bpy.types.Object, first: int, last: int) -> str | None:
    """Make a camera the scene's from frame ``first`` to ``last``.

    Markers of the timeline may be bound to cameras, which Blender switches to: then this one is
    bound to a marker at ``first`` as well.

    Returns:
        One sentence if another marker switches away before ``last``; None if all is well.
    """
    scene.camera = camera
    bound = {marker.frame: marker for marker in scene.timeline_markers if marker.camera}
    if not bound:
        return None
    start = bound.get(first) or scene.timeline_markers.new(camera.name, frame=first)
    start.camera = camera
    later = [marker for frame, marker in sorted(bound.items()) if first < frame <= last]
    if not later:
        return None
    return rpt_(
        "The marker {0} switches to {1} at frame {2}: delete it if this camera shall stay"
    ).format(later[0].name, later[0].camera.name, later[0].frame)


def orbit(camera: bpy.types.Object, portrait: bpy.types.Object, yaw: float, pitch: float) -> None:
    """Move a camera about a portrait to ``yaw`` and ``pitch`` (radians) at the trained distance."""
    turn = Matrix.Rotation(yaw, 4, "Z") @ Matrix.Rotation(-pitch, 4, "X")
    location, rotation, _ = (portrait.matrix_world @ turn @ front_matrix()).decompose()
    camera.matrix_world = Matrix.LocRotScale(location, rotation, None)


def standpoint(yaw: float, pitch: float, distance: float) -> Vector:
    """Where a camera stands at ``yaw`` and ``pitch`` (radians), in the portrait's own axes.

    Args:
        distance: from the portrait's origin in metres.
    """
    turn = Matrix.Rotation(yaw, 3, "Z") @ Matrix.Rotation(-pitch, 3, "X")
    return turn @ Vector((0.0, -distance, 0.0))


def seen_by(camera: bpy.types.Object, portrait_matrix: Matrix) -> Camera:
    """Where a camera of any kind, panoramic ones among them, stands in a portrait's model space.

    Args:
        camera: an evaluated object.
        portrait_matrix: the evaluated portrait's matrix_world.

    Raises:
        PortraitError: the portrait is stretched, mirrored or of size zero, or the camera's place is
            not a number.
    """
    from .camera_bridge import View, to_core

    parallel = camera.type == "CAMERA" and camera.data.type == "ORTHO"
    view = View(camera.matrix_world.normalized(), PARALLEL if parallel else CENTRAL)
    return to_core(view, portrait_matrix, ModelConfig.unit_metres)


def range_warning(
    scene: bpy.types.Scene, portrait: bpy.types.Object, depsgraph: bpy.types.Depsgraph
) -> str | None:
    """One sentence with the angle if the scene's camera sees a portrait as the model never did.

    None if all is well or if there is no camera. It also says why a portrait cannot be seen at all.
    """
    if scene.camera is None:
        return None
    from ..core.camera import out_of_range

    try:
        camera = seen_by(
            scene.camera.evaluated_get(depsgraph), portrait.evaluated_get(depsgraph).matrix_world
        )
    except PortraitError as error:
        return describe(error)
    reason = out_of_range(camera, ModelConfig())
    return None if reason is None else describe(reason)


def is_too_far(scene: bpy.types.Scene) -> bool:
    """Whether every portrait is a dot for the scene's camera, as for a new file's."""
    camera = scene.camera
    if camera.type != "CAMERA" or camera.data.type != "PERSP":
        return False
    shares = []
    for portrait in portraits.in_scene(scene):
        distance = (camera.matrix_world.translation - portrait.matrix_world.translation).length
        side = (
            ModelConfig.frame_side * ModelConfig.unit_metres * max(portrait.matrix_world.to_scale())
        )
        shares.append(side / max(2 * distance * math.tan(camera.data.angle / 2), 1e-6))
    return max(shares, default=1.0) < LEAST_SHARE
