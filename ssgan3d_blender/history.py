"""The looks that a portrait has had: back and forward through them.

Every operator that changes a portrait does so inside :func:`step`. The looks are kept on the
portrait, so that they are saved with it and Blender's undo takes them along. What an artist changes
by hand in between becomes a look of its own as soon as the next step, or the way back, begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from bpy.app.translations import pgettext_tip as tip_
from bpy.props import EnumProperty

from . import animation, portraits, snapshot
from .messages import cancels_on_error

if TYPE_CHECKING:
    from .properties import SSGAN3D_PG_portrait

LENGTH = 32


class History(NamedTuple):
    """The looks, oldest first, and which of them is the present one."""

    looks: list[dict[str, Any]]
    at: int

    def with_present(self, settings: SSGAN3D_PG_portrait) -> History:
        """This history with the present look in it: what lay ahead of another look is gone."""
        present = snapshot.take(settings)
        if self.looks and self.looks[self.at] == present:
            return self
        looks = [*self.looks[: self.at + 1], present][-LENGTH:]
        return History(looks, len(looks) - 1)


def read(settings: SSGAN3D_PG_portrait) -> History:
    """The history of a portrait; empty if it has none, or what it has cannot be read."""
    try:
        stored = json.loads(settings.history or "{}")
        looks, at = list(stored["looks"]), stored["at"]
        return History(looks, at) if 0 <= at < len(looks) else History([], 0)
    except Exception:  # whatever a script wrote there, it is no reason to stop an artist
        return History([], 0)


def _write(settings: SSGAN3D_PG_portrait, history: History) -> None:
    settings.history = json.dumps(history._asdict(), separators=(",", ":"))


@contextmanager
def step(settings: SSGAN3D_PG_portrait) -> Iterator[None]:
    """Change a portrait inside this block, and the looks before and after can be gone back to."""
    before = read(settings).with_present(settings)
    yield
    _write(settings, before.with_present(settings))


def can_go(settings: SSGAN3D_PG_portrait, direction: str) -> bool:
    """Whether there is an earlier ("BACK") or later ("FORWARD") look."""
    history = read(settings)
    if not history.looks:
        return False
    changed = history.looks[history.at] != snapshot.take(settings)
    if direction == "BACK":
        return changed or history.at > 0
    return not changed and history.at + 1 < len(history.looks)


class SSGAN3D_OT_history(bpy.types.Operator):
    """Go through the looks that a portrait has had."""

    bl_idname = "ssgan3d.history"
    bl_label = "Earlier or Later Look"
    bl_options = {"REGISTER", "UNDO"}

    direction: EnumProperty(
        name="Direction",
        items=(
            ("BACK", "Back", "The look that this portrait had before"),
            ("FORWARD", "Forward", "The look that you went back from"),
        ),
        default="BACK",
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """What happens to the picture."""
        if properties.direction == "BACK":
            way = tip_("Give this portrait the look that it had before")
        else:
            way = tip_("Give this portrait the look that it had after this one")
        kept = tip_("It remembers {0} looks, and they are saved in the file").format(LENGTH)
        return f"{way}. {kept}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait to change."""
        return portraits.editable(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the look back."""
        portrait = portraits.active(context)
        settings = portrait.ssgan3d
        if not can_go(settings, self.direction):
            back = self.direction == "BACK"
            self.report({"INFO"}, "There is no earlier look" if back else "There is no later look")
            return {"CANCELLED"}
        history = read(settings).with_present(settings)
        at = history.at + (1 if self.direction == "FORWARD" else -1)
        with animation.warned(self, portrait):
            snapshot.put(settings, history.looks[at])
        _write(settings, History(history.looks, at))
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, settings: SSGAN3D_PG_portrait) -> None:
    """The two buttons."""
    for direction, icon in (("BACK", "TRIA_LEFT"), ("FORWARD", "TRIA_RIGHT")):
        row = layout.row(align=True)
        row.enabled = can_go(settings, direction)
        row.operator("ssgan3d.history", text="", icon=icon).direction = direction


CLASSES = (SSGAN3D_OT_history,)
