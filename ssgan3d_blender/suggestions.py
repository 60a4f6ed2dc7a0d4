"""Suggestions: eight pictures of the active portrait with the chosen part changed, to click.

They come from people whose heads and skins are like the portrait's. The pictures are made off the
main thread, one at a time, so that the views get the model in between. They are kept for one part
of one portrait, until others are asked for or a file is opened.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
import bpy.utils.previews
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import IntProperty

from ..core.parts import part_named
from . import jobs, like_people, portraits, preferences, properties, runtime, snapshot, transplant
from .messages import cancels_on_error
from .panel import PortraitPanel
from .part_operators import EditOperator

if TYPE_CHECKING:
    from torch import Tensor

COUNT = 8
CANDIDATES = 64  # people among whom those are looked for who are like the portrait
COLUMNS = 4
SIDE = 128  # pixels of a thumbnail
MARGIN, BUTTON = 68, 20  # of the sidebar around the pictures, and a button's height, in pixels
HALF = 0.72  # of the trained frame: what a thumbnail shows, the head and not the room
RAISE = 0.05  # and how far above the frame's centre it looks
WHOLE = ("background", "clothes", "neck")  # parts that the head alone would not show


class Strip(NamedTuple):
    """The suggestions for one part of one portrait, and the look that they were made for."""

    portrait: portraits.Handle
    part: str
    seeds: tuple[int, ...]
    rest: dict[str, Any]


_strip: Strip | None = None
_job: jobs.Job | None = None
_icons: bpy.utils.previews.ImagePreviewCollection | None = None


def rest_of(look: dict[str, Any], name: str) -> dict[str, Any]:
    """A look without one part: what the suggestions for that part depend on."""
    parts = {part: values for part, values in look["parts"].items() if part != name}
    return {**look, "parts": parts}


def suggested(name: str, seed: int) -> dict[str, Any]:
    """The part's values when a suggestion is taken; a part that may lack is there then."""
    shown = {"visible": True} if part_named(name).optional else {}
    return {**shown, "shape_seed": seed, "texture_seed": seed}


def for_part(portrait: bpy.types.Object, name: str) -> Strip | None:
    """The strip if it is for this part of this portrait."""
    wanted = (portraits.Handle.of(portrait), name)
    return _strip if _strip is not None and (_strip.portrait, _strip.part) == wanted else None


def is_stale(strip: Strip, portrait: bpy.types.Object) -> bool:
    """Whether the portrait's other parts have changed since."""
    return rest_of(snapshot.take(portrait.ssgan3d), strip.part) != strip.rest


def thumbnail(choice: runtime.ModelChoice, look: dict[str, Any], name: str) -> Tensor:
    """A picture of a look, of the head or of all if the part is not there: (SIDE, SIDE, 4), sRGB.

    For a job's thread: touches nothing of Blender's.
    """
    from dataclasses import replace

    from ..core.camera import Camera
    from ..core.compositing import display_picture
    from ..core.recipe import PortraitRecipe

    camera = Camera.orbit(0.0)
    if name not in WHOLE:
        unit = camera.window[1]
        x, y = HALF * unit, RAISE * unit
        camera = replace(camera, window=(-x, x, y - x, y + x))
    engine = runtime.engine(choice)
    latents = PortraitRecipe.from_dict(look).resolve(engine)
    return display_picture(engine.render(latents, camera, size=(SIDE, SIDE)))


class SSGAN3D_OT_suggest(bpy.types.Operator):
    """Make the suggestions."""

    bl_idname = "ssgan3d.suggest"
    bl_label = "Suggest"
    bl_description = (
        "Show eight pictures of this portrait, each with the chosen part of another person whose "
        "face is like it. The portrait changes when you take one"
    )

    random_seed: IntProperty(
        name="Seed",
        description="Among which people those are looked for. -1 draws them",
        default=properties.OWN_SEED,
        min=properties.OWN_SEED,
        max=properties.MAX_SEED,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait."""
        return portraits.needed(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin; the pictures appear in the panel when all are there."""
        global _job
        portrait = portraits.active(context)
        name = transplant.chosen_part(portrait)
        dice = random.Random(None if self.random_seed < 0 else self.random_seed)
        look = snapshot.take(portrait.ssgan3d)
        snapshot.check(look)
        wanted = like_people.wishes_of(portrait.ssgan3d, name)
        handle, rest = portraits.Handle.of(portrait), rest_of(look, name)
        choice = preferences.model_choice()

        def work(job: jobs.Job) -> tuple[Strip, list[Tensor]]:
            candidates = like_people.who_are(choice, wanted, CANDIDATES, dice)
            seeds, pictures = like_people.of(choice, look, candidates, COUNT), []
            for number, seed in enumerate(seeds):
                job.report(number / COUNT, "{} of {}", number + 1, COUNT)
                changed = {**look, "parts": {**look["parts"], name: suggested(name, seed)}}
                pictures.append(thumbnail(choice, changed, name))
            return Strip(handle, name, seeds, rest), pictures

        if _job is not None:
            _job.cancel()
        _job = jobs.start(
            iface_("Suggesting {}").format(properties.part_label(name)),
            work,
            lambda made: _show(*made),
        )
        return {"FINISHED"}


class SSGAN3D_OT_take_suggestion(EditOperator, bpy.types.Operator):
    """Take one of the suggestions."""

    bl_idname = "ssgan3d.take_suggestion"
    bl_label = "Take"
    bl_description = "Give the part this look, even if it is locked"

    part_seed: IntProperty(name="Seed", min=0, max=properties.MAX_SEED)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the part's seeds."""
        portrait = portraits.active(context)
        name = transplant.chosen_part(portrait)
        properties.fill_parts(portrait.ssgan3d)
        with self.step(portrait):
            values = suggested(name, self.part_seed)
            snapshot.put_part(portrait.ssgan3d.parts[name], values)
        return {"FINISHED"}


class SSGAN3D_PT_suggestions(PortraitPanel, bpy.types.Panel):
    """The strip of suggestions for the chosen part."""

    bl_label = "Suggestions"
    bl_parent_id = "SSGAN3D_PT_parts"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """The pictures, each with a button below it."""
        layout = self.layout
        portrait = portraits.active(context)
        settings = portrait.ssgan3d
        if not 0 <= settings.active_part < len(settings.parts):
            return
        part = settings.parts[settings.active_part]
        strip = for_part(portrait, part.name)
        if strip is not None and _icons is not None:
            if is_stale(strip, portrait):
                layout.label(text="The portrait has changed since", icon="INFO")
            grid = layout.grid_flow(
                row_major=True, columns=COLUMNS, even_columns=True, even_rows=True, align=True
            )
            scale = icon_scale(context)
            for seed in strip.seeds:
                cell = grid.column(align=True)
                cell.template_icon(icon_value=_icons[str(seed)].icon_id, scale=scale)
                taken = part.shape_seed == part.texture_seed == seed and part.mix_seed < 0
                button = cell.operator("ssgan3d.take_suggestion", depress=taken)
                button.part_seed = seed
        if _job is not None and _job in jobs.running():
            layout.progress(factor=_job.progress, text=_job.shown())
            return
        label = properties.part_label(part.name)
        text = iface_("Suggest {}").format(label) if strip is None else "Suggest Others"
        layout.operator(
            "ssgan3d.suggest", text=text, icon="FILE_REFRESH" if strip else "IMGDISPLAY"
        )


def icon_scale(context: bpy.types.Context) -> float:
    """How large the pictures are drawn, in heights of a button: they fill the sidebar's width."""
    width = context.region.width / context.preferences.system.ui_scale
    return max(2.0, (width - MARGIN) / COLUMNS / BUTTON)


def _show(strip: Strip, pictures: list[Tensor]) -> None:
    """On the main thread: keep the pictures as icons, in place of the earlier ones."""
    global _strip, _job
    from .images import flat

    strip.portrait.get()
    forget()
    icons = _collection()
    for seed, picture in zip(strip.seeds, pictures, strict=True):  # a millisecond for all
        preview = icons.new(str(seed))
        preview.image_size = (SIDE, SIDE)
        preview.image_pixels_float.foreach_set(flat(picture))
    _strip, _job = strip, None


def _collection() -> Any:
    global _icons
    if _icons is None:
        _icons = bpy.utils.previews.new()
    return _icons


def forget() -> None:
    """Drop the strip and free its pictures."""
    global _strip, _icons
    _strip = None
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
        _icons = None


@persistent
def _file_closed(*_: object) -> None:
    forget()


def attach() -> None:
    """Drop the strip when another file is opened."""
    bpy.app.handlers.load_pre.append(_file_closed)


def detach() -> None:
    """Drop the strip, and undo :func:`attach`."""
    bpy.app.handlers.load_pre.remove(_file_closed)
    forget()


CLASSES = (SSGAN3D_OT_suggest, SSGAN3D_OT_take_suggestion, SSGAN3D_PT_suggestions)
