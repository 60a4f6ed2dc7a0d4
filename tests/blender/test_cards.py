"""Portrait cards: a plane in a Cycles scene shows what the portrait engine shows from there."""

import math
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon, Drawn, render_png, run_in_fresh_blender


@pytest.fixture
def scene(bpy: Any, portrait: Any) -> Any:
    """A portrait off the origin, turned and enlarged, before a camera that sees it aslant."""
    portrait.location, portrait.rotation_euler.z = (0.3, -0.2, 0.1), 0.3
    portrait.scale = (1.5, 1.5, 1.5)
    bpy.context.view_layer.update()
    scene = bpy.context.scene
    scene.camera.location = (0.55, -1.75, 0.35)
    scene.camera.rotation_euler = (math.radians(82), math.radians(4), math.radians(8))
    scene.camera.data.lens = 120.0
    scene.camera.data.shift_y = -0.1
    scene.render.film_transparent = True
    scene.cycles.device, scene.cycles.samples = "CPU", 4
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.render.dither_intensity = 0.0
    return scene


def seen(bpy: Any, engine: str, path: Path) -> np.ndarray:
    """F12 with an engine: (H, W, 4) in 0..255, straight alpha."""
    bpy.context.scene.render.engine = engine
    return render_png(bpy, path).astype(float)


def over_grey(picture: np.ndarray) -> np.ndarray:
    alpha = picture[..., 3:] / 255
    return picture[..., :3] * alpha + 128 * (1 - alpha)


def squares(picture: np.ndarray) -> np.ndarray:
    """Means of 4 × 4 pixels."""
    height, width, channels = picture.shape
    return picture.reshape(height // 4, 4, width // 4, 4, channels).mean((1, 3))


def texels(image: Any) -> np.ndarray:
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(*image.size, 4)


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_card_in_cycles_is_what_the_portrait_engine_shows(
    bpy: Any, preferences: Any, scene: Any, tmp_path: Path, kind: str
) -> None:
    preferences.model_path = ""  # the model that comes along: its pictures have edges to compare
    scene.camera.data.type, scene.camera.data.ortho_scale = kind, 0.5
    scene.cycles.samples = 16  # with 4 a fifth of what is apart is noise
    expected = over_grey(seen(bpy, "SSGAN3D", tmp_path / "own.png"))
    assert bpy.ops.ssgan3d.add_card(resolution=256) == {"FINISHED"}
    shown = over_grey(seen(bpy, "CYCLES", tmp_path / "cycles.png"))
    assert expected.std() > 20  # a flat picture would prove nothing

    def apart(picture: np.ndarray) -> float:
        return np.abs(picture - expected)[2:-2, 2:-2].mean()

    # Colours are the same. Both pictures are resampled, which no two programs do alike, and the
    # finer the model draws, the more it shows from pixel to pixel: squares of 4 × 4 do not care.
    assert np.abs(squares(shown) - squares(expected))[1:-1, 1:-1].mean() < 1.2
    for axis in (0, 1):  # a card that stood one pixel off would be seen
        for step in (-1, 1):
            assert apart(np.roll(shown, step, axis)) > 2.5 * apart(shown)


@pytest.mark.parametrize("persistent", [False, True])
def test_film_follows_camera_and_codes(
    bpy: Any, addon: Addon, scene: Any, portrait: Any, tmp_path: Path, persistent: bool
) -> None:
    from PIL import Image

    bpy.ops.ssgan3d.add_card(resolution=64)
    for frame, yaw, mix in ((1, 0.5, 0.0), (2, -0.4, 0.0), (3, -0.4, 1.0)):
        addon("ssgan3d_blender.cameras").orbit(scene.camera, portrait, yaw, 0.1)
        for path in ("location", "rotation_euler"):
            scene.camera.keyframe_insert(path, frame=frame)
        portrait.ssgan3d.parts["skin"].mix_seed = 5
        portrait.ssgan3d.parts["skin"].shape_mix = mix
        portrait.keyframe_insert('ssgan3d.parts["skin"].shape_mix', frame=frame)
    scene.frame_end = 3
    films = {}
    for engine in ("SSGAN3D", "CYCLES"):
        scene.render.engine = engine
        scene.render.use_persistent_data = persistent  # must not keep old textures
        scene.render.image_settings.file_format = "PNG"
        scene.render.filepath = str(tmp_path / f"{engine}_")
        scene.frame_set(1)
        bpy.ops.render.render(animation=True)
        films[engine] = [
            np.asarray(Image.open(tmp_path / f"{engine}_{frame:04d}.png"))[..., 3].astype(float)
            for frame in (1, 2, 3)
        ]
    for expected, shown in zip(films["SSGAN3D"], films["CYCLES"], strict=True):
        own = np.abs(shown - expected).mean()
        others = [np.abs(shown - other).mean() for other in films["SSGAN3D"]]
        assert own < 4
        assert sorted(others)[1] > 2 * own


def test_masks_are_textures_in_the_cards_material(
    bpy: Any, addon: Addon, scene: Any, portrait: Any
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=32, masks=True)
    card = bpy.context.object
    parts = addon("core.parts").PARTS
    nodes = card.active_material.node_tree.nodes
    masks = np.stack([texels(nodes[f"{part.label} Mask"].image)[..., 0] for part in parts])
    np.testing.assert_allclose(masks.sum(0), 1, atol=13 * 0.6 / 255)
    assert masks.std((1, 2)).max() > 0.1
    alpha = texels(nodes["Portrait Picture"].image)[..., 3]
    np.testing.assert_allclose(alpha, 1 - masks[0], atol=1.5 / 255)
    images = {nodes[f"{part.label} Mask"].image for part in parts}
    assert all(image.packed_file for image in images)
    assert {image.colorspace_settings.name for image in images} == {"Non-Color"}

    addon("ssgan3d_blender.cameras").orbit(scene.camera, portrait, 0.6, 0.0)
    scene.frame_set(2)  # masks follow as the picture does
    moved = np.stack([texels(nodes[f"{part.label} Mask"].image)[..., 0] for part in parts])
    assert np.abs(moved - masks).max() > 0.1

    card.ssgan3d_card.use_masks = False
    bpy.ops.ssgan3d.update_cards()
    assert [node.name for node in nodes if node.type == "TEX_IMAGE"] == ["Portrait Picture"]
    assert not [image for image in bpy.data.images if image.name.endswith("Hair")]


def test_card_turns_only_while_it_is_live(
    bpy: Any, addon: Addon, scene: Any, portrait: Any
) -> None:
    from mathutils import Vector

    orbit = addon("ssgan3d_blender.cameras").orbit
    bpy.ops.ssgan3d.add_card(resolution=16)
    card = bpy.context.object

    def off_axis() -> float:
        """Degrees between the card's normal and the line to the camera."""
        bpy.context.view_layer.update()
        to_camera = scene.camera.matrix_world.translation - portrait.matrix_world.translation
        return math.degrees(card.matrix_world.to_3x3().col[2].angle(Vector(to_camera)))

    def picture() -> np.ndarray:
        return texels(card.ssgan3d_card.image)

    first = picture()
    assert off_axis() < 0.01
    orbit(scene.camera, portrait, -0.7, 0.2)
    assert off_axis() > 20
    scene.frame_set(2)
    assert off_axis() < 0.01
    second = picture()
    assert np.abs(second - first).max() > 0.1

    card.ssgan3d_card.live = False
    orbit(scene.camera, portrait, 0.0, 0.0)
    scene.frame_set(3)
    assert off_axis() > 20
    np.testing.assert_array_equal(picture(), second)
    assert bpy.ops.ssgan3d.update_cards() == {"FINISHED"}
    assert off_axis() < 0.01
    assert np.abs(picture() - second).max() > 0.1


def test_lit_card_follows_the_lamps(bpy: Any, scene: Any, tmp_path: Path) -> None:
    bpy.ops.ssgan3d.add_card(resolution=32, shading="LIT")
    dark = seen(bpy, "CYCLES", tmp_path / "dark.png")
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "SUN"))
    scene.collection.objects.link(lamp)
    lamp.matrix_world = scene.camera.matrix_world
    bright = seen(bpy, "CYCLES", tmp_path / "bright.png")
    solid = dark[..., 3] > 250
    assert dark[solid][:, :3].mean() < 2 < 50 < bright[solid][:, :3].mean()


def test_copy_of_a_portrait_with_its_card_is_another_person(
    bpy: Any, scene: Any, portrait: Any
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16)
    card = bpy.context.object
    before = texels(card.ssgan3d_card.image)
    portrait.select_set(True)
    bpy.ops.object.duplicate()
    other = next(o for o in bpy.context.selected_objects if o.ssgan3d_card.is_card)
    assert other.ssgan3d_card.portrait == other.parent != portrait
    other.parent.ssgan3d.seed = 99
    scene.frame_set(2)
    theirs = texels(other.ssgan3d_card.image)
    np.testing.assert_array_equal(texels(card.ssgan3d_card.image), before)
    assert np.abs(theirs - before).max() > 0.1
    pictures = [
        item.active_material.node_tree.nodes["Portrait Picture"].image for item in (card, other)
    ]
    assert pictures == [card.ssgan3d_card.image, other.ssgan3d_card.image]


def test_under_the_mouse_a_picture_is_made_in_a_thread(
    bpy: Any, addon: Addon, scene: Any, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates, pictures = addon("ssgan3d_blender.card_updates"), addon("ssgan3d_blender.card_picture")
    orbit = addon("ssgan3d_blender.cameras").orbit
    bpy.ops.ssgan3d.add_card(resolution=16)
    first = bpy.context.object
    bpy.ops.ssgan3d.add_portrait()
    bpy.ops.ssgan3d.add_card(resolution=16)
    second = bpy.context.object
    before = texels(first.ssgan3d_card.image)
    go_on, threads, make = threading.Event(), [], pictures.make

    def wait_and_make(order: Any) -> Any:
        threads.append(threading.current_thread())
        assert go_on.wait(60)
        if refused:
            raise addon("core.errors").PortraitError("It cannot be.")
        return make(order)

    refused = False
    monkeypatch.setattr(pictures, "make", wait_and_make)
    orbit(scene.camera, portrait, 0.6, 0.1)
    bpy.context.view_layer.update()
    assert updates._catch_up() is not None  # it has begun
    np.testing.assert_array_equal(texels(first.ssgan3d_card.image), before)
    assert updates._catch_up() is not None  # and the window goes on
    bpy.data.objects.remove(second)  # meanwhile
    go_on.set()
    while updates._catch_up() is not None:
        time.sleep(0.01)
    assert np.abs(texels(first.ssgan3d_card.image) - before).max() > 0.1
    assert threads and threading.main_thread() not in threads

    refused = True
    orbit(scene.camera, portrait, -0.6, 0.1)
    bpy.context.view_layer.update()
    count = len(threads)
    while updates._catch_up() is not None:
        time.sleep(0.01)
    assert updates.problem(first) == "It cannot be."
    assert updates._catch_up() is None and len(threads) == count + 1  # not again and again


def test_copy_of_a_card_whose_mask_was_deleted_gets_it_anew(
    bpy: Any, addon: Addon, scene: Any, portrait: Any
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16, masks=True)
    bpy.data.images.remove(bpy.context.object.ssgan3d_card.masks["hair"].image)
    portrait.select_set(True)
    bpy.ops.object.duplicate()
    portrait.ssgan3d.seed = bpy.context.object.parent.ssgan3d.seed = 99
    scene.frame_set(2)
    for card in addon("ssgan3d_blender.cards").in_scene(scene):
        assert addon("ssgan3d_blender.card_updates").problem(card) is None
    other = next(o for o in bpy.context.selected_objects if o.ssgan3d_card.is_card)
    mask = other.ssgan3d_card.masks["hair"].image
    assert texels(mask).std() > 0
    nodes = other.active_material.node_tree.nodes
    assert nodes["Hair Mask"].image == mask and "Hair Mask.001" not in nodes


def test_what_does_not_change_the_picture_draws_no_card_anew(
    bpy: Any, scene: Any, portrait: Any
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16)
    image = bpy.context.object.ssgan3d_card.image
    image.pixels[0] = 0.25  # what a new picture would write over
    portrait.ssgan3d.parts["hair"].lock = True
    portrait.ssgan3d.active_part = 3
    portrait.update_tag()  # as moving it would
    scene.frame_set(2)
    assert image.pixels[0] == pytest.approx(0.25, abs=0.01)
    for change in ({"solo": "hair"}, {"solo": "", "seed": 99}):
        for name, value in change.items():
            setattr(portrait.ssgan3d, name, value)
        scene.frame_set(3)
        assert image.pixels[0] != pytest.approx(0.25, abs=0.01)
        image.pixels[0] = 0.25


def test_no_memory_for_the_masks_leaves_nothing_behind(
    bpy: Any, addon: Addon, scene: Any, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compositing = addon("core.compositing")
    grey_picture, made = compositing.grey_picture, []

    def starve(mask: Any) -> Any:
        if len(made) == 3:
            raise MemoryError
        made.append(mask)
        return grey_picture(mask)

    monkeypatch.setattr(compositing, "grey_picture", starve)
    with pytest.raises(RuntimeError, match="not enough memory"):
        bpy.ops.ssgan3d.add_card(resolution=16, masks=True)
    assert not bpy.data.images and not bpy.data.materials
    assert not addon("ssgan3d_blender.cards").in_scene(scene)


def test_saved_file_shows_the_last_picture_without_the_extension(
    bpy: Any, addon: Addon, scene: Any, portrait: Any, tmp_path: Path
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16)
    card = bpy.context.object
    addon("ssgan3d_blender.cameras").orbit(scene.camera, portrait, -0.7, 0.2)
    scene.frame_set(2)  # a picture that is not packed yet
    expected = texels(card.ssgan3d_card.image)
    np.save(tmp_path / "expected.npy", expected)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    script = """
import sys, bpy, numpy as np
bpy.ops.wm.open_mainfile(filepath=sys.argv[1] + "/a.blend")
assert not hasattr(bpy.types.Object, "ssgan3d")
card = bpy.data.objects["Portrait Card"]
image = card.active_material.node_tree.nodes["Portrait Picture"].image
pixels = np.empty(len(image.pixels), np.float32)
image.pixels.foreach_get(pixels)
np.testing.assert_array_equal(pixels, np.load(sys.argv[1] + "/expected.npy").ravel())
print("as it was")
"""
    run = run_in_fresh_blender(script, str(tmp_path))
    assert "as it was" in run.stdout, run.stdout + run.stderr


def test_opened_file_follows_again(
    bpy: Any, addon: Addon, scene: Any, portrait: Any, tmp_path: Path
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    card = bpy.data.objects["Portrait Card"]
    before = texels(card.ssgan3d_card.image)
    bpy.data.objects["Portrait"].ssgan3d.seed = 99
    bpy.context.scene.frame_set(2)
    assert np.abs(texels(card.ssgan3d_card.image) - before).max() > 0.1


def test_card_panel_warns_of_a_view_that_changes_the_colours_and_mends_it(
    bpy: Any, scene: Any
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16)
    camera, scene.render.engine = scene.camera.matrix_world.copy(), "CYCLES"

    def drawn() -> Drawn:
        layout = Drawn()
        bpy.types.SSGAN3D_PT_card.draw(SimpleNamespace(layout=layout), bpy.context)
        return layout

    warning = "Colours are not the model's"
    assert warning not in drawn().texts
    scene.view_settings.view_transform = "AgX"
    assert warning in drawn().texts
    bpy.ops.ssgan3d.setup_scene(**vars(drawn().buttons["ssgan3d.setup_scene"]))
    assert scene.view_settings.view_transform == "Standard"
    assert warning not in drawn().texts
    assert scene.render.engine == "CYCLES" and scene.camera.matrix_world == camera  # nothing else


def test_scenes_of_cards_are_offered_a_camera_and_no_other_engine(
    bpy: Any, addon: Addon, scene: Any
) -> None:
    scene.render.engine = "CYCLES"
    draw = addon("ssgan3d_blender.panel").draw_warnings
    without, with_card = Drawn(), Drawn()
    draw(without, scene)
    assert "F12 renders with another engine" in without.texts
    bpy.ops.ssgan3d.add_card(resolution=16)
    draw(with_card, scene)
    assert not with_card.texts
    button = with_card.buttons["ssgan3d.setup_scene"]
    assert vars(button) == {"use_engine": False, "use_colours": False, "use_camera": True}


def test_card_has_its_colours_in_another_working_space_and_no_warning(
    bpy: Any, preferences: Any, scene: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if not hasattr(bpy.data, "colorspace"):
        pytest.skip("working spaces came with Blender 5.0")
    preferences.model_path = ""  # the model that comes along: colours of skin, none out of gamut
    bpy.ops.ssgan3d.add_card(resolution=64)
    expected = over_grey(seen(bpy, "CYCLES", tmp_path / "a.png"))
    bpy.ops.wm.set_working_color_space(working_space="ACEScg")
    try:
        shown = over_grey(seen(bpy, "CYCLES", tmp_path / "b.png"))
        capfd.readouterr()
        bpy.ops.ssgan3d.setup_scene(use_engine=False, use_camera=False)
        assert "working space" not in capfd.readouterr().out
    finally:
        bpy.ops.wm.set_working_color_space(working_space="Linear Rec.709")
    assert np.abs(shown - expected).mean() < 0.5 < 20 < expected.std()


def test_what_is_wrong_is_said_and_the_card_stays(
    bpy: Any, scene: Any, portrait: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    camera, scene.camera = scene.camera, None
    with pytest.raises(RuntimeError, match="no camera that a card could face"):
        bpy.ops.ssgan3d.add_card()
    with pytest.raises(RuntimeError, match="no portrait card"):
        bpy.ops.ssgan3d.update_cards()
    scene.camera = camera
    portrait.ssgan3d.truncation = math.nan
    counts = [len(data) for data in (bpy.data.objects, bpy.data.materials, bpy.data.images)]
    with pytest.raises(RuntimeError, match="Variety of 'Portrait' is nan"):
        bpy.ops.ssgan3d.add_card(resolution=16)
    assert counts == [len(data) for data in (bpy.data.objects, bpy.data.materials, bpy.data.images)]
    portrait.ssgan3d.truncation = 0.5
    bpy.ops.ssgan3d.add_card(resolution=16)
    with pytest.raises(RuntimeError, match="has a card already"):
        bpy.ops.ssgan3d.add_card(resolution=16)

    card = bpy.context.object
    before = texels(card.ssgan3d_card.image)
    capfd.readouterr()
    bpy.data.objects.remove(portrait)
    scene.frame_set(2)
    assert "The portrait of 'Portrait Card' is gone" in capfd.readouterr().err
    np.testing.assert_array_equal(texels(card.ssgan3d_card.image), before)
    with pytest.raises(RuntimeError, match="is gone"):
        bpy.ops.ssgan3d.update_cards()


@pytest.fixture
def bereft(bpy: Any, scene: Any, portrait: Any) -> Any:
    """A card whose portrait was deleted with X, while card and "From" point at it."""
    bpy.ops.ssgan3d.add_card(resolution=16)
    card = bpy.context.object
    scene.ssgan3d_source = portrait
    bpy.ops.object.select_all(action="DESELECT")
    portrait.select_set(True)
    bpy.context.view_layer.objects.active = portrait
    bpy.ops.ed.undo_push(message="Card")
    assert bpy.ops.object.delete() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Delete")
    return card


def test_deleted_portrait_is_gone_though_its_card_points_at_it(
    bpy: Any, scene: Any, bereft: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    before = texels(bereft.ssgan3d_card.image)
    scene.camera.location.x += 0.5
    scene.frame_set(2)
    assert "The portrait of 'Portrait Card' is gone" in capfd.readouterr().err
    np.testing.assert_array_equal(texels(bereft.ssgan3d_card.image), before)
    with pytest.raises(RuntimeError, match="is gone"):
        bpy.ops.ssgan3d.update_cards()
    bpy.context.view_layer.objects.active = bereft
    assert bpy.types.SSGAN3D_PT_card.poll(bpy.context)  # which says it
    with pytest.raises(RuntimeError, match="Select a portrait first"):
        bpy.ops.ssgan3d.render_images()


def test_undo_brings_a_deleted_portrait_back_to_its_card(
    bpy: Any, addon: Addon, bereft: Any, tmp_path: Path
) -> None:
    bpy.context.scene.frame_set(2)  # the card notices
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "between.blend"))
    bpy.ops.ed.undo()
    portrait, card = bpy.data.objects["Portrait"], bpy.data.objects["Portrait Card"]
    assert portrait.users_collection and card.ssgan3d_card.portrait == portrait == card.parent
    assert bpy.context.scene.ssgan3d_source == portrait
    before = texels(card.ssgan3d_card.image)
    portrait.ssgan3d.seed = 99
    bpy.context.scene.frame_set(3)
    assert addon("ssgan3d_blender.card_updates").problem(card) is None
    assert np.abs(texels(card.ssgan3d_card.image) - before).max() > 0.1


def test_deleted_portrait_is_not_saved(bpy: Any, bereft: Any, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert sorted(item.name for item in bpy.data.objects) == ["Portrait Camera", "Portrait Card"]


def test_portrait_that_stands_in_an_instanced_collection_alone_has_its_card(
    bpy: Any, addon: Addon, scene: Any, portrait: Any
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16)
    card = bpy.context.object
    hidden = bpy.data.collections.new("Cast")
    hidden.objects.link(portrait)
    scene.collection.objects.unlink(portrait)
    stage = bpy.data.objects.new("Stage", None)
    stage.instance_type, stage.instance_collection = "COLLECTION", hidden
    scene.collection.objects.link(stage)
    assert not portrait.users_scene
    before = texels(card.ssgan3d_card.image)
    portrait.ssgan3d.seed = 99
    scene.frame_set(2)
    assert addon("ssgan3d_blender.card_updates").problem(card) is None
    assert np.abs(texels(card.ssgan3d_card.image) - before).max() > 0.1


def test_camera_outside_the_range_sees_the_nearest_view(
    bpy: Any, addon: Addon, scene: Any, portrait: Any, tmp_path: Path
) -> None:
    addon("ssgan3d_blender.cameras").orbit(scene.camera, portrait, 1.2, 0.0)
    expected = seen(bpy, "SSGAN3D", tmp_path / "own.png")[..., 3]
    bpy.ops.ssgan3d.add_card(resolution=256)
    shown = seen(bpy, "CYCLES", tmp_path / "cycles.png")[..., 3]
    assert np.abs(shown - expected).mean() < 4 < 20 < expected.std()
