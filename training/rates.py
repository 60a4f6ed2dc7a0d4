"""How learning rates fall."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

WARM_UP = 50
"""Steps until a learning rate has risen to its full."""


def half_cosine(progress: float) -> float:
    """Share of the first rate that is left after ``progress`` (0 to 1) of a run: from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def warmed(progress: float, step: int) -> float:
    """The same, after a rise from nothing over the first ``WARM_UP`` steps, counted from 0."""
    return half_cosine(progress) * min(1.0, (step + 1) / WARM_UP)


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float], share: float) -> None:
    """Give each group of an optimiser's parameters this share of its own rate."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * share


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups of an optimiser's parameters one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
