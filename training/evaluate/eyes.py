"""Whether eyes look like the renders' eyes: in the features of mediapipe's iris network.

Distances between whole pictures hardly meet eyes, which are a fiftieth of a picture and looked at
first. Here each eye is cut out where the labels show it, as the network wants it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from core.parts import part_index
from training.evaluate.faces import package_folder
from training.evaluate.pictures import Pictures
from training.evaluate.tflite import TFLiteNetwork

NETWORK = "modules/iris_landmark/iris_landmark.tflite"
LAYERS = ("p_re_lu_8", "p_re_lu_18", "p_re_lu_20")
"""The last of 32², 16² and 8² activations, before the network divides into lids and iris."""
SURROUNDINGS = 2.3
"""Side of what the network sees, in widths of the eye: as in mediapipe's own graph."""
LEAST_WIDTH = 6
"""Pixels: a narrower eye is nearly closed, or seen from the side."""
_INPUT = 64
_EYES = part_index("eyes")


class EyeFeatures:
    """Mean activations of the iris network on both eyes of pictures.

    Raises:
        FacesMissingError: mediapipe is not installed.
    """

    def __init__(self) -> None:
        self._network = TFLiteNetwork(package_folder() / NETWORK)

    def __call__(self, pictures: Pictures) -> tuple[Tensor, list[int]]:
        """Features (M, D) of the eyes that are seen, and who each belongs to."""
        crops, people = [], []
        for image, labels, person in zip(
            pictures.image, pictures.labels, pictures.people, strict=True
        ):
            boxes = pair_of_eyes(labels)
            for box, mirrored in zip(boxes, (False, True), strict=False):
                eye = cut_out(image, box)
                crops.append(eye.flip(-1) if mirrored else eye)  # the network knows one side
                people.append(person)
        if not crops:
            return torch.zeros(0, 1), []
        rows = []
        for chunk in torch.stack(crops).split(64):
            layers = self._network(chunk, LAYERS)
            rows.append(torch.cat([layer.mean((2, 3)) for layer in layers], 1))
        return torch.cat(rows), people


def pair_of_eyes(labels: Tensor) -> Sequence[tuple[int, int, int, int]]:
    """Left, right, upper and lower pixels of both eyes in labels (S, S); none where one is hidden.

    The two lie on either side of the widest gap between columns that show any of them.
    """
    shown = labels == _EYES
    columns = shown.any(0).nonzero()[:, 0]
    if len(columns) < 2:
        return ()
    gap = int((columns[1:] - columns[:-1]).argmax()) + 1
    boxes = []
    for part in (columns[:gap], columns[gap:]):
        left, right = int(part[0]), int(part[-1])
        rows = shown[:, left : right + 1].any(1).nonzero()[:, 0]
        if right - left + 1 < LEAST_WIDTH:
            return ()
        boxes.append((left, right, int(rows[0]), int(rows[-1])))
    return boxes


def cut_out(image: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """A picture (3, S, S) in [-1, 1] around a box of its pixels: (3, 64, 64) in [0, 1]."""
    size = image.shape[-1]
    left, right, upper, lower = box
    half = SURROUNDINGS * (right - left + 1) / size  # of the picture's half side
    line = ((torch.arange(_INPUT) + 0.5) / _INPUT * 2 - 1) * half
    x, y = (left + right + 1) / size - 1, (upper + lower + 1) / size - 1
    grid = torch.stack(torch.meshgrid(line + y, line + x, indexing="ij")[::-1], -1)
    eye = F.grid_sample(image[None].float(), grid[None], padding_mode="border", align_corners=False)
    return (eye[0].clamp(-1, 1) + 1) / 2
