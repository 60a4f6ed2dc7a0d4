"""What an artist takes away as images."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..core.errors import PortraitError
from . import areas, background, jobs, passes, portraits, preferences, properties, runtime
from .messages import cancels_on_error
from .model_wait import ModelOperator
from .operators import check_size

if TYPE_CHECKING:
    from torch import Tensor


class SSGAN3D_OT_render_images(ModelOperator, bpy.types.Operator):
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
        engine = runtime.engine(preferences.model_choice())
        unit = engine.config.unit_metres
        matrix = portrait.evaluated_get(depsgraph).matrix_world
        scale = unit * camera_bridge.object_scale(matrix)
        if self.view == "CAMERA":
            view = camera_bridge.view_of_camera(scene.camera, depsgraph, (self.width, self.height))
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
            images.owner_of(portrait), rendering, scale, self.transparent, self.part_masks
        )
        said = rpt_("{0} images of {1}: {2}, …").format(len(made), portrait.name, made[0].name)
        self.report({"INFO"}, where_to_look(said, made[0]))
        return {"FINISHED"}


class SSGAN3D_OT_contact_sheet(bpy.types.Operator):
    """Make one image of many seeds' portraits."""

    bl_idname = "ssgan3d.contact_sheet"
    bl_label = "Contact Sheet"
    bl_description = (
        "Make one image of many people, each with the number to type into Seed. It is packed into "
        "the file; the next sheet replaces it"
    )
    bl_options = {"REGISTER"}  # the step to undo comes with the result: background.run_job

    first: IntProperty(
        name="From Seed", description="The first person", default=0, min=0, max=properties.MAX_SEED
    )
    last: IntProperty(
        name="To Seed",
        description="The last person",
        default=63,
        min=0,
        max=properties.MAX_SEED,
    )
    columns: IntProperty(
        name="Columns",
        description="People in a row. 0: about as many as there are rows",
        default=0,
        min=0,
        soft_max=16,
    )
    size: IntProperty(
        name="Size",
        description="Pixels of each portrait along a side",
        default=128,
        min=16,
        max=1024,
        soft_max=512,
        subtype="PIXEL",
    )
    truncation: properties.variety()

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the options, with the active portrait's variety."""
        portrait = portraits.active(context)
        if portrait is not None:
            self.truncation = portrait.ssgan3d.truncation
        return context.window_manager.invoke_props_dialog(self)

    @cancels_on_error
    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Render and store."""
        if self.last < self.first:
            raise PortraitError(
                "The last seed ({0}) comes before the first ({1}): exchange them.",
                self.last,
                self.first,
            )
        seeds, choice = range(self.first, self.last + 1), preferences.model_choice()
        options = {
            "columns": self.columns or None,
            "tile": self.size,
            "truncation": self.truncation,
        }

        def work(job: jobs.Job) -> Tensor:
            from ..core.sheet import contact_sheet

            engine = runtime.engine(choice)
            return contact_sheet(engine, seeds, progress=job.report, **options)

        def finish(sheet: Tensor) -> Generator[None, None, str]:
            from . import images

            image = images.store("Contact Sheet", sheet)
            yield
            return where_to_look(rpt_("{0} people").format(len(seeds)), image)

        background.run_job(self, iface_("Contact Sheet"), work, finish)
        return {"FINISHED"}


class SSGAN3D_OT_save_passes(ExportHelper, bpy.types.Operator):
    """Render the scene's camera into one EXR file with all passes."""

    bl_idname = "ssgan3d.save_passes"
    bl_label = "Save All Passes"
    bl_description = (
        "Render this frame into one multilayer EXR file in 32 bits: picture, depth, part index, a "
        "soft mask for each part, and Cryptomatte, without the compositor. Esc stops it. The "
        "scene's settings stay as they are"
    )
    bl_options = {"REGISTER"}

    if TYPE_CHECKING:
        filepath: str
    filename_ext = ".exr"
    filter_glob: StringProperty(default="*.exr", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait and a camera."""
        if context.scene.camera is None:
            cls.poll_message_set("The scene has no camera: Set Up Scene makes one")
            return False
        return portraits.needed(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Render and write: begin to where a person asked for it in a window, else to the end."""
        path = Path(bpy.path.ensure_ext(bpy.path.abspath(self.filepath), ".exr"))
        scene, layer = context.scene, context.view_layer
        if self.options.is_invoke and not bpy.app.background:
            passes.begin(scene, layer, path)
        else:
            self.report({"INFO"}, passes.save(scene, layer, path))
        return {"FINISHED"}


def where_to_look(said: str, image: bpy.types.Image) -> str:
    """Show an image in the first image editor of a window.

    Args:
        said: a sentence on what came of it.

    Returns:
        The sentence, with what to do where no editor is open.
    """
    for area in areas.shown("IMAGE_EDITOR"):
        area.spaces.active.image = image
        return said
    return rpt_("{0}. To see it, choose {1} in an Image Editor").format(said, image.name)


CLASSES = (SSGAN3D_OT_render_images, SSGAN3D_OT_save_passes, SSGAN3D_OT_contact_sheet)
