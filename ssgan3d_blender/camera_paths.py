"""Camera paths: cameras on a pivot that swing, draw an eight or move to and fro before the face."""

from __future__ import annotations

import math
from typing import NamedTuple

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from ..core.config import ModelConfig
from ..core.errors import PortraitError
from . import animation, cameras, portraits
from .messages import cancels_on_error

TURNTABLE, FIGURE_EIGHT, DOLLY = "TURNTABLE", "FIGURE_EIGHT", "DOLLY"
PATHS = (
    (TURNTABLE, "Turntable", "From side to side", "CON_ROTLIKE", 0),
    (FIGURE_EIGHT, "Figure Eight", "From side to side and up and down", "LOOP_FORWARDS", 1),
    (DOLLY, "Dolly", "Towards the face and back", "CON_LOCLIMIT", 2),
)
# A little inside the trained range, which rounding on the way through Blender must not leave.
YAW_LIMIT, PITCH_LIMIT = ModelConfig.yaw_max - 1e-3, ModelConfig.pitch_max - 1e-3
NEAREST = ModelConfig.distance_min * ModelConfig.unit_metres + 1e-3
FARTHEST = ModelConfig.distance_max * ModelConfig.unit_metres - 1e-3
# A sine in keyframes: Blender's sine easing between its turning points and zeros is exact.
FROM_ZERO, BETWEEN, TO_ZERO = "EASE_OUT", "EASE_IN_OUT", "EASE_IN"


class Key(NamedTuple):
    """A keyframe: when, as a share of the loop; which value; how it goes on to the next one."""

    time: float
    value: float
    easing: str = BETWEEN


def swing(first: float, other: float) -> list[Key]:
    """From ``first`` to ``other`` and back, slowing down where it turns round, as a pendulum."""
    return [Key(0.0, first), Key(0.5, other), Key(1.0, first)]


def sine(height: float, rounds: int = 1) -> list[Key]:
    """``height`` · sin(2π · rounds · time), from zero to zero."""
    quarter = 0.25 / rounds
    turns = [
        Key((2 * index + 1) * quarter, height if index % 2 == 0 else -height)
        for index in range(2 * rounds)
    ]
    turns[-1] = turns[-1]._replace(easing=TO_ZERO)
    return [Key(0.0, 0.0, FROM_ZERO), *turns, Key(1.0, 0.0)]


class SSGAN3D_OT_camera_path(bpy.types.Operator):
    """Add a camera that moves before the face."""

    bl_idname = "ssgan3d.camera_path"
    bl_label = "Camera Path"
    bl_description = (
        "Add a camera that moves before the face, keyframed as a seamless loop that stays where "
        "the model knows the portrait"
    )
    bl_options = {"REGISTER", "UNDO"}

    path: EnumProperty(
        name="Path",
        description="How the camera moves",
        items=PATHS,
        default=TURNTABLE,
    )
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
        max=YAW_LIMIT,
        subtype="ANGLE",
    )
    pitch: FloatProperty(
        name="Height",
        description="The angle from which the camera looks down on the face",
        default=0.0,
        min=-PITCH_LIMIT,
        max=PITCH_LIMIT,
        subtype="ANGLE",
    )
    rise: FloatProperty(
        name="Rise",
        description="How far the eight reaches up and down",
        default=math.radians(10),
        min=0.0,
        max=PITCH_LIMIT,
        subtype="ANGLE",
    )
    near: FloatProperty(
        name="Nearest",
        description="Distance from the head at the turning point, for a portrait of scale 1",
        default=0.6,
        min=NEAREST,
        max=FARTHEST,
        soft_max=3.0,
        unit="LENGTH",
    )
    far: FloatProperty(
        name="Farthest",
        description="Distance from the head at the beginning, for a portrait of scale 1",
        default=1.4,
        min=NEAREST,
        max=FARTHEST,
        soft_max=3.0,
        unit="LENGTH",
    )
    keep_size: BoolProperty(
        name="Dolly Zoom",
        description="Zoom out while the camera comes nearer, so that the head keeps its size and "
        "only the perspective changes",
        default=False,
    )
    set_scene: BoolProperty(
        name="Use for the Scene",
        description="Make it the scene's camera and set the scene's frame range to the loop",
        default=True,
    )

    @classmethod
    def description(
        cls, _context: bpy.types.Context, settings: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip of a button: what is special about its path, then what all do."""
        return f"{tip_(_about(settings.path)[1])}.\n{tip_(cls.bl_description)}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait to look at, and objects can only be added in object mode."""
        there = portraits.needed(cls, context, portraits.subject)
        return portraits.in_object_mode(cls, context) and there

    def draw(self, _context: bpy.types.Context) -> None:
        """The settings that the path has."""
        layout = self.layout
        layout.use_property_split = True
        shown = {
            TURNTABLE: ("yaw", "pitch"),
            FIGURE_EIGHT: ("yaw", "rise"),
            DOLLY: ("near", "far", "pitch", "keep_size"),
        }[self.path]
        for name in ("path", "frames", *shown, "set_scene"):
            layout.prop(self, name)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build the rig: a pivot that hangs on the portrait, a camera that hangs on the pivot."""
        portrait, scene = portraits.subject(context), context.scene
        label, _ = _about(self.path)
        keys = self._keys()  # before anything is made: it may refuse
        pivot = bpy.data.objects.new(f"{portrait.name} {label}", None)
        pivot.empty_display_size = ModelConfig.unit_metres / 2
        context.collection.objects.link(pivot)
        pivot.parent = portrait
        camera = cameras.create(f"{portrait.name} {label} Camera", context.collection)
        cameras.trained_lens(camera.data, scene.render)
        camera.parent = pivot
        camera.matrix_local = cameras.front_matrix()
        pivot.rotation_euler.x = -self.pitch
        first = scene.frame_start if self.set_scene else scene.frame_current
        owners = {"rotation_euler": pivot, "location": camera, "lens": camera.data}
        for (path, index), curve in keys.items():
            _animate(owners[path], path, index, curve, first, self.frames)
        said = rpt_("{0}: {1} frames from frame {2}").format(camera.name, self.frames, first)
        warning = None
        if self.set_scene:
            scene.frame_end = first + self.frames - 1
            warning = cameras.use(scene, camera, first, scene.frame_end)
            scene.frame_set(first)
        if warning is None:
            self.report({"INFO"}, said)
        else:
            self.report({"WARNING"}, f"{said}. {warning}")
        return {"FINISHED"}

    def _keys(self) -> dict[tuple[str, int], list[Key]]:
        """What is animated, by property and index (-1: not an array)."""
        if self.path == TURNTABLE:
            return {("rotation_euler", 2): swing(-self.yaw, self.yaw)}
        if self.path == FIGURE_EIGHT:
            return {
                ("rotation_euler", 0): sine(-self.rise, rounds=2),
                ("rotation_euler", 2): sine(self.yaw),
            }
        if self.near >= self.far:
            raise PortraitError(
                "The nearest point ({0:.2f} m) must be nearer than the farthest ({1:.2f} "
                "m): change one of them.",
                self.near,
                self.far,
            )
        keys = {("location", 1): swing(-self.far, -self.near)}
        if self.keep_size:
            keys["lens", -1] = swing(cameras.lens_at(self.far), cameras.lens_at(self.near))
        return keys


def _about(path: str) -> tuple[str, str]:
    """Label and description of a path."""
    return next((label, text) for name, label, text, *_ in PATHS if name == path)


def _animate(
    owner: bpy.types.ID, path: str, index: int, keys: list[Key], first: int, frames: int
) -> None:
    """Set keyframes on one property; ``index`` -1 stands for a property that is not an array."""
    for key in keys:
        if index < 0:
            setattr(owner, path, key.value)
        else:
            getattr(owner, path)[index] = key.value
        owner.keyframe_insert(path, index=index, frame=first + key.time * frames)
    data = owner.animation_data
    for curve in animation.curves(data.action, data.action_slot):
        if (curve.data_path, curve.array_index) == (path, max(index, 0)):
            for point, key in zip(curve.keyframe_points, keys, strict=True):
                point.interpolation, point.easing = "SINE", key.easing


CLASSES = (SSGAN3D_OT_camera_path,)
