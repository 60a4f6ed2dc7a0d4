"""Does the model copy: the training picture that is nearest to a random portrait."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Neighbours:
    """The nearest reference of each query.

    Attributes:
        rows: (N,) number of the reference.
        distances: (N,) Euclidean distance to it, divided by the root of the number of features.
    """

    rows: Tensor
    distances: Tensor


def nearest(queries: Tensor, references: Tensor) -> Neighbours:
    """The nearest of ``references`` (M, D) to each of ``queries`` (N, D).

    Features are standardised by mean and standard deviation of the references, so that two pictures
    of different people are about √2 apart.
    """
    mean, scale = references.mean(0), references.std(0).clamp_min(1e-6)
    gaps = torch.cdist((queries - mean) / scale, (references - mean) / scale)
    least = gaps.min(1)
    return Neighbours(least.indices, least.values / queries.shape[1] ** 0.5)
