import math

import numpy as np
import pytest

from core.camera import (
    Camera,
    canonical_camera,
    clamp_camera,
    fit_camera,
    orbit_path,
    picture_homography,
)
from core.config import ModelConfig
from core.errors import CameraRangeError

CONFIG = ModelConfig.shipped()


def free_camera(orthographic: bool = False) -> Camera:
    """Aimed past the origin, rolled, shifted and wide: nothing about it is canonical."""
    camera = Camera.orbit(0.4, -0.2, distance=4.0)
    x, y, z = 0.1, -0.15, 0.3
    turn = (
        np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
        @ np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
        @ np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    )
    if orthographic:  # only roll keeps the viewing direction
        turn = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    pose = camera.pose.copy()
    pose[:3, :3] = pose[:3, :3] @ turn
    window = (-1.0, 0.7, -0.5, 1.1) if orthographic else (-0.3, 0.2, -0.15, 0.4)
    return Camera(pose, window, orthographic)


def test_front_camera_by_hand():
    """From (0, 0, 5) with a frame of side 2 at the origin, the window is ± 0.2."""
    camera = Camera.orbit(0.0, distance=5.0, side=2.0)
    assert np.allclose(camera.pose, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 5], [0, 0, 0, 1]])
    assert np.allclose(camera.window, (-0.2, 0.2, -0.2, 0.2))
    ndc, depth = camera.project(np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [1, 1, 1.0]]))
    assert np.allclose(depth, [5, 5, 5, 4])
    assert np.allclose(ndc, [[0, 0], [1, 0], [0, -1], [1.25, 1.25]])


def test_positive_yaw_moves_to_plus_x_and_positive_pitch_up():
    assert np.allclose(Camera.orbit(math.pi / 2, distance=3).position, [3, 0, 0], atol=1e-12)
    assert np.allclose(
        Camera.orbit(0, math.pi / 6, distance=2).position, [0, 1, math.sqrt(3)], atol=1e-12
    )
    camera = Camera.orbit(0.3, -0.2)
    assert math.isclose(camera.yaw, 0.3)
    assert math.isclose(camera.pitch, -0.2)
    # seen from the right, what stands in front of the face lies to the left
    assert camera.project(np.array([[0, 0, 1.0]]))[0][0, 0] < 0


def test_orthographic_projection_by_hand():
    camera = Camera.orbit(0.0, distance=5.0, side=2.0, orthographic=True)
    ndc, depth = camera.project(np.array([[0.5, -0.25, 3.0]]))
    assert np.allclose(ndc, [[0.5, -0.25]])
    assert np.allclose(depth, [2.0])


@pytest.mark.parametrize("orthographic", [False, True])
def test_rays_invert_projection(orthographic):
    camera = free_camera(orthographic)
    origins, directions = camera.rays(3, 4)
    points = (origins + directions * 2.5).reshape(-1, 3)
    ndc, depth = camera.project(points)
    assert np.allclose(depth, 2.5)
    x = (np.arange(4) + 0.5) / 2 - 1
    y = 1 - (np.arange(3) + 0.5) / 1.5  # row 0 is the top
    assert np.allclose(ndc.reshape(3, 4, 2)[..., 0], x)
    assert np.allclose(ndc.reshape(3, 4, 2)[..., 1], y[:, None])


@pytest.mark.parametrize("orthographic", [False, True])
def test_homography_agrees_with_projection(orthographic):
    """A point's place in the canonical picture follows from its place in the caller's."""
    target = free_camera(orthographic)
    source = canonical_camera(target, CONFIG)
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (50, 3))
    expected, source_depth = source.project(points)
    ndc, target_depth = target.project(points)
    mapped = np.c_[ndc, np.ones(50)] @ picture_homography(source, target).T
    assert np.allclose(mapped[:, :2] / mapped[:, 2:], expected)
    if not orthographic:  # and its third coordinate relates the depths
        assert np.allclose(target_depth * mapped[:, 2], source_depth)


def test_canonical_camera_frames_the_origin_as_trained():
    camera = free_camera()
    canonical = canonical_camera(camera, CONFIG)
    assert np.allclose(canonical.position, camera.position)
    ndc, _ = canonical.project(np.zeros((1, 3)))
    assert np.allclose(ndc, 0, atol=1e-9)
    half = math.tan(math.atan(1 / camera.distance))
    assert np.allclose(canonical.window, (-half, half, -half, half))


def test_cameras_inside_are_left_alone():
    camera = Camera.orbit(0.5, 0.2)
    assert fit_camera(camera, CONFIG) is camera
    assert fit_camera(camera, CONFIG, "refuse") is camera


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (Camera.orbit(math.radians(80)), "80° to the side; the model knows up to 49°"),
        (Camera.orbit(0, math.radians(-60)), "60° up or down; the model knows up to 20°"),
        (Camera.orbit(0, distance=1.0), "0.15 m away; the model knows 0.39 to 9.3 m"),
        (Camera.orbit(math.pi, orthographic=True), "180° to the side"),
    ],
)
def test_cameras_outside_are_refused_or_clamped(camera, message):
    with pytest.raises(CameraRangeError, match=message):
        fit_camera(camera, CONFIG, "refuse")
    inside = fit_camera(camera, CONFIG)
    assert fit_camera(inside, CONFIG, "refuse") is inside


def test_clamping_keeps_the_portrait_in_its_place():
    camera = Camera.orbit(1.4, 0.1, distance=4)
    camera = Camera(camera.pose, (-0.5, 0.1, -0.2, 0.4))
    clamped = clamp_camera(camera, CONFIG)
    assert math.isclose(clamped.yaw, CONFIG.yaw_max)
    assert math.isclose(clamped.pitch, 0.1)
    assert math.isclose(clamped.distance, 4)
    before, after = (c.project(np.zeros((1, 3)))[0] for c in (camera, clamped))
    assert np.allclose(before, after)


def test_a_dolly_beyond_the_range_keeps_the_size():
    camera = clamp_camera(Camera.orbit(0, distance=100.0, side=2.0), CONFIG)
    assert math.isclose(camera.distance, CONFIG.distance_max)
    ndc, _ = camera.project(np.array([[1.0, 0, 0]]))
    assert np.allclose(ndc, [[1, 0]])


@pytest.mark.parametrize(
    ("pose", "window"),
    [
        (np.full((4, 4), np.nan), (-1, 1, -1, 1)),
        (np.eye(3), (-1, 1, -1, 1)),
        (np.zeros((4, 4)), (-1, 1, -1, 1)),
        (np.eye(4), (1, -1, -1, 1)),
        (np.eye(4), (-1, 1, 0, 0)),
        (np.eye(4), (-1, float("nan"), -1, 1)),
    ],
)
def test_broken_cameras(pose, window):
    with pytest.raises(CameraRangeError):
        Camera(pose, window)


def test_scale_in_a_pose_is_dropped():
    assert np.allclose(Camera(np.diag([3.0, 3, 3, 1]), (-1, 1, -1, 1)).pose, np.eye(4))


def test_turntable_is_a_loop_inside_the_range():
    path = orbit_path(48)
    assert len(path) == 48
    assert all(fit_camera(camera, CONFIG, "refuse") is camera for camera in path)
    yaws = np.array([camera.yaw for camera in path])
    assert math.isclose(yaws.max(), 0.6, rel_tol=1e-6)
    steps = np.abs(np.diff(np.r_[yaws, yaws[0]]))
    assert steps.max() < 0.6 * 2 * math.pi / 48 * 1.01
    with pytest.raises(ValueError, match="at least one frame"):
        orbit_path(0)
