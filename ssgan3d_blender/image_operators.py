"""What an artist takes away as images."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty

from ..core.errors import PortraitError
from . import portraits, preferences, runtime
from .messages import cancels_on_error
from .operators import check_size


class SSGAN3D_OT_render_images(bpy.types.Operator):
    """Render the active portrait into image datablocks."""

    bl_idname = "ssgan3d.render_images"
    bl_label = "Render to Images"
    bl_description = (
        "Make images of this portrait, its parts in colour and its depth, for use as textures. "
        "They are packed into the file; rendering again replaces them wherever they are used"
    )
    bl_options = {"REGISTER", "UNDO"}

    view: EnumProperty(
        name="View",
        description="From where",
        items=(
            ("CAMERA", "Camera", "From the scene's camera"),
            ("FRONT", "Front", "Straight from the front, framed as the model was trained"),
        ),
        default="CAMERA",
    )
    width: IntProperty(
        name="Width", description="In pixels", default=512, soft_min=16, soft_max=2048
    )
    height: IntProperty(
        name="Height", description="In pixels", default=512, soft_min=16, soft_max=2048
    )
    transparent: BoolProperty(
        name="Transparent",
        description="Cut the portrait out of its background",
        default=False,
    )
    part_masks: BoolProperty(
        name="Part Masks",
        description="Also make one soft mask for each part",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait to render."""
        return portraits.needed(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Render and store."""
        portrait, scene = portraits.active(context), context.scene
        check_size(self.width, self.height)
        if self.view == "CAMERA" and scene.camera is None:
            raise PortraitError(
                "This scene has no camera: add one (Set Up Scene does), or choose the view Front."
            )
        from ..core.camera import Camera
        from . import camera_bridge, images

        depsgraph = context.evaluated_depsgraph_get()
        recipe = portraits.recipe(portrait.evaluated_get(depsgraph))
        with runtime.session(preferences.model_choice()) as engine:
            unit = engine.config.unit_metres
            matrix = portrait.evaluated_get(depsgraph).matrix_world
            scale = unit * camera_bridge.object_scale(matrix)
            if self.view == "CAMERA":
                view = camera_bridge.view_of_camera(
                    scene.camera, depsgraph, (self.width, self.height)
                )
                camera = camera_bridge.to_core(view, matrix, unit)
            else:
                camera = Camera.orbit(0.0)
            rendering = engine.render(
                recipe.resolve(engine),
                camera,
                size=(self.height, self.width),
                outside=preferences.get(context).outside,
            )
        made = images.store_rendering(
            portrait.name, rendering, scale, self.transparent, self.part_masks
        )
        show_in_editor(context, made[0])
        self.report({"INFO"}, f"{len(made)} images of {portrait.name}: {made[0].name}, …")
        return {"FINISHED"}


def show_in_editor(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Show an image in the first image editor of the window, if there is one."""
    for area in context.screen.areas if context.screen else ():
        if area.type == "IMAGE_EDITOR":
            area.spaces.active.image = image
            return


CLASSES = (SSGAN3D_OT_render_images,)
