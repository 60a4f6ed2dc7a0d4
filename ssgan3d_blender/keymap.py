"""The pie menu of a portrait, and the key that opens it in the 3D view."""

from __future__ import annotations

import bpy

from . import cards, portraits
from .camera_paths import TURNTABLE
from .operators import ENGINE_ID
from .panel import draw_camera_to_face

KEY = {"type": "P", "value": "PRESS", "shift": True, "alt": True}
"""Free in Blender's own keymap and in the industry-compatible one."""


class SSGAN3D_MT_pie(bpy.types.Menu):
    """What is done to a portrait most often."""

    bl_label = "Portrait"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Without a portrait the key is anybody's."""
        return portraits.active(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """West, east, south, north, then the corners: Blender fills a pie in this order."""
        pie = self.layout.menu_pie()
        pie.operator("ssgan3d.randomise", icon="FILE_REFRESH").part = "ALL"
        pie.operator("ssgan3d.surprise", icon="LIGHT")
        pie.operator("ssgan3d.extract_meshes", icon="MESH_DATA")
        pie.operator("render.render", text="Render Image", icon="RENDER_STILL")
        if context.scene.render.engine == ENGINE_ID or cards.in_scene(context.scene):
            draw_camera_to_face(pie)
        else:
            pie.operator("ssgan3d.setup_scene", icon="CAMERA_DATA")
        path = pie.operator("ssgan3d.camera_path", text="Turntable", icon="CON_CAMERASOLVER")
        path.path = TURNTABLE
        back = pie.operator("ssgan3d.history", text="Back", icon="TRIA_LEFT")
        back.direction = "BACK"
        forward = pie.operator("ssgan3d.history", text="Forward", icon="TRIA_RIGHT")
        forward.direction = "FORWARD"


_items: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def _has_keys() -> bool:
    return not bpy.app.background


def attach() -> None:
    """Bind the key, in object mode; without a window there are none."""
    keys = bpy.context.window_manager.keyconfigs.addon
    if keys is None or not _has_keys():
        return
    keymap = keys.keymaps.new("Object Mode", space_type="EMPTY")
    item = keymap.keymap_items.new("wm.call_menu_pie", **KEY)
    item.properties.name = SSGAN3D_MT_pie.__name__
    _items.append((keymap, item))


def detach() -> None:
    """Undo :func:`attach`."""
    for keymap, item in _items:
        keymap.keymap_items.remove(item)
    _items.clear()


def draw(layout: bpy.types.UILayout) -> None:
    """The key, to be changed as any of Blender's."""
    import rna_keymap_ui

    user = bpy.context.window_manager.keyconfigs.user
    for keymap, item in _items:
        kept = user.keymaps[keymap.name].keymap_items
        own = next((i for i in kept if i.idname == item.idname and _opens_pie(i)), None)
        if own is not None:
            layout.context_pointer_set("keymap", user.keymaps[keymap.name])
            rna_keymap_ui.draw_kmi([], user, user.keymaps[keymap.name], own, layout, 0)


def _opens_pie(item: bpy.types.KeyMapItem) -> bool:
    return getattr(item.properties, "name", "") == SSGAN3D_MT_pie.__name__


CLASSES = (SSGAN3D_MT_pie,)
