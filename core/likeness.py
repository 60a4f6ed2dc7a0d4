"""Who is like whom: parts of people with like heads and skins go together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .parts import FACE_BASE


def face_codes(base: Tensor, shape: Tensor, texture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What makes the faces of N portraits: the head's w_base, the skin's shape and texture codes.

    Args:
        base: the head's (N, base_dim), or of all parts, (N, K, base_dim).
        shape, texture: of all parts, (N, K, code_dim).
    """
    head = base if base.ndim == 2 else base[:, FACE_BASE]
    return head, shape[:, FACE_BASE], texture[:, FACE_BASE]


def likeness(faces: Sequence[Tensor], people: Sequence[Tensor]) -> Tensor:
    """How much each of S people is like each of B faces, (B, S); arguments: :func:`face_codes`.

    The cosine between what sets both apart from the people's mean, so that nobody is like everyone;
    in standard deviations over the people, from their mean.
    """
    own, others = [], []
    for face, codes in zip(faces, people, strict=True):
        mean = codes.mean(0)
        scale = (codes - mean).square().sum(1).mean().sqrt().clamp_min(1e-6)
        own.append((face - mean) / scale)
        others.append((codes - mean) / scale)
    cosines = F.normalize(torch.cat(own, 1), dim=1) @ F.normalize(torch.cat(others, 1), dim=1).T
    spread, mean = torch.std_mean(cosines, 1, correction=0, keepdim=True)
    return (cosines - mean) / spread.clamp_min(1e-6)
