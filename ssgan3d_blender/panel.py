"""The sidebar tab "Portrait", the panels of the render engine, and the entries of the Add menu."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..core.attributes import ATTRIBUTES, BY_NAME, of_part
from ..core.parts import PART_NAMES, PARTS
from . import cameras, cards, history, like_people, portraits, properties, snapshot, wishes
from .operators import ENGINE_ID, TRUE_COLOURS, foreign_working_space
from .portrait_presets import SSGAN3D_PT_presets


class SidebarPanel:
    """Where all panels of the tab stand."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Portrait"


class PortraitPanel(SidebarPanel):
    """A panel that needs a portrait to be active."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Shown while a portrait, or something that hangs on one, is active."""
        return portraits.active(context) is not None


class SSGAN3D_PT_portrait(SidebarPanel, bpy.types.Panel):
    """The person."""

    bl_label = "Portrait"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Presets, at the right of the header as everywhere in Blender."""
        if portraits.active(context) is not None:
            SSGAN3D_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        """Seed and variety, or how to begin."""
        layout = self.layout
        portrait = portraits.active(context)
        if portrait is None:
            layout.label(text="No portrait is selected", icon="INFO")
            layout.operator("ssgan3d.add_portrait", text="Add Portrait", icon="USER")
            return
        layout.use_property_split = True
        layout.use_property_decorate = True
        layout.prop(portrait, "name", text="", icon="USER")
        settings = portrait.ssgan3d
        column = layout.column()
        column.prop(settings, "seed")
        column.prop(settings, "truncation", slider=True)
        row = layout.row(align=True)
        row.scale_y = 1.4
        button = row.operator("ssgan3d.randomise", text="Randomise", icon="FILE_REFRESH")
        button.part = "ALL"
        row.operator("ssgan3d.surprise", icon="LIGHT")
        history.draw(row, settings)


class SSGAN3D_PT_wishes(PortraitPanel, bpy.types.Panel):
    """What the whole person should be like."""

    bl_label = "Wanted"
    bl_parent_id = "SSGAN3D_PT_portrait"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """A menu an attribute of the person, and what is wished for of parts."""
        layout, settings = self.layout, portraits.active(context).ssgan3d
        personal = tuple(one for one in ATTRIBUTES if one.is_personal)
        wishes.draw_menus(layout, settings, personal)
        for name, value in like_people.wishes(settings).items():
            attribute = BY_NAME[name]
            if not attribute.is_personal:
                row = layout.row()
                part = properties.part_label(attribute.part)
                row.label(text=f"{part}: {iface_(attribute.label_of(value))}", translate=False)
                button = row.operator("ssgan3d.wish", text="", icon="X", emboss=False)
                button.attribute, button.value = name, ""


class SSGAN3D_UL_parts(bpy.types.UIList):
    """The parts of a portrait, each with its visibility and a button that draws it anew."""

    def draw_item(  # type: ignore[no-untyped-def]
        self, _context, layout, data, item, _icon, _active, _property, index
    ) -> None:
        """Draw one part."""
        known = next((part for part in PARTS if part.name == item.name), None)
        row = layout.row(align=True)
        row.active = data.solo == item.name if data.solo else item.visibility != "HIDE"
        row.label(text=known.label if known else item.name)
        if known is None:
            return
        if snapshot.take_part(item):
            reset = row.operator("ssgan3d.reset_part", text="", icon="LOOP_BACK", emboss=False)
            reset.part = item.name
        cell = row.row(align=True)
        cell.enabled = not item.lock
        dice = cell.operator("ssgan3d.randomise", text="", icon="FILE_REFRESH", emboss=False)
        dice.part, dice.aspect = item.name, "BOTH"
        row.prop(item, "lock", text="", icon="LOCKED" if item.lock else "UNLOCKED", emboss=False)
        solo = "SOLO_ON" if data.solo == item.name else "SOLO_OFF"
        row.operator("ssgan3d.solo_part", text="", icon=solo, emboss=False).part = item.name
        eye = {"SHOW": "HIDE_OFF", "HIDE": "HIDE_ON"}.get(item.visibility)
        if eye is None:  # the seed decides about parts that a portrait may lack
            eye = "DOT" if known.optional else "HIDE_OFF"
        row.operator("ssgan3d.toggle_part", text="", icon=eye, emboss=False).part = item.name


class SSGAN3D_PT_parts(PortraitPanel, bpy.types.Panel):
    """The parts of the person."""

    bl_label = "Parts"
    bl_parent_id = "SSGAN3D_PT_portrait"

    def draw(self, context: bpy.types.Context) -> None:
        """The list, and the settings of the chosen part."""
        layout = self.layout
        settings = portraits.active(context).ssgan3d
        if settings.solo in PART_NAMES:
            label = properties.part_label(settings.solo)
            text = iface_("Only {} is shown").format(label)
            row = layout.row()
            row.alert = True
            button = row.operator("ssgan3d.solo_part", text=text, icon="SOLO_ON", depress=True)
            button.part = settings.solo
        layout.template_list(
            "SSGAN3D_UL_parts",
            "",
            settings,
            "parts",
            settings,
            "active_part",
            rows=len(PARTS),
            maxrows=len(PARTS),
        )
        if 0 <= settings.active_part < len(settings.parts):
            part, box = settings.parts[settings.active_part], layout.box()
            draw_part(box, part)
            if of_part(part.name):
                box.separator()
                wishes.draw_menus(box, settings, of_part(part.name))


def draw_part(layout: bpy.types.UILayout, part: properties.SSGAN3D_PG_part) -> None:
    """Draw the settings of one part."""
    row = layout.row(align=True)
    row.label(text=properties.part_label(part.name), translate=False)
    row.operator("ssgan3d.copy_part", text="", icon="COPYDOWN", emboss=False)
    row.operator("ssgan3d.paste_part", text="", icon="PASTEDOWN", emboss=False)
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = True
    column.prop(part, "visibility")
    column.separator()
    for name in ("shape_seed", "texture_seed"):
        row = column.row()
        row.active = getattr(part, name) >= 0
        row.prop(part, name)
    column.separator()
    row = column.row()
    row.active = part.mix_seed >= 0
    row.prop(part, "mix_seed")
    sliders = column.column()
    sliders.active = part.mix_seed >= 0  # and can be keyed all the same
    sliders.prop(part, "shape_mix", slider=True)
    sliders.prop(part, "texture_mix", slider=True)


class SSGAN3D_PT_output(PortraitPanel, bpy.types.Panel):
    """What can be made from the person."""

    bl_label = "Output"
    bl_parent_id = "SSGAN3D_PT_portrait"

    def draw(self, context: bpy.types.Context) -> None:
        """What stands in the way of a render, then the buttons."""
        layout, scene = self.layout, context.scene
        draw_warnings(layout, scene)
        column = layout.column(align=True)
        column.operator("render.render", text="Render Image", icon="RENDER_STILL")
        column.operator("ssgan3d.render_images", icon="IMAGE_DATA")
        column.operator("ssgan3d.save_passes", icon="RENDERLAYERS")
        column.operator("ssgan3d.contact_sheet", icon="IMGDISPLAY")
        column = layout.column(align=True)
        column.operator("ssgan3d.extract_meshes", icon="MESH_DATA")
        column.operator("ssgan3d.export_meshes", icon="EXPORT")
        column = layout.column(align=True)
        column.operator("ssgan3d.export_portrait", icon="EXPORT")
        column.operator("ssgan3d.mark_asset", icon="ASSET_MANAGER")


def draw_warnings(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Say what a render would trip over, with one button that mends what can be mended safely."""
    space = foreign_working_space()
    if space is not None:
        box = layout.box().column(align=True)
        box.label(text=iface_("The working space is {}").format(space), icon="ERROR")
        box.label(text="True colours need Linear Rec.709:")
        box.label(text="Render > Color Management")
    problems = {}
    if scene.render.engine != ENGINE_ID and not cards.in_scene(scene):
        problems["use_engine"] = "F12 renders with another engine"
    if scene.camera is None:
        problems["use_camera"] = "The scene has no camera"
    elif cameras.is_too_far(scene):
        problems["use_camera"] = "The camera is far away"
    if colours_differ(scene):
        problems["use_colours"] = "Colours are not the model's"
    if problems:
        box = layout.box().column(align=True)
        for text in problems.values():
            box.label(text=text, icon="ERROR")
        box.separator()
        button = box.operator("ssgan3d.setup_scene")
        for name in ("use_engine", "use_camera", "use_colours"):
            setattr(button, name, name in problems)
    else:
        draw_camera_to_face(layout)


def draw_camera_to_face(layout: bpy.types.UILayout) -> None:
    """The button that frames the portrait and leaves all else of the scene alone."""
    button = layout.operator("ssgan3d.setup_scene", text="Camera to Face", icon="CAMERA_DATA")
    button.use_engine, button.use_colours, button.use_camera = False, False, True


def colours_differ(scene: bpy.types.Scene) -> bool:
    """Whether the scene's view settings change the model's colours; Set Up Scene can mend that."""
    view = scene.view_settings
    return any(getattr(view, name, value) != value for name, value in TRUE_COLOURS.items())


class EnginePanel:
    """A panel of the Properties editor that belongs to the portrait engine."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    COMPAT_ENGINES = {ENGINE_ID}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Shown while the portrait engine is chosen."""
        return context.engine in cls.COMPAT_ENGINES


class SSGAN3D_PT_render(EnginePanel, bpy.types.Panel):
    """The engine's own settings."""

    bl_label = "Portrait"
    bl_context = "render"

    def draw(self, context: bpy.types.Context) -> None:
        """Warnings, transparency, and what the engine leaves out."""
        layout = self.layout
        draw_warnings(layout, context.scene)
        layout.prop(context.scene.render, "film_transparent", text="Transparent Background")
        layout.label(text="Draws portraits only", icon="INFO")


class SSGAN3D_PT_passes(EnginePanel, bpy.types.Panel):
    """Which passes a view layer gets."""

    bl_label = "Passes"
    bl_context = "view_layer"

    def draw(self, context: bpy.types.Context) -> None:
        """One switch a pass."""
        layout, layer = self.layout, context.view_layer
        layout.use_property_split = True
        column = layout.column(heading="Include", align=True)
        column.prop(layer, "use_pass_z", text="Depth")
        column.prop(layer.ssgan3d, "use_pass_part_index")
        column.prop(layer.ssgan3d, "use_pass_part_masks")
        column.prop(layer, "use_pass_cryptomatte_object", text="Cryptomatte of the Parts")
        levels = layout.column()
        levels.active = layer.use_pass_cryptomatte_object
        levels.prop(layer, "pass_cryptomatte_depth", text="Levels")


def draw_add_entries(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Entries of the 3D view's Add menu. Blender's search (F3) finds what is in menus: the camera
    paths by their own names.
    """
    self.layout.separator()
    self.layout.operator("ssgan3d.add_portrait", icon="USER")
    self.layout.operator_menu_enum("ssgan3d.camera_path", "path", icon="CON_CAMERASOLVER")


def attach() -> None:
    """Add the entries to the Add menu."""
    bpy.types.VIEW3D_MT_add.append(draw_add_entries)


def detach() -> None:
    """Undo :func:`attach`."""
    bpy.types.VIEW3D_MT_add.remove(draw_add_entries)


CLASSES = (
    SSGAN3D_UL_parts,
    SSGAN3D_PT_portrait,
    SSGAN3D_PT_wishes,
    SSGAN3D_PT_parts,
    SSGAN3D_PT_output,
    SSGAN3D_PT_render,
    SSGAN3D_PT_passes,
)
