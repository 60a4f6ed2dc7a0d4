"""What the Blender tests share besides fixtures."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

MODULE = "bl_ext.user_default.ssgan3d_blender"

Addon = Callable[[str], ModuleType]


class Drawn:
    """A layout that notes the texts it is given and the settings of its buttons."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.buttons: dict[str, SimpleNamespace] = {}

    def box(self) -> "Drawn":
        return self

    def column(self, **_looks: Any) -> "Drawn":
        return self

    def separator(self) -> None: ...

    def label(self, text: str, **_looks: Any) -> None:
        self.texts.append(text)

    def prop(self, *_setting: Any, **_looks: Any) -> None: ...

    def operator(self, name: str, **_looks: Any) -> SimpleNamespace:
        return self.buttons.setdefault(name, SimpleNamespace())


def render_png(bpy: Any, path: Path) -> np.ndarray:
    """Press F12 and read the saved file: (H, W, channels) uint8."""
    from PIL import Image

    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return np.asarray(Image.open(path))


def render_exr(bpy: Any, path: Path) -> dict[str, np.ndarray]:
    """Press F12 and read the multilayer file: channel name without the layer → (H, W)."""
    import OpenEXR

    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    with OpenEXR.File(str(path), separate_channels=True) as file:  # a part for each pass
        return {
            name.split(".", 1)[1]: np.array(channel.pixels)
            for part in file.parts
            for name, channel in part.channels.items()
        }


def run_in_fresh_blender(
    script: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own, with an empty user folder for Blender."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=100,
            env={**os.environ, "BLENDER_USER_RESOURCES": folder, **environment},
        )


def tick_until_done(jobs: Any) -> int:
    """Let all threads end, and the timer bring what they made; how often it had to."""
    for job in jobs.running():
        job.join()
    ticks = 0
    while jobs.running():
        jobs._poll()
        ticks += 1
    return ticks
