"""Contact sheets as images, and passes as files."""

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from tests.blender.helpers import Addon


def pixels(image: Any) -> np.ndarray:
    """(H, W, 4) with row 0 at the top."""
    width, height = image.size
    return np.array(image.pixels[:]).reshape(height, width, 4)[::-1]


def test_contact_sheet_is_cores_and_is_packed(bpy: Any, addon: Addon, tmp_path: Path) -> None:
    assert bpy.ops.ssgan3d.contact_sheet(first=2, last=5, columns=2, size=32) == {"FINISHED"}
    image = bpy.data.images["Contact Sheet"]
    engine = addon("ssgan3d_blender.runtime").engine(
        addon("ssgan3d_blender.preferences").model_choice()
    )
    expected = addon("core.sheet").contact_sheet(engine, range(2, 6), columns=2, tile=32)
    assert np.abs(pixels(image) - expected.numpy()).max() <= 0.51 / 255
    bpy.ops.ssgan3d.contact_sheet(first=0, last=0, size=16)
    assert [other.name for other in bpy.data.images] == ["Contact Sheet"]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    assert pixels(bpy.data.images["Contact Sheet"]).std() > 0.01


def test_contact_sheet_says_what_is_wrong(bpy: Any) -> None:
    with pytest.raises(RuntimeError, match="comes before the first"):
        bpy.ops.ssgan3d.contact_sheet(first=5, last=4)
    with pytest.raises(RuntimeError, match="fewer seeds"):
        bpy.ops.ssgan3d.contact_sheet(first=0, last=100_000)
    assert not bpy.data.images


def test_all_passes_are_saved_and_the_scene_stays_as_it_was(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path
) -> None:
    scene = bpy.context.scene
    layer = bpy.context.view_layer
    scene.render.engine, scene.render.filepath = "CYCLES", "//kept"
    layer.use_pass_z = layer.ssgan3d.use_pass_part_masks = False
    before = [scene.render.image_settings.file_format, scene.render.image_settings.color_depth]
    assert bpy.ops.ssgan3d.save_passes(filepath=str(tmp_path / "a")) == {"FINISHED"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.exr"]
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        names = {name.split(".", 1)[1] for part in file.parts for name in part.channels}
    parts = {f"Part {part.label}.X" for part in addon("core.parts").PARTS}
    assert names >= {"Combined.R", "Combined.A", "Depth.Z", "Part Index.X"} | parts
    assert {f"CryptoObject{rank:02d}.A" for rank in range(3)} < names
    assert not layer.use_pass_cryptomatte_object
    assert (scene.render.engine, scene.render.filepath) == ("CYCLES", "//kept")
    assert not layer.use_pass_z and not layer.ssgan3d.use_pass_part_masks
    settings = scene.render.image_settings
    assert [settings.file_format, settings.color_depth] == before
    with pytest.raises(RuntimeError):
        bpy.ops.ssgan3d.save_passes(filepath=str(tmp_path / "a.exr" / "b.exr"))
    scene.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.ssgan3d.save_passes(filepath=str(tmp_path / "a.exr"))
