"""What a portrait's parts should be like: chance draws from the people who are.

A wish is an attribute's value (``core.attributes``). It stays on the portrait, like a lock, and
whatever draws by chance heeds it: *Randomise*, the dice of a part, *Surprise Me*, suggestions.
Choosing one draws at once. What an artist sets by number, takes or pastes is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import EnumProperty, StringProperty

from ..core.attributes import ATTRIBUTES, BY_NAME, Attribute, check
from ..core.errors import PortraitError
from . import portraits, properties
from .messages import cancels_on_error
from .model_wait import ModelOperator
from .part_operators import EditOperator, check_unlocked, draw_part, draw_person

if TYPE_CHECKING:
    from .properties import SSGAN3D_PG_portrait

ANYTHING = properties.ANYTHING


class SSGAN3D_OT_wish(ModelOperator, EditOperator, bpy.types.Operator):
    """Wish for something, and draw it."""

    bl_idname = "ssgan3d.wish"
    bl_label = "Wish"
    bl_description = (
        "Draw this part, or for what is the whole person's another person, from those who are like "
        "this. Chance keeps to it until it is set to Any"
    )

    attribute: EnumProperty(
        name="Attribute",
        description="What is wished for",
        items=tuple((one.name, one.label, "") for one in ATTRIBUTES),
    )
    value: StringProperty(
        name="Value",
        description="What it should be, as in the list of attributes. Empty: anything",
    )

    def needs_model(self, _context: bpy.types.Context) -> bool:
        """Only to draw: a wish is taken back without."""
        return bool(self.value)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Keep the wish if somebody is like that; draw the part, or the person."""
        portrait = portraits.active(context)
        settings = portrait.ssgan3d
        attribute = BY_NAME[self.attribute]
        if self.value:
            check({self.attribute: self.value})
        before = getattr(settings.wishes, self.attribute)
        setattr(settings.wishes, self.attribute, self.value or ANYTHING)
        if not self.value:
            return {"FINISHED"}
        properties.fill_parts(settings)
        try:
            check_unlocked(settings.parts[attribute.part])
            with self.step(portrait):
                if attribute.is_personal:
                    draw_person(settings)
                else:
                    draw_part(settings, attribute.part)
        except PortraitError:
            setattr(settings.wishes, self.attribute, before)
            raise
        return {"FINISHED"}


def draw_menus(
    layout: bpy.types.UILayout, settings: SSGAN3D_PG_portrait, attributes: tuple[Attribute, ...]
) -> None:
    """A menu for each of some attributes, with what is wished for on it."""
    for attribute in attributes:
        split = layout.split(factor=0.4)
        name = split.row()
        name.alignment = "RIGHT"
        name.label(text=attribute.label)
        value = getattr(settings.wishes, attribute.name)
        text = iface_("Any") if value == ANYTHING else iface_(attribute.label_of(value))
        split.menu(menu_of(attribute), text=text, translate=False)


def menu_of(attribute: Attribute) -> str:
    """Name of the menu of an attribute's values."""
    return f"SSGAN3D_MT_wish_{attribute.name}"


def _menu(attribute: Attribute) -> type[bpy.types.Menu]:
    def draw(self: bpy.types.Menu, context: bpy.types.Context) -> None:
        portrait = portraits.active(context)
        if portrait is None:
            return
        present = getattr(portrait.ssgan3d.wishes, attribute.name)
        for value, label in (("", "Any"), *attribute.values):
            icon = "RADIOBUT_ON" if present == (value or ANYTHING) else "RADIOBUT_OFF"
            button = self.layout.operator("ssgan3d.wish", text=label, icon=icon)
            button.attribute, button.value = attribute.name, value

    fields = {"bl_label": attribute.label, "draw": draw, "__doc__": f"What {attribute.label} is."}
    return type(menu_of(attribute), (bpy.types.Menu,), fields)


CLASSES = (SSGAN3D_OT_wish, *(_menu(attribute) for attribute in ATTRIBUTES))
