"""The rendered 3D view: says what it should show, and draws what the painter has made so far.

Nothing here waits. While a newer picture is being painted, the last one is shown where its portrait
is now. A timer redraws a view when its picture has come: Blender's data and its windows belong to
the main thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from .painter import Painter, Painting, Request, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scene_picture import Shot

POLL_SECONDS = 0.02

_painter = Painter()


class Canvas:
    """One rendered 3D view. It lives as long as Blender's engine for that view.

    Args:
        redraw: makes Blender draw the view again.
    """

    def __init__(self, redraw: Callable[[], None]) -> None:
        self._slot = Slot(redraw)
        self._drawn: Painting | None = None
        self._texture: Any = None  # gpu.types.GPUTexture

    def ask(self, request: Request | None) -> None:
        """Show something else, or nothing; its picture comes later."""
        _painter.ask(self._slot, request)
        if request is not None and not bpy.app.timers.is_registered(_poll):
            bpy.app.timers.register(_poll, first_interval=POLL_SECONDS)

    @property
    def error(self) -> str:
        """What went wrong with the newest picture; empty if nothing did."""
        painting = self._slot.painting
        return painting.error if painting is not None else ""

    def draw(self, shot: Shot, region: bpy.types.Region, data: bpy.types.RegionView3D) -> None:
        """Draw the newest picture, moved to where it belongs in the present view ``shot``."""
        import gpu
        from gpu_extras.batch import batch_for_shader

        painting = self._slot.painting
        if painting is not self._drawn:
            self._drawn, self._texture = painting, None
            if painting is not None and painting.pixels is not None:
                pixels = gpu.types.Buffer("FLOAT", len(painting.pixels), painting.pixels)
                self._texture = gpu.types.GPUTexture(painting.size, format="RGBA16F", data=pixels)
        if painting is None or self._texture is None:
            return
        corners, in_world = place(painting.request.shot, shot, (region.width, region.height))
        shader = gpu.shader.from_builtin("IMAGE")
        batch = batch_for_shader(
            shader,
            "TRIS",
            {"pos": corners, "texCoord": ((0, 0), (1, 0), (1, 1), (0, 1))},
            indices=((0, 1, 2), (2, 3, 0)),
        )
        with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
            if in_world:
                projection = data.window_matrix.copy()
                projection[2] = (0.0, 0.0, 0.0, 0.0)  # nothing is clipped near or far
                gpu.matrix.load_matrix(data.view_matrix)
                gpu.matrix.load_projection_matrix(projection)
            gpu.state.blend_set("ALPHA_PREMULT")
            shader.uniform_sampler("image", self._texture)
            batch.draw(shader)
            gpu.state.blend_set("NONE")


def place(
    painted: Shot, wanted: Shot, region: tuple[int, int]
) -> tuple[list[tuple[float, float, float]], bool]:
    """Where the corners of a picture go in a view that may have moved since.

    A picture of the same view fills the part of the region that was asked for. Any other one stands
    in the world like a card, at its nearest portrait and facing the camera that it was painted for:
    right for another lens or shift, and near enough while a view turns.

    Args:
        region: (width, height) in pixels.

    Returns:
        Lower left, lower right, upper right, upper left; and whether that is in the world (else in
        pixels of the region).
    """
    from . import camera_bridge

    depths = [camera_bridge.depth_of(painted.view, sitter.matrix) for sitter in painted.sitters]
    if painted.view == wanted.view or min(depths, default=0.0) <= 0.0:
        left, right, bottom, top = wanted.view.border
        x, y = (left * region[0], right * region[0]), (bottom * region[1], top * region[1])
        return [(x[i], y[j], 0.0) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))], False
    return [tuple(c) for c in camera_bridge.corners_at(painted.view, min(depths))], True


def _poll() -> float | None:
    """Timer: redraw the views whose picture has come."""
    busy, fresh = _painter.look()
    for slot in fresh:
        slot.redraw()
    return POLL_SECONDS if busy else None


def detach() -> None:
    """Stop painting. For unregistering."""
    if bpy.app.timers.is_registered(_poll):
        bpy.app.timers.unregister(_poll)
    _painter.stop()
