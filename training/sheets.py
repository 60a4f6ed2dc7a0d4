"""Pictures of what a model makes, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from core.files import replacing
from core.parts import PARTS


def to_uint8(image: Tensor) -> Tensor:
    """(..., 3, H, W) in [-1, 1] → (..., H, W, 3) uint8."""
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round().byte().movedim(-3, -1).cpu()


def color_labels(mask: Tensor, size: int) -> Tensor:
    """Colours of the winning parts: logits or masks (N, K, h, w) → (N, 3, size, size)."""
    palette = torch.tensor([part.color for part in PARTS]).float() / 127.5 - 1
    fine = F.interpolate(mask.float(), size=(size, size), mode="bilinear", align_corners=False)
    return palette[fine.argmax(1).cpu()].movedim(-1, 1)


def save_sheet(path: Path, rows: Sequence[Sequence[Tensor]]) -> None:
    """Write rows of pictures (3, H, W) in [-1, 1] as one picture, through a temporary file."""
    lines = [torch.cat([tile.cpu().float() for tile in row], 2) for row in rows]
    with replacing(path) as temporary:
        Image.fromarray(to_uint8(torch.cat(lines, 1)).numpy()).save(temporary)
