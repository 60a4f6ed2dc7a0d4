"""Core's camera projects a portrait's points to where Blender projects them."""

import math
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon

UNIT = 0.155
# Corners and odd places of the model's cube, in model units.
POINTS = np.array([(x, y, z) for x in (-1, 0.3, 1) for y in (-1, 0.1, 1) for z in (-1, 0.5, 1)])


def make_camera(bpy: Any, **lens: Any) -> Any:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.location = (0.35, -0.9, 0.2)
    camera.rotation_euler = (math.radians(80), math.radians(5), math.radians(21))
    for name, value in lens.items():
        setattr(camera.data, name, value)
    return camera


def core_projection(bpy: Any, addon: Addon, camera: Any, portrait: Any, **view: Any) -> Any:
    """(x, y) in 0..1 of ``POINTS`` and their depth in Blender units, by core's camera."""
    bridge = addon("ssgan3d_blender.camera_bridge")
    render = bpy.context.scene.render
    seen = bridge.view_of_camera(
        camera,
        bpy.context.evaluated_depsgraph_get(),
        (render.resolution_x, render.resolution_y),
        (render.pixel_aspect_x, render.pixel_aspect_y),
        **view,
    )
    ndc, depth = bridge.to_core(seen, portrait.matrix_world, UNIT).project(POINTS)
    return (ndc + 1) / 2, depth * UNIT * bridge.object_scale(portrait.matrix_world)


def blender_projection(bpy: Any, camera: Any, portrait: Any) -> Any:
    """The same by Blender, with the axes as the documentation states them."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    seen = [
        world_to_camera_view(
            bpy.context.scene, camera, portrait.matrix_world @ (Vector((x, -z, y)) * UNIT)
        )
        for x, y, z in POINTS
    ]
    seen = np.array(seen)
    return seen[:, :2], seen[:, 2]


@pytest.mark.parametrize(
    ("lens", "resolution", "aspect"),
    [
        ({}, (512, 512), (1, 1)),
        ({"lens": 105.0}, (1920, 1080), (1, 1)),
        ({"lens": 24.0, "sensor_fit": "VERTICAL", "sensor_height": 20.0}, (1920, 1080), (1, 1)),
        ({"lens": 35.0, "sensor_fit": "HORIZONTAL", "sensor_width": 22.0}, (480, 720), (1, 1)),
        ({"lens": 60.0, "shift_x": 0.2, "shift_y": -0.35}, (640, 480), (1, 1)),
        ({"lens": 60.0, "shift_x": 0.2, "shift_y": -0.35}, (480, 640), (1, 1)),
        ({"lens": 85.0, "shift_y": 0.1}, (720, 576), (1.46, 1.0)),
        ({"lens": 85.0}, (720, 576), (1.0, 2.0)),
        ({"type": "ORTHO", "ortho_scale": 0.5}, (640, 480), (1, 1)),
        ({"type": "ORTHO", "ortho_scale": 0.4, "shift_x": 0.3}, (480, 640), (1, 1.5)),
        ({"type": "ORTHO", "ortho_scale": 0.4, "sensor_fit": "VERTICAL"}, (640, 480), (1, 1)),
    ],
)
def test_points_are_where_blender_sees_them(
    bpy: Any, addon: Addon, portrait: Any, lens: Any, resolution: Any, aspect: Any
) -> None:
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = resolution
    render.pixel_aspect_x, render.pixel_aspect_y = aspect
    camera = make_camera(bpy, **lens)
    portrait.location = (0.1, 0.05, -0.04)
    portrait.rotation_euler = (0.2, -0.1, 0.5)
    portrait.scale = (1.7, 1.7, 1.7)
    bpy.context.view_layer.update()
    ours, our_depth = core_projection(bpy, addon, camera, portrait)
    theirs, their_depth = blender_projection(bpy, camera, portrait)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    np.testing.assert_allclose(our_depth, their_depth, atol=2e-6)


def test_scaled_camera_and_parents_count_as_in_blender(
    bpy: Any, addon: Addon, portrait: Any
) -> None:
    camera = make_camera(bpy)
    camera.scale = (3.0, 3.0, 3.0)
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.rotation_euler, parent.scale = (0.0, 0.0, 0.7), (0.5, 0.5, 0.5)
    portrait.parent = parent
    bpy.context.view_layer.update()
    ours, _ = core_projection(bpy, addon, camera, portrait)
    theirs, _ = blender_projection(bpy, camera, portrait)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_border_is_its_part_of_the_frame(bpy: Any, addon: Addon, portrait: Any) -> None:
    camera = make_camera(bpy)
    bpy.context.view_layer.update()
    whole, _ = core_projection(bpy, addon, camera, portrait)
    part, _ = core_projection(bpy, addon, camera, portrait, border=(0.25, 0.75, 0.5, 1.0))
    np.testing.assert_allclose(part, (whole - (0.25, 0.5)) / 0.5, atol=1e-6)


def test_camera_of_set_up_scene_shows_the_trained_frame(
    bpy: Any, addon: Addon, portrait: Any
) -> None:
    bpy.context.scene.render.resolution_x = 128  # wide: the frame must still fit
    bpy.ops.ssgan3d.setup_scene()
    bpy.context.view_layer.update()
    corner = np.array([[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]])
    bridge = addon("ssgan3d_blender.camera_bridge")
    view = bridge.view_of_camera(
        bpy.context.scene.camera, bpy.context.evaluated_depsgraph_get(), (128, 64)
    )
    camera = bridge.to_core(view, portrait.matrix_world, UNIT)
    np.testing.assert_allclose(camera.project(corner)[0], [[-0.5, -1], [0.5, 1]], atol=1e-5)
    assert camera.distance == pytest.approx(9 / 1.55, rel=1e-5)


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ((1.0, 1.0, 2.0), "stretched"),
        ((0.0, 0.0, 0.0), "scale is zero"),
        ((-1.0, 1.0, 1.0), "mirrored"),
        ((math.nan, 1.0, 1.0), "not a number"),
    ],
)
def test_portraits_that_cannot_be_shown_are_refused(
    bpy: Any, addon: Addon, portrait: Any, scale: Any, said: str
) -> None:
    portrait.scale = scale
    bpy.context.view_layer.update()
    with pytest.raises(addon("core.errors").PortraitError, match=said):
        core_projection(bpy, addon, make_camera(bpy), portrait)


def test_panoramic_camera_is_refused(bpy: Any, addon: Addon, portrait: Any) -> None:
    with pytest.raises(addon("core.errors").PortraitError, match="perspective or an orthographic"):
        core_projection(bpy, addon, make_camera(bpy, type="PANO"), portrait)


def test_object_that_is_no_camera_is_refused(bpy: Any, addon: Addon, portrait: Any) -> None:
    with pytest.raises(addon("core.errors").PortraitError, match="perspective or an orthographic"):
        core_projection(bpy, addon, portrait, portrait)
