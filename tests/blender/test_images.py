"""Contact sheets and pictures as images."""

from pathlib import Path
from typing import Any

import numpy as np
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


def shown_after(bpy: Any, portrait: Any, seed: int) -> Any:
    """A texture that shows the image of a portrait of this seed, as an artist may use it."""
    portrait.ssgan3d.seed = seed
    activate(bpy, portrait)
    assert bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT") == {"FINISHED"}
    shown = bpy.data.textures.new("User", "IMAGE")
    shown.image = bpy.data.images[f"{portrait.name} Image"]
    return shown


def activate(bpy: Any, portrait: Any) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    portrait.select_set(True)
    bpy.context.view_layer.objects.active = portrait


def test_images_stay_the_portraits_when_it_is_renamed(bpy: Any, portrait: Any) -> None:
    portrait.name = "Ann"
    bob = shown_after(bpy, portrait, 1)
    before = pixels(bob.image)
    portrait.name = "Bob"
    bpy.ops.ssgan3d.add_portrait(seed=9)
    bpy.context.object.name = "Ann"
    ann = bpy.context.object
    activate(bpy, ann)
    bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
    np.testing.assert_array_equal(pixels(bob.image), before)
    count = len(bpy.data.images)

    portrait.ssgan3d.seed = 12
    activate(bpy, portrait)
    bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
    assert bob.image.name == "Bob Image" and np.abs(pixels(bob.image) - before).max() > 0.1
    assert len(bpy.data.images) == count == 6


@pytest.mark.parametrize("rename", [None, "original", "copy takes the name"])
def test_images_of_a_duplicate_are_its_own(bpy: Any, portrait: Any, rename: str | None) -> None:
    shown = shown_after(bpy, portrait, 1)
    before = pixels(shown.image)
    activate(bpy, portrait)
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    if rename == "original":
        portrait.name = "Zoe"  # behind the copy in the alphabet
    copy.ssgan3d.seed = 9
    bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
    np.testing.assert_array_equal(pixels(shown.image), before)
    if rename == "copy takes the name":  # when each has images
        portrait.name, copy.name = "Zoe", "Portrait"
        bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
        np.testing.assert_array_equal(pixels(shown.image), before)
    portrait.ssgan3d.seed = 12
    activate(bpy, portrait)
    bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
    assert np.abs(pixels(shown.image) - before).max() > 0.1
    assert len(bpy.data.images) == 6


def test_images_stay_the_portraits_when_the_file_is_opened_again(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    shown_after(bpy, portrait, 1)
    portrait.name = "Bob"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    activate(bpy, bpy.data.objects["Bob"])
    bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
    assert {image.name for image in bpy.data.images} == {"Bob Image", "Bob Mask", "Bob Depth"}


def test_a_users_copy_of_an_image_is_left_alone(bpy: Any, portrait: Any) -> None:
    shown = shown_after(bpy, portrait, 1)
    kept = shown.image.copy()
    before = pixels(kept)
    portrait.ssgan3d.seed = 12
    bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
    np.testing.assert_array_equal(pixels(kept), before)
    assert np.abs(pixels(shown.image) - before).max() > 0.1
