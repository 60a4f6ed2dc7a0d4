"""What an artist does with the parts of a portrait; each tooltip says what happens to the picture.

A lock holds a part exactly. What a part looks like depends on its codes and, a little, on the
portrait's own seed, which shapes the head that all parts share. So while anything is locked, the
portrait keeps its seed and the unlocked parts get seeds of their own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import EnumProperty, IntProperty

from ..core.errors import PortraitError
from ..core.parts import FACE_PARTS, part_named
from . import animation, history, like_people, portraits, properties, snapshot
from .messages import cancels_on_error
from .model_wait import ModelOperator
from .operators import PART_ITEMS

NEW_SEED = -1
ASPECT_ITEMS = (
    ("BOTH", "Shape and Texture", "Its shape and its colours"),
    ("SHAPE", "Shape", "Its shape; the colours stay"),
    ("TEXTURE", "Texture", "Its colours; the shape stays"),
)


class EditOperator:
    """An operator that changes the active portrait."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait that this file may change."""
        return portraits.editable(cls, context)

    @contextmanager
    def step(self, portrait: bpy.types.Object) -> Iterator[None]:
        """Change a portrait inside this block: history keeps the looks before and after.

        Warns of what was changed but is animated, because the next frame undoes it.
        """
        with animation.warned(self, portrait), history.step(portrait.ssgan3d):
            yield


class WishingOperator(ModelOperator):
    """An operator that draws by chance: it needs the model where something is wished for."""

    def needs_model(self, context: bpy.types.Context) -> bool:
        """To find out who is like that."""
        return bool(like_people.wishes(portraits.active(context).ssgan3d))


class SSGAN3D_OT_randomise(WishingOperator, EditOperator, bpy.types.Operator):
    """Draw a new seed."""

    bl_idname = "ssgan3d.randomise"
    bl_label = "Randomise"
    bl_description = (
        "Another person, or another version of one part with the others as they are, which is "
        "there then if the person lacks it. Locked parts stay exactly as they are; as long as "
        "there are any, no other part, such as glasses, comes or goes"
    )

    part: EnumProperty(
        name="Part",
        description="What changes",
        items=(("ALL", "Whole Portrait", "Another person, parts and all"), *PART_ITEMS),
        default="ALL",
    )
    aspect: EnumProperty(
        name="Change",
        description="What changes about one part",
        items=ASPECT_ITEMS,
        default="BOTH",
    )
    random_seed: IntProperty(
        name="Seed",
        description="The new seed. -1 draws one",
        default=NEW_SEED,
        min=NEW_SEED,
        max=properties.MAX_SEED,
        options={"SKIP_SAVE"},
    )

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the seeds."""
        portrait = portraits.active(context)
        settings = portrait.ssgan3d
        properties.fill_parts(settings)
        with self.step(portrait):
            if self.part == "ALL":
                self.random_seed = draw_person(settings, self.random_seed)
            else:
                self.random_seed = draw_part(settings, self.part, self.random_seed, self.aspect)
        return {"FINISHED"}


class SSGAN3D_OT_surprise(WishingOperator, EditOperator, bpy.types.Operator):
    """Change some parts."""

    bl_idname = "ssgan3d.surprise"
    bl_label = "Surprise Me"
    bl_description = (
        "Change some of the parts, each to that of another person. Locked and hidden parts stay "
        "exactly as they are, and no part, such as glasses, comes or goes"
    )

    random_seed: IntProperty(
        name="Surprise",
        description="Which parts change, and to what. -1 draws it",
        default=NEW_SEED,
        min=NEW_SEED,
        max=properties.MAX_SEED,
        options={"SKIP_SAVE"},
    )

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the parts and set their seeds."""
        portrait = portraits.active(context)
        settings = portrait.ssgan3d
        properties.fill_parts(settings)
        free = [part for part in unlocked(settings) if part.visibility != "HIDE"]
        if not free:
            raise PortraitError("All parts are locked or hidden: open a lock first.")
        if self.random_seed < 0:
            self.random_seed = random.randrange(properties.DRAWN_SEEDS)
        dice = random.Random(self.random_seed)
        chosen = dice.sample(free, dice.randint(1, max(1, len(free) // 2)))
        seen = [part for part in free if not part_named(part.name).optional]
        if seen and not any(part in seen for part in chosen):
            chosen.append(dice.choice(seen))  # parts that the portrait may lack show no surprise
        look, seeds = snapshot.take(settings), {}
        for part in chosen:
            wished = like_people.wishes_of(settings, part.name)
            seeds[part.name] = (
                like_people.draw(look, wished, dice)
                if wished
                else dice.randrange(properties.DRAWN_SEEDS)
            )
        with self.step(portrait):
            for part in chosen:
                give_seed(part, seeds[part.name])
        self.report(
            {"INFO"},
            rpt_("New: {0}").format(", ".join(properties.part_label(part.name) for part in chosen)),
        )
        return {"FINISHED"}


class SSGAN3D_OT_reset_part(EditOperator, bpy.types.Operator):
    """Give a part back to the portrait's own seed."""

    bl_idname = "ssgan3d.reset_part"
    bl_label = "Reset Part"
    bl_description = (
        "Give this part back the look that it has in this portrait by itself, even if it is locked"
    )

    part: EnumProperty(name="Part", items=PART_ITEMS)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the part's look to the defaults."""
        portrait = portraits.active(context)
        settings = portrait.ssgan3d
        properties.fill_parts(settings)
        with self.step(portrait):
            snapshot.put_part(settings.parts[self.part], {})
        return {"FINISHED"}


class SSGAN3D_OT_toggle_part(EditOperator, bpy.types.Operator):
    """Show or hide one part."""

    bl_idname = "ssgan3d.toggle_part"
    bl_label = "Show or Hide Part"
    bl_description = (
        "Hide this part or show it again. Parts that not everybody has, such as glasses, go from "
        "as the seed has it (dot) to always there to hidden"
    )

    part: EnumProperty(name="Part", items=PART_ITEMS)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Go to the next state."""
        portrait = portraits.active(context)
        settings = portrait.ssgan3d
        properties.fill_parts(settings)
        optional = part_named(self.part).optional
        following = {"AUTO": "SHOW" if optional else "HIDE", "SHOW": "HIDE", "HIDE": "AUTO"}
        part = settings.parts[self.part]
        with self.step(portrait):
            part.visibility = following[part.visibility]
        return {"FINISHED"}


class SSGAN3D_OT_solo_part(EditOperator, bpy.types.Operator):
    """Show one part alone."""

    bl_idname = "ssgan3d.solo_part"
    bl_label = "Solo"
    bl_description = (
        "Show this part alone, or all parts again. Which parts are hidden is remembered. Renders "
        "and meshes follow"
    )

    part: EnumProperty(name="Part", items=PART_ITEMS)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it on for this part, or off."""
        settings = portraits.active(context).ssgan3d
        settings.solo = "" if settings.solo == self.part else self.part
        return {"FINISHED"}


def unlocked(settings: properties.SSGAN3D_PG_portrait) -> list[properties.SSGAN3D_PG_part]:
    """The parts that may change by chance.

    Raises:
        PortraitError: there are none.
    """
    free = [part for part in settings.parts if not part.lock]
    if not free:
        raise PortraitError("All parts are locked: open a lock first.")
    return free


def check_unlocked(part: properties.SSGAN3D_PG_part) -> None:
    """Raise PortraitError if a part is locked."""
    if part.lock:
        raise PortraitError("{0} is locked: open its lock first.", properties.part_label(part.name))


def give_seed(part: properties.SSGAN3D_PG_part, seed: int) -> None:
    """Give a part shape and texture of one seed, and no mix; visibility and lock stay."""
    visible = snapshot.take_part(part).get("visible")
    snapshot.put_part(part, {"visible": visible, "shape_seed": seed, "texture_seed": seed})


def draw_part(
    settings: properties.SSGAN3D_PG_portrait,
    name: str,
    seed: int = NEW_SEED,
    aspect: str = "BOTH",
) -> int:
    """Draw one part anew, and show it; returns its seed.

    Args:
        seed: its seed; -1 draws one.
        aspect: "SHAPE", "TEXTURE" or "BOTH".

    Raises:
        PortraitError: it is locked, or nobody is as is wished; nothing was changed.
    """
    part = settings.parts[name]
    check_unlocked(part)
    if seed < 0:
        wished = like_people.wishes_of(settings, name)
        seed = like_people.draw(snapshot.take(settings), wished)
    if aspect in {"BOTH", "SHAPE"}:
        part.shape_seed = seed
    if aspect in {"BOTH", "TEXTURE"}:
        part.texture_seed = seed
    _put_on(part)
    return seed


def draw_person(settings: properties.SSGAN3D_PG_portrait, seed: int = NEW_SEED) -> int:
    """Draw another person into the parts that are not locked; returns its seed.

    What is wished for of hair, clothes and what is worn is drawn by itself, and put on.

    Args:
        seed: the person's; -1 draws one.

    Raises:
        PortraitError: all parts are locked, or nobody is as is wished; nothing was changed.
    """
    free = unlocked(settings)
    if seed < 0:
        seed = like_people.draw_face(settings)
    drawn, look = {}, {"seed": seed, "truncation": settings.truncation}
    for part in free:
        wished = like_people.wishes_of(settings, part.name)
        if wished and part.name not in FACE_PARTS:
            dice = random.Random(f"{seed} {part.name}")
            drawn[part.name] = like_people.draw(look, wished, dice)
    whole = len(free) == len(settings.parts)
    if whole:
        settings.seed = seed
    for part in free:
        give_seed(part, drawn.get(part.name, properties.OWN_SEED if whole else seed))
        if part.name in drawn:
            _put_on(part)
    return seed


def _put_on(part: properties.SSGAN3D_PG_part) -> None:
    """Show a part that not everybody has: who asks for other glasses wants to see them."""
    if part.visibility == "AUTO" and part_named(part.name).optional:
        part.visibility = "SHOW"


CLASSES = (
    SSGAN3D_OT_randomise,
    SSGAN3D_OT_surprise,
    SSGAN3D_OT_reset_part,
    SSGAN3D_OT_toggle_part,
    SSGAN3D_OT_solo_part,
)
