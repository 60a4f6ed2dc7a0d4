"""Does the model copy: who random faces are made of, and the training picture nearest to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.latents import seed_noise
from core.people_mixture import PeopleMixture


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


def largest_shares(mixture: PeopleMixture, seeds: Sequence[int]) -> Tensor:
    """The share of the face of each seed's portrait that comes from one training person, (N,)."""
    noise = np.stack([seed_noise(seed, mixture.config.z_dim) for seed in seeds])
    return mixture.face_blend(torch.from_numpy(noise).to(mixture.keys)).amax(1)
