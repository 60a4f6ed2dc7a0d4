"""What the operators make, and what they say when they cannot."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import MODULE, Addon, Drawn, render_png


def pixels_of(image: Any) -> np.ndarray:
    """(H, W, 4), row 0 at the top."""
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], 4)[::-1]


def test_new_portrait_is_one_number_and_has_every_part(bpy: Any, addon: Addon) -> None:
    bpy.context.scene.cursor.location = (1.0, 2.0, 3.0)
    assert bpy.ops.ssgan3d.add_portrait(seed=4, truncation=0.5) == {"FINISHED"}
    made = bpy.context.object
    assert made.ssgan3d.is_portrait and tuple(made.location) == (1.0, 2.0, 3.0)
    assert [part.name for part in made.ssgan3d.parts] == list(addon("core.parts").PART_NAMES)
    recipe = addon("ssgan3d_blender.portraits").recipe(made)
    assert (recipe.seed, recipe.truncation) == (4, 0.5)
    recipes = addon("core.recipe")
    assert set(map(str, recipe.parts.values())) == {str(recipes.PartRecipe())}


def test_guide_lines_face_blenders_front_view_and_are_never_rendered(
    bpy: Any, portrait: Any
) -> None:
    lines = np.array([vertex.co for vertex in portrait.data.vertices])
    assert len(portrait.data.polygons) == 0
    nose = lines[lines[:, 1].argmin()]
    assert nose[1] == pytest.approx(-0.51 * 0.155, rel=1e-3)  # the way -Y looks
    assert nose[0] == 0.0


def test_each_new_portrait_is_another_person(bpy: Any) -> None:
    for _ in range(3):
        bpy.ops.ssgan3d.add_portrait()
    assert sorted(item.ssgan3d.seed for item in bpy.data.objects) == [0, 1, 2]


def test_randomise_one_part_leaves_the_others(bpy: Any, portrait: Any) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {p.name: (p.shape_seed, p.texture_seed) for p in portrait.ssgan3d.parts}

    before = state()
    assert bpy.ops.ssgan3d.randomise(part="hair", aspect="SHAPE") == {"FINISHED"}
    after = state()
    assert after["hair"][0] >= 0 and after["hair"][1] == -1
    assert {**after, "hair": (-1, -1)} == before
    bpy.ops.ssgan3d.randomise(part="hair", random_seed=7)
    assert state()["hair"] == (7, 7)
    bpy.ops.ssgan3d.reset_part(part="hair")
    assert state() == before


def test_a_part_that_somebody_asks_for_is_there(bpy: Any, portrait: Any) -> None:
    parts = portrait.ssgan3d.parts
    for name, before, after in (
        ("glasses", "AUTO", "SHOW"),
        ("hat", "HIDE", "HIDE"),
        ("nose", "AUTO", "AUTO"),
    ):
        parts[name].visibility = before
        bpy.ops.ssgan3d.randomise(part=name)
        assert parts[name].visibility == after


def test_eye_of_a_part_hides_and_shows(bpy: Any, portrait: Any) -> None:
    def states(part: str) -> str:
        bpy.ops.ssgan3d.toggle_part(part=part)
        return portrait.ssgan3d.parts[part].visibility

    assert [states("nose") for _ in range(3)] == ["HIDE", "AUTO", "HIDE"]
    assert [states("glasses") for _ in range(4)] == ["SHOW", "HIDE", "AUTO", "SHOW"]


def test_randomise_all_is_another_person(bpy: Any, portrait: Any) -> None:
    bpy.ops.ssgan3d.randomise(part="nose")
    portrait.ssgan3d.parts["hat"].visibility = "SHOW"
    seeds = set()
    for _ in range(5):
        bpy.ops.ssgan3d.randomise(part="ALL")
        seeds.add(portrait.ssgan3d.seed)
    assert len(seeds) == 5
    assert portrait.ssgan3d.parts["nose"].shape_seed == -1
    assert portrait.ssgan3d.parts["hat"].visibility == "SHOW"


def test_every_setting_reaches_the_recipe(bpy: Any, addon: Addon, portrait: Any) -> None:
    part = portrait.ssgan3d.parts["hair"]
    part.visibility, part.shape_seed, part.texture_seed = "HIDE", 3, 0
    part.mix_seed, part.shape_mix, part.texture_mix = 9, 0.25, 0.75
    portrait.ssgan3d.parts["hat"].visibility = "SHOW"
    recipe = addon("ssgan3d_blender.portraits").recipe(portrait)
    assert recipe.parts["hair"] == addon("core.recipe").PartRecipe(False, 3, 0, 9, 0.25, 0.75)
    assert recipe.parts["hat"].visible is True and recipe.parts["nose"].visible is None


def test_operators_work_from_what_hangs_on_the_portrait(bpy: Any, portrait: Any) -> None:
    bpy.ops.ssgan3d.camera_path()
    bpy.context.view_layer.objects.active = bpy.context.scene.camera
    bpy.ops.ssgan3d.randomise(random_seed=77)
    assert portrait.ssgan3d.seed == 77


def test_operators_without_a_portrait_say_what_is_missing(bpy: Any) -> None:
    for name in ("randomise", "render_images", "extract_meshes", "camera_path", "setup_scene"):
        with pytest.raises(RuntimeError, match="Select a portrait first"):
            getattr(bpy.ops.ssgan3d, name)()


def test_results_that_no_editor_shows_say_where_they_are(
    bpy: Any, addon: Addon, portrait: Any
) -> None:
    where = addon("ssgan3d_blender.image_operators").where_to_look
    image = bpy.data.images.new("Sheet", 4, 4)
    assert where("Done", image) == "Done. To see it, choose Sheet in an Image Editor"
    area = SimpleNamespace(type="IMAGE_EDITOR", spaces=SimpleNamespace(active=SimpleNamespace()))
    view = SimpleNamespace(
        type="VIEW_3D", spaces=SimpleNamespace(active=SimpleNamespace(shading=SimpleNamespace()))
    )
    window = SimpleNamespace(screen=SimpleNamespace(areas=[view, area]))
    context = SimpleNamespace(window_manager=SimpleNamespace(windows=[window]))
    areas = addon("ssgan3d_blender.areas")
    kept, areas.bpy = areas.bpy, SimpleNamespace(context=context)
    try:
        assert where("Done", image) == "Done"
    finally:
        areas.bpy = kept
    assert area.spaces.active.image == image


def test_images_hold_what_core_renders(
    bpy: Any, addon: Addon, portrait: Any, core_rendering: Callable[..., Any]
) -> None:
    assert bpy.ops.ssgan3d.render_images(width=48, height=32, view="CAMERA") == {"FINISHED"}
    assert bpy.ops.ssgan3d.render_images(width=32, height=32, view="FRONT", part_masks=True) == {
        "FINISHED"
    }
    images = bpy.data.images
    made = [image for image in images if image.name.startswith("Portrait ")]
    assert len(made) == 3 + 13  # the second call replaced the first one's
    assert all(image.packed_file and image.use_fake_user for image in made)
    expected = core_rendering(portrait, size=(32, 32))
    color = (expected.image[0].permute(1, 2, 0).numpy() + 1) / 2
    picture = images["Portrait Image"]
    assert picture.colorspace_settings.name == "sRGB"
    np.testing.assert_allclose(pixels_of(picture)[..., :3], color, atol=0.6 / 255)
    mask = pixels_of(images["Portrait Mask"])[..., :3] * 255
    colors = np.array([part.color for part in addon("core.parts").PARTS])
    np.testing.assert_allclose(mask, colors[expected.labels[0].numpy()], atol=0.01)
    depth = images["Portrait Depth"]
    assert depth.is_float and depth.colorspace_settings.name == "Non-Color"
    metres = expected.depth[0].numpy() * 0.155
    metres = np.where(np.isfinite(metres), metres, 1e10)
    np.testing.assert_allclose(pixels_of(depth)[..., 0], metres, rtol=1e-5)
    hair = expected.mask[0, addon("core.parts").part_index("hair")].numpy()
    np.testing.assert_allclose(pixels_of(images["Portrait Hair"])[..., 0], hair, atol=0.6 / 255)


def test_camera_view_of_images_is_what_f12_shows(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    bpy.context.scene.camera.location.x = 0.3
    bpy.ops.ssgan3d.render_images(width=64, height=64)
    seen = render_png(bpy, tmp_path / "a.png")[..., :3].astype(int)
    image = pixels_of(bpy.data.images["Portrait Image"])[..., :3] * 255
    assert np.abs(seen - image.round().astype(int)).max() <= 1


def test_rendering_images_again_replaces_them_where_they_are_used(bpy: Any, portrait: Any) -> None:
    bpy.ops.ssgan3d.render_images(width=16, height=16, view="FRONT")
    texture = bpy.data.textures.new("Texture", "IMAGE")
    texture.image = bpy.data.images["Portrait Image"]
    other = bpy.data.images.new("Portrait Image", 4, 4)  # the user's own, with a taken name
    bpy.ops.ssgan3d.render_images(width=24, height=24, view="FRONT", transparent=True)
    assert tuple(texture.image.size) == (24, 24)
    assert texture.image.name == "Portrait Image"
    assert other.name in bpy.data.images and tuple(other.size) == (4, 4)
    alpha = pixels_of(texture.image)[..., 3]
    assert alpha.min() < 0.1 < 0.9 < alpha.max()


def test_render_images_says_what_is_wrong(
    bpy: Any, preferences: Any, portrait: Any, tmp_path: Path
) -> None:
    images = len(bpy.data.images)
    for size in ({"width": 0}, {"height": -5}):
        with pytest.raises(RuntimeError, match="is empty"):
            bpy.ops.ssgan3d.render_images(**size)
    with pytest.raises(RuntimeError, match="too large"):
        bpy.ops.ssgan3d.render_images(width=100_000)
    portrait.ssgan3d.truncation = math.nan
    with pytest.raises(RuntimeError, match="Variety of 'Portrait' is nan"):
        bpy.ops.ssgan3d.render_images()
    portrait.ssgan3d.truncation = 0.5
    bpy.context.scene.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.ssgan3d.render_images()
    preferences.model_path = str(tmp_path / "gone.safetensors")
    with pytest.raises(RuntimeError, match="gone.safetensors"):
        bpy.ops.ssgan3d.render_images(view="FRONT")
    assert len(bpy.data.images) == images


def test_no_torch_is_said_and_the_rest_works(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    addon("ssgan3d_blender.runtime").release()
    for name in [name for name in sys.modules if name.startswith(f"{MODULE}.core.")]:
        if not name.endswith((".parts", ".config", ".errors")):
            monkeypatch.delitem(sys.modules, name)
    setup = addon("ssgan3d_blender.torch_setup")
    monkeypatch.setattr(setup, "_searched", False)
    monkeypatch.setattr(setup, "_origin", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    for operator in (bpy.ops.ssgan3d.render_images, bpy.ops.render.render):
        with pytest.raises(RuntimeError, match="has not got PyTorch"):
            operator()
    mesh_operators = addon("ssgan3d_blender.mesh_operators")
    for dialog in ("SSGAN3D_OT_extract_meshes", "SSGAN3D_OT_export_meshes"):
        said: list[str] = []
        button = SimpleNamespace(  # without a window, Blender calls no invoke
            report=lambda _level, text, said=said: said.append(text),
            _count=lambda context: mesh_operators.MeshOptions._count(None, context),
        )
        opened = getattr(mesh_operators, dialog).invoke(button, bpy.context, None)
        assert opened == {"CANCELLED"} and "has not got PyTorch" in said[0]
    assert bpy.ops.ssgan3d.randomise() == {"FINISHED"}


def test_turntable_swings_and_comes_back(bpy: Any, addon: Addon, portrait: Any) -> None:
    portrait.location, portrait.rotation_euler.z = (1.0, 0.0, 0.0), 0.4
    options = {"frames": 8, "yaw": math.radians(30), "pitch": math.radians(10)}
    assert bpy.ops.ssgan3d.camera_path(path="TURNTABLE", **options) == {"FINISHED"}
    scene, bridge = bpy.context.scene, addon("ssgan3d_blender.camera_bridge")
    assert (scene.frame_start, scene.frame_end) == (1, 8)
    yaws = []
    for frame in range(1, 10):
        scene.frame_set(frame)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        view = bridge.view_of_camera(scene.camera, depsgraph, (64, 64))
        camera = bridge.to_core(view, portrait.matrix_world, 0.155)
        assert camera.distance == pytest.approx(9 / 1.55, rel=1e-4)
        assert math.degrees(camera.pitch) == pytest.approx(10, abs=1e-3)
        yaws.append(math.degrees(camera.yaw))
    expected = [-30 * math.cos(2 * math.pi * step / 8) for step in range(9)]
    np.testing.assert_allclose(yaws, expected, atol=1e-3)


def test_set_up_scene_mends_washed_out_colours(bpy: Any, addon: Addon, portrait: Any) -> None:
    view = bpy.context.scene.view_settings
    differ = addon("ssgan3d_blender.panel").colours_differ
    assert not differ(bpy.context.scene)
    changes: list[dict[str, Any]] = [{"view_transform": "AgX"}, {"exposure": 1.0}, {"gamma": 2.0}]
    if hasattr(view, "use_white_balance"):
        changes.append({"use_white_balance": True, "white_balance_temperature": 3000.0})
    for change in changes:
        for name, value in change.items():
            setattr(view, name, value)
        assert differ(bpy.context.scene), change
        bpy.ops.ssgan3d.setup_scene(use_engine=False, use_camera=False)
        assert not differ(bpy.context.scene)


def test_another_working_space_is_told_with_what_to_do(
    bpy: Any, addon: Addon, portrait: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    if not hasattr(bpy.data, "colorspace"):
        pytest.skip("working spaces came with Blender 5.0")

    def warnings() -> str:
        drawn = Drawn()
        addon("ssgan3d_blender.panel").draw_warnings(drawn, bpy.context.scene)
        return " ".join(drawn.texts)

    assert warnings() == ""
    bpy.ops.ssgan3d.setup_scene()
    assert "working space" not in capfd.readouterr().out
    bpy.ops.wm.set_working_color_space(working_space="ACEScg")
    try:
        assert "The working space is ACEScg" in warnings()
        assert "Linear Rec.709: Render > Color Management" in warnings()
        bpy.ops.ssgan3d.setup_scene()
        said = capfd.readouterr().out
        assert "ACEScg: choose Linear Rec.709 in Render Properties > Color Management" in said
    finally:
        bpy.ops.wm.set_working_color_space(working_space="Linear Rec.709")
    assert warnings() == ""
