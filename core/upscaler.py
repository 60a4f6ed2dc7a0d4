"""The upscaler: from a picture to one of twice its size, whatever it shows.

A model draws 256 × 256 pixels, Blender wants 1080 rows, and bilinear enlargement blurs each edge
over four of them. A few convolutions that have seen renders at both sizes know better where an edge
lies (Dong et al. 2014). They work on squares of 2 × 2 pixels and hand their result back by pixel
shuffle (Shi et al. 2016), and know nothing of codes, masks or cameras: so they fit any weights of
the other stages, and may be applied to what they have made.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .render_net import ResidualBlock, enlarge_to, start_at_zero

FACTOR = 2
"""By how much it enlarges, either way."""
_SQUARE = 2
"""Side of the squares of pixels that it works on."""


class Upscaler(nn.Module):
    """What bilinear enlargement lacks, added to it."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.entry = nn.Conv2d(3 * _SQUARE**2, channels, 3, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlock(channels) for _ in range(blocks)])
        self.exit = nn.Conv2d(channels, 3 * (FACTOR * _SQUARE) ** 2, 3, padding=1)
        start_at_zero(self.exit)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) in about [-1, 1], even sides → (B, 3, 2 H, 2 W) float32."""
        height, width = picture.shape[-2:]
        x = F.pixel_unshuffle(picture.to(self.entry.weight.dtype), _SQUARE)
        x = self.exit(F.leaky_relu(self.blocks(self.entry(x)), 0.2))
        residual = F.pixel_shuffle(x, FACTOR * _SQUARE).float()
        return enlarge_to(picture.float(), torch.Size((FACTOR * height, FACTOR * width))) + residual
