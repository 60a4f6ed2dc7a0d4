"""Losses of the warm start and of adversarial training. All take (N, C, H, W) and give a scalar."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from core.parts import PART_COUNT, PART_NAMES

SMALL_PARTS = ("brows", "eyes", "nose", "mouth", "ears", "glasses", "earrings")
SMALL_PART_WEIGHT = 3.0
"""Small parts cover few pixels and carry most of a face: their cross entropy counts more."""


def weighted(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of the terms, each times its weight; a scalar."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()


def multiscale_l1(prediction: Tensor, target: Tensor, scales: tuple[int, ...] = (1, 4)) -> Tensor:
    """Sum of mean absolute differences of the pictures and of their averages over squares."""
    total = prediction.new_zeros(())
    for scale in scales:
        if scale == 1:
            total = total + (prediction - target).abs().mean()
        else:
            total = (
                total + (F.avg_pool2d(prediction, scale) - F.avg_pool2d(target, scale)).abs().mean()
            )
    return total


def gradient_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical differences: keeps edges sharp."""
    error = prediction - target
    return (error[..., 1:] - error[..., :-1]).abs().mean() + (
        error[..., 1:, :] - error[..., :-1, :]
    ).abs().mean()


def gradient_sum(error: Tensor, weight: Tensor) -> Tensor:
    """Sum over places and channels of the absolute differences of neighbouring errors.

    Args:
        error: (N, C, H, W).
        weight: of the right and the lower one of two neighbours, (N, 1, H, W).
    """
    across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
    down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
    return across.sum() + down.sum()


def small_part_l1(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of pictures where a small part is shown.

    Args:
        prediction, target: (N, 3, H, W).
        mask: soft labels, (N, K, h, w) with H a multiple of h.
    """
    small = mask[:, [PART_NAMES.index(name) for name in SMALL_PARTS]].sum(1, keepdim=True)
    weight = F.interpolate(small, size=target.shape[-2:])
    error = (prediction - target).abs().mean(1, keepdim=True)
    return (error * weight).sum() / weight.sum().clamp_min(1)


def part_weights(device: torch.device | None = None) -> Tensor:
    """Weight of each part in the mask losses, (K,)."""
    return torch.tensor(
        [SMALL_PART_WEIGHT if name in SMALL_PARTS else 1.0 for name in PART_NAMES], device=device
    )


def mask_cross_entropy(log_mask: Tensor, target: Tensor) -> Tensor:
    """Cross entropy between soft masks, weighted by part.

    Args:
        log_mask: log probabilities, (N, K, H, W).
        target: soft masks that sum to 1, (N, K, H, W).
    """
    weighted = target * part_weights(target.device).view(1, PART_COUNT, 1, 1)
    return -(weighted * log_mask).sum(1).mean()


def depth_l1(prediction: Tensor, target: Tensor, foreground: Tensor) -> Tensor:
    """Mean absolute depth difference where the target is foreground; all (N, H, W)."""
    weight = foreground.float()
    return ((prediction - target).abs() * weight).sum() / weight.sum().clamp_min(1)


def place_weights(mask: Tensor, places: tuple[int, int], small_places: float) -> Tensor:
    """How much a discriminator's score of each place counts, (N, *places), 1 in the mean.

    Eyes and mouth are looked at first, and are a fiftieth of the places.

    Args:
        mask: soft labels, (N, K, h, w).
        places: rows and columns of places that are scored.
        small_places: of a place that shows small parts only, beside 1 where there are none.
    """
    small = mask[:, [PART_NAMES.index(name) for name in SMALL_PARTS]].sum(1)
    weight = 1 + (small_places - 1) * F.adaptive_avg_pool2d(small, places)
    return weight / weight.mean((1, 2), keepdim=True)


def generator_loss(scores: Tensor, weight: Tensor) -> Tensor:
    """Non-saturating loss of the generator; scores and :func:`place_weights` (N, s, s)."""
    return (F.softplus(-scores) * weight).mean()


def discriminator_loss(
    real: Tensor, fake: Tensor, real_weight: Tensor, fake_weight: Tensor
) -> Tensor:
    """Non-saturating loss of the discriminator; likewise."""
    return (F.softplus(-real) * real_weight).mean() + (F.softplus(fake) * fake_weight).mean()


def gradient_penalty(
    scores: Tensor, inputs: tuple[Tensor, Tensor], weights: tuple[float, float]
) -> Tensor:
    """R1: Σ weight/2 · E‖∂ mean score / ∂ input‖² over real pictures and masks."""
    gradients = torch.autograd.grad(scores.flatten(1).mean(1).sum(), inputs, create_graph=True)
    terms = [
        weight / 2 * gradient.float().square().sum((1, 2, 3)).mean()
        for gradient, weight in zip(gradients, weights, strict=True)
    ]
    return torch.stack(terms).sum()
