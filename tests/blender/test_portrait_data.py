"""Portraits as Blender's data: animation, overrides, assets, and files without the extension."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import MODULE, render_png, run_in_fresh_blender


def picture(bpy: Any, folder: Path, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    return render_png(bpy, folder / "frame.png").astype(int)


def test_every_code_of_a_portrait_takes_keyframes(bpy: Any, portrait: Any) -> None:
    settings = portrait.ssgan3d
    kinds = {"INT", "FLOAT", "ENUM"}
    for group, path in ((settings, "ssgan3d"), (settings.parts["hair"], 'ssgan3d.parts["hair"]')):
        for item in group.bl_rna.properties:
            if item.type in kinds and item.identifier != "active_part":
                assert item.is_animatable and item.is_overridable, item.identifier
                assert portrait.keyframe_insert(f"{path}.{item.identifier}", frame=1)


@pytest.mark.parametrize("path", ["truncation", 'parts["skin"].shape_mix'])
def test_a_driven_code_changes_the_render(
    bpy: Any, portrait: Any, tmp_path: Path, path: str
) -> None:
    skin = portrait.ssgan3d.parts["skin"]
    skin.mix_seed = 5
    curve = portrait.driver_add(f"ssgan3d.{path}")
    curve.driver.expression = "min(1.0, max(0.0, frame / 10))"
    pictures = [picture(bpy, tmp_path, frame) for frame in (0, 10)]
    assert np.abs(pictures[0] - pictures[1]).max() > 3
    portrait.driver_remove(f"ssgan3d.{path}")
    owner, name = (skin, "shape_mix") if "mix" in path else (portrait.ssgan3d, "truncation")
    setattr(owner, name, 1.0)
    np.testing.assert_array_equal(picture(bpy, tmp_path, 0), pictures[1])


def test_a_driver_that_gives_no_number_is_named(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    portrait.ssgan3d.truncation = math.nan
    with pytest.raises(RuntimeError, match="Variety of 'Portrait' is nan"):
        render_png(bpy, tmp_path / "a.png")


def test_keyframed_variety_changes_the_render_and_is_saved(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    for frame, value in ((1, 0.0), (5, 1.0)):
        portrait.ssgan3d.truncation = value
        portrait.keyframe_insert("ssgan3d.truncation", frame=frame)
    pictures = [picture(bpy, tmp_path, frame) for frame in (1, 3, 5)]
    assert np.abs(pictures[0] - pictures[1]).max() > 3 < np.abs(pictures[1] - pictures[2]).max()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    np.testing.assert_array_equal(picture(bpy, tmp_path, 3), pictures[1])


def test_a_deleted_portrait_is_gone_from_the_picture(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    alone = render_png(bpy, tmp_path / "a.png")
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.object.add()  # something else is active
    portrait.select_set(True)
    bpy.context.view_layer.objects.active = portrait
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    copy.location.x += 0.2
    assert np.abs(render_png(bpy, tmp_path / "b.png").astype(int) - alone).max() > 3
    bpy.ops.object.delete()
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "c.png"), alone)
    portrait.select_set(True)
    bpy.ops.object.delete()
    with pytest.raises(RuntimeError, match="No portrait"):
        render_png(bpy, tmp_path / "d.png")


@pytest.fixture
def override(bpy: Any, portrait: Any, tmp_path: Path) -> Any:
    """A portrait that is linked from another file and overridden in this one."""
    portrait.ssgan3d.parts["hair"].shape_seed = 5
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.objects = ["Portrait"]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    made = wanted.objects[0].override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    made.override_library.is_system_override = False  # as the menu does: it may be edited
    bpy.context.view_layer.objects.active = made
    return made


def test_an_override_is_edited_animated_and_saved_by_itself(
    bpy: Any, override: Any, tmp_path: Path
) -> None:
    settings = override.ssgan3d
    settings.parts["nose"].lock = True
    assert bpy.ops.ssgan3d.randomise(part="hair", random_seed=9) == {"FINISHED"}
    assert bpy.ops.ssgan3d.surprise(random_seed=2) == {"FINISHED"}
    bpy.ops.ssgan3d.solo_part(part="hair")
    settings.truncation = 0.25
    for frame, value in ((1, 0.0), (5, 1.0)):
        settings.parts["skin"].texture_mix = value
        override.keyframe_insert('ssgan3d.parts["skin"].texture_mix', frame=frame)
    bpy.context.scene.frame_set(5)
    recipe = settings.recipe
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    opened = next(item for item in bpy.data.objects if item.override_library)
    assert opened.ssgan3d.recipe == recipe
    assert opened.ssgan3d.solo == "hair" and opened.ssgan3d.parts["nose"].lock
    bpy.context.view_layer.objects.active = opened
    assert bpy.ops.ssgan3d.history(direction="BACK") == {"FINISHED"}
    bpy.context.scene.frame_set(3)
    assert opened.ssgan3d.parts["skin"].texture_mix == pytest.approx(0.5)
    library = next(item for item in bpy.data.objects if item.library)
    assert library.ssgan3d.parts["hair"].shape_seed == 5 and library.ssgan3d.truncation == 1.0


def test_an_overrides_images_are_still_its_own_in_the_saved_file(
    bpy: Any, override: Any, tmp_path: Path
) -> None:
    override.name = "Bob"
    for _ in range(2):
        assert bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT") == {"FINISHED"}
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
        opened = next(item for item in bpy.data.objects if item.override_library)
        opened.name = "Carl"
        bpy.context.view_layer.objects.active = opened
    assert {image.name for image in bpy.data.images} == {"Carl Image", "Carl Mask", "Carl Depth"}


def test_a_file_opened_and_saved_without_the_extension_loses_nothing(
    bpy: Any, portrait: Any, archive: Path, tmp_path: Path
) -> None:
    settings = portrait.ssgan3d
    settings.parts["hair"].shape_seed, settings.parts["hair"].lock = 5, True
    settings.parts["hat"].visibility, settings.solo = "SHOW", "hat"
    bpy.ops.ssgan3d.randomise(random_seed=6)
    settings.parts["skin"].mix_seed = 4
    portrait.keyframe_insert('ssgan3d.parts["skin"].shape_mix', frame=1)
    passes = bpy.context.view_layer.ssgan3d
    passes.use_pass_part_index, passes.use_pass_part_masks = False, True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    script = f"""
import sys
import bpy, addon_utils
archive, path = sys.argv[1:]
bpy.ops.extensions.package_install_files(
    filepath=archive, repo="user_default", enable_on_install=False
)
bpy.ops.wm.open_mainfile(filepath=path)
assert not hasattr(bpy.data.objects["Portrait"], "ssgan3d")
bpy.data.objects["Portrait"].location.x = 2.0
bpy.ops.object.select_all(action="SELECT")
bpy.ops.wm.save_mainfile()
addon_utils.enable({MODULE!r})
bpy.ops.wm.open_mainfile(filepath=path)
settings = bpy.data.objects["Portrait"].ssgan3d
print("RECIPE", settings.recipe, settings.solo, settings.parts["hair"].lock, settings.history)
passes = bpy.context.view_layer.ssgan3d
print("PASS", passes.use_pass_part_index, passes.use_pass_part_masks)
print("CURVE", bpy.data.objects["Portrait"].animation_data is not None)
addon_utils.disable({MODULE!r})
"""
    run = run_in_fresh_blender(script, str(archive), str(tmp_path / "file.blend"))
    expected = f"RECIPE {settings.recipe} hat True {settings.history}"
    for line in (expected, "PASS False True", "CURVE True"):
        assert line in run.stdout, run.stdout + run.stderr


def test_a_marked_portrait_is_an_asset_with_its_own_picture(
    bpy: Any, portrait: Any, core_rendering: Callable[..., Any], addon: Any, tmp_path: Path
) -> None:
    assert bpy.ops.ssgan3d.mark_asset() == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    expected = core_rendering(portrait, size=(256, 256))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    opened = bpy.data.objects["Portrait"]
    assert opened.asset_data is not None
    flat = np.array(opened.preview.image_pixels_float[:], np.float32)
    shown = flat.reshape(256, 256, 4)[::-1]
    png = addon("core.compositing").display_picture(expected, transparent=True).numpy()
    np.testing.assert_allclose(shown[..., :3], png[..., :3], atol=2 / 255)
    np.testing.assert_allclose(shown[..., 3], expected.alpha[0].numpy(), atol=2 / 255)


def test_an_override_is_no_asset(bpy: Any, override: Any) -> None:
    with pytest.raises(RuntimeError, match="mark it there"):
        bpy.ops.ssgan3d.mark_asset()
    assert override.asset_data is None
