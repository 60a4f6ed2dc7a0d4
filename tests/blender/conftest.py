"""Blender with the extension as a user gets it: the built zip, installed into bpy.

One installation serves the whole run. Every test begins in an empty file.
"""

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from build import build_zip
from core.checkpoint import save_checkpoint
from core.config import ModelConfig
from core.model import SSGAN3D
from tests.blender.helpers import MODULE, Addon

# bpy reads it when it is imported, and must never touch the user's own settings.
_user_folder = tempfile.TemporaryDirectory(prefix="blender-user-")
os.environ["BLENDER_USER_RESOURCES"] = _user_folder.name


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension's zip, without wheels: the packages are in this Python."""
    return build_zip(tmp_path_factory.mktemp("zip"), wheels=False)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights that draw clear pictures, all parts present."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SSGAN3D(ModelConfig.tiny())
        with torch.no_grad():
            for group in model.generators.groups:
                group.geometry_weight.mul_(8)
            for head in (model.render_net.to_picture, model.render_net.to_mask):
                torch.nn.init.normal_(head.weight, std=0.2)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(path, model, {"steps": 0})
    return path


@pytest.fixture(scope="session")
def installed(archive: Path, model_file: Path) -> Iterator[Any]:
    """Bpy with the extension enabled and set to the small model."""
    import bpy

    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    settings = bpy.context.preferences.addons[MODULE].preferences
    settings.model_path, settings.device, settings.precision = str(model_file), "cpu", "float32"
    yield bpy
    # A render engine that is still registered keeps Blender 4.5 from leaving Python.
    import addon_utils

    addon_utils.disable(MODULE)


@pytest.fixture
def bpy(installed: Any) -> Any:
    """Bpy with an empty file; preferences as ``installed`` left them."""
    installed.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    render = installed.context.scene.render
    render.resolution_x = render.resolution_y = 64
    return installed


@pytest.fixture
def preferences(bpy: Any) -> Iterator[Any]:
    """The extension's preferences; changes are undone."""
    settings = bpy.context.preferences.addons[MODULE].preferences
    kept = {name: getattr(settings, name) for name in ("model_path", "device", "outside")}
    yield settings
    for name, value in kept.items():
        setattr(settings, name, value)


@pytest.fixture(scope="session")
def addon(installed: Any) -> Addon:
    """Gives a module of the installed extension: ``addon("core.camera")``."""
    return lambda name: importlib.import_module(f"{MODULE}.{name}")


@pytest.fixture
def portrait(bpy: Any) -> Any:
    """A new portrait with a camera before its face and the portrait engine chosen."""
    bpy.ops.ssgan3d.add_portrait(seed=1, truncation=1.0)
    bpy.ops.ssgan3d.setup_scene()
    return bpy.context.object


@pytest.fixture
def core_rendering(bpy: Any, addon: Addon) -> Callable[..., Any]:
    """Renders a portrait object from the front with core alone."""

    def render(portrait: Any, **options: Any) -> Any:
        recipe = addon("ssgan3d_blender.portraits").recipe(portrait)
        choice = addon("ssgan3d_blender.preferences").model_choice()
        engine = addon("ssgan3d_blender.runtime").engine(choice)
        return engine.render(
            recipe.resolve(engine), addon("core.camera").Camera.orbit(0.0), **options
        )

    return render
