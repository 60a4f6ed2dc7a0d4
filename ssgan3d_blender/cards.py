"""What a portrait card stores in the .blend file, and finding cards.

A card is a plane with a portrait's picture, which stands in a Cycles or EEVEE scene.
``Object.ssgan3d_card`` holds its settings; ``card_plane`` knows what it is made of.
"""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

CARD_KEY = "ssgan3d_card"  # marks images that belong to a card


def _redraw(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Tell Blender that the card changed, so that a live one is refreshed."""
    self.id_data.update_tag()


class SSGAN3D_PG_card_mask(bpy.types.PropertyGroup):
    """The soft mask of one part. ``name`` is the part's name in ``core.parts``."""

    image: PointerProperty(type=bpy.types.Image, name="Image")


class SSGAN3D_PG_card(bpy.types.PropertyGroup):
    """One card."""

    is_card: BoolProperty(
        name="Portrait Card", description="This plane shows a portrait", options=set()
    )
    portrait: PointerProperty(
        type=bpy.types.Object,
        name="Portrait",
        description="Whose picture the card shows",
        poll=lambda _self, candidate: candidate.ssgan3d.is_portrait,
        update=_redraw,
    )
    resolution: IntProperty(
        name="Resolution",
        description="Side of the card's picture in pixels",
        default=512,
        min=16,
        max=4096,
        soft_max=2048,
        options=set(),
        update=_redraw,
    )
    use_masks: BoolProperty(
        name="Part Masks",
        description="Keep one image more for each part, white where the part is seen, as texture "
        "nodes in the card's material. Switching it off removes them",
        options=set(),
        update=_redraw,
    )
    live: BoolProperty(
        name="Live",
        description="Turn to the scene's camera and draw the picture anew whenever the camera, the "
        "portrait or the frame changes. Off: the card stays as it is until you update it",
        default=True,
        options=set(),
        update=_redraw,
    )
    image: PointerProperty(type=bpy.types.Image, name="Image", description="The card's picture")
    masks: CollectionProperty(type=SSGAN3D_PG_card_mask, name="Masks")
    shown: StringProperty(
        name="Shown", description="Stands for what the picture shows", options={"HIDDEN"}
    )


def are_there() -> bool:
    """Whether the file holds any card at all."""
    return any(CARD_KEY in image for image in bpy.data.images)


def in_scene(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """All cards of a scene. Costs next to nothing in files without cards."""
    if not are_there():
        return []
    return [candidate for candidate in scene.objects if candidate.ssgan3d_card.is_card]


def card_of(scene: bpy.types.Scene, portrait: bpy.types.Object) -> bpy.types.Object | None:
    """The card that shows a portrait in a scene."""
    found = (card for card in in_scene(scene) if card.ssgan3d_card.portrait == portrait)
    return next(found, None)


def attach() -> None:
    """Hang the settings on objects."""
    bpy.types.Object.ssgan3d_card = PointerProperty(type=SSGAN3D_PG_card, name="Portrait Card")


def detach() -> None:
    """Undo :func:`attach`."""
    del bpy.types.Object.ssgan3d_card


CLASSES = (SSGAN3D_PG_card_mask, SSGAN3D_PG_card)
