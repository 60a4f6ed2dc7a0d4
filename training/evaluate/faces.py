"""An independent network's opinion: faces found, head turned, features (mediapipe)."""

from __future__ import annotations

import importlib
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.errors import PortraitError
from training.evaluate.pictures import Pictures, resized
from training.evaluate.tflite import TFLiteNetwork
from training.sheets import to_uint8

HOW_TO_GET = "run in the environment that docs/evaluation.md describes"
# Pairs of landmarks left and right in the picture of a frontal face: corners of eyes and mouth,
# cheeks, brows, jaw.
LEFT = (33, 133, 61, 234, 127, 70, 50, 93)
RIGHT = (263, 362, 291, 454, 356, 300, 280, 323)
NETWORK = "modules/face_landmark/face_landmark.tflite"
LAYERS = ("p_re_lu_9", "p_re_lu_12", "p_re_lu_17")
"""Activations whose means over the picture are the features: 64 + 128 + 128 of them."""
CROP = (0.16, 0.84, 0.12, 0.80)
"""The part of the picture that the landmark network sees: left, right, top, bottom."""
_INPUT = 192


class FacesMissingError(PortraitError):
    """mediapipe is not installed."""


def package_folder() -> Path:
    """Where mediapipe is installed.

    Raises:
        FacesMissingError: it is not.
    """
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        raise FacesMissingError(f"mediapipe is not installed: {HOW_TO_GET}")
    return Path(next(iter(spec.submodule_search_locations)))


@dataclass
class Face:
    """What was found in one picture.

    Attributes:
        count: faces that the detector found.
        landmarks: (M, 3) of the first face, x right, y down, z away, in pictures' widths; None
            where the landmark network found none.
    """

    count: int
    landmarks: np.ndarray | None


class FaceFinder:
    """mediapipe's short-range face detector and its landmark network, one picture at a time.

    Raises:
        FacesMissingError: mediapipe is not installed.
    """

    def __init__(self) -> None:
        package_folder()
        solutions: Any = importlib.import_module("mediapipe").solutions
        self._detector = solutions.face_detection.FaceDetection(
            model_selection=0, min_detection_confidence=0.5
        )
        self._mesh = solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=1, min_detection_confidence=0.5
        )

    def find(self, image: Tensor) -> Face:
        """The faces in a picture (3, H, W) in [-1, 1]."""
        pixels = np.ascontiguousarray(to_uint8(image).numpy())
        detections = self._detector.process(pixels).detections or ()
        meshes = self._mesh.process(pixels).multi_face_landmarks
        landmarks = None
        if meshes:
            landmarks = np.array([[p.x, p.y, p.z] for p in meshes[0].landmark])
        return Face(len(detections), landmarks)

    def find_all(self, pictures: Pictures) -> list[Face]:
        """One :class:`Face` a picture."""
        return [self.find(image) for image in pictures.image]


def head_yaw(landmarks: np.ndarray) -> float:
    """Radians by which the head is turned from the viewer, as the camera's yaw counts them.

    The direction of the axis from the left to the right of the face: no template is fitted.
    """
    across = (landmarks[list(RIGHT)] - landmarks[list(LEFT)]).mean(0)
    return -math.atan2(across[2], across[0])


def head_pitch(landmarks: np.ndarray) -> float:
    """Radians by which the line from chin to forehead leans towards the viewer.

    As the camera's pitch counts, up to a constant: that line of the network's own face is not
    upright. :func:`pitch_errors` takes the constant from renders.
    """
    up = landmarks[10] - landmarks[152]  # forehead and chin; y down, z away
    return math.atan2(-up[2], -up[1])


def found_share(faces: list[Face]) -> float:
    """Share of the pictures in which the detector finds exactly one face."""
    return float(np.mean([face.count == 1 for face in faces])) if faces else math.nan


def yaw_error(faces: list[Face], pictures: Pictures) -> tuple[float, float]:
    """Mean absolute error of the head's yaw in degrees, and the share of pictures with a head."""
    errors = [
        abs(head_yaw(face.landmarks) - camera.yaw)
        for face, camera in zip(faces, pictures.cameras, strict=True)
        if face.landmarks is not None
    ]
    if not errors:
        return math.nan, 0.0
    return math.degrees(float(np.mean(errors))), len(errors) / len(faces)


def pitch_errors(
    faces: list[Face], pictures: Pictures, true: list[Face], renders: Pictures
) -> tuple[float, float]:
    """Mean absolute error of the head's pitch in degrees: of ``pictures``, and of renders.

    The constant of :func:`head_pitch` is the median over the renders, never over the model's own.
    """

    def leans(found: list[Face], seen: Pictures) -> np.ndarray:
        return np.array(
            [
                head_pitch(face.landmarks) - camera.pitch
                for face, camera in zip(found, seen.cameras, strict=True)
                if face.landmarks is not None
            ]
        )

    own, reference = leans(faces, pictures), leans(true, renders)
    if not len(own) or not len(reference):
        return math.nan, math.nan
    constant = float(np.median(reference))
    error = lambda values: math.degrees(float(np.abs(values - constant).mean()))  # noqa: E731
    return error(own), error(reference)


def face_shape(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (M, 3) without place, size and turn of the head.

    The axes are those of the face itself: from left to right, and from the middle of the face to
    the brow.
    """
    points = landmarks * [1, -1, -1]  # y up, z towards the viewer
    points = points - points.mean(0)
    right = (points[list(RIGHT)] - points[list(LEFT)]).mean(0)
    right /= np.linalg.norm(right)
    up = points[10] - points[152]  # forehead and chin
    up -= right * (up @ right)
    up /= np.linalg.norm(up)
    turned = points @ np.stack([right, up, np.cross(right, up)], 1)
    return turned / np.sqrt(np.square(turned).sum(1).mean())


def shape_distances(faces: list[Face], people: list[int]) -> tuple[float, float]:
    """Root mean square distance of face shapes: between people, and between views of one."""
    known = [
        (face_shape(face.landmarks), person)
        for face, person in zip(faces, people, strict=True)
        if face.landmarks is not None
    ]
    between: list[float] = []
    within: list[float] = []
    for second, (shape, person) in enumerate(known):
        for other, stranger in known[:second]:
            distance = float(np.sqrt(np.square(shape - other).sum(1).mean()))
            (within if person == stranger else between).append(distance)
    mean = lambda values: float(np.mean(values)) if values else math.nan  # noqa: E731
    return mean(between), mean(within)


class FaceFeatures:
    """Mean activations of mediapipe's face landmark network on the middle of a picture.

    Every picture is cropped at the same place, so that pictures without a face count too.

    Raises:
        FacesMissingError: mediapipe is not installed.
    """

    def __init__(self) -> None:
        self._network = TFLiteNetwork(package_folder() / NETWORK)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) in [-1, 1] → (N, 320)."""
        rows = []
        for chunk in images.split(16):
            layers = self._network(self._crop(chunk), LAYERS)
            rows.append(torch.cat([layer.mean((2, 3)) for layer in layers], 1))
        return torch.cat(rows)

    @staticmethod
    def _crop(images: Tensor) -> Tensor:
        side = images.shape[-1]
        left, right, top, bottom = (round(edge * side) for edge in CROP)
        face = (images[:, :, top:bottom, left:right].float().clamp(-1, 1) + 1) / 2
        if face.shape[-1] > _INPUT:
            return resized(face, _INPUT)
        return F.interpolate(face, size=(_INPUT, _INPUT), mode="bilinear", align_corners=False)
