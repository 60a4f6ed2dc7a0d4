"""How different the faces are: distances between landmark shapes, without any rendering."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.synthetic.identity import sample_identity
from training.synthetic.portrait import PortraitBuilder

LANDMARKS = 100
_MILLIMETRES = 100.0  # in a decimetre
_ROUNDS = 5


def landmark_vertices(builder: PortraitBuilder, count: int = LANDMARKS) -> np.ndarray:
    """Indices of ``count`` body vertices spread evenly over the face, the same for everyone.

    Each is the one farthest from all before it, the first the tip of the nose.
    """
    regions = builder.head.regions
    face = (regions.z > 0.45) & (regions.y > 6.15) & (regions.y < 7.95) & (regions.ears < 0.1)
    candidates = np.flatnonzero(face & (regions.mouth_inside < 0.5))
    points = regions.rest[candidates]
    chosen = [int(np.argmax(points[:, 2]))]
    distance = np.full(len(points), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(distance)))
    return candidates[chosen]


def align(shapes: np.ndarray) -> np.ndarray:
    """Shapes (N, L, 3) moved, turned and scaled onto their common mean (Procrustes)."""
    shapes = shapes - shapes.mean(1, keepdims=True)
    size = np.linalg.norm(shapes, axis=(1, 2))
    shapes = shapes * (size.mean() / size)[:, None, None]
    mean = shapes[0]
    for _ in range(_ROUNDS):
        left, _, right = np.linalg.svd(np.einsum("nli,lj->nij", shapes, mean))
        turn = left @ right
        mirrored = np.linalg.det(turn) < 0
        left[mirrored, :, -1] *= -1
        shapes = shapes @ (left @ right)
        mean = shapes.mean(0)
    return shapes


def pairwise_distance(shapes: np.ndarray) -> float:
    """Mean over pairs of shapes (N, L, 3) and over landmarks of the distance between the two."""
    count = len(shapes)
    total = sum(
        np.linalg.norm(shapes[i + 1 :] - shapes[i], axis=-1).mean(-1).sum() for i in range(count)
    )
    return float(total) / (count * (count - 1) / 2)


def face_spread(builder: PortraitBuilder, numbers: Sequence[int]) -> dict[str, float]:
    """Mean pairwise landmark distance in millimetres over identities, after alignment.

    Returns:
        "face" with the expressions that the identities have, "at rest" without, and "asymmetry":
        the mean distance at rest between a face and its mirror image.
    """
    vertices = landmark_vertices(builder)
    mirror = _mirrored(builder, vertices)
    people = [sample_identity(number, builder.head.data.targets) for number in numbers]
    posed = [builder.head.body.of(builder.head_vertices(person)) for person in people]
    rest = [builder.head.body.of(builder.head_vertices(person.at_rest)) for person in people]
    flipped = [shape[mirror] * [-1, 1, 1] for shape in rest]
    straight = [shape[vertices] for shape in rest]
    pairs = [align(np.stack(pair)) for pair in zip(straight, flipped, strict=True)]
    return {
        "face": pairwise_distance(align(np.stack([s[vertices] for s in posed]))) * _MILLIMETRES,
        "at rest": pairwise_distance(align(np.stack(straight))) * _MILLIMETRES,
        "asymmetry": float(np.mean([pairwise_distance(pair) for pair in pairs])) * _MILLIMETRES,
    }


def _mirrored(builder: PortraitBuilder, vertices: np.ndarray) -> np.ndarray:
    """The template's vertex on the other side of each of ``vertices``."""
    from scipy.spatial import cKDTree

    rest = builder.head.body.rest
    return cKDTree(rest).query(rest[vertices] * [-1, 1, 1])[1]
