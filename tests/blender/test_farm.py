"""A film rendered by several machines, as render farms do it: chunks of the frame range."""

from pathlib import Path
from typing import Any

import pytest

from tests.blender.helpers import run_in_fresh_blender

# What `blender -b FILE -E SSGAN3D -o OUT/#### -s FIRST -e LAST -a` does on a worker that has the
# extension.
WORKER = """
import os, sys
import bpy
archive, blend, out, first, last = sys.argv[1:]
bpy.ops.extensions.package_install_files(
    filepath=archive, repo="user_default", enable_on_install=True, overwrite=True
)
add_on = bpy.context.preferences.addons["bl_ext.user_default.ssgan3d_blender"]
add_on.preferences.precision = "float32"  # as the tests' Blender has it
bpy.ops.wm.open_mainfile(filepath=blend)
scene = bpy.context.scene
scene.render.engine = "SSGAN3D"
scene.render.filepath = os.path.join(out, "####")
scene.frame_start, scene.frame_end = int(first), int(last)
bpy.ops.render.render(animation=True)
import addon_utils
addon_utils.disable("bl_ext.user_default.ssgan3d_blender")
"""


@pytest.mark.slow
def test_workers_make_the_very_files_that_one_machine_makes(
    bpy: Any, portrait: Any, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    scene = bpy.context.scene
    portrait.ssgan3d.truncation = 0.2
    portrait.keyframe_insert("ssgan3d.truncation", frame=1)
    portrait.ssgan3d.truncation = 1.0
    portrait.keyframe_insert("ssgan3d.truncation", frame=5)
    bpy.ops.ssgan3d.camera_path(path="TURNTABLE", frames=5)
    scene.render.resolution_x = scene.render.resolution_y = 48
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    # these two are written into PNG files and are never the same twice
    scene.render.use_stamp_date = scene.render.use_stamp_render_time = False
    blend = tmp_path / "film.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    scene.render.filepath = str(tmp_path / "one" / "####")
    bpy.ops.render.render(animation=True)
    for first, last in ((1, 3), (4, 5)):
        arguments = (str(archive), str(blend), str(tmp_path / "farm"), str(first), str(last))
        done = run_in_fresh_blender(WORKER, *arguments, SSGAN3D_MODEL=str(model_file))
        assert done.returncode == 0, done.stdout + done.stderr
    one = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    farm = {path.name: path.read_bytes() for path in (tmp_path / "farm").iterdir()}
    assert sorted(one) == [f"{frame:04d}.png" for frame in range(1, 6)]
    assert one == farm
    assert len(set(one.values())) == 5
