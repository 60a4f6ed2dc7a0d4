"""The trained range in the 3D view, and the panel that helps with cameras.

The range is a patch of a sphere about the portrait: the model knows how the head looks from there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import bpy
from bpy.props import BoolProperty
from mathutils import Matrix, Vector

from ..core.config import ModelConfig
from . import areas, cameras, panel, portraits
from .camera_paths import PATHS

COLUMNS, ROWS = 24, 10  # cells of the patch
COLUMNS_A_LINE, ROWS_A_LINE = 6, 5  # cells between two lines that are drawn
INSIDE, OUTSIDE = (0.25, 0.8, 0.45), (1.0, 0.5, 0.1)
FILL_ALPHA, LINE_ALPHA = 0.08, 0.7


class Patch(NamedTuple):
    """The range about one portrait, in world space.

    Attributes:
        points: where cameras may stand, row by row from the lowest.
        triangles: indices of the surface.
        lines: pairs of indices of the border and of a coarse grid.
    """

    points: list[Vector]
    triangles: list[tuple[int, int, int]]
    lines: list[tuple[int, int]]


def patch(portrait_matrix: Matrix, distance: float) -> Patch:
    """The trained range as a patch of a sphere.

    Args:
        portrait_matrix: the portrait's matrix_world.
        distance: of the patch from the portrait's origin in metres of the portrait.
    """
    points = [
        portrait_matrix
        @ cameras.standpoint(
            ModelConfig.yaw_max * (2 * column / COLUMNS - 1),
            ModelConfig.pitch_max * (2 * row / ROWS - 1),
            distance,
        )
        for row in range(ROWS + 1)
        for column in range(COLUMNS + 1)
    ]
    wide = COLUMNS + 1
    triangles, lines = [], []
    for row in range(ROWS + 1):
        for column in range(COLUMNS + 1):
            at = row * wide + column
            if row < ROWS and column < COLUMNS:
                triangles += [(at, at + 1, at + wide), (at + 1, at + wide + 1, at + wide)]
            if column < COLUMNS and row % ROWS_A_LINE == 0:
                lines.append((at, at + 1))
            if row < ROWS and column % COLUMNS_A_LINE == 0:
                lines.append((at, at + wide))
    return Patch(points, triangles, lines)


def patch_distance(
    scene: bpy.types.Scene, portrait: bpy.types.Object, depsgraph: bpy.types.Depsgraph
) -> float:
    """Where the patch is drawn: through the scene's camera, so that one sees it lie in or beside.

    Returns:
        Metres of the portrait; the trained distance without a perspective camera in reach.
    """
    matrix = portrait.evaluated_get(depsgraph).matrix_world
    distance = ModelConfig.camera_distance
    if scene.camera is not None:
        camera = cameras.seen_by(scene.camera.evaluated_get(depsgraph), matrix)
        if not camera.orthographic:
            distance = min(max(camera.distance, ModelConfig.distance_min), ModelConfig.distance_max)
    return distance * ModelConfig.unit_metres


def _draw() -> None:
    """Draw handler of the 3D views: the range of every portrait that is seen."""
    context = bpy.context
    space, scene = context.space_data, context.scene
    if not scene.ssgan3d_show_range or not space.overlay.show_overlays:
        return
    from ..core.errors import PortraitError

    depsgraph = context.evaluated_depsgraph_get()
    for portrait in portraits.in_scene(scene):
        if not portrait.visible_get(view_layer=context.view_layer, viewport=space):
            continue
        try:
            distance = patch_distance(scene, portrait, depsgraph)
        except PortraitError:
            continue  # the panel says it
        warned = cameras.range_warning(scene, portrait, depsgraph) is not None
        matrix = portrait.evaluated_get(depsgraph).matrix_world
        _draw_patch(patch(matrix, distance), OUTSIDE if warned else INSIDE, context)


def _draw_patch(
    shape: Patch, color: tuple[float, float, float], context: bpy.types.Context
) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    points = [tuple(point) for point in shape.points]
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("LESS_EQUAL")
    fill = gpu.shader.from_builtin("UNIFORM_COLOR")
    fill.uniform_float("color", (*color, FILL_ALPHA))
    batch_for_shader(fill, "TRIS", {"pos": points}, indices=shape.triangles).draw(fill)
    line = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    line.uniform_float("viewportSize", (context.region.width, context.region.height))
    line.uniform_float("lineWidth", 1.5 * context.preferences.system.ui_scale)
    line.uniform_float("color", (*color, LINE_ALPHA))
    ends = [points[index] for pair in shape.lines for index in pair]
    batch_for_shader(line, "LINES", {"pos": ends}).draw(line)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


class SSGAN3D_PT_camera(panel.SidebarPanel, bpy.types.Panel):
    """Help with cameras."""

    bl_label = "Camera"
    bl_parent_id = "SSGAN3D_PT_portrait"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Shown with a portrait, and with the scene's camera, which must be moved to be mended."""
        return portraits.subject(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Whether the camera sees what the model knows, and paths that do."""
        layout, scene = self.layout, context.scene
        portrait = portraits.subject(context)
        warning = cameras.range_warning(scene, portrait, context.evaluated_depsgraph_get())
        if warning is not None:
            box = layout.box().column(align=True)
            for number, clause in enumerate(warning.rstrip(".").split("; ")):
                box.label(text=clause, icon="BLANK1" if number else "ERROR")
        panel.draw_camera_to_face(layout)
        layout.prop(scene, "ssgan3d_show_range")
        column = layout.column(align=True)
        for path, label, _, icon, _ in PATHS:
            column.operator("ssgan3d.camera_path", text=label, icon=icon).path = path


_handle: object = None


def _redraw_views(_self: object, _context: bpy.types.Context) -> None:
    areas.redraw("VIEW_3D")


def attach() -> None:
    """Hang the switch on scenes and the drawing on 3D views."""
    global _handle
    degrees = [round(math.degrees(limit)) for limit in (ModelConfig.yaw_max, ModelConfig.pitch_max)]
    bpy.types.Scene.ssgan3d_show_range = BoolProperty(
        name="Show Range",
        description="Draw in the 3D views from where the model knows the portrait: "
        f"{degrees[0]}° to each side, {degrees[1]}° up and down. Orange while the scene's camera "
        "stands outside, where the picture shows the nearest view",
        options=set(),
        update=_redraw_views,
    )
    _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def detach() -> None:
    """Undo :func:`attach`."""
    global _handle
    bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
    _handle = None
    del bpy.types.Scene.ssgan3d_show_range


CLASSES = (SSGAN3D_PT_camera,)
