"""All passes of a frame in one file, waited for or not."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import OpenEXR
import pytest

from tests.blender.helpers import Addon


@pytest.fixture
def passes(addon: Addon) -> Any:
    return addon("ssgan3d_blender.passes")


@pytest.fixture
def said(passes: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What notices tell."""
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(passes, "tell", lambda *words: told.append(words))
    return told


def begin(bpy: Any, passes: Any, path: Path) -> None:
    """As a person at a window does. Without one, Blender has rendered before this returns."""
    passes.begin(bpy.context.scene, bpy.context.view_layer, path)


def wait(passes: Any) -> None:
    """Let the timer run until it has nothing left to do."""
    while passes._go_on() is not None:
        pass
    passes.bpy.app.timers.unregister(passes._go_on)


@pytest.fixture
def kept(bpy: Any, passes: Any, tmp_path: Path) -> Iterator[Path]:
    """An earlier file, which has to be there at the end, and nothing else."""
    path = tmp_path / "a.exr"
    path.write_text("kept")
    yield path
    assert path.read_text() == "kept" and list(tmp_path.iterdir()) == [path]
    assert len(bpy.data.scenes) == 1 and passes._steps is None


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
    assert bpy.data.scenes[:] == [scene]
    with pytest.raises(RuntimeError):
        bpy.ops.ssgan3d.save_passes(filepath=str(tmp_path / "a.exr" / "b.exr"))
    scene.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.ssgan3d.save_passes(filepath=str(tmp_path / "a.exr"))


def test_a_window_goes_on_and_is_told_what_was_written(
    bpy: Any, portrait: Any, passes: Any, said: list[tuple[str, str]], tmp_path: Path
) -> None:
    path, shown = tmp_path / "a.exr", bpy.context.preferences.view.render_display_type
    begin(bpy, passes, path)
    assert not path.exists() and not said
    with pytest.raises(Exception, match="Blender is rendering"):
        begin(bpy, passes, path)
    wait(passes)
    assert list(tmp_path.iterdir()) == [path] and OpenEXR.File(str(path)).parts
    assert [level for level, _ in said] == ["INFO"] and str(path) in said[0][1]
    assert len(bpy.data.scenes) == 1
    assert bpy.context.preferences.view.render_display_type == shown


def test_a_render_that_fails_keeps_the_old_file(
    bpy: Any,
    portrait: Any,
    passes: Any,
    said: list[tuple[str, str]],
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portrait.ssgan3d.truncation = float("nan")
    with pytest.raises(RuntimeError, match="which is not a number"):
        bpy.ops.ssgan3d.save_passes(filepath=str(kept))
    begin(bpy, passes, kept)
    wait(passes)
    assert said[0][0] == "WARNING" and "which is not a number" in said[0][1]
    portrait.ssgan3d.truncation = 1.0
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=20_000))
    with pytest.raises(RuntimeError, match="is full"):
        bpy.ops.ssgan3d.save_passes(filepath=str(kept))
    monkeypatch.undo()


def test_a_render_that_is_stopped_keeps_the_old_file(
    bpy: Any,
    addon: Addon,
    portrait: Any,
    passes: Any,
    said: list[tuple[str, str]],
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = addon("ssgan3d_blender.render_engine").SSGAN3D_RE_engine
    monkeypatch.setattr(engine, "_pixels", lambda *_: None)  # as where Esc is noticed
    with pytest.raises(RuntimeError, match="The render was stopped"):
        bpy.ops.ssgan3d.save_passes(filepath=str(kept))
    begin(bpy, passes, kept)
    wait(passes)


def test_a_copy_that_disabling_left_to_its_render_goes_when_enabled_again(
    bpy: Any, addon: Addon, passes: Any
) -> None:
    left = bpy.context.scene.copy()
    left[addon("ssgan3d_blender.render_engine").FILE_KEY] = True
    passes.detach()
    assert not bpy.app.timers.is_registered(passes._tidy)
    passes.attach()
    assert bpy.app.timers.is_registered(passes._tidy)
    passes._tidy()
    assert [scene.name for scene in bpy.data.scenes] == ["Scene"]


def test_a_copy_of_the_scene_that_undo_brings_back_goes_again(
    bpy: Any, portrait: Any, passes: Any, said: list[tuple[str, str]], tmp_path: Path
) -> None:
    begin(bpy, passes, tmp_path / "a.exr")
    bpy.ops.ed.undo_push(message="Something else, meanwhile")
    wait(passes)
    bpy.ops.ed.undo_push(message="And another thing")
    bpy.ops.ed.undo()
    assert len(bpy.data.scenes) == 2  # or nothing is tested here
    assert bpy.app.timers.is_registered(passes._tidy)
    passes._tidy()
    assert [scene.name for scene in bpy.data.scenes] == ["Scene"]
