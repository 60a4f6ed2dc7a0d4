"""Preferences of the extension: which model, on which device, and what to do outside its range."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from . import runtime

ADDON_ID = __package__.rpartition(".")[0]
MODEL_VARIABLE = "SSGAN3D_MODEL"


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
        items=(
            ("auto", "Automatic", "A graphics card if PyTorch can use one, else the processor"),
            ("cpu", "Processor", "The processor"),
            ("cuda", "CUDA", "An NVIDIA graphics card (or AMD with ROCm)"),
            ("mps", "Metal", "The graphics part of an Apple processor"),
        ),
        default="auto",
        update=_model_changed,
    )
    precision: EnumProperty(
        name="Precision",
        description="How exactly numbers are kept; less is faster where the device supports it",
        items=(
            ("auto", "Automatic", "What is fastest on this device without a visible difference"),
            ("float32", "Full", "32 bit: the reference"),
            ("bfloat16", "bfloat16", "16 bit with the range of 32"),
            ("float16", "Half", "16 bit"),
        ),
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

    def draw(self, _context: bpy.types.Context) -> None:
        """Draw the settings and what is loaded."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "model_path")
        if os.environ.get(MODEL_VARIABLE):
            layout.label(text=f"{MODEL_VARIABLE} is set and counts instead", icon="INFO")
        layout.prop(self, "device")
        layout.prop(self, "precision")
        layout.prop(self, "outside")
        row = layout.row()
        row.label(text=runtime.status())
        row.operator("ssgan3d.release_memory")


def get(context: bpy.types.Context | None = None) -> SSGAN3D_AP_preferences:
    """The extension's preferences."""
    return (context or bpy.context).preferences.addons[ADDON_ID].preferences


def model_choice() -> runtime.ModelChoice:
    """The model to use, and how. The environment variable outranks the setting."""
    settings = get()
    path = os.environ.get(MODEL_VARIABLE) or settings.model_path
    return runtime.ModelChoice(
        Path(bpy.path.abspath(path)) if path else None, settings.device, settings.precision
    )


CLASSES = (SSGAN3D_AP_preferences,)
