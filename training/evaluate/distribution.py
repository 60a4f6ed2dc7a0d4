"""Distances between sets of features: Fréchet and kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PART_SPLITS = 48
"""Of renders that show a part into halves: their people are few, and eight splits left the halves'
own distance of eyes anywhere from 97 to 116."""
PART_MOST = 5.0
"""Standard deviations of the renders that a part's feature counts at most, either way. Some are
nearly constant over the renders: one eye of 2,000 lay a hundred times beyond, and brought the
kernel distance from 0.30 to 0.01."""


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """|μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½) of features (N, D) (Heusel et al. 2017)."""
    a, b = first.double(), second.double()
    mean = (a.mean(0) - b.mean(0)).square().sum()
    # tr (Σ₁ Σ₂)^½ is the sum of the singular values of X₁ X₂ᵀ, where Σ = Xᵀ X
    x = (a - a.mean(0)) / max(len(a) - 1, 1) ** 0.5
    y = (b - b.mean(0)) / max(len(b) - 1, 1) ** 0.5
    cross = torch.linalg.svdvals(x @ y.T).sum()
    return float(mean + x.square().sum() + y.square().sum() - 2 * cross)


def kernel_distance(first: Tensor, second: Tensor) -> float:
    """Unbiased squared MMD with k(x, y) = (x · y / D + 1)³ (Bińkowski et al. 2018)."""
    a, b = first.double(), second.double()
    size = a.shape[1]
    kernel = lambda x, y: (x @ y.T / size + 1) ** 3  # noqa: E731
    inner = 0.0
    for rows in (a, b):
        k = kernel(rows, rows)
        inner += float((k.sum() - k.diagonal().sum()) / (len(rows) * (len(rows) - 1)))
    return inner - 2 * float(kernel(a, b).mean())


@dataclass
class Distances:
    """Of generated pictures from renders, and between halves of the renders.

    Attributes:
        frechet, kernel: generated against renders.
        frechet_floor, kernel_floor: renders against renders of other people.
        count: pictures on each side of every comparison.
    """

    frechet: float
    kernel: float
    frechet_floor: float
    kernel_floor: float
    count: int


def distances(
    generated: Tensor,
    renders: Tensor,
    people: Sequence[int],
    splits: int = 8,
    seed: int = 0,
    most: float = math.inf,
) -> Distances:
    """Compare sets of the same size, because both distances depend on it.

    The people of the renders are split into halves at random; the halves give the floor, and sets
    of as many generated pictures are compared with each half: so many sets a split that all splits
    together use as many pictures as there are. Means over the splits. Features are standardised by
    their mean and standard deviation over the renders.

    Args:
        generated, renders: features (N, D) and (M, D); N ≥ M / 2.
        people: whom each render shows.
        most: bound of standardised features, either way. The kernel's cube lets a single activation
            far out decide the mean over all.
    """
    mean, scale = renders.mean(0), renders.std(0).clamp_min(1e-6)
    generated, renders = (
        ((features - mean) / scale).clamp(-most, most) for features in (generated, renders)
    )
    generator = torch.Generator().manual_seed(seed)
    numbers = sorted(set(people))
    person = torch.tensor([numbers.index(p) for p in people])
    rows: list[tuple[float, float, float, float]] = []
    count = 0
    for _ in range(splits):
        order = torch.randperm(len(numbers), generator=generator)
        first = torch.isin(person, order[: len(numbers) // 2])
        halves = [renders[first], renders[~first]]
        count = min(len(half) for half in halves)
        halves = [half[torch.randperm(len(half), generator=generator)[:count]] for half in halves]
        order = torch.randperm(len(generated), generator=generator)
        sets = max(1, len(generated) // (count * splits))
        pairs = [(generated[chunk], half) for chunk in order.split(count)[:sets] for half in halves]
        rows.append(
            (
                sum(frechet_distance(*pair) for pair in pairs) / len(pairs),
                sum(kernel_distance(*pair) for pair in pairs) / len(pairs),
                frechet_distance(*halves),
                kernel_distance(*halves),
            )
        )
    own_f, own_k, floor_f, floor_k = torch.tensor(rows, dtype=torch.float64).mean(0).tolist()
    return Distances(own_f, own_k, floor_f, floor_k, count)
