"""Random portraits with one part swapped, and the change that this makes elsewhere.

A rendered sibling shows what a part does to its surroundings, but few portraits have siblings, and
of a face's small parts most of what a swap changes lies outside of them: the render net sees 28
pixels to every side. So random portraits come in pairs, alike but for one part, from one camera,
and what differs outside of that part is a loss: D_mean^masked of the paper's measure.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.model import SSGAN3D, GeneratorOutput
from core.parts import PART_COUNT
from core.volume import RayBatch
from training.adversarial import data_rays, random_codes
from training.warm_start import FittedCodes, Views, render_codes


def swapped_pairs(
    model: SSGAN3D, views: Views, count: int, generator: torch.Generator
) -> tuple[GeneratorOutput, Tensor]:
    """``count`` random portraits, then the same with one part of somebody else.

    Both wear the part; cameras and samples along the rays are the same.

    Returns:
        Pictures of the 2 ``count`` portraits, one view each, and the swapped parts (count,).
    """
    rays = data_rays(views, count, generator)
    codes, donors = (random_codes(model, count, generator) for _ in range(2))
    parts = torch.randint(PART_COUNT, (count,), generator=generator)
    chosen = F.one_hot(parts, PART_COUNT).bool().to(codes.visible.device)  # (B, K)
    visible = codes.visible | chosen
    swapped = FittedCodes(
        codes.base,
        torch.where(chosen[..., None], donors.shape, codes.shape),
        torch.where(chosen[..., None], donors.texture, codes.texture),
        visible,
    )
    both = FittedCodes(
        torch.cat([codes.base, swapped.base]),
        torch.cat([codes.shape, swapped.shape]),
        torch.cat([codes.texture, swapped.texture]),
        torch.cat([visible, visible]),
    )
    return render_codes(model, both, _twice(rays)), parts


def _twice(rays: RayBatch) -> RayBatch:
    fields = (rays.uv, rays.z, rays.depth, rays.step)
    return RayBatch(*(torch.cat([values, values]) for values in fields))


def outside_change(image: Tensor, mask: Tensor, parts: Tensor, margin: int) -> Tensor:
    """Mean absolute difference of pairs outside of the swapped part, over all pixels.

    Args:
        image: (2 B, 3, S, S), first halves of the pairs first.
        mask: (2 B, K, h, h), values or logits; the largest is a pixel's label.
        parts: (B,) the swapped parts.
        margin: so many pixels of the picture around the part count as inside.
    """
    labels = mask.detach().argmax(1)  # (2 B, h, h)
    of_part = labels == parts.to(labels.device).repeat(2)[:, None, None]
    edited = torch.stack(of_part.chunk(2)).any(0)[:, None].float()  # (B, 1, h, h)
    edited = F.interpolate(edited, size=image.shape[-2:])
    outside = 1 - F.max_pool2d(edited, 2 * margin + 1, 1, margin)
    before, after = image.chunk(2)
    return ((before - after).abs() * outside).mean()
