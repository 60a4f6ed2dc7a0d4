"""Presets of whole portraits, through Blender's own preset system.

A preset is one line that writes a portrait's recipe. Those that come along are in ``data/presets``;
an artist's own are where Blender keeps all presets, and move to a new version with them.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel
from bpy.props import StringProperty

from ..core.errors import PortraitError
from . import portraits, properties
from .messages import cancels_on_error
from .part_operators import EditOperator

SUBFOLDER = "ssgan3d"
SHIPPED = str(Path(__file__).parent / "data")


class SSGAN3D_PT_presets(PresetPanel, bpy.types.Panel):
    """The list that the button in the panel's header opens."""

    bl_label = "Portrait Presets"
    preset_subdir = SUBFOLDER
    preset_operator = "ssgan3d.apply_preset"
    preset_add_operator = "ssgan3d.add_preset"


class SSGAN3D_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Keep this portrait's look as a preset, or take a preset away"""

    bl_idname = "ssgan3d.add_preset"
    bl_label = "Add Portrait Preset"
    preset_menu = "SSGAN3D_PT_presets"
    preset_subdir = SUBFOLDER
    preset_defines = ("portrait = bpy.context.object.ssgan3d",)
    preset_values = ("portrait.recipe",)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait."""
        return portraits.needed(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write or remove the preset; the active object may only hang on the portrait."""
        with context.temp_override(object=portraits.active(context)):
            done: set[str] = AddPresetBase.execute(self, context)
        return done


class SSGAN3D_OT_apply_preset(EditOperator, bpy.types.Operator):
    """Give a portrait a preset's look. Blender's own operator for this cannot be undone."""

    bl_idname = "ssgan3d.apply_preset"
    bl_label = "Apply Portrait Preset"
    bl_description = "Give this portrait the look of the preset, all parts and the variety"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the preset with the portrait as the active object."""
        portrait = portraits.active(context)
        if not self.filepath:
            raise PortraitError("No preset is chosen: choose one from the list of presets.")
        before = portrait.ssgan3d.recipe
        with self.step(portrait), context.temp_override(object=portrait):
            try:
                with properties.refused_recipes_raise():
                    bpy.utils.execfile(self.filepath)
            except Exception as error:
                portrait.ssgan3d.recipe = before
                if isinstance(error, SyntaxError):
                    raise PortraitError(
                        "{0} is no preset: {1}. Choose another.", self.filepath, error
                    ) from error
                raise
        return {"FINISHED"}


def attach() -> None:
    """Let Blender find the presets that come along."""
    bpy.utils.register_preset_path(SHIPPED)


def detach() -> None:
    """Undo :func:`attach`."""
    bpy.utils.unregister_preset_path(SHIPPED)


CLASSES = (SSGAN3D_PT_presets, SSGAN3D_OT_add_preset, SSGAN3D_OT_apply_preset)
