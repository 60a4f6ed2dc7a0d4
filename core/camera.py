"""Cameras in model space, and what the model can see through them.

Convention (Blender's and OpenGL's): a camera looks along its own -Z with +Y up. ``pose`` maps
camera coordinates to model coordinates. Pictures have row 0 at the top; normalised picture
coordinates (NDC) run over [-1, 1] with x right and y up.

The model is trained with one framing: a square of side ``frame_side`` at the origin, seen by a
camera that looks at the origin. Every other camera with the same centre of projection sees the
same rays, only arranged differently, so its picture is a homography of that canonical picture:
lens, shift, aspect, roll and size of the user's camera cost the model nothing and are exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .config import ModelConfig
from .errors import CameraRangeError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole or orthographic camera.

    Attributes:
        pose: (4, 4) rigid camera-to-model transform.
        window: (left, right, bottom, top) of the picture's rectangle, at unit distance for a
            perspective camera and in model units for an orthographic one.
        orthographic: whether rays are parallel.
    """

    pose: Array
    window: tuple[float, float, float, float]
    orthographic: bool = False

    def __post_init__(self) -> None:
        pose = np.asarray(self.pose, np.float64)
        if pose.shape != (4, 4) or not np.isfinite(pose).all():
            raise CameraRangeError("The camera's pose must be a 4 × 4 matrix of finite numbers.")
        left, right, bottom, top = self.window
        if not (np.isfinite(self.window).all() and right > left and top > bottom):
            raise CameraRangeError("The camera's window {0} is empty or not finite.", self.window)
        axes = pose[:3, :3]
        lengths = np.linalg.norm(axes, axis=0)
        if lengths.min() < 1e-9:
            raise CameraRangeError("The camera's pose has an axis of length zero.")
        pose = pose.copy()
        pose[:3, :3] = axes / lengths
        object.__setattr__(self, "pose", pose)

    @classmethod
    def orbit(
        cls,
        yaw: float,
        pitch: float = 0.0,
        *,
        distance: float = ModelConfig.camera_distance,
        side: float = ModelConfig.frame_side,
        orthographic: bool = False,
    ) -> Camera:
        """A camera that looks at the origin, y up.

        Args:
            yaw: radians; positive moves the camera to +x.
            pitch: radians; positive moves it up.
            distance: from the origin.
            side: of the square frame at the origin.
        """
        towards = np.array(
            [math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)]
        )
        half = side / 2 if orthographic else side / 2 / distance
        return cls(_look_at(towards * distance), (-half, half, -half, half), orthographic)

    @property
    def position(self) -> Array:
        """Centre of projection, (3,)."""
        return self.pose[:3, 3]

    @property
    def direction(self) -> Array:
        """Unit vector from the origin towards the viewer, (3,)."""
        if self.orthographic:
            return self.pose[:3, 2]
        return self.position / max(float(np.linalg.norm(self.position)), 1e-12)

    @property
    def yaw(self) -> float:
        """Azimuth of the viewer in radians: 0 in front, positive towards +x."""
        return math.atan2(self.direction[0], self.direction[2])

    @property
    def pitch(self) -> float:
        """Elevation of the viewer in radians."""
        return math.asin(float(np.clip(self.direction[1], -1.0, 1.0)))

    @property
    def distance(self) -> float:
        """Distance of the centre of projection from the origin."""
        return float(np.linalg.norm(self.position))

    def project(self, points: Array) -> tuple[Array, Array]:
        """Project model points (N, 3) to NDC (N, 2) and depth along -Z (N,)."""
        points = np.asarray(points, np.float64)
        local = (points - self.position) @ self.pose[:3, :3]  # (N, 3)
        depth = -local[:, 2]
        plane = local[:, :2] if self.orthographic else local[:, :2] / depth[:, None]
        left, right, bottom, top = self.window
        x = (plane[:, 0] - left) / (right - left) * 2 - 1
        y = (plane[:, 1] - bottom) / (top - bottom) * 2 - 1
        return np.stack([x, y], -1), depth

    def pixel_plane(self, height: int, width: int) -> Array:
        """Pixel centres on the window's plane, (H, W, 2), row 0 at the top."""
        left, right, bottom, top = self.window
        x = left + (np.arange(width) + 0.5) / width * (right - left)
        y = top - (np.arange(height) + 0.5) / height * (top - bottom)
        return np.stack(np.meshgrid(x, y), -1)

    def rays(self, height: int, width: int) -> tuple[Array, Array]:
        """Rays through the pixel centres.

        Returns:
            Origins and directions in model space, both (H, W, 3). Directions have unit length along
            the camera's -Z, so that ``origin + t · direction`` has planar depth t.
        """
        plane = self.pixel_plane(height, width)
        axes, flat = self.pose[:3, :3], np.zeros((height, width, 1))
        if self.orthographic:
            origins = self.position + np.concatenate([plane, flat], -1) @ axes.T
            directions = np.broadcast_to(-axes[:, 2], origins.shape)
        else:
            directions = np.concatenate([plane, flat - 1], -1) @ axes.T
            origins = np.broadcast_to(self.position, directions.shape)
        return origins, directions


def _look_at(position: Array) -> Array:
    """Pose (4, 4) at ``position`` that looks at the origin with y up."""
    back = position / np.linalg.norm(position)
    x, y, z = back.tolist()
    level = math.hypot(x, z)
    right_x, right_z = (1.0, 0.0) if level < 1e-9 else (z / level, -x / level)
    pose = np.eye(4)
    pose[:3, 0] = right_x, 0.0, right_z
    pose[:3, 1] = y * right_z, z * right_x - x * right_z, -y * right_x  # back × right
    pose[:3, 2], pose[:3, 3] = back, position
    return pose


def side_unknown(camera: Camera, config: ModelConfig) -> CameraRangeError | None:
    """The error, unraised, if the camera stands farther to a side, above or below than trained."""
    yaw, pitch = math.degrees(abs(camera.yaw)), math.degrees(abs(camera.pitch))
    yaw_max, pitch_max = math.degrees(config.yaw_max), math.degrees(config.pitch_max)
    if yaw > yaw_max + 1e-6:
        return CameraRangeError(
            "The camera stands {0:.0f}° to the side; the model knows up to {1:.0f}°.", yaw, yaw_max
        )
    if pitch > pitch_max + 1e-6:
        return CameraRangeError(
            "The camera stands {0:.0f}° up or down; the model knows up to {1:.0f}°.",
            pitch,
            pitch_max,
        )
    return None


def out_of_range(camera: Camera, config: ModelConfig) -> CameraRangeError | None:
    """The error, unraised, that says how a camera leaves the trained range; None inside of it."""
    side = side_unknown(camera, config)
    if side is not None or camera.orthographic:
        return side
    if not config.distance_min - 1e-6 <= camera.distance <= config.distance_max + 1e-6:
        distances = camera.distance, config.distance_min, config.distance_max
        return CameraRangeError(
            "The camera is {0:.2f} m away; the model knows {1:.2f} to {2:.1f} m.",
            *(distance * config.unit_metres for distance in distances),
        )
    return None


def clamp_camera(camera: Camera, config: ModelConfig) -> Camera:
    """The camera turned about the origin, and moved towards or from it, into the trained range.

    The camera keeps its orientation relative to the origin, so the portrait stays where it stood in
    the picture.
    """
    if out_of_range(camera, config) is None:
        return camera
    yaw = float(np.clip(camera.yaw, -config.yaw_max, config.yaw_max))
    pitch = float(np.clip(camera.pitch, -config.pitch_max, config.pitch_max))
    before = Camera.orbit(camera.yaw, camera.pitch).pose[:3, :3]
    after = Camera.orbit(yaw, pitch).pose[:3, :3]
    pose = np.eye(4)
    pose[:3, :3] = after @ before.T @ camera.pose[:3, :3]
    position = after @ before.T @ camera.position
    if not camera.orthographic:
        reach = float(np.clip(camera.distance, config.distance_min, config.distance_max))
        position = position * (reach / max(camera.distance, 1e-9))
        if camera.distance < 1e-9:
            position = after[:, 2] * reach
    pose[:3, 3] = position
    window = camera.window
    if not camera.orthographic:
        scale = camera.distance / float(np.linalg.norm(position))
        if scale > 0:  # a dolly changes the lens too, so that the portrait keeps its size
            window = tuple(value * scale for value in window)  # type: ignore[assignment]
    return replace(camera, pose=pose, window=window)


def canonical_camera(camera: Camera, config: ModelConfig) -> Camera:
    """The camera with the same centre of projection and the framing of training."""
    if camera.orthographic:
        return Camera.orbit(
            camera.yaw,
            camera.pitch,
            distance=config.camera_distance,
            side=config.frame_side,
            orthographic=True,
        )
    half = config.frame_side / 2 / camera.distance
    return Camera(_look_at(camera.position), (-half, half, -half, half))


def fit_camera(camera: Camera, config: ModelConfig, outside: str = "clamp") -> Camera:
    """Bring a camera into the trained range.

    Args:
        outside: "clamp" moves a camera from outside to the nearest pose inside, "refuse" raises.

    Raises:
        CameraRangeError: the camera is outside and ``outside`` is "refuse".
        ValueError: ``outside`` is neither.
    """
    if outside not in ("clamp", "refuse"):
        raise ValueError(f"outside must be 'clamp' or 'refuse', not {outside!r}")
    reason = out_of_range(camera, config)
    if reason is None:
        return camera
    if outside == "refuse":
        raise reason
    return clamp_camera(camera, config)


def window_matrix(camera: Camera) -> Array:
    """(3, 3) matrix from homogeneous window-plane coordinates to NDC."""
    left, right, bottom, top = camera.window
    sx, sy = 2 / (right - left), 2 / (top - bottom)
    return np.array([[sx, 0, -1 - left * sx], [0, sy, -1 - bottom * sy], [0, 0, 1.0]])


def _plane_matrix(camera: Camera) -> Array:
    """Inverse of :func:`window_matrix`; LAPACK's takes a millisecond while torch's threads spin."""
    left, right, bottom, top = camera.window
    x, y = (right - left) / 2, (top - bottom) / 2
    return np.array([[x, 0, left + x], [0, y, bottom + y], [0, 0, 1.0]])


def picture_homography(source: Camera, target: Camera) -> Array:
    """(3, 3) homography that maps NDC of ``target`` to NDC of ``source``.

    Both must share their centre of projection (perspective) or viewing direction (orthographic).
    """
    rotation = source.pose[:3, :3].T @ target.pose[:3, :3]
    if source.orthographic:
        shift = source.pose[:3, :3].T @ (target.position - source.position)
        plane = np.array(
            [
                [rotation[0, 0], rotation[0, 1], shift[0]],
                [rotation[1, 0], rotation[1, 1], shift[1]],
                [0, 0, 1.0],
            ]
        )
    else:
        flip = np.diag([1.0, 1.0, -1.0])  # plane coordinates (x, y, 1) stand for (x, y, -1)
        plane = flip @ rotation @ flip
    return window_matrix(source) @ plane @ _plane_matrix(target)


def orbit_path(
    frames: int,
    *,
    yaw: float = 0.6,
    pitch: float = 0.08,
    distance: float = ModelConfig.camera_distance,
    side: float = ModelConfig.frame_side,
) -> Sequence[Camera]:
    """A closed turntable of ``frames`` cameras: side to side in yaw, once up and down in pitch.

    The model knows the front of a head, so a turntable swings between ±yaw (radians) and returns to
    its first pose, which makes the film loop.
    """
    if frames < 1:
        raise ValueError(f"a path needs at least one frame, got {frames}")
    phases = [2 * math.pi * frame / frames for frame in range(frames)]
    return [
        Camera.orbit(yaw * math.sin(p), pitch * math.sin(2 * p), distance=distance, side=side)
        for p in phases
    ]
