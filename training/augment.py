"""Augmentation of what the discriminator sees, with a strength that adapts to overfitting.

Real and generated pairs go through the same random, differentiable changes, so the generator cannot
learn them as long as they are not always applied (Karras et al. 2020, "Training generative
adversarial networks with limited data"). Picture and mask move together.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TARGET = 0.6
"""Mean sign of the scores of real pairs at which the strength stays as it is."""
SPEED = 1 / 20_000
"""Change of the strength for one real picture."""
MAX_STRENGTH = 0.8


class AdaptiveAugmentation:
    """Random flips, shifts, light and saturation, each with probability ``strength``."""

    def __init__(self, strength: float = 0.0) -> None:
        self.strength = strength

    def update(self, real_scores: Tensor) -> None:
        """Raise the strength when the discriminator is too sure of real pictures, else lower it."""
        sign = float(real_scores.detach().sign().mean())
        step = SPEED * len(real_scores) * (1 if sign > TARGET else -1)
        self.strength = min(max(self.strength + step, 0.0), MAX_STRENGTH)

    def __call__(
        self, image: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Change pairs: image (B, 3, S, S) in [-1, 1], mask (B, K, s, s)."""
        count = image.shape[0]

        def chosen(probability: float) -> Tensor:
            return torch.rand(count, 1, 1, 1, generator=generator).lt(probability).to(image.device)

        def normal(scale: float) -> Tensor:
            return (torch.randn(count, 1, 1, 1, generator=generator) * scale).to(image.device)

        flip = chosen(0.5 * min(1.0, self.strength * 4))
        image = torch.where(flip, image.flip(-1), image)
        mask = torch.where(flip, mask.flip(-1), mask)
        move = chosen(self.strength)
        if bool(move.any()):
            theta = torch.eye(2, 3).repeat(count, 1, 1).to(image.device)
            zoom = 1 + normal(0.08)
            theta[:, :, :2] *= torch.where(move, zoom, 1.0)[:, 0]
            shift = torch.cat([normal(0.06), normal(0.06)], 1)[:, :, 0]  # (B, 2, 1)
            theta[:, :, 2:] = torch.where(move[:, 0], shift, 0.0)
            image = _warp(image, theta)
            mask = _warp(mask, theta)
        image = image + torch.where(chosen(self.strength), normal(0.15), 0.0)
        image = image * torch.where(chosen(self.strength), 1 + normal(0.2), 1.0)
        grey = image.mean(1, keepdim=True)
        saturation = torch.where(chosen(self.strength), 1 + normal(0.4), 1.0)
        return grey + (image - grey) * saturation, mask


def _warp(x: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(x.shape), align_corners=False).to(x.dtype)
    return F.grid_sample(x, grid, align_corners=False, padding_mode="reflection")
