"""Portraits as small files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon, render_png

NAMED = b'{"format": "ssgan3d-recipe", "version": 1, "portrait": {"seed": 1}, "name": %s}'


@pytest.fixture
def exported(bpy: Any, portrait: Any, tmp_path: Path) -> Path:
    """A file of a portrait on which everything is set."""
    portrait.name = "Anna"
    settings = portrait.ssgan3d
    settings.seed, settings.truncation = 12, 0.9
    settings.parts["hair"].shape_seed, settings.parts["hair"].lock = 5, True
    settings.parts["skin"].mix_seed, settings.parts["skin"].texture_mix = 8, 0.3
    settings.parts["hat"].visibility, settings.parts["ears"].visibility = "SHOW", "HIDE"
    path = tmp_path / "Anna.ssgan3d"
    assert bpy.ops.ssgan3d.export_portrait(filepath=str(path)) == {"FINISHED"}
    return path


def test_an_exported_portrait_comes_back_as_the_same_picture(
    bpy: Any, addon: Addon, portrait: Any, exported: Path, tmp_path: Path
) -> None:
    recipe, picture = portrait.ssgan3d.recipe, render_png(bpy, tmp_path / "a.png")
    document = json.loads(exported.read_text())
    assert exported.stat().st_size < 2000
    assert document["model"] == addon("ssgan3d_blender.preferences").model_card().sha256
    recipes, stored = addon("core.recipe"), addon("ssgan3d_blender.portraits").recipe(portrait)
    read = recipes.PortraitRecipe.from_dict(document["portrait"])
    assert read.parts.keys() == {"hair", "skin", "hat", "ears"}
    assert read.seed == stored.seed and read.truncation == pytest.approx(stored.truncation)
    assert read.parts["hat"] == stored.parts["hat"]
    bpy.data.objects.remove(portrait)
    assert bpy.ops.ssgan3d.import_portrait(filepath=str(exported)) == {"FINISHED"}
    back = bpy.context.object
    assert back.name == "Anna" and back.ssgan3d.recipe == recipe
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), picture)


def test_several_files_at_once_stand_side_by_side(bpy: Any, portrait: Any, exported: Path) -> None:
    portrait.ssgan3d.seed = 3
    bpy.ops.ssgan3d.export_portrait(filepath=str(exported.with_name("Bert")))  # suffix is added
    files = [{"name": "Anna.ssgan3d"}, {"name": "Bert.ssgan3d"}]
    assert bpy.ops.ssgan3d.import_portrait(
        "INVOKE_DEFAULT", directory=str(exported.parent), files=files
    ) == {"FINISHED"}
    new = [item for item in bpy.context.scene.objects if item.ssgan3d.is_portrait][1:]
    assert sorted(item.ssgan3d.seed for item in new) == [3, 12]
    assert abs(new[0].location.x - new[1].location.x) == pytest.approx(0.5)


def test_a_file_as_core_writes_recipes_is_read(
    bpy: Any, addon: Addon, portrait: Any, exported: Path
) -> None:
    document = json.loads(exported.read_text())
    recipe = addon("ssgan3d_blender.portraits").recipe(portrait)
    document["portrait"] = recipe.to_dict()  # with every default spelled out
    exported.write_text(json.dumps(document))
    bpy.ops.ssgan3d.import_portrait(filepath=str(exported))
    assert bpy.context.object != portrait
    assert addon("ssgan3d_blender.portraits").recipe(bpy.context.object) == recipe


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"{}", "is not a portrait"),
        (b'{"format": "ssgan3d-recipe", "version": 2}', "version 2"),
        (b'{"format": "ssgan3d-recipe", "version": 1}', "damaged: A portrait"),
        (
            b'{"format": "ssgan3d-recipe", "version": 1, "portrait": {"seed": 5000000000}}',
            "damaged: The seed must be a whole number up to 2147483647, not 5000000000",
        ),
        (NAMED % b'"\\ud800"', r"called '\\ud800', which is no valid text"),
        (NAMED % b'"a\\u0000"', "which is no valid text"),
        (NAMED % b'["a"]', "which is no valid text"),
        (b" " * 2_000_000, "too large"),
        (None, "cannot be read"),
    ],
)
def test_files_that_are_no_portraits_change_nothing(
    bpy: Any, exported: Path, content: bytes | None, said: str
) -> None:
    bad = exported.with_name("bad.ssgan3d")
    if content is not None:
        bad.write_bytes(content)
    before = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match=said):
        bpy.ops.ssgan3d.import_portrait(
            directory=str(bad.parent), files=[{"name": exported.name}, {"name": bad.name}]
        )
    assert len(bpy.data.objects) == before


def test_a_portrait_of_another_model_is_imported_with_a_warning(
    bpy: Any, portrait: Any, exported: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(exported.read_text())
    exported.write_text(json.dumps({**document, "model": "0" * 64}))
    assert bpy.ops.ssgan3d.import_portrait(filepath=str(exported)) == {"FINISHED"}
    assert "made with another model" in capfd.readouterr().out
    assert bpy.context.object.ssgan3d.recipe == portrait.ssgan3d.recipe


@pytest.mark.parametrize(
    ("name", "made", "said"),
    [
        ("", "Anna.001", ""),
        (None, "Anna.001", ""),
        ("Zoë \N{ZERO WIDTH JOINER}", "Zoë \N{ZERO WIDTH JOINER}", ""),
        ("ä" * 300, "ä" * 20, "is too long for Blender: shortened"),
    ],
)
def test_odd_names_of_portraits_are_taken_as_far_as_blender_can(
    bpy: Any,
    portrait: Any,
    exported: Path,
    capfd: pytest.CaptureFixture[str],
    name: str | None,
    made: str,
    said: str,
) -> None:
    document = json.loads(exported.read_text())
    exported.write_text(json.dumps({**document, "name": name}))
    assert bpy.ops.ssgan3d.import_portrait(filepath=str(exported)) == {"FINISHED"}
    assert bpy.context.object.name.startswith(made) and bpy.context.object != portrait
    warned = capfd.readouterr().out
    assert said in warned and ("shortened" in warned) == bool(said)


def test_an_export_that_fails_leaves_the_old_file(bpy: Any, portrait: Any, exported: Path) -> None:
    old = exported.read_bytes()
    portrait.ssgan3d.truncation = float("nan")
    with pytest.raises(RuntimeError, match="truncation must be a number"):
        bpy.ops.ssgan3d.export_portrait(filepath=str(exported))
    assert exported.read_bytes() == old
    portrait.ssgan3d.truncation = 0.5
    folder = exported.with_name("folder.ssgan3d")
    folder.mkdir()
    with pytest.raises(RuntimeError, match="folder"):
        bpy.ops.ssgan3d.export_portrait(filepath=str(folder))


def test_the_file_menus_and_the_3d_view_know_the_format(bpy: Any, installed: Any) -> None:
    handler = bpy.types.SSGAN3D_FH_portrait
    assert handler.bl_file_extensions == ".ssgan3d"
    for name, menu in (("import", "TOPBAR_MT_file_import"), ("export", "TOPBAR_MT_file_export")):
        functions = getattr(bpy.types, menu).draw._draw_funcs
        assert any(function.__name__ == f"draw_{name}" for function in functions)
