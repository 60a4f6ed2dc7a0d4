"""Adding and updating cards, and their panel."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import BoolProperty, EnumProperty, IntProperty

from . import card_picture, card_plane, card_updates, cards, panel, portraits
from .messages import cancels_on_error
from .model_wait import ModelOperator


class SSGAN3D_OT_add_card(ModelOperator, bpy.types.Operator):
    """Add a card."""

    bl_idname = "ssgan3d.add_card"
    bl_label = "Add Portrait Card"
    bl_description = (
        "Stand the portrait in a Cycles or EEVEE scene: a plane with its picture, cut out, that "
        "faces the scene's camera and follows camera, portrait and frame. Sets Lock Interface, so "
        "that cards can change during a render"
    )
    bl_options = {"REGISTER", "UNDO"}

    shading: EnumProperty(
        name="Shading",
        description="How the picture meets the scene's light",
        items=(
            ("SHINE", "As Rendered", "In the model's own colours, whatever the light"),
            ("LIT", "Lit", "As the colour of a matt surface under the scene's lamps"),
        ),
        default="SHINE",
    )
    resolution: IntProperty(
        name="Resolution",
        description="Side of the card's picture in pixels",
        default=512,
        min=16,
        max=4096,
        soft_max=2048,
    )
    masks: BoolProperty(
        name="Part Masks",
        description="Also make one mask a part, as texture nodes in the card's material",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait, and objects can only be added in object mode."""
        if not (portraits.in_object_mode(cls, context) and portraits.needed(cls, context)):
            return False
        if cards.card_of(context.scene, portraits.active(context)) is not None:
            cls.poll_message_set("This portrait has a card already")
            return False
        if context.scene.camera is None:
            cls.poll_message_set("The scene has no camera that a card could face")
            return False
        return True

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the plane, then its picture; without a picture there is no plane."""
        card = card_plane.create(context, portraits.active(context), lit=self.shading == "LIT")
        settings = card.ssgan3d_card
        settings.resolution, settings.use_masks = self.resolution, self.masks
        try:
            card_picture.refresh(card, context.scene, context.evaluated_depsgraph_get())
        except Exception:
            card_plane.discard(card)
            raise
        card_plane.pack(card)
        context.scene.render.use_lock_interface = True
        for other in context.selected_objects:
            other.select_set(False)
        card.select_set(True)
        context.view_layer.objects.active = card
        return {"FINISHED"}


class SSGAN3D_OT_update_cards(ModelOperator, bpy.types.Operator):
    """Update all cards."""

    bl_idname = "ssgan3d.update_cards"
    bl_label = "Update Cards"
    bl_description = (
        "Turn every card of the scene to the camera, draw its picture anew and pack it into the "
        "file; cards that are not live as well"
    )
    bl_options = {"REGISTER", "UNDO"}
    of_portrait = False

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a card."""
        if any(card.is_editable for card in cards.in_scene(context.scene)):
            return True
        cls.poll_message_set("This scene has no portrait card: add one first")
        return False

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Refresh and pack."""
        depsgraph = context.evaluated_depsgraph_get()
        editable = [card for card in cards.in_scene(context.scene) if card.is_editable]
        for card in editable:
            card_updates.update(card, context.scene, depsgraph)
        self.report(
            {"INFO"},
            rpt_("Portrait cards updated: {0}").format(len(editable)),
        )
        return {"FINISHED"}


class SSGAN3D_PT_card(panel.PortraitPanel, bpy.types.Panel):
    """The portrait's card."""

    bl_label = "Card"
    bl_parent_id = "SSGAN3D_PT_portrait"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Shown for a card whose portrait is gone as well, because it says so."""
        active = context.view_layer.objects.active
        return super().poll(context) or (active is not None and active.ssgan3d_card.is_card)

    def draw(self, context: bpy.types.Context) -> None:
        """A button that adds the card, or the card's settings and what is wrong with it."""
        layout, scene = self.layout, context.scene
        card = context.view_layer.objects.active
        if not card.ssgan3d_card.is_card:
            card = cards.card_of(scene, portraits.active(context))
        if card is None:
            layout.label(text="For Cycles and EEVEE scenes", icon="INFO")
            layout.operator("ssgan3d.add_card", icon="IMAGE_PLANE")
            return
        settings = card.ssgan3d_card
        layout.use_property_split = True
        layout.use_property_decorate = False
        problem = card_updates.problem(card)
        if problem:
            layout.label(text=problem, icon="ERROR")
        column = layout.column()
        column.prop(settings, "portrait")
        column.prop(settings, "resolution")
        column.prop(settings, "use_masks")
        column.prop(settings, "live")
        if settings.live and not scene.render.use_lock_interface:
            layout.label(text="Renders of live cards need", icon="ERROR")
            layout.prop(scene.render, "use_lock_interface", text="Lock Interface")
        if panel.colours_differ(scene):
            layout.label(text="Colours are not the model's", icon="ERROR")
            button = layout.operator("ssgan3d.setup_scene", text="True Colours")
            button.use_engine, button.use_camera, button.use_colours = False, False, True
        layout.operator("ssgan3d.update_cards", icon="FILE_REFRESH")


CLASSES = (SSGAN3D_OT_add_card, SSGAN3D_OT_update_cards, SSGAN3D_PT_card)
