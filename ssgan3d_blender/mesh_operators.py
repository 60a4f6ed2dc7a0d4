"""What an artist takes away as meshes."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty

from ..core.errors import PortraitError
from ..core.parts import BACKGROUND
from . import portraits, preferences, runtime
from .messages import cancels_on_error
from .operators import PART_ITEMS

MESH_PARTS = tuple(item for index, item in enumerate(PART_ITEMS) if index != BACKGROUND)


class SSGAN3D_OT_extract_meshes(bpy.types.Operator):
    """Extract the active portrait's parts as mesh objects."""

    bl_idname = "ssgan3d.extract_meshes"
    bl_label = "Extract Part Meshes"
    bl_description = (
        "Make one mesh object for each part, in the portrait's colours and in its place. "
        "Extracting again replaces them"
    )
    bl_options = {"REGISTER", "UNDO"}

    parts: EnumProperty(
        name="Parts",
        description="Which parts",
        items=MESH_PARTS,
        options={"ENUM_FLAG"},
        default={name for name, *_ in MESH_PARTS},
    )
    resolution: IntProperty(
        name="Resolution",
        description="Cells of the grid along each side: higher shows finer shapes and takes longer",
        default=128,
        min=16,
        max=512,
        soft_max=256,
    )
    smoothing: IntProperty(
        name="Smoothing",
        description="Rounds of smoothing that take away the steps of the grid",
        default=0,
        min=0,
        soft_max=20,
        max=100,
    )
    max_faces: IntProperty(
        name="Face Limit",
        description="Parts with more triangles get a Decimate modifier that brings them down to "
        "this number. 0: no limit",
        default=0,
        min=0,
        soft_max=100_000,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait, and objects can only be added in object mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave edit mode first")
            return False
        return portraits.needed(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Extract, then replace what an earlier call made."""
        if not self.parts:
            raise PortraitError("No part is chosen: choose at least one.")
        from ..core.meshing import extract_meshes
        from . import meshes

        portrait = portraits.active(context)
        with runtime.session(preferences.model_choice()) as engine:
            latents = portraits.recipe(portrait).resolve(engine)
            there = [name for name in latents.visible_names if name in self.parts]
            if not there:
                raise PortraitError(
                    "None of these parts is there in this portrait: show them, or choose others."
                )
            extracted = extract_meshes(
                engine, latents, parts=there, resolution=self.resolution, smoothing=self.smoothing
            )
            unit = engine.config.unit_metres
        if not extracted:
            raise PortraitError("These parts have no surface in this portrait: choose others.")
        made = meshes.store(context.scene, portrait, extracted, unit, self.max_faces or None)
        faces = sum(len(item.data.polygons) for item in made)
        self.report({"INFO"}, f"{len(made)} parts, {faces:,} triangles")
        return {"FINISHED"}


CLASSES = (SSGAN3D_OT_extract_meshes,)
