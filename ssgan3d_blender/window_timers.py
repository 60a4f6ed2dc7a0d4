"""Timers that make events for modal operators, none of which outlives the extension.

Blender frees operators of a class that is unregistered without a word to them, and their timers go
on making events until the window is closed.
"""

from __future__ import annotations

import bpy

_running: list[bpy.types.Timer] = []


def start(context: bpy.types.Context, seconds: float) -> bpy.types.Timer:
    """A timer of the context's window."""
    timer = context.window_manager.event_timer_add(seconds, window=context.window)
    _running.append(timer)
    return timer


def stop(context: bpy.types.Context, timer: bpy.types.Timer | None) -> None:
    """End it; nothing if it has ended."""
    if timer in _running:
        _running.remove(timer)
        context.window_manager.event_timer_remove(timer)


def detach() -> None:
    """End all."""
    for timer in list(_running):
        stop(bpy.context, timer)
