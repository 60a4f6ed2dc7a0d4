"""Telling something where no operator is there to report it: after a job, from a timer.

Blender shows reports in the status bar and keeps them in the info editor, but takes them from
operators alone, and only once these have ended in the event loop. So an operator waits for the next
event, reports and lets the event pass on: nothing lies in the way of the mouse.
"""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from . import window_timers

SOON = 0.01  # seconds until the window's timer makes an event, if hand and mouse lie still


class SSGAN3D_OT_tell(bpy.types.Operator):
    """Report something."""

    bl_idname = "ssgan3d.tell"
    bl_label = "Tell"
    bl_description = "Show a message in the status bar"
    bl_options = {"INTERNAL"}

    # No level ERROR: Blender shows that as a popup, too.
    level: EnumProperty(
        name="Level",
        items=(("INFO", "Info", ""), ("WARNING", "Warning", "")),
        options={"HIDDEN", "SKIP_SAVE"},
    )
    message: StringProperty(name="Message", options={"HIDDEN", "SKIP_SAVE"})

    _timer: bpy.types.Timer | None = None

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Wait for an event."""
        self._timer = window_timers.start(context, SOON)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Report."""
        window_timers.stop(context, self._timer)
        self.report({self.level}, self.message)
        return {"FINISHED", "PASS_THROUGH"}


def tell(level: str, message: str) -> None:
    """Say something in the status bar and the info editor. For the main thread.

    Args:
        level: "INFO", or "WARNING" for what did not succeed.
    """
    windows = bpy.context.window_manager.windows
    if not windows:
        print(message)
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.ssgan3d.tell("INVOKE_DEFAULT", level=level, message=message)


CLASSES = (SSGAN3D_OT_tell,)
