"""What an artist does with a portrait; each tooltip says what happens to the picture."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import BoolProperty, IntProperty

from ..core.errors import PortraitError
from ..core.parts import PARTS
from . import cameras, portraits, properties, runtime
from .messages import cancels_on_error

ENGINE_ID = "SSGAN3D"
TRUE_COLOURS: dict[str, Any] = {  # in this order: looks belong to a view transform
    "view_transform": "Standard",
    "look": "None",
    "exposure": 0.0,
    "gamma": 1.0,
    "use_curve_mapping": False,
    "use_white_balance": False,
}
TRUE_SPACE = "Linear Rec.709"
MAX_SIDE = 8192
PART_ITEMS = tuple((part.name, part.label, f"Only {part.label.lower()}") for part in PARTS)


class SSGAN3D_OT_add_portrait(bpy.types.Operator):
    """Add a portrait object."""

    bl_idname = "ssgan3d.add_portrait"
    bl_label = "Portrait"
    bl_description = "Add a portrait at the 3D cursor: a generated person, made from one number"
    bl_options = {"REGISTER", "UNDO"}

    seed: IntProperty(
        name="Seed",
        description="Which person this is: every number is another one. "
        "-1: the first that no portrait of the scene has",
        default=-1,
        min=-1,
        max=properties.MAX_SEED,
        options={"SKIP_SAVE"},
    )
    truncation: properties.variety()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Objects are added in object mode, into a collection that can be changed."""
        return portraits.addable(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it."""
        if self.seed < 0:
            taken = {portrait.ssgan3d.seed for portrait in portraits.in_scene(context.scene)}
            self.seed = next(seed for seed in range(len(taken) + 1) if seed not in taken)
        settings = portraits.create(context).ssgan3d
        settings.seed, settings.truncation = self.seed, self.truncation
        if context.scene.render.engine != ENGINE_ID and not bpy.app.background:
            self.report(
                {"INFO"},
                "Numpad . goes to the portrait; Set Up Scene, in the sidebar (N), shows the face",
            )
        return {"FINISHED"}


class SSGAN3D_OT_setup_scene(bpy.types.Operator):
    """Make the scene ready to render portraits."""

    bl_idname = "ssgan3d.setup_scene"
    bl_label = "Set Up Scene"
    bl_description = (
        "Make F12 render the portrait: portrait engine, true colours, a camera before the face"
    )
    bl_options = {"REGISTER", "UNDO"}

    use_engine: BoolProperty(
        name="Portrait Engine",
        description="Render this scene with the portraits",
        default=True,
        options={"SKIP_SAVE"},  # buttons ask for some of the three: the next call is none of theirs
    )
    use_colours: BoolProperty(
        name="True Colours",
        description="Show colours as the model makes them: view transform Standard, no look, no "
        "exposure, no white balance. AgX and Filmic are made for light and wash a finished picture "
        "out",
        default=True,
        options={"SKIP_SAVE"},
    )
    use_camera: BoolProperty(
        name="Camera",
        description="Put the scene's camera before the active portrait's face, framed as the model "
        "was trained. Makes a camera if the scene has none, or one that a parent, a constraint or "
        "keyframes move, which stays as it is",
        default=True,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait to look at."""
        return portraits.needed(cls, context, portraits.subject)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change what was asked for."""
        scene = context.scene
        if self.use_engine:
            scene.render.engine = ENGINE_ID
        if self.use_colours:
            self._true_colours(scene)
        if self.use_camera:
            self._camera_to_face(context)
        return {"FINISHED"}

    def _true_colours(self, scene: bpy.types.Scene) -> None:
        view = scene.view_settings
        for name, value in TRUE_COLOURS.items():
            if hasattr(view, name):
                setattr(view, name, value)
        space = foreign_working_space()
        # Other engines take a card's picture into the working space as they take any image.
        if space is not None and scene.render.engine == ENGINE_ID:
            self.report(
                {"WARNING"},
                rpt_(
                    "Portraits get other colours in this file's working space, {0}: choose {1} "
                    "in Render Properties > Color Management > Working Space"
                ).format(space, TRUE_SPACE),
            )

    def _camera_to_face(self, context: bpy.types.Context) -> None:
        scene, portrait = context.scene, portraits.subject(context)
        present = scene.camera
        usable = present is not None and present.type == "CAMERA"
        reason = cameras.moved_by(present, portrait) if usable else None
        if not usable or reason is not None:
            camera = cameras.create("Portrait Camera", context.collection)
            cameras.use(scene, camera, scene.frame_current, scene.frame_current)
        cameras.aim(scene.camera, portrait, scene)
        if reason is not None:
            self.report(
                {"INFO"},
                rpt_("{0} was left alone, because {1}: {2} is the scene's camera now").format(
                    present.name, reason, scene.camera.name
                ),
            )


def foreign_working_space() -> str | None:
    """The file's working space if the portrait engine's colours are others in it.

    Blender has had it since 5.0.
    """
    space = getattr(getattr(bpy.data, "colorspace", None), "working_space", TRUE_SPACE)
    return None if space == TRUE_SPACE else space


class SSGAN3D_OT_release_memory(bpy.types.Operator):
    """Free the model's memory."""

    bl_idname = "ssgan3d.release_memory"
    bl_label = "Free Memory"
    bl_description = "Take the model out of memory; the next picture loads it again"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Free it."""
        if not runtime.release():
            self.report({"WARNING"}, "The model is being loaded: free it once it is there")
            return {"CANCELLED"}
        return {"FINISHED"}


def check_size(width: int, height: int) -> None:
    """Refuse pictures without pixels and pictures that would not fit into memory.

    Raises:
        PortraitError: the size is out of bounds.
    """
    if width < 1 or height < 1:
        raise PortraitError(
            "A picture of {0} × {1} pixels is empty: raise the resolution.", width, height
        )
    if max(width, height) > MAX_SIDE:
        raise PortraitError(
            "A picture of {0} × {1} pixels is too large: portraits render up to {2} "
            "pixels a side. Lower the resolution or its percentage.",
            width,
            height,
            MAX_SIDE,
        )


CLASSES = (
    SSGAN3D_OT_add_portrait,
    SSGAN3D_OT_setup_scene,
    SSGAN3D_OT_release_memory,
)
