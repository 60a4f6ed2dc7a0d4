"""F12: what is in the file, and what happens when it cannot be made."""

import math
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon, render_exr, render_png


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def as_bytes(image: Any) -> np.ndarray:
    """(3, H, W) in [-1, 1] as the PNG that core writes, (H, W, 3) uint8."""
    pixels = (image.permute(1, 2, 0).numpy() + 1) / 2 * 255
    return np.clip(pixels.round(), 0, 255).astype(np.uint8)


def test_saved_png_has_the_models_colours(
    bpy: Any, portrait: Any, core_rendering: Callable[..., Any], tmp_path: Path
) -> None:
    expected = as_bytes(core_rendering(portrait, size=(64, 64)).image[0])
    assert expected.std() > 5  # a flat picture would prove nothing
    saved = render_png(bpy, tmp_path / "a.png")[..., :3]
    assert np.abs(saved.astype(int) - expected.astype(int)).max() <= 1


def test_saved_png_is_that_of_core_under_standard_only(
    bpy: Any, portrait: Any, model_file: Path, tmp_path: Path
) -> None:
    from PIL import Image

    from core.__main__ import main

    portrait.ssgan3d.truncation = 0.7
    arguments = ["--model", str(model_file), "--seed", "1", "--truncation", "0.7", "--size", "64"]
    arguments += ["--precision", "float32"]  # as the tests' Blender has it
    assert main(["render", *arguments, "--out", str(tmp_path / "core.png")]) == 0
    expected = np.asarray(Image.open(tmp_path / "core.png"))[..., :3].astype(int)
    assert expected.std() > 5
    bpy.context.scene.view_settings.view_transform = "AgX"
    saved = render_png(bpy, tmp_path / "agx.png")[..., :3]
    assert np.abs(saved - expected).max() > 20
    bpy.ops.ssgan3d.setup_scene(use_engine=False, use_camera=False)  # the button of the warning
    saved = render_png(bpy, tmp_path / "standard.png")[..., :3]
    assert np.abs(saved - expected).max() <= 1


@pytest.fixture
def shot(bpy: Any, addon: Addon) -> Callable[[], Any]:
    """Gathers what the scene's camera sees."""

    def make() -> Any:
        depsgraph = bpy.context.evaluated_depsgraph_get()
        bridge = addon("ssgan3d_blender.camera_bridge")
        scene_picture = addon("ssgan3d_blender.scene_picture")
        view = bridge.view_of_camera(bpy.context.scene.camera, depsgraph, (64, 64))
        return scene_picture.Shot(scene_picture.sitters(depsgraph), view, (64, 64), False, "clamp")

    return make


@pytest.fixture
def all_passes(bpy: Any, portrait: Any) -> None:
    """Switch on what the view layer of the portrait's scene can write besides the picture."""
    layer = bpy.context.view_layer
    layer.use_pass_z = True
    layer.ssgan3d.use_pass_part_index = layer.ssgan3d.use_pass_part_masks = True


@pytest.mark.usefixtures("all_passes")
def test_passes_of_the_multilayer_file(
    bpy: Any, addon: Addon, portrait: Any, core_rendering: Callable[..., Any], tmp_path: Path
) -> None:
    portrait.scale = (2.0, 2.0, 2.0)
    bpy.ops.ssgan3d.setup_scene()
    expected = core_rendering(portrait, size=(64, 64))
    passes = render_exr(bpy, tmp_path / "a.exr")
    parts = addon("core.parts").PARTS
    masks = np.stack([passes[f"Part {part.label}.X"] for part in parts])
    np.testing.assert_allclose(masks, expected.mask[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(masks.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(passes["Part Index.X"], expected.labels[0].numpy())
    depth = expected.depth[0].numpy() * 0.155 * 2  # in Blender units, at twice the size
    depth = np.where(np.isfinite(depth), depth, 1e10)
    assert 0.05 < (depth < 1e10).mean() < 1
    np.testing.assert_allclose(passes["Depth.Z"], depth, rtol=1e-4)
    color = np.stack([passes[f"Combined.{channel}"] for channel in "RGB"])
    shown = linear((expected.image[0].numpy() + 1) / 2)
    np.testing.assert_allclose(color, shown, atol=2e-4)
    assert (passes["Combined.A"] == 1).all()


def test_passes_are_there_when_they_are_asked_for(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    def written() -> set[str]:
        return {name.split(".")[0] for name in render_exr(bpy, tmp_path / "a.exr")}

    layer = bpy.context.view_layer
    layer.use_pass_z = False
    assert written() == {"Combined"}
    layer.ssgan3d.use_pass_part_index = True
    assert written() == {"Combined", "Part Index"}
    layer.use_pass_z = True
    assert written() == {"Combined", "Part Index", "Depth"}


def test_transparent_film_gives_premultiplied_alpha(
    bpy: Any, portrait: Any, core_rendering: Callable[..., Any], addon: Any, tmp_path: Path
) -> None:
    bpy.context.scene.render.film_transparent = True
    expected = core_rendering(portrait, size=(64, 64))
    passes = render_exr(bpy, tmp_path / "a.exr")
    alpha = expected.alpha[0].numpy()
    np.testing.assert_allclose(passes["Combined.A"], alpha, atol=1e-4)
    png = addon("core.compositing").display_picture(expected, transparent=True).numpy()
    red = linear(png[..., 0]) * alpha
    np.testing.assert_allclose(passes["Combined.R"], red, atol=2e-4)


@pytest.mark.parametrize("crop", [False, True])
def test_render_border_is_a_cut_out(bpy: Any, portrait: Any, tmp_path: Path, crop: bool) -> None:
    whole = render_png(bpy, tmp_path / "whole.png")
    render = bpy.context.scene.render
    render.use_border, render.use_crop_to_border = True, crop
    render.border_min_x, render.border_max_x = 0.3, 0.8
    render.border_min_y, render.border_max_y = 0.11, 0.52
    part = render_png(bpy, tmp_path / "part.png")
    left, right = int(0.3 * 64), int(0.8 * 64)
    top, bottom = 64 - int(0.52 * 64), 64 - int(0.11 * 64)
    if not crop:
        assert part.shape[:2] == (64, 64)
        part = part[top:bottom, left:right]
    expected = whole[top:bottom, left:right, :3].astype(int)
    assert part.shape[:2] == expected.shape[:2]
    assert np.abs(part[..., :3].astype(int) - expected).max() <= 2


def test_animation_follows_camera_and_keyframed_codes(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    scene = bpy.context.scene
    bpy.ops.ssgan3d.camera_path(path="TURNTABLE", frames=4)
    scene.frame_end = 3
    for frame, mix in ((1, 0.0), (3, 1.0)):
        portrait.ssgan3d.parts["skin"].mix_seed = 5
        portrait.ssgan3d.parts["skin"].texture_mix = mix
        portrait.keyframe_insert('ssgan3d.parts["skin"].texture_mix', frame=frame)
    animated = animation_frames(bpy, tmp_path / "a")
    assert [np.abs(animated[0] - other).max() > 3 for other in animated] == [False, True, True]
    scene.camera.parent.animation_data_clear()
    scene.camera.parent.rotation_euler = (0.0, 0.0, 0.0)
    still = animation_frames(bpy, tmp_path / "b")
    assert np.abs(still[0] - still[2]).max() > 3  # the mix alone changes the picture


def is_clear(picture: np.ndarray) -> bool:
    """Whether nothing is to be seen; Blender dithers the 8 bits even there."""
    return picture[..., 3].max() == 0 and picture[..., :3].max() <= 1


def animation_frames(bpy: Any, stem: Path) -> list[np.ndarray]:
    from PIL import Image

    bpy.context.scene.render.filepath = f"{stem}_"
    bpy.ops.render.render(animation=True)
    return [np.asarray(Image.open(f"{stem}_{n:04d}.png")).astype(int) for n in (1, 2, 3)]


def test_frames_without_a_portrait_are_clear_and_end_no_animation(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    bpy.context.scene.frame_end = 3
    for frame in (1, 2, 3):
        portrait.hide_render = frame == 2
        portrait.keyframe_insert("hide_render", frame=frame)
    first, second, third = animation_frames(bpy, tmp_path / "a")
    np.testing.assert_array_equal(first, third)
    assert first[..., 3].min() == 255
    assert is_clear(second)
    bpy.context.scene.camera = None  # nothing has to be seen through it there, as long as it stays
    bpy.context.scene.frame_set(3)
    failing_render(bpy, tmp_path / "b.png", "no camera")


@pytest.mark.usefixtures("all_passes")
def test_layer_without_a_portrait_is_clear_in_all_its_passes(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path
) -> None:
    import OpenEXR

    scene = bpy.context.scene
    people = bpy.data.collections.new("People")
    scene.collection.children.link(people)
    people.objects.link(portrait)
    scene.collection.objects.unlink(portrait)
    bpy.context.view_layer.name = "Faces"
    bpy.context.view_layer.use_pass_cryptomatte_object = True
    nobody = scene.view_layers.new("Nobody")
    nobody.use_pass_z = nobody.use_pass_cryptomatte_object = True
    nobody.ssgan3d.use_pass_part_index = nobody.ssgan3d.use_pass_part_masks = True
    nobody.layer_collection.children["People"].exclude = True
    render_exr(bpy, tmp_path / "a.exr")
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        found = {
            name: np.array(channel.pixels)
            for part in file.parts
            for name, channel in part.channels.items()
        }
    layers: dict[str, dict[str, np.ndarray]] = {"Faces": {}, "Nobody": {}}
    for name, pixels in found.items():
        layer, _, channel = name.partition(".")
        if layer in layers:
            layers[layer][channel] = pixels
    assert layers["Faces"].keys() == layers["Nobody"].keys()
    assert layers["Faces"]["Part Index.X"].max() > 0
    clear = layers["Nobody"]
    expected = dict.fromkeys(clear, 0.0)
    expected |= {"Depth.Z": np.float32(1e10), "Part Background.X": 1.0, "CryptoObject00.G": 1.0}
    expected["CryptoObject00.R"] = addon("core.cryptomatte").id_of("Background")
    for channel, value in expected.items():
        assert (clear[channel] == value).all(), channel


@pytest.mark.usefixtures("all_passes")
def test_nearer_of_two_portraits_covers_the_other(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    alone = render_exr(bpy, tmp_path / "alone.exr")
    bpy.ops.ssgan3d.add_portrait(seed=2)
    other = bpy.context.object
    other.location = (0.02, 0.6, 0.0)  # behind the first
    both = render_exr(bpy, tmp_path / "both.exr")
    solid = alone["Part Background.X"] < 0.02
    assert solid.sum() > 20
    np.testing.assert_allclose(both["Combined.G"][solid], alone["Combined.G"][solid], atol=0.02)
    np.testing.assert_allclose(both["Depth.Z"][solid], alone["Depth.Z"][solid], atol=1e-3)
    hole = alone["Part Background.X"] > 0.9
    assert np.abs(both["Combined.G"][hole] - alone["Combined.G"][hole]).max() > 0.01
    masks = [
        pixels for name, pixels in both.items() if name.startswith("Part ") and "Index" not in name
    ]
    np.testing.assert_allclose(np.sum(masks, 0), 1, atol=1e-4)


def test_portrait_behind_the_camera_is_not_drawn(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    alone = render_png(bpy, tmp_path / "a.png")
    bpy.ops.ssgan3d.add_portrait(seed=2)
    bpy.context.object.location = (0.0, -3.0, 0.0)
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), alone)


def test_hidden_portraits_and_collection_instances(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    seen = render_png(bpy, tmp_path / "a.png")
    collection = bpy.data.collections.new("People")
    collection.objects.link(portrait)
    bpy.context.scene.collection.objects.unlink(portrait)
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", collection
    bpy.context.scene.collection.objects.link(instance)
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), seen)
    instance.hide_render = True
    assert is_clear(render_png(bpy, tmp_path / "c.png"))  # as from Blender's own engines
    bpy.data.objects.remove(instance)
    failing_render(bpy, tmp_path / "d.png", "No portrait is in this scene")


def instanced_by_nodes(bpy: Any, kind: str, source: Any) -> Any:
    """A new object of the scene whose geometry nodes instance an "Object" or a "Collection"."""
    tree = bpy.data.node_groups.new("Instances", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    output = tree.nodes.new("NodeGroupOutput")
    info = tree.nodes.new(f"GeometryNode{kind}Info")
    info.transform_space = "RELATIVE"
    info.inputs[kind].default_value = source
    if kind == "Object":
        info.inputs["As Instance"].default_value = True
    socket = {"Object": "Geometry", "Collection": "Instances"}[kind]
    tree.links.new(info.outputs[socket], output.inputs["Geometry"])
    host = bpy.data.objects.new("Host", bpy.data.meshes.new("Host"))
    bpy.context.scene.collection.objects.link(host)
    host.modifiers.new("Nodes", "NODES").node_group = tree
    return host


@pytest.mark.parametrize("kind", ["Object", "Collection"])
def test_portraits_that_geometry_nodes_instance_are_drawn_where_blender_shows_them(
    bpy: Any, portrait: Any, tmp_path: Path, kind: str
) -> None:
    seen = render_png(bpy, tmp_path / "a.png")
    collection = bpy.data.collections.new("People")
    collection.objects.link(portrait)
    bpy.context.scene.collection.objects.unlink(portrait)
    host = instanced_by_nodes(bpy, kind, {"Object": portrait, "Collection": collection}[kind])
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), seen)
    portrait.hide_render = True  # Blender's own engines: hides it in collections alone
    hidden = render_png(bpy, tmp_path / "c.png")
    assert np.array_equal(hidden, seen) if kind == "Object" else is_clear(hidden)
    host.hide_render = True
    assert is_clear(render_png(bpy, tmp_path / "d.png"))  # and ends no animation
    bpy.context.scene.camera.parent = portrait  # hangs on it, and does not bring it in
    bpy.data.objects.remove(host)
    failing_render(bpy, tmp_path / "e.png", "No portrait is in this scene")


def failing_render(bpy: Any, path: Path, said: str) -> None:
    """A render must fail with a message, write nothing, and leave Blender able to render."""
    with pytest.raises(RuntimeError, match=said):
        render_png(bpy, path)
    assert not path.exists()


def test_no_camera(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    bpy.context.scene.camera = None
    failing_render(bpy, tmp_path / "a.png", "no camera")


@pytest.mark.parametrize("name", ["truncation", "shape_mix"])
def test_value_that_is_not_a_number(bpy: Any, portrait: Any, tmp_path: Path, name: str) -> None:
    owner = portrait.ssgan3d if name == "truncation" else portrait.ssgan3d.parts["hair"]
    setattr(owner, name, float("nan"))
    failing_render(bpy, tmp_path / "a.png", "'Portrait' is nan")
    setattr(owner, name, 0.5)
    assert render_png(bpy, tmp_path / "a.png").shape[:2] == (64, 64)


def test_huge_and_empty_resolutions(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    render = bpy.context.scene.render
    render.resolution_x = render.resolution_y = 65536
    failing_render(bpy, tmp_path / "a.png", "65536 × 65536 pixels is too large")
    render.resolution_x, render.resolution_y, render.resolution_percentage = 4, 64, 1
    failing_render(bpy, tmp_path / "a.png", "too small")


def test_missing_and_broken_model_files(
    bpy: Any, preferences: Any, portrait: Any, model_file: Path, tmp_path: Path
) -> None:
    preferences.model_path = str(tmp_path / "none.safetensors")
    failing_render(bpy, tmp_path / "a.png", "no model file at .*none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model_file.read_bytes()[:5000])
    preferences.model_path = str(cut)
    failing_render(bpy, tmp_path / "a.png", "cut.safetensors")
    newer = tmp_path / "newer.safetensors"
    newer.write_bytes(model_file.read_bytes().replace(b'"version":"1"', b'"version":"9"'))
    preferences.model_path = str(newer)
    failing_render(bpy, tmp_path / "a.png", "model format 9")


def test_camera_outside_the_trained_range(
    bpy: Any, addon: Addon, preferences: Any, portrait: Any, tmp_path: Path
) -> None:
    addon("ssgan3d_blender.cameras").orbit(bpy.context.scene.camera, portrait, 1.5, 0.0)
    preferences.outside = "refuse"
    failing_render(bpy, tmp_path / "a.png", "86° to the side")
    preferences.outside = "clamp"
    assert render_png(bpy, tmp_path / "a.png").std() > 1


def test_nearest_view_is_told_once_with_the_angle(
    bpy: Any,
    addon: Addon,
    portrait: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def told() -> list[str]:
        return [line for line in capsys.readouterr().out.splitlines() if "Warning" in line]

    cameras, scene = addon("ssgan3d_blender.cameras"), bpy.context.scene
    render_png(bpy, tmp_path / "a.png")
    assert not told()
    scene.frame_end = 3
    for frame, degrees in ((1, 0), (2, 60), (3, 80)):
        cameras.orbit(scene.camera, portrait, math.radians(degrees), 0.0)
        for path in ("location", "rotation_euler"):
            scene.camera.keyframe_insert(path, frame=frame)
    said = "The camera stands {}° to the side; the model knows up to 49°. The picture shows the "
    animation_frames(bpy, tmp_path / "b")
    (line,) = told()
    assert said.format(60) + "nearest view." in line
    scene.frame_set(3)
    for name in ("c.png", "d.png"):  # each still tells it
        render_png(bpy, tmp_path / name)
        (line,) = told()
        assert said.format(80) in line


def test_portrait_beside_the_picture_is_no_reason_to_warn(
    bpy: Any, addon: Addon, shot: Callable[[], Any], portrait: Any
) -> None:
    side_unknown = addon("ssgan3d_blender.scene_picture").side_unknown
    portrait.rotation_euler.z = math.pi  # its back
    assert "180° to the side" in side_unknown(shot())
    portrait.location.x = 1.0  # out to the right
    assert side_unknown(shot()) is None
    portrait.location = (0.0, -3.0, 0.0)  # behind the camera
    assert side_unknown(shot()) is None


def test_stereo_is_refused_in_words(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    bpy.context.scene.render.use_multiview = True
    with pytest.raises(RuntimeError, match="no stereo view"):
        bpy.ops.render.render()


def test_portrait_deleted_during_its_render(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_class = addon("core.engine").PortraitEngine
    render = engine_class.render

    def delete_then_render(*args: Any, **options: Any) -> Any:
        bpy.data.objects.remove(portrait)
        return render(*args, **options)

    expected = render_png(bpy, tmp_path / "a.png")
    monkeypatch.setattr(engine_class, "render", delete_then_render)
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), expected)
    assert "Portrait" not in bpy.data.objects


def test_escape_ends_a_render_at_once(
    bpy: Any,
    addon: Addon,
    portrait: Any,
    shot: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Blender's test_break cannot be replaced, so the method runs on a stand-in for the engine.

    Two portraits, and Esc while the first one is being rendered: the second one never is.
    """
    bpy.ops.ssgan3d.add_portrait(seed=2)
    engine_class = addon("core.engine").PortraitEngine
    render, begun, let_go = engine_class.render, threading.Event(), threading.Event()
    rendered = []

    def slow(*args: Any, **options: Any) -> Any:
        begun.set()
        assert let_go.wait(60)
        rendered.append(render(*args, **options))
        return rendered[-1]

    monkeypatch.setattr(engine_class, "render", slow)
    module = addon("ssgan3d_blender.render_engine")
    engine = SimpleNamespace(
        test_break=begun.is_set, update_stats=lambda *_: None, update_progress=lambda _: None
    )
    both = shot()
    assert len(both.sitters) == 2
    pixels = module.SSGAN3D_RE_engine._pixels
    assert pixels(engine, both, ["Combined"]) is None
    assert not rendered  # it came back before the portrait was done
    let_go.set()
    engine.test_break = lambda: False
    assert pixels(engine, both, ["Combined"])["Combined"].shape == (64 * 64 * 4,)
    assert len(rendered) == 3  # one, and then two


def test_out_of_memory_is_said(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starve(*_args: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(addon("core.engine").PortraitEngine, "render", starve)
    failing_render(bpy, tmp_path / "a.png", "not enough memory")


def test_folder_that_cannot_be_written(bpy: Any, portrait: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="cannot save"):
        render_png(bpy, tmp_path / "file" / "a.png")


@pytest.mark.usefixtures("all_passes")
def test_animation_stops_before_the_disk_is_full(
    bpy: Any, portrait: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=20_000))
    bpy.context.scene.render.filepath = str(tmp_path / "new" / "a_")
    with pytest.raises(RuntimeError, match="is full: 0.0 MB are free, and a picture may take 0.3"):
        bpy.ops.render.render(animation=True)
    assert not list(tmp_path.iterdir())
