"""Camera paths, the trained range in the 3D view, and what is said outside of it."""

import math
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon

YAW_MAX, PITCH_MAX = 0.85, 0.35


@pytest.fixture
def placed(bpy: Any, portrait: Any) -> Any:
    """A portrait that is moved, turned and enlarged."""
    portrait.location, portrait.rotation_euler = (1.0, 0.5, -0.2), (0.1, 0.0, 0.4)
    portrait.scale = (1.5, 1.5, 1.5)
    bpy.context.view_layer.update()
    return portrait


def flight(bpy: Any, addon: Addon, portrait: Any) -> list[Any]:
    """Core's camera at every frame of the scene and one after, which closes the loop."""
    scene, cameras = bpy.context.scene, []
    for frame in range(scene.frame_start, scene.frame_end + 2):
        scene.frame_set(frame)
        camera = scene.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
        cameras.append(addon("ssgan3d_blender.cameras").seen_by(camera, portrait.matrix_world))
    return cameras


@pytest.mark.parametrize(
    "options",
    [
        {"path": "TURNTABLE"},
        {"path": "TURNTABLE", "yaw": 3.0, "pitch": 1.0},  # as far as it may
        {"path": "FIGURE_EIGHT"},
        {"path": "FIGURE_EIGHT", "yaw": 3.0, "rise": 1.0},
        {"path": "DOLLY"},
        {"path": "DOLLY", "near": 0.0, "far": 99.0, "pitch": -1.0, "keep_size": True},
    ],
)
def test_paths_stay_in_the_range_and_close(
    bpy: Any, addon: Addon, placed: Any, options: dict[str, Any]
) -> None:
    assert bpy.ops.ssgan3d.camera_path(frames=15, **options) == {"FINISHED"}
    out_of_range = addon("core.camera").out_of_range
    config = addon("core.config").ModelConfig()
    cameras = flight(bpy, addon, placed)
    assert [out_of_range(camera, config) for camera in cameras] == [None] * 16
    np.testing.assert_allclose(cameras[0].pose, cameras[-1].pose, atol=1e-5)
    positions = np.array([camera.position for camera in cameras])
    assert np.ptp(positions, axis=0).max() > 0.5
    for camera in cameras:  # always looks at the head
        np.testing.assert_allclose(camera.pose[:3, 2], camera.direction, atol=1e-5)


def test_a_path_takes_over_from_cameras_that_markers_are_bound_to(bpy: Any, portrait: Any) -> None:
    scene = bpy.context.scene
    scene.frame_start = 10
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    for name, frame in (("before", 1), ("within", 15), ("after", 40)):
        scene.timeline_markers.new(name, frame=frame).camera = other
    bpy.ops.ssgan3d.camera_path(path="TURNTABLE", frames=12)
    turntable = bpy.data.objects["Portrait Turntable Camera"]
    shown = {}
    for frame in (9, 10, 14, 15):
        scene.frame_set(frame)
        shown[frame] = scene.camera.name
    assert shown == {9: "Other", 10: turntable.name, 14: turntable.name, 15: "Other"}


def test_the_marker_that_ends_a_path_is_told(bpy: Any, addon: Addon, portrait: Any) -> None:
    scene, use = bpy.context.scene, addon("ssgan3d_blender.cameras").use
    camera = bpy.data.objects.new("Mine", bpy.data.cameras.new("Mine"))
    assert use(scene, camera, 1, 48) is None and not scene.timeline_markers
    scene.timeline_markers.new("note", frame=7)  # bound to no camera
    scene.timeline_markers.new("Shot 2", frame=48).camera = portrait
    assert use(scene, camera, 1, 47) is None
    warning = use(scene, camera, 1, 48)
    assert warning.startswith(f"The marker Shot 2 switches to {portrait.name} at frame 48")
    assert [m.frame for m in scene.timeline_markers if m.camera == camera] == [1]


def test_figure_eight_crosses_itself_before_the_face(bpy: Any, addon: Addon, placed: Any) -> None:
    bpy.ops.ssgan3d.camera_path(path="FIGURE_EIGHT", frames=16, yaw=0.5, rise=0.2)
    cameras = flight(bpy, addon, placed)
    phases = 2 * math.pi * np.arange(17) / 16
    np.testing.assert_allclose([c.yaw for c in cameras], 0.5 * np.sin(phases), atol=1e-4)
    np.testing.assert_allclose(
        [abs(c.pitch) for c in cameras], np.abs(0.2 * np.sin(2 * phases)), atol=1e-4
    )
    assert cameras[2].pitch == pytest.approx(0.2, abs=1e-4)  # rises first
    assert cameras[6].pitch == pytest.approx(-0.2, abs=1e-4)


def test_dolly_comes_nearer_and_its_zoom_keeps_the_head_as_large(
    bpy: Any, addon: Addon, placed: Any
) -> None:
    bpy.ops.ssgan3d.camera_path(path="DOLLY", frames=8, near=0.5, far=1.5, keep_size=True)
    metres = [camera.distance * 0.155 for camera in flight(bpy, addon, placed)]
    expected = [1 + 0.5 * math.cos(2 * math.pi * step / 8) for step in range(9)]
    np.testing.assert_allclose(metres, expected, rtol=1e-4)
    scene = bpy.context.scene
    for frame, distance in ((1, 1.5), (5, 0.5)):
        scene.frame_set(frame)
        side = 2 * distance * math.tan(scene.camera.data.angle_x / 2)
        assert side == pytest.approx(2 * 0.155, rel=1e-4)  # all of the trained frame
    with pytest.raises(RuntimeError, match=r"\(1.50 m\) must be nearer than the farthest"):
        bpy.ops.ssgan3d.camera_path(path="DOLLY", near=1.5, far=1.5)


def test_search_finds_each_path_by_name_in_the_add_menu(bpy: Any, addon: Addon) -> None:
    found = []

    class Layout:
        def separator(self) -> None: ...

        def operator(self, name: str, **_looks: Any) -> None: ...

        def operator_menu_enum(self, name: str, setting: str, **_looks: Any) -> None:
            group, _, operator = name.partition(".")
            rna = getattr(getattr(bpy.ops, group), operator).get_rna_type()
            found.extend(item.name for item in rna.properties[setting].enum_items)

    class Menu:
        layout = Layout()

    addon("ssgan3d_blender.panel").draw_add_entries(Menu(), bpy.context)
    assert found == ["Turntable", "Figure Eight", "Dolly"]


def test_tooltip_of_a_path_says_how_it_moves(bpy: Any, addon: Addon) -> None:
    operator = addon("ssgan3d_blender.camera_paths").SSGAN3D_OT_camera_path
    tips = []
    for path in ("TURNTABLE", "FIGURE_EIGHT", "DOLLY"):
        settings = type("Settings", (), {"path": path})()
        tips.append(operator.description(bpy.context, settings))
    assert tips[0].startswith("From side to side.") and tips[2].startswith("Towards the face")
    assert all("seamless loop" in tip and not tip.endswith(".") for tip in tips)


@pytest.mark.parametrize(
    ("yaw", "pitch", "said"),
    [
        (0.0, 0.0, None),
        (YAW_MAX - 0.01, -PITCH_MAX + 0.01, None),
        (math.radians(62), 0.0, "62° to the side; the model knows up to 49°"),
        (math.radians(-120), 0.0, "120° to the side"),
        (0.3, math.radians(33), "33° up or down; the model knows up to 20°"),
    ],
)
def test_warning_names_the_angle(
    bpy: Any, addon: Addon, placed: Any, yaw: float, pitch: float, said: str | None
) -> None:
    cameras, scene = addon("ssgan3d_blender.cameras"), bpy.context.scene
    cameras.orbit(scene.camera, placed, yaw, pitch)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    warning = cameras.range_warning(scene, placed, depsgraph)
    assert warning is None if said is None else said in warning


def test_warning_about_distance_kind_and_scale(bpy: Any, addon: Addon, placed: Any) -> None:
    scene, cameras = bpy.context.scene, addon("ssgan3d_blender.cameras")

    def warning() -> str | None:
        return cameras.range_warning(scene, placed, bpy.context.evaluated_depsgraph_get())

    towards = (placed.matrix_world.to_3x3().col[1] * -1).normalized()
    scene.camera.location = placed.location + towards * 0.3  # 0.2 m of the portrait's own
    assert "0.20 m away" in warning()
    scene.camera.data.type = "PANO"
    assert "0.20 m away" in warning()
    scene.camera.data.type = "ORTHO"
    scene.camera.rotation_euler = placed.matrix_world.to_euler()
    scene.camera.rotation_euler.rotate_axis("X", math.radians(90))
    assert warning() is None
    placed.scale.z = 3.0
    assert "stretched" in warning()
    scene.camera = None
    assert warning() is None


def test_overlay_is_the_edge_of_the_range(bpy: Any, addon: Addon, placed: Any) -> None:
    overlay = addon("ssgan3d_blender.range_overlay")
    out_of_range = addon("core.camera").out_of_range
    camera_type = addon("core.camera").Camera
    config = addon("core.config").ModelConfig()
    shape = overlay.patch(placed.matrix_world, 0.9)
    inverse = placed.matrix_world.inverted()
    local = np.array([inverse @ point for point in shape.points])  # metres, +Z up, -Y in front
    np.testing.assert_allclose(np.linalg.norm(local, axis=1), 0.9, rtol=1e-5)
    yaws, pitches = np.arctan2(local[:, 0], -local[:, 1]), np.arcsin(local[:, 2] / 0.9)
    for angles, limit in ((yaws, YAW_MAX), (pitches, PITCH_MAX)):
        assert (angles.min(), angles.max()) == pytest.approx((-limit, limit), abs=1e-5)
    inside = [camera_type.orbit(0.999 * y, 0.999 * p) for y, p in zip(yaws, pitches, strict=True)]
    assert {out_of_range(camera, config) for camera in inside} == {None}
    assert max(map(max, shape.triangles)) == max(map(max, shape.lines)) == len(shape.points) - 1
    normals = [
        np.cross(local[b] - local[a], local[c] - local[a]) @ local[a] for a, b, c in shape.triangles
    ]
    assert min(normals) > 0  # all triangles face the cameras


def test_overlay_goes_through_the_camera(bpy: Any, addon: Addon, placed: Any) -> None:
    overlay, scene = addon("ssgan3d_blender.range_overlay"), bpy.context.scene
    depsgraph = bpy.context.evaluated_depsgraph_get

    scene.camera.location = placed.location.copy()
    scene.camera.location.x += 1.2
    assert overlay.patch_distance(scene, placed, depsgraph()) == pytest.approx(0.8)  # scale 1.5
    scene.camera.location.x += 100.0
    assert overlay.patch_distance(scene, placed, depsgraph()) == pytest.approx(60 * 0.155)
    scene.camera = None
    assert overlay.patch_distance(scene, placed, depsgraph()) == pytest.approx(0.9, rel=1e-3)


def test_camera_panel_stays_while_the_camera_is_moved(
    bpy: Any, addon: Addon, portrait: Any
) -> None:
    panel = addon("ssgan3d_blender.range_overlay").SSGAN3D_PT_camera
    help_with_cameras = (bpy.ops.ssgan3d.setup_scene, bpy.ops.ssgan3d.camera_path)
    scene, view_layer = bpy.context.scene, bpy.context.view_layer
    assert panel.poll(bpy.context)
    view_layer.objects.active = scene.camera
    assert panel.poll(bpy.context) and all(help.poll() for help in help_with_cameras)
    scene.camera.location.x += 1
    bpy.ops.ssgan3d.setup_scene(use_engine=False, use_colours=False)
    assert scene.camera.location.x == pytest.approx(0, abs=1e-5)
    bpy.ops.ssgan3d.camera_path(path="TURNTABLE", set_scene=False)
    pivot = next(item for item in bpy.data.objects if item.parent == portrait)
    assert pivot.name == "Portrait Turntable"
    view_layer.objects.active = None
    assert not panel.poll(bpy.context) and not any(help.poll() for help in help_with_cameras)


def test_buttons_that_ask_for_one_thing_leave_the_next_call_whole(bpy: Any) -> None:
    """Blender remembers what it was asked for last; the Set Up Scene of the pie asks for all."""
    settings = bpy.ops.ssgan3d.setup_scene.get_rna_type().properties
    for name in ("use_engine", "use_colours", "use_camera"):
        assert settings[name].is_skip_save, name


def camera_to_face(bpy: Any, portrait: Any) -> None:
    """Press the button of that name, with the portrait active."""
    bpy.context.view_layer.objects.active = portrait
    bpy.ops.ssgan3d.setup_scene(use_engine=False, use_colours=False, use_camera=True)


def standpoint(bpy: Any, addon: Addon, portrait: Any) -> Any:
    """Where the scene's camera stands at this frame, for core."""
    camera = bpy.context.scene.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return addon("ssgan3d_blender.cameras").seen_by(camera, portrait.matrix_world)


def is_before_the_face(camera: Any) -> bool:
    """Whether core's camera has the trained framing."""
    return (camera.yaw, camera.pitch, camera.distance) == pytest.approx((0, 0, 9 / 1.55), abs=1e-4)


@pytest.mark.parametrize("path", ["TURNTABLE", "FIGURE_EIGHT", "DOLLY"])
def test_camera_to_face_leaves_a_camera_path_as_it_is(
    bpy: Any, addon: Addon, placed: Any, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    bpy.ops.ssgan3d.camera_path(path=path, frames=12, yaw=0.6)
    scene = bpy.context.scene
    moving = scene.camera
    before = flight(bpy, addon, placed)
    scene.frame_set(1)
    camera_to_face(bpy, placed)
    assert scene.camera != moving and scene.camera.name.startswith("Portrait Camera")
    assert is_before_the_face(standpoint(bpy, addon, placed))
    said = capfd.readouterr().out
    assert f"{moving.name} was left alone, because it moves with its parent" in said
    scene.camera = moving
    after = flight(bpy, addon, placed)
    for camera, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(camera.pose, other.pose)
    out_of_range, config = addon("core.camera").out_of_range, addon("core.config").ModelConfig()
    assert {out_of_range(camera, config) for camera in after} == {None}


@pytest.mark.parametrize("mover", ["constraint", "keyframes", "strip", "driver", "delta"])
def test_camera_to_face_leaves_a_camera_that_something_moves(
    bpy: Any, addon: Addon, placed: Any, mover: str, capfd: pytest.CaptureFixture[str]
) -> None:
    scene = bpy.context.scene
    moving, frame = scene.camera, scene.frame_current
    moving.location = (5.0, 0.0, 0.0)
    if mover == "constraint":
        target = bpy.data.objects.new("Target", None)
        scene.collection.objects.link(target)
        moving.constraints.new("TRACK_TO").target = target
    elif mover == "driver":
        moving.driver_add("rotation_euler", 2).driver.expression = "0.5"
    else:
        moving.keyframe_insert("delta_location" if mover == "delta" else "location", frame=frame)
    if mover == "strip":
        animation = moving.animation_data
        animation.nla_tracks.new().strips.new("Strip", frame, animation.action)
        animation.action = None
    bpy.context.view_layer.update()
    before = moving.matrix_world.copy()
    camera_to_face(bpy, placed)
    reason = "its constraint Track To" if mover == "constraint" else "keyframes or drivers move it"
    assert f"{moving.name} was left alone, because {reason}" in capfd.readouterr().out
    assert scene.camera != moving
    scene.frame_set(frame)  # what is keyed comes back
    assert moving.matrix_world == before
    assert is_before_the_face(standpoint(bpy, addon, placed))


def test_camera_to_face_takes_a_camera_that_stays_where_it_is_put(
    bpy: Any, addon: Addon, placed: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    scene = bpy.context.scene
    camera = scene.camera
    camera.data.keyframe_insert("shift_x", frame=1)
    camera.data.keyframe_insert("lens", frame=1)
    camera.keyframe_insert("scale", frame=1)
    camera.constraints.new("TRACK_TO").mute = True
    camera.parent = placed  # follows the face
    camera.location = (5.0, 0.0, 0.0)
    bpy.context.view_layer.update()
    camera_to_face(bpy, placed)
    assert scene.camera == camera and "left alone" not in capfd.readouterr().out
    placed.location.x += 2.0
    scene.frame_set(1)
    assert is_before_the_face(standpoint(bpy, addon, placed))
