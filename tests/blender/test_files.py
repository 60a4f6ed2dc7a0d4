"""Saving and opening .blend files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon, render_png


def test_saved_file_gives_the_same_picture(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    settings = portrait.ssgan3d
    settings.seed, settings.truncation = 12, 0.9
    settings.parts["hair"].shape_seed = 5
    settings.parts["skin"].mix_seed, settings.parts["skin"].texture_mix = 8, 0.5
    settings.parts["hat"].visibility = "SHOW"
    seen = render_png(bpy, tmp_path / "a.png")
    bpy.ops.ssgan3d.render_images(width=16, height=16)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not bpy.data.objects
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    opened = bpy.data.objects["Portrait"].ssgan3d
    assert opened.is_portrait and opened.seed == 12 and opened.parts["hat"].visibility == "SHOW"
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), seen)
    image = bpy.data.images["Portrait Depth"]
    assert tuple(image.size) == (16, 16) and min(image.pixels[:]) > 0


def test_copies_are_independent_portraits(bpy: Any, portrait: Any) -> None:
    portrait.ssgan3d.parts["hair"].shape_seed = 5
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    assert copy != portrait and copy.ssgan3d.parts["hair"].shape_seed == 5
    copy.ssgan3d.parts["hair"].shape_seed = 6
    assert portrait.ssgan3d.parts["hair"].shape_seed == 5


def test_portrait_can_be_appended_from_another_file(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    portrait.ssgan3d.parts["hair"].shape_seed = 5
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "file.blend")) as (_, wanted):
        wanted.objects = ["Portrait"]
    assert bpy.data.objects["Portrait"].ssgan3d.parts["hair"].shape_seed == 5


def test_linked_portrait_renders_and_is_not_changed(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    seen = render_png(bpy, tmp_path / "a.png")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "file.blend"), link=True) as (_, wanted):
        wanted.scenes = ["Scene"]
    bpy.context.window.scene = bpy.data.scenes["Scene", str(tmp_path / "file.blend")]
    with pytest.raises(RuntimeError, match="linked from another file"):
        bpy.ops.ssgan3d.randomise()
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), seen)


def test_parts_of_another_version_do_no_harm(bpy: Any, addon: Addon, portrait: Any) -> None:
    settings = portrait.ssgan3d
    settings.parts["hair"].name = "antlers"  # unknown to this version, and hair is missing
    recipe = addon("ssgan3d_blender.portraits").recipe(portrait)
    assert "antlers" not in recipe.parts and "hair" not in recipe.parts
    bpy.ops.ssgan3d.randomise(part="hair", random_seed=3)
    names = [part.name for part in settings.parts]
    assert names == [*addon("core.parts").PART_NAMES, "antlers"]
    assert settings.parts["hair"].shape_seed == 3


def test_object_made_a_portrait_by_a_script_works(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path
) -> None:
    seen = render_png(bpy, tmp_path / "a.png")
    bpy.data.objects.remove(portrait)
    bare = bpy.data.objects.new("Bare", None)
    bpy.context.scene.collection.objects.link(bare)
    bare.ssgan3d.is_portrait, bare.ssgan3d.seed, bare.ssgan3d.truncation = True, 1, 1.0
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), seen)
