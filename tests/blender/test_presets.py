"""Presets of portraits: those that come along, an artist's own, and what disabling leaves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import MODULE, Addon, render_png, run_in_fresh_blender


def preset_files(bpy: Any) -> dict[str, str]:
    """Presets as the menu lists them: name → path."""
    return {
        path.stem: str(path)
        for folder in bpy.utils.preset_paths("ssgan3d")
        for path in Path(folder).glob("*.py")
    }


def test_every_shipped_preset_makes_a_portrait_of_its_own(
    bpy: Any, addon: Addon, portrait: Any
) -> None:
    found, recipes = preset_files(bpy), set()
    assert len(found) >= 5
    for path in found.values():
        assert bpy.ops.ssgan3d.apply_preset(filepath=path) == {"FINISHED"}
        recipe = portrait.ssgan3d.recipe
        assert repr(recipe) in Path(path).read_text()  # all of it got there
        recipes.add(recipe)
    assert len(recipes) == len(found)
    assert bpy.ops.ssgan3d.history(direction="BACK") == {"FINISHED"}
    assert portrait.ssgan3d.recipe in recipes - {recipe}


def test_a_preset_of_ones_own_is_kept_applied_and_removed(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    portrait.ssgan3d.parts["hair"].shape_seed, portrait.ssgan3d.truncation = 5, 0.35
    picture = render_png(bpy, tmp_path / "a.png")
    bpy.ops.ssgan3d.camera_path(path="TURNTABLE", frames=4)
    camera = bpy.context.scene.camera  # hangs on the portrait; it counts as active
    bpy.context.view_layer.objects.active = camera
    assert bpy.ops.ssgan3d.add_preset(name="My Own") == {"FINISHED"}
    path = preset_files(bpy)["My_Own"]
    try:
        bpy.ops.ssgan3d.add_portrait(seed=7)
        other = bpy.context.object
        bpy.ops.ssgan3d.apply_preset(filepath=path)
        assert other.ssgan3d.recipe == portrait.ssgan3d.recipe
        bpy.context.scene.camera = None
        bpy.data.objects.remove(portrait)
        other.location = (0.0, 0.0, 0.0)
        bpy.ops.ssgan3d.setup_scene()
        np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), picture)
    finally:
        bpy.ops.ssgan3d.add_preset(name="My Own", remove_name=True)
    assert "My_Own" not in preset_files(bpy)


def test_a_broken_preset_is_refused_and_changes_nothing(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    before = portrait.ssgan3d.recipe
    (tmp_path / "bad.py").write_text("raise ValueError('broken')\n")
    for name, said in (("bad.py", "broken"), ("gone.py", "gone.py")):
        with pytest.raises(RuntimeError, match=said):
            bpy.ops.ssgan3d.apply_preset(filepath=str(tmp_path / name))
    recipe = json.dumps({"seed": -4})
    (tmp_path / "odd.py").write_text(f"import bpy\nbpy.context.object.ssgan3d.recipe = '{recipe}'")
    with pytest.raises(RuntimeError, match="seed must be a whole number"):
        bpy.ops.ssgan3d.apply_preset(filepath=str(tmp_path / "odd.py"))
    with pytest.raises(RuntimeError, match="No preset is chosen"):
        bpy.ops.ssgan3d.apply_preset(filepath="")
    assert portrait.ssgan3d.recipe == before
    assert bpy.ops.ssgan3d.history(direction="BACK") == {"CANCELLED"}  # nothing happened


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ('{"seed": 3, "parts": {"antlers": {}}}', "There is no part 'antlers'"),
        ('{"seed": 3, "truncation": 7}', "truncation must be a number from 0 to 1, not 7"),
        ('{"seed": 3', "This is no description of a portrait"),
        ("{}' +", "bad.py is no preset: "),
        ("' + '[]", "A portrait is described by seed, truncation and parts"),  # put together
        ('{"seed": 4}\'\nportrait.recipe = \'{"seed": -4}', "seed must be a whole number"),
        ('{"seed": 3}\'\nraise ValueError("late")\n#', "late"),  # after it has written
    ],
)
def test_a_preset_that_cannot_be_applied_says_why(
    bpy: Any, portrait: Any, tmp_path: Path, values: str, said: str
) -> None:
    portrait.ssgan3d.parts["hair"].shape_seed = 5
    before = portrait.ssgan3d.recipe
    path = tmp_path / "bad.py"
    path.write_text(
        f"import bpy\nportrait = bpy.context.object.ssgan3d\n\nportrait.recipe = '{values}'"
    )
    with pytest.raises(RuntimeError, match=said):
        bpy.ops.ssgan3d.apply_preset(filepath=str(path))
    assert portrait.ssgan3d.recipe == before


def test_disabling_takes_the_shipped_presets_away(archive: Path) -> None:
    script = f"""
import sys
import bpy, addon_utils
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
assert bpy.utils.preset_paths("ssgan3d")
addon_utils.disable({MODULE!r})
assert not bpy.utils.preset_paths("ssgan3d")
print("gone")
"""
    run = run_in_fresh_blender(script, str(archive))
    assert "gone" in run.stdout, run.stdout + run.stderr
