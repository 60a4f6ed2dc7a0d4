"""How learning rates fall."""

from __future__ import annotations

import math

import torch


def half_cosine(progress: float) -> float:
    """Share of the first rate that is left after ``progress`` (0 to 1) of a run: from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups of an optimiser's parameters one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
