"""Camera objects that show a portrait the way the model was trained."""

from __future__ import annotations

import math

import bpy
from mathutils import Matrix

from ..core.config import ModelConfig

SENSOR = 36.0


def trained_lens(camera: bpy.types.Camera, render: bpy.types.RenderSettings) -> None:
    """Set a lens that shows the whole trained frame in the shorter side of the picture."""
    camera.type = "PERSP"
    camera.shift_x = camera.shift_y = 0.0
    camera.lens_unit = "MILLIMETERS"
    camera.sensor_width = camera.sensor_height = SENSOR
    camera.lens = SENSOR * ModelConfig.camera_distance / ModelConfig.frame_side
    wide = render.resolution_x * render.pixel_aspect_x > render.resolution_y * render.pixel_aspect_y
    camera.sensor_fit = "VERTICAL" if wide else "HORIZONTAL"


def front_matrix() -> Matrix:
    """A camera straight before the face at the trained distance, in the portrait's own axes."""
    distance = ModelConfig.camera_distance * ModelConfig.unit_metres
    return Matrix.Translation((0.0, -distance, 0.0)) @ Matrix.Rotation(math.radians(90), 4, "X")


def aim(camera: bpy.types.Object, portrait: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Move a camera in front of a portrait and give it the trained framing."""
    orbit(camera, portrait, 0.0, 0.0)
    trained_lens(camera.data, scene.render)


def create(name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """A new camera object."""
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.data.display_size = ModelConfig.unit_metres
    collection.objects.link(camera)
    return camera


def orbit(camera: bpy.types.Object, portrait: bpy.types.Object, yaw: float, pitch: float) -> None:
    """Move a camera about a portrait to ``yaw`` and ``pitch`` (radians) at the trained distance."""
    turn = Matrix.Rotation(yaw, 4, "Z") @ Matrix.Rotation(-pitch, 4, "X")
    location, rotation, _ = (portrait.matrix_world @ turn @ front_matrix()).decompose()
    camera.matrix_world = Matrix.LocRotScale(location, rotation, None)
