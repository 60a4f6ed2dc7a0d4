"""The turntable: a camera on a pivot that swings before the portrait's face."""

from __future__ import annotations

import math

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty

from ..core.config import ModelConfig
from . import cameras, portraits
from .messages import cancels_on_error


class SSGAN3D_OT_turntable(bpy.types.Operator):
    """Add a swinging camera on a pivot that hangs on the portrait."""

    bl_idname = "ssgan3d.turntable"
    bl_label = "Turntable"
    bl_description = (
        "Add a camera that swings from side to side before the face, keyframed as a seamless loop"
    )
    bl_options = {"REGISTER", "UNDO"}

    frames: IntProperty(
        name="Frames",
        description="Length of the loop: the picture after the last frame is the first one again",
        default=48,
        min=2,
        soft_max=500,
    )
    yaw: FloatProperty(
        name="Swing",
        description="How far the camera swings to each side",
        default=math.radians(35),
        min=0.0,
        max=math.pi,
        soft_max=ModelConfig.yaw_max,
        subtype="ANGLE",
    )
    pitch: FloatProperty(
        name="Height",
        description="The angle from which the camera looks down on the face",
        default=0.0,
        min=-math.pi / 2,
        max=math.pi / 2,
        soft_min=-ModelConfig.pitch_max,
        soft_max=ModelConfig.pitch_max,
        subtype="ANGLE",
    )
    set_scene: BoolProperty(
        name="Use for the Scene",
        description="Make it the scene's camera and set the scene's frame range to the loop",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait to turn about."""
        return portraits.needed(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build the rig."""
        portrait, scene = portraits.active(context), context.scene
        first = scene.frame_start if self.set_scene else scene.frame_current
        pivot = bpy.data.objects.new(f"{portrait.name} Turntable", None)
        pivot.empty_display_size = ModelConfig.unit_metres / 2
        context.collection.objects.link(pivot)
        pivot.parent = portrait
        camera = cameras.create(f"{portrait.name} Turntable Camera", context.collection)
        cameras.trained_lens(camera.data, scene.render)
        camera.parent = pivot
        camera.matrix_local = cameras.front_matrix()
        # A sine between the two ends: the camera slows down where it turns round, as a pendulum.
        for frame, yaw in ((0, -self.yaw), (self.frames / 2, self.yaw), (self.frames, -self.yaw)):
            pivot.rotation_euler = (-self.pitch, 0.0, yaw)
            pivot.keyframe_insert("rotation_euler", frame=first + frame)
        for curve in _curves(pivot):
            for key in curve.keyframe_points:
                key.interpolation, key.easing = "SINE", "EASE_IN_OUT"
        if self.set_scene:
            scene.camera = camera
            scene.frame_end = first + self.frames - 1
            scene.frame_set(first)
        self.report({"INFO"}, f"{camera.name} swings ±{math.degrees(self.yaw):.0f}°")
        return {"FINISHED"}


def _curves(animated: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of an object's action."""
    data = animated.animation_data
    return [
        curve
        for layer in data.action.layers
        for strip in layer.strips
        for curve in strip.channelbag(data.action_slot).fcurves
    ]


CLASSES = (SSGAN3D_OT_turntable,)
