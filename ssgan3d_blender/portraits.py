"""Portrait objects: making them, finding them, and reading what they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bpy

from ..core.errors import PortraitError
from ..core.parts import PART_NAMES
from . import bust, properties

if TYPE_CHECKING:
    from ..core.recipe import PortraitRecipe


def create(context: bpy.types.Context, name: str = "Portrait") -> bpy.types.Object:
    """A new portrait at the 3D cursor, linked to the active collection, selected and active."""
    portrait = bpy.data.objects.new(name, bust.guide_mesh(name))
    portrait.ssgan3d.is_portrait = True
    properties.fill_parts(portrait.ssgan3d)
    portrait.location = context.scene.cursor.location
    context.collection.objects.link(portrait)
    for other in context.selected_objects:
        other.select_set(False)
    portrait.select_set(True)
    context.view_layer.objects.active = portrait
    return portrait


def active(context: bpy.types.Context) -> bpy.types.Object | None:
    """The portrait that the user is working on: the active object or the portrait it hangs on."""
    layer = context.view_layer
    candidate = layer.objects.active
    while candidate is not None and not candidate.ssgan3d.is_portrait:
        candidate = candidate.parent
    if candidate is None or _is_in(layer, candidate) or not is_gone(candidate):
        return candidate
    return None


def _is_in(layer: bpy.types.ViewLayer, candidate: bpy.types.Object) -> bool:
    """Whether an object is certainly in a view layer; costs nothing, unlike :func:`is_gone`."""
    return candidate.visible_get(view_layer=layer) or candidate.hide_get(view_layer=layer)


def is_gone(portrait: bpy.types.Object | None) -> bool:
    """Whether a portrait was deleted; takes milliseconds in a scene of thousands of objects.

    Blender's Delete only takes it out of its collections while a card's pointer or a scene's "From"
    holds it: it is in the file until they let go, and undo puts it back.
    """
    # Not users_scene: a portrait that stands in instanced collections only has none.
    return portrait is None or not portrait.users_collection


def chosen(context: bpy.types.Context) -> bpy.types.Object:
    """:func:`active`, for work that a file browser begins: Blender does not ask ``poll`` again.

    Raises:
        PortraitError: something else was selected in the meantime.
    """
    portrait = active(context)
    if portrait is None:
        raise PortraitError("No portrait is selected any more: select one and export again.")
    return portrait


def in_scene(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """All portraits of a scene."""
    return [candidate for candidate in scene.objects if candidate.ssgan3d.is_portrait]


def suggested_file(context: bpy.types.Context, suffix: str) -> str:
    """Where an export of the active portrait may go: beside the .blend file, or at home."""
    folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
    return str(folder / f"{bpy.path.clean_name(active(context).name)}{suffix}")


class Handle(NamedTuple):
    """Finds a portrait again later, by its identity, which renaming leaves alone."""

    session_uid: int

    @classmethod
    def of(cls, portrait: bpy.types.Object) -> Handle:
        """The handle of an original object."""
        return cls(portrait.session_uid)

    def get(self) -> bpy.types.Object:
        """The object.

        Raises:
            PortraitError: it was deleted in the meantime.
        """
        for candidate in bpy.data.objects:
            if candidate.session_uid == self.session_uid and not is_gone(candidate):
                return candidate
        raise PortraitError("The portrait was deleted in the meantime: nothing was changed.")


def recipe(portrait: bpy.types.Object) -> PortraitRecipe:
    """The seeds and weights of a portrait (original or evaluated) as core's recipe.

    A part that is on solo is the only one that is visible.

    Raises:
        PortraitError: a value is not a number.
    """
    from ..core.recipe import PartRecipe, PortraitRecipe

    settings = portrait.ssgan3d
    parts = {}
    for part in settings.parts:
        if part.name not in PART_NAMES:
            continue  # from a version with another part list
        parts[part.name] = PartRecipe(
            visible={"SHOW": True, "HIDE": False}.get(part.visibility),
            shape_seed=_seed(part.shape_seed),
            texture_seed=_seed(part.texture_seed),
            mix_seed=_seed(part.mix_seed),
            shape_mix=_finite(part.shape_mix, portrait, f"Shape Mix of {part.name}"),
            texture_mix=_finite(part.texture_mix, portrait, f"Texture Mix of {part.name}"),
        )
    if settings.solo in PART_NAMES:
        for name in PART_NAMES:
            parts.setdefault(name, PartRecipe()).visible = name == settings.solo
    return PortraitRecipe(
        seed=settings.seed,
        truncation=_finite(settings.truncation, portrait, "Variety"),
        parts=parts,
    )


def _seed(value: int) -> int | None:
    return None if value == properties.OWN_SEED else value


def _finite(value: float, portrait: bpy.types.Object, label: str) -> float:
    if not math.isfinite(value):
        raise PortraitError(
            "{0} of {1!r} is {2}, which is not a number: set it to a value between 0 "
            "and 1, or mend the driver that sets it.",
            label,
            portrait.name,
            value,
        )
    return value


def subject(context: bpy.types.Context) -> bpy.types.Object | None:
    """The portrait that cameras are for: the active one; while a camera is being moved, any one."""
    portrait = active(context)
    if portrait is None and context.view_layer.objects.active == context.scene.camera is not None:
        portrait = next(iter(in_scene(context.scene)), None)
    return portrait


def needed(
    operator: type[bpy.types.Operator],
    context: bpy.types.Context,
    find: Callable[[bpy.types.Context], bpy.types.Object | None] = active,
) -> bool:
    """For an operator's ``poll``: whether ``find`` has a portrait; if not, Blender shows why."""
    if find(context) is not None:
        return True
    operator.poll_message_set("Select a portrait first (Add > Portrait makes one)")
    return False


def in_object_mode(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For an operator's ``poll``: whether objects can be added; if not, Blender shows why."""
    if context.mode == "OBJECT":
        return True
    operator.poll_message_set("Leave edit mode first")
    return False


def addable(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For an operator's ``poll``: whether a portrait can be added to the active collection."""
    if context.collection is None or not context.collection.is_editable:
        operator.poll_message_set("The active collection is linked from another file")
        return False
    return in_object_mode(operator, context)


def editable(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For an operator's ``poll``: whether a portrait is active that this file may change."""
    if not needed(operator, context):
        return False
    if active(context).is_editable:
        return True
    operator.poll_message_set("This portrait is linked from another file: make an override first")
    return False
