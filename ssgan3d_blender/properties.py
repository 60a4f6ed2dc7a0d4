"""What a portrait stores in the .blend file: one property group on the object, seeds, no pixels.

``Object.ssgan3d`` holds the portrait's seed and one entry a part. A seed of -1 in a part stands for
"the portrait's own", so a new portrait is one number, and only what an artist changed is stored.
Part entries are found by name: a file made with another part list keeps what still fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..core.attributes import ATTRIBUTES, Attribute
from ..core.config import DEFAULT_TRUNCATION
from ..core.errors import PortraitError
from ..core.parts import PARTS
from . import snapshot

OWN_SEED = -1
ANYTHING = "any"
"""Value of a wish for nothing."""
MAX_SEED = 2**31 - 1
DRAWN_SEEDS = 1_000_000  # chance draws from this many: numbers that a person can note down
OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


def _redraw(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Tell Blender that the picture changed; add-on properties do not do so by themselves."""
    self.id_data.update_tag()


def variety(**options: Any) -> Any:
    """The truncation of portraits as artists know it, wherever it is asked for."""
    return FloatProperty(
        name="Variety",
        description="0 is the average face, 1 the full range of faces, odd ones among them",
        default=DEFAULT_TRUNCATION,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        **options,
    )


class SSGAN3D_PG_part(bpy.types.PropertyGroup):
    """One part of one portrait. ``name`` is the part's name in ``core.parts``."""

    visibility: EnumProperty(
        name="Visibility",
        description="Whether this part is in the picture",
        items=(
            ("AUTO", "As the Portrait", "There if the portrait's seed has it", "DOT", 0),
            ("SHOW", "Show", "Always there, even if the portrait's seed lacks it", "HIDE_OFF", 1),
            ("HIDE", "Hide", "Left out; what is behind it shows", "HIDE_ON", 2),
        ),
        default="AUTO",
        update=_redraw,
        override=OVERRIDABLE,
    )
    shape_seed: IntProperty(
        name="Shape Seed",
        description="Gives this part the shape it has in the portrait of that seed. "
        "-1: this portrait's own",
        default=OWN_SEED,
        min=OWN_SEED,
        max=MAX_SEED,
        update=_redraw,
        override=OVERRIDABLE,
    )
    texture_seed: IntProperty(
        name="Texture Seed",
        description="Gives this part the colour and texture it has in the portrait of that seed. "
        "-1: this portrait's own",
        default=OWN_SEED,
        min=OWN_SEED,
        max=MAX_SEED,
        update=_redraw,
        override=OVERRIDABLE,
    )
    mix_seed: IntProperty(
        name="Mix Seed",
        description="The portrait that the two mix sliders blend this part towards. -1: none",
        default=OWN_SEED,
        min=OWN_SEED,
        max=MAX_SEED,
        update=_redraw,
        override=OVERRIDABLE,
    )
    shape_mix: FloatProperty(
        name="Shape Mix",
        description="How far the shape of this part moves towards the mix seed's",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_redraw,
        override=OVERRIDABLE,
    )
    texture_mix: FloatProperty(
        name="Texture Mix",
        description="How far colour and texture of this part move towards the mix seed's",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_redraw,
        override=OVERRIDABLE,
    )
    lock: BoolProperty(
        name="Lock",
        description="Keep this part exactly as it is when the portrait is randomised. A lock holds "
        "against chance, not against what you set, take, paste or reset yourself",
        default=False,
        options=set(),
        override=OVERRIDABLE,
    )


def _wish(attribute: Attribute) -> Any:
    return EnumProperty(
        name=attribute.label,
        description="What chance keeps to when it draws",
        items=((ANYTHING, "Any", ""), *((value, label, "") for value, label in attribute.values)),
        default=ANYTHING,
        options=set(),
        override=OVERRIDABLE,
    )


class SSGAN3D_PG_wishes(bpy.types.PropertyGroup):
    """What the parts of a portrait should be like where chance draws them, by attribute."""

    __annotations__ = {attribute.name: _wish(attribute) for attribute in ATTRIBUTES}  # noqa: RUF012


def _get_recipe(self: SSGAN3D_PG_portrait) -> str:
    return snapshot.as_text(self)


_refusals: list[PortraitError] | None = None
"""Why recipes were refused, while somebody heeds it."""


def _set_recipe(self: SSGAN3D_PG_portrait, text: str) -> None:
    try:
        snapshot.put_text(self, text)
    except PortraitError as error:
        if _refusals is None:
            raise  # Blender only prints it
        _refusals.append(error)


@contextmanager
def refused_recipes_raise() -> Iterator[None]:
    """A block that raises at its end why a ``recipe`` that was written in it was refused.

    Raises:
        PortraitError: the first that was.
    """
    global _refusals
    refusals: list[PortraitError] = []
    _refusals = refusals
    try:
        yield
    finally:
        _refusals = None
    if refusals:
        raise refusals[0]


class SSGAN3D_PG_portrait(bpy.types.PropertyGroup):
    """One portrait."""

    is_portrait: BoolProperty(
        name="Portrait",
        description="This object stands for a generated portrait",
        default=False,
        options=set(),
        update=_redraw,
        override=OVERRIDABLE,
    )
    seed: IntProperty(
        name="Seed",
        description="Which person this is: every number is another one",
        default=0,
        min=0,
        max=MAX_SEED,
        update=_redraw,
        override=OVERRIDABLE,
    )
    truncation: variety(update=_redraw, override=OVERRIDABLE)
    parts: CollectionProperty(
        type=SSGAN3D_PG_part, name="Parts", override=OVERRIDABLE | {"USE_INSERTION"}
    )
    wishes: PointerProperty(type=SSGAN3D_PG_wishes, name="Wishes", override=OVERRIDABLE)
    active_part: IntProperty(
        name="Active Part", description="The part whose settings are shown", options=set(), min=0
    )
    solo: StringProperty(
        name="Solo",
        description="The only part in the picture. Empty: all of them",
        options=set(),
        update=_redraw,
        override=OVERRIDABLE,
    )
    history: StringProperty(
        name="History",
        description="The looks that this portrait has had, for back and forward",
        options={"HIDDEN"},
        override=OVERRIDABLE,
    )
    identity: StringProperty(
        name="Identity",
        description="Tells whose images and materials are whose, whatever portraits are called. "
        "Empty until there are some",
        options={"HIDDEN"},
        override=OVERRIDABLE,
    )
    recipe: StringProperty(
        name="Recipe",
        description="The whole look of this portrait as one line of text. "
        "Writing it gives the portrait that look; presets do so",
        options={"HIDDEN", "SKIP_SAVE"},
        get=_get_recipe,
        set=_set_recipe,
    )


class SSGAN3D_PG_view_layer(bpy.types.PropertyGroup):
    """Which passes the render engine writes."""

    use_pass_part_index: BoolProperty(
        name="Part Index",
        description="Write which part is seen at each pixel, as a whole number (background 0)",
    )
    use_pass_part_masks: BoolProperty(
        name="Part Masks",
        description="Write one soft mask for each part, between 0 and 1; together they sum to 1",
    )


def part_label(name: str) -> str:
    """What a person calls a part, in the interface's language; of another version's, its name."""
    return next((iface_(part.label) for part in PARTS if part.name == name), name)


def fill_parts(settings: SSGAN3D_PG_portrait) -> None:
    """Give ``settings`` an entry for every part of this version, in order, keeping those it has."""
    for index, part in enumerate(PARTS):
        found = settings.parts.find(part.name)
        if found < 0:
            settings.parts.add().name = part.name
            found = len(settings.parts) - 1
        if found != index:  # Blender 5.3 lets nobody move what an override has from its library
            settings.parts.move(found, index)


CLASSES = (SSGAN3D_PG_part, SSGAN3D_PG_wishes, SSGAN3D_PG_portrait, SSGAN3D_PG_view_layer)


def attach() -> None:
    """Hang the groups on Blender's types."""
    bpy.types.Object.ssgan3d = PointerProperty(
        type=SSGAN3D_PG_portrait, name="Portrait", override=OVERRIDABLE
    )
    bpy.types.ViewLayer.ssgan3d = PointerProperty(type=SSGAN3D_PG_view_layer, name="Portrait")


def detach() -> None:
    """Undo :func:`attach`."""
    del bpy.types.ViewLayer.ssgan3d
    del bpy.types.Object.ssgan3d
