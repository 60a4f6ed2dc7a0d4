"""Preferences of the extension: which model, on which device, with which PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..core.errors import PortraitError
from ..core.model_card import ModelCard, embedded_weights, read_card
from . import jobs, runtime, torch_setup
from .messages import describe

ADDON_ID = torch_setup.PACKAGE
MODEL_VARIABLE = "SSGAN3D_MODEL"
DEVICE_ITEMS = (
    ("auto", "Automatic", "A graphics card if PyTorch can use one, else the processor"),
    ("cpu", "Processor", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card (or AMD with ROCm)"),
    ("mps", "Metal", "The graphics part of an Apple processor"),
)
PRECISION_ITEMS = (
    ("auto", "Automatic", "What is fastest on this device without a visible difference"),
    ("float32", "Full", "32 bit: the reference"),
    ("bfloat16", "bfloat16", "16 bit with the range of 32"),
    ("float16", "Half", "16 bit"),
)


def _model_changed(_self: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    runtime.release()


class SSGAN3D_AP_preferences(bpy.types.AddonPreferences):
    """Settings that belong to the machine and not to a .blend file."""

    bl_idname = ADDON_ID

    model_path: StringProperty(
        name="Model File",
        description="A model of your own (.safetensors). Empty: the model that comes with the "
        "extension",
        subtype="FILE_PATH",
        update=_model_changed,
    )
    device: EnumProperty(
        name="Device",
        description="What computes the pictures",
        items=DEVICE_ITEMS,
        default="auto",
        update=_model_changed,
    )
    precision: EnumProperty(
        name="Precision",
        description="How exactly numbers are kept; less is faster where the device supports it",
        items=PRECISION_ITEMS,
        default="auto",
        update=_model_changed,
    )
    outside: EnumProperty(
        name="Outside the Range",
        description="What to do when a camera stands where the model was not trained",
        items=(
            ("clamp", "Nearest View", "Show the nearest view that the model knows"),
            ("refuse", "Stop", "Stop the render with a message that names the angle"),
        ),
        default="clamp",
    )

    memory_limit: IntProperty(
        name="Memory Limit in MB",
        description="How much memory finished parts and views may take, so that they are drawn "
        "again at once: with the embedded model on a processor 9 to 13 MB a portrait and 5 MB a "
        "view. What was used longest ago goes first, and is computed anew",
        default=128,
        min=0,
        max=65536,
        soft_min=16,
        soft_max=4096,
        update=_model_changed,
    )

    def draw(self, _context: bpy.types.Context) -> None:
        """Draw the settings, and what was found out about model, device and PyTorch."""
        from . import keymap, measurement

        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "model_path")
        if os.environ.get(MODEL_VARIABLE):
            said = iface_("{} is set and counts instead").format(MODEL_VARIABLE)
            layout.label(text=said, icon="INFO", translate=False)
        _draw_card(layout.box().column(align=True))
        layout.prop(self, "outside")
        layout.separator()
        layout.prop(self, "device")
        layout.prop(self, "precision")
        box = layout.box().column()
        detected = torch_setup.detected()
        for text in detected:
            box.label(text=text, translate=False)
        if not detected:
            box.label(text="What this machine has is told once PyTorch is loaded", icon="INFO")
        measurement.draw(box, model_choice())
        layout.separator()
        layout.prop(self, "memory_limit")
        row = layout.row()
        row.label(text=runtime.status())
        row.operator("ssgan3d.release_memory")
        layout.separator()
        _draw_torch(layout.box().column())
        keymap.draw(layout)
        for job in jobs.running():
            layout.progress(factor=job.progress, text=job.shown())
        if jobs.running():
            layout.operator("ssgan3d.cancel_jobs", icon="CANCEL")


def _draw_torch(layout: bpy.types.UILayout) -> None:
    """Where PyTorch comes from, and how to get it."""
    origin, missing = torch_setup.origin(), torch_setup.missing()
    if origin is not None:
        kinds = {
            "bundled": iface_("bundled with an extension"),
            "installed": iface_("installed by this extension"),
            "found": iface_("found in Blender's Python"),
        }
        text = f"PyTorch {origin.version}, {kinds[origin.kind]}"
        layout.label(text=text, icon="CHECKMARK", translate=False)
        layout.label(text=str(origin.path), translate=False)
    else:
        layout.label(text="PyTorch, which draws the portraits, was not found", icon="ERROR")
    if origin is not None and missing:
        text = iface_("Portraits need these packages as well: {}").format(", ".join(missing))
        layout.label(text=text, icon="ERROR", translate=False)
    for_meshes = [torch_setup.without_version(p) for p in torch_setup.missing_for_meshes()]
    if origin is not None and for_meshes:
        text = iface_("Part meshes need these packages as well: {}").format(", ".join(for_meshes))
        layout.label(text=text, icon="INFO", translate=False)
    if missing or for_meshes:
        layout.operator("ssgan3d.install_torch", icon="IMPORT")
        layout.operator("ssgan3d.install_torch_from_folder", icon="FILE_FOLDER")
    if origin is not None and origin.kind == "installed":
        layout.operator("ssgan3d.remove_torch", icon="TRASH")


def _draw_card(layout: bpy.types.UILayout) -> None:
    """What the chosen model file says about itself."""
    try:
        card = model_card()
    except PortraitError as error:
        for sentence in describe(error).split(". "):
            layout.label(text=sentence, icon="ERROR", translate=False)
        return
    rows = (
        (iface_("Name"), card.name),
        (iface_("Resolution"), f"{card.image_size} × {card.image_size}"),
        (iface_("Data"), card.data or iface_("not told")),
        (iface_("Licence"), card.licence),
        (iface_("Parameters"), f"{card.parameters:,} ({card.size / 1e6:.1f} MB)"),
        ("SHA-256", f"{card.sha256[:16]}…"),
    )
    for name, value in rows:
        split = layout.split(factor=0.4)
        side = split.row()
        side.alignment = "RIGHT"
        side.label(text=name, translate=False)
        split.label(text=value, translate=False)
    layout.operator("ssgan3d.copy_model_hash", icon="COPYDOWN")


class SSGAN3D_OT_copy_model_hash(bpy.types.Operator):
    """Copy the model file's SHA-256"""

    bl_idname = "ssgan3d.copy_model_hash"
    bl_label = "Copy SHA-256"
    bl_description = "Copy the model file's SHA-256, to compare it with what its maker says"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it into the clipboard."""
        try:
            context.window_manager.clipboard = model_card().sha256
        except PortraitError as error:
            self.report({"ERROR"}, describe(error))
            return {"CANCELLED"}
        return {"FINISHED"}


_cards: dict[tuple[Path, int, int], ModelCard] = {}


def model_card() -> ModelCard:
    """The card of the chosen model file; read once, and again when the file changes.

    Raises:
        PortraitError: the file is missing or broken.
    """
    path = model_choice().path or embedded_weights()
    try:
        facts = path.stat()
    except OSError:
        return read_card(path)  # says what is wrong
    key = (path, facts.st_size, facts.st_mtime_ns)
    if key not in _cards:
        card = read_card(path)
        _cards.clear()
        _cards[key] = card
    return _cards[key]


def get(context: bpy.types.Context | None = None) -> SSGAN3D_AP_preferences:
    """The extension's preferences."""
    return (context or bpy.context).preferences.addons[ADDON_ID].preferences


def model_choice() -> runtime.ModelChoice:
    """The model to use, and how. The environment variable outranks the setting."""
    settings = get()
    path = os.environ.get(MODEL_VARIABLE) or settings.model_path
    return runtime.ModelChoice(
        Path(bpy.path.abspath(path)) if path else None,
        settings.device,
        settings.precision,
        settings.memory_limit,
    )


CLASSES = (SSGAN3D_AP_preferences, SSGAN3D_OT_copy_model_hash)
