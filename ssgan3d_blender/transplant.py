"""Parts from one portrait to another: copy and paste, and taking from a portrait that is picked.

What goes over are seeds and weights, so a part looks on its new head as the model makes it there.
Two things cannot go along: the other portrait's variety, which is one number for the whole person,
and its head.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.props import EnumProperty, PointerProperty

from ..core.errors import PortraitError
from ..core.parts import PART_NAMES, part_index, part_named
from . import portraits, preferences, properties, runtime, snapshot
from .messages import cancels_on_error
from .model_wait import ModelOperator
from .panel import PortraitPanel
from .part_operators import ASPECT_ITEMS, EditOperator

SAME_VARIETY = 0.005


class Copied(NamedTuple):
    """A part with nothing left to the portrait's own seed, and where it comes from."""

    part: str
    values: dict[str, Any]
    portrait: str
    variety: float

    @property
    def label(self) -> str:
        """The part's name for a person."""
        return properties.part_label(self.part)


_copied: Copied | None = None


def copied_from(portrait: bpy.types.Object, name: str) -> Copied:
    """A part of a portrait, with the seeds that its own stand for.

    Raises:
        PortraitError: only the model can tell whether the part is there, and it cannot be loaded.
    """
    settings = portrait.ssgan3d
    values = dict(snapshot.take(settings)["parts"].get(name, {}))
    for seed in ("shape_seed", "texture_seed"):
        values.setdefault(seed, settings.seed)
    if "mix_seed" not in values:
        for mix in snapshot.MIXES:
            values.pop(mix, None)
    if seed_decides(portrait, name):
        engine = runtime.engine(preferences.model_choice())
        there = engine.sample(settings.seed, settings.truncation).visible
        values["visible"] = bool(there[part_index(name)])
    return Copied(name, values, portrait.name, settings.truncation)


def seed_decides(portrait: bpy.types.Object, name: str) -> bool:
    """Whether the seed decides if a part is there, so that only the model can tell."""
    values = snapshot.take(portrait.ssgan3d)["parts"].get(name, {})
    return part_named(name).optional and "visible" not in values


def put_into(portrait: bpy.types.Object, source: Copied, aspect: str) -> None:
    """Give a portrait a copied part: "SHAPE" (and whether it is there), "TEXTURE" or "BOTH".

    Raises:
        PortraitError: the part cannot be expressed, because its shape and its texture would have to
            be mixed with two portraits.
    """
    settings = portrait.ssgan3d
    properties.fill_parts(settings)
    part = settings.parts[source.part]
    values = snapshot.take_part(part)
    taken = {"SHAPE": ["shape"], "TEXTURE": ["texture"], "BOTH": ["shape", "texture"]}[aspect]
    for kind in taken:
        for name in (f"{kind}_seed", f"{kind}_mix"):
            values.pop(name, None)
            if name in source.values:
                values[name] = source.values[name]
    if "shape" in taken:
        values.pop("visible", None)
        if "visible" in source.values:
            values["visible"] = source.values["visible"]
    mixed_in = {
        side["mix_seed"]
        for side, kinds in ((source.values, taken), (values, {"shape", "texture"} - set(taken)))
        if "mix_seed" in side and any(f"{kind}_mix" in side for kind in kinds)
    }
    if len(mixed_in) > 1:
        raise PortraitError(
            "Shape and texture of {0} would be mixed with two portraits, {1}: take "
            "both, or set the mix of one to 0.",
            source.label.lower(),
            ", ".join(map(str, sorted(mixed_in))),
        )
    if mixed_in:
        values["mix_seed"] = mixed_in.pop()
    snapshot.put_part(part, values)


def report(operator: bpy.types.Operator, portrait: bpy.types.Object, source: Copied) -> None:
    """Say what came over, and what could not."""
    said = rpt_("{0} of {1}").format(source.label, source.portrait)
    own = portrait.ssgan3d.truncation
    if abs(own - source.variety) > SAME_VARIETY:
        drawn = rpt_("{0}, drawn with this portrait's variety of {1:.2f} and not {2:.2f}")
        said = drawn.format(said, own, source.variety)
    operator.report({"INFO"}, said)


class SSGAN3D_OT_copy_part(ModelOperator, bpy.types.Operator):
    """Remember a part."""

    bl_idname = "ssgan3d.copy_part"
    bl_label = "Copy Part"
    bl_description = "Remember how the chosen part looks, to paste it into another portrait"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait with a chosen part."""
        return portraits.needed(cls, context)

    def needs_model(self, context: bpy.types.Context) -> bool:
        """For parts that the portrait may lack."""
        portrait = portraits.active(context)
        return seed_decides(portrait, chosen_part(portrait))

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remember it."""
        global _copied
        portrait = portraits.active(context)
        _copied = copied_from(portrait, chosen_part(portrait))
        self.report(
            {"INFO"}, rpt_("{0} of {1} can be pasted").format(_copied.label, _copied.portrait)
        )
        return {"FINISHED"}


class SSGAN3D_OT_paste_part(EditOperator, bpy.types.Operator):
    """Put the remembered part in."""

    bl_idname = "ssgan3d.paste_part"
    bl_label = "Paste Part"

    @classmethod
    def description(cls, _context: bpy.types.Context, _properties: Any) -> str:
        """What happens to the picture, with the part's name."""
        if _copied is None:
            return tip_("Give this portrait the part that was copied, even if its own is locked")
        return tip_("Give this portrait this part of {0}, even if its own is locked: {1}").format(
            _copied.portrait, _copied.label
        )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Something must have been copied."""
        if _copied is None:
            cls.poll_message_set("Copy a part first")
            return False
        return portraits.editable(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it in."""
        assert _copied is not None  # poll has seen to it
        portrait = portraits.active(context)
        with self.step(portrait):
            put_into(portrait, _copied, "BOTH")
        report(self, portrait, _copied)
        return {"FINISHED"}


class SSGAN3D_OT_take_part(ModelOperator, EditOperator, bpy.types.Operator):
    """Take a part from the portrait that was picked."""

    bl_idname = "ssgan3d.take_part"
    bl_label = "Take Part"
    bl_description = (
        "Give the chosen part the look that it has in the portrait above, whose seeds it takes. "
        "Variety stays this portrait's. A locked part is replaced as well"
    )

    aspect: EnumProperty(name="Take", description="What to take", items=ASPECT_ITEMS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A portrait must have been picked."""
        source = context.scene.ssgan3d_source
        if source is None or not is_source(context.scene, source):
            cls.poll_message_set("Pick another portrait of this scene first")
            return False
        return portraits.editable(cls, context)

    def needs_model(self, context: bpy.types.Context) -> bool:
        """For parts that the other portrait may lack."""
        part = chosen_part(portraits.active(context))
        return seed_decides(context.scene.ssgan3d_source, part)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take it."""
        portrait = portraits.active(context)
        source = copied_from(context.scene.ssgan3d_source, chosen_part(portrait))
        with self.step(portrait):
            put_into(portrait, source, self.aspect)
        report(self, portrait, source)
        return {"FINISHED"}


def chosen_part(portrait: bpy.types.Object) -> str:
    """Name of the part whose settings the panel shows.

    Raises:
        PortraitError: it is none of this version's.
    """
    settings = portrait.ssgan3d
    if not len(settings.parts):  # made by a script
        return PART_NAMES[min(settings.active_part, len(PART_NAMES) - 1)]
    name = settings.parts[min(settings.active_part, len(settings.parts) - 1)].name
    if name not in PART_NAMES:
        raise PortraitError("The part {0!r} is not known to this version: choose another.", name)
    return name


def is_source(scene: bpy.types.Scene, candidate: bpy.types.Object) -> bool:
    """Whether parts can be taken from an object: a portrait of the scene, but not the active."""
    if not candidate.ssgan3d.is_portrait:  # first: Blender asks for every object, at every letter
        return False
    return candidate != portraits.active(bpy.context) and candidate in portraits.in_scene(scene)


class SSGAN3D_PT_take(PortraitPanel, bpy.types.Panel):
    """Where the chosen part can be taken from."""

    bl_label = "From Another Portrait"
    bl_parent_id = "SSGAN3D_PT_parts"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Which portrait, and what to take."""
        layout = self.layout
        row = layout.row()
        row.use_property_split = True
        row.use_property_decorate = False
        row.prop(context.scene, "ssgan3d_source")
        row = layout.row(align=True)
        for aspect, text in (("BOTH", "Take Part"), ("SHAPE", "Shape"), ("TEXTURE", "Texture")):
            row.operator("ssgan3d.take_part", text=text).aspect = aspect


def attach() -> None:
    """Let a scene remember the portrait that parts are taken from."""
    bpy.types.Scene.ssgan3d_source = PointerProperty(
        type=bpy.types.Object,
        name="From",
        description="The portrait that parts are taken from. Click the dropper, then a portrait",
        poll=is_source,
    )


def detach() -> None:
    """Undo :func:`attach`, and forget what was copied."""
    global _copied
    _copied = None
    del bpy.types.Scene.ssgan3d_source


CLASSES = (SSGAN3D_OT_copy_part, SSGAN3D_OT_paste_part, SSGAN3D_OT_take_part, SSGAN3D_PT_take)
