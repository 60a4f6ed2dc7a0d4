"""The areas of all windows that are open."""

from __future__ import annotations

from collections.abc import Iterator

import bpy


def shown(kind: str | None = None) -> Iterator[bpy.types.Area]:
    """Areas of a kind ("VIEW_3D"), window by window; None gives all."""
    for window in bpy.context.window_manager.windows:
        yield from (area for area in window.screen.areas if kind in (None, area.type))


def redraw(kind: str | None = None) -> None:
    """Have Blender draw them again."""
    for area in shown(kind):
        area.tag_redraw()
