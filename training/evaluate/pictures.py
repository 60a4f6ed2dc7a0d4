"""Pictures that are measured: held-out renders, and a model's at the same cameras.

Renders have been stored, and most of what is finest in the colours of their skin is the encoder's.
So a model's pictures pass it too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.camera import Camera
from core.engine import PortraitEngine
from training.data import PortraitSet, as_stored

FIRST_SEED = 1_000
"""Seeds of measured portraits count up from here."""
CHUNK = 64
"""Pictures that are in memory at once where only their features are needed."""


@dataclass
class Pictures:
    """N pictures with what is known of them.

    Attributes:
        image: (N, 3, S, S) in [-1, 1].
        labels: (N, S, S) uint8, the part of each pixel.
        depth: (N, S, S) planar depth in model units, +inf in the background.
        cameras: N cameras.
        people: who is seen: a seed, or a number that counts the people of the renders.
    """

    image: Tensor
    labels: Tensor
    depth: Tensor
    cameras: list[Camera]
    people: list[int]

    def __len__(self) -> int:
        return len(self.cameras)

    def pick(self, rows: Sequence[int]) -> Pictures:
        """Some of the pictures."""
        index = list(rows)
        return Pictures(
            self.image[index],
            self.labels[index],
            self.depth[index],
            [self.cameras[i] for i in index],
            [self.people[i] for i in index],
        )

    @classmethod
    def join(cls, several: Sequence[Pictures]) -> Pictures:
        """All pictures of several sets."""
        return cls(
            torch.cat([p.image for p in several]),
            torch.cat([p.labels for p in several]),
            torch.cat([p.depth for p in several]),
            [camera for p in several for camera in p.cameras],
            [person for p in several for person in p.people],
        )


def renders(data: PortraitSet) -> Pictures:
    """All pictures of a rendered set; depth is enlarged to the picture's size, blocks unmixed."""
    distance = torch.tensor([view.distance for view in data.views])[:, None, None]
    depth = torch.where(data.foreground, data.depth.float() + distance, torch.inf)
    step = data.size // depth.shape[-1]
    depth = depth.repeat_interleave(step, 1).repeat_interleave(step, 2)
    numbers: dict[tuple[str, int], int] = {}  # of two sets, both may count from the same number
    people = [numbers.setdefault(view.person, len(numbers)) for view in data.views]
    cameras = [view.camera for view in data.views]
    return Pictures(data.picture(list(range(len(data)))), data.labels, depth, cameras, people)


def generated(
    engine: PortraitEngine, seed: int, cameras: Sequence[Camera], truncation: float
) -> Pictures:
    """One random portrait from some cameras, stored as renders are."""
    rendering = engine.render(engine.sample(seed, truncation), list(cameras))
    return Pictures(
        as_stored(rendering.image),
        rendering.labels,
        rendering.depth,
        list(cameras),
        [seed] * len(cameras),
    )


def generated_set(
    engine: PortraitEngine, cameras: Sequence[Camera], truncation: float, first: int = FIRST_SEED
) -> Pictures:
    """A new person for each camera."""
    people = [generated(engine, first + i, [c], truncation) for i, c in enumerate(cameras)]
    return Pictures.join(people)


def generated_features(
    engine: PortraitEngine,
    cameras: Sequence[Camera],
    count: int,
    truncation: float,
    spaces: Sequence[Callable[[Tensor], Tensor]],
) -> list[Tensor]:
    """Features of ``count`` new people, in turn from ``cameras``, without keeping their pictures.

    Args:
        spaces: each maps pictures (N, 3, S, S) in [-1, 1] to features (N, D).

    Returns:
        (count, D) for each of ``spaces``.
    """
    rows: list[list[Tensor]] = [[] for _ in spaces]
    for start in range(0, count, CHUNK):
        images = []
        for i in range(start, min(start + CHUNK, count)):
            portrait = engine.sample(FIRST_SEED + i, truncation)
            images.append(engine.render(portrait, cameras[i % len(cameras)]).image)
        stored = as_stored(torch.cat(images))
        for features, kept in zip(spaces, rows, strict=True):
            kept.append(features(stored))
    return [torch.cat(kept) for kept in rows]


def resized(image: Tensor, size: int) -> Tensor:
    """(N, C, H, W) as squares of ``size`` pixels: averaged down or enlarged bilinearly."""
    if image.shape[-1] == size:
        return image
    if image.shape[-1] > size:
        return F.interpolate(image, size=(size, size), mode="area")
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)


def detail(image: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels of (N, 3, S, S), in [0, 1]: low for blur."""
    across = (image[..., 1:] - image[..., :-1]).abs().mean()
    down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean()
    return float(across + down) / 4
