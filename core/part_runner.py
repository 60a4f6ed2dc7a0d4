"""One part generator as plain matrix products: what ``PartGroup`` computes, part by part.

Training wants all parts of a batch in few large products. A picture wants one portrait's parts, and
after an edit just one of them: then products that fit a cache, each with its activation in place,
are fastest, and the result of a part does not depend on which others were asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from .detail import DETAILED, bounded_amounts
from .generators import SLOPE, PartGroup, PartMap, bounded_depth
from .grain import SKIN, grain_mix
from .parts import PAINTED


@cache
def fused_linear() -> Callable[..., Tensor] | None:
    """Product, bias and activation in one pass over memory by oneDNN, in bfloat16 on the CPU.

    It is what ``torch.compile`` puts in place of a layer. None where torch lacks it, or the CPU
    bfloat16: public calls write bias, sums and activation one after another, which takes 1.4 to 1.8
    times as long.
    """
    x, bias = torch.full((1, 1), -1.0, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.bfloat16)
    try:
        fused = torch.ops.mkldnn._linear_pointwise
        works = bool(fused(x, -x, bias, "leaky_relu", [SLOPE], "") == x * SLOPE)
    except (AttributeError, RuntimeError, TypeError):
        return None
    return fused if works else None


def linear(x: Tensor, weight: Tensor, bias: Tensor, slope: float | None = None) -> Tensor:
    """Layer x Wᵀ + b, through leaky ReLU of that slope below zero where one is given.

    Args:
        x: (N, C in).
        weight: (C out, C in).
        bias: (C out,).

    Returns:
        (N, C out).
    """
    if x.dtype == torch.bfloat16 and x.device.type == "cpu":
        fused = fused_linear()
        if fused is not None:
            activation = ("none", []) if slope is None else ("leaky_relu", [slope])
            return fused(x, weight, bias, *activation, "")
    made = torch.addmm(bias, x, weight.T)
    return made if slope is None else F.leaky_relu(made, slope, inplace=True)


class PartRunner:
    """The generator of one part for one portrait at a time.

    Products of texels and weights run in ``precision``; styles, their weights' normalisation, the
    geometry's head and the linear model are float32.
    """

    def __init__(self, group: PartGroup, part: int, precision: torch.dtype) -> None:
        config, row = group.config, group.parts.index(part)
        self.part, self.precision, self.config = part, precision, config
        self.size = (group.height, group.width)
        self.geometry_layer = config.base_layers + config.shape_layers - 1
        self.position = group.position[row].detach().to(precision)  # (H W, C)
        # heads and layers are (C out, C in)
        self.weight = _transposed(group.weight[:, row].detach() * math.sqrt(2))
        self.bias = group.bias[:, row].detach().to(precision)
        self.style_bias = group.style_bias[:, row].detach()
        self.base_style = group.base_style[:, row].detach()  # (layers, Zb, C)
        self.shape_style, self.texture_style = (
            group.code_style[:, row].detach().split([config.shape_layers, config.texture_layers])
        )
        self.geometry_weight = _transposed(group.geometry_weight[row].detach())
        self.geometry_bias = group.geometry_bias[row].detach()
        self.feature_weight = _transposed(group.feature_weight[row].detach().to(precision))
        self.feature_bias = group.feature_bias[row].detach().to(precision)
        self.is_detailed = bool(config.detail_directions) and part in DETAILED
        self.tiles = config.detail_tiles
        if self.is_detailed:
            self.detail_weight = _transposed(group.detail_weight[row].detach() * math.sqrt(2))
            self.detail_bias = group.detail_bias[row].detach().to(precision)
            self.detail_style = group.detail_style[row].detach()  # (2 Z, C)
            self.detail_style_bias = group.detail_style_bias[row].detach()
            self.detail_head = _transposed(group.detail_head[row].detach().to(precision))
            self.detail_head_bias = group.detail_head_bias[row].detach().to(precision)
            self.detail_lengths = group.detail_lengths[row].to(precision)
            faint = group.detail_faint[row].to(precision)
            self.detail_faint = faint if bool(faint.any()) else None
            self.detail_gain = config.beard_gain if part == SKIN else 1.0
        self.is_grained = bool(config.grain) and part == SKIN
        self.is_painted = config.paint_size > 0 and part in PAINTED
        if self.is_painted:
            self.paint_head = _transposed(group.paint_head[row].detach().to(precision))
            self.paint_head_bias = group.paint_head_bias[row].detach().to(precision)
        self.form_basis = group.form_basis[row].detach()  # (Zb + Z + 1, 2, cells, cells)
        self.color_basis = group.color_basis[row].detach()

    def __call__(self, base: Tensor, shape: Tensor, texture: Tensor) -> PartMap:
        """The part's maps from w_base (Zb,) and its own w^s and w^t (Z,); one portrait."""
        styles = torch.cat(
            [base @ self.base_style, shape @ self.shape_style, texture @ self.texture_style]
        )
        weight = self._modulated(self.weight, styles + self.style_bias)  # (L, C out, C in)
        x = self.position
        geometry = x
        for layer, (matrix, bias) in enumerate(zip(weight, self.bias, strict=True)):
            x = linear(x, matrix, bias, SLOPE)
            if layer == self.geometry_layer:
                geometry = F.linear(x.float(), self.geometry_weight, self.geometry_bias)
        features = linear(x, self.feature_weight, self.feature_bias)
        if self.tiles:
            amount = self._detail(x, torch.cat([shape, texture]))
            features = torch.cat([features, amount], 1)
        paint = None
        if self.is_painted:
            paint = linear(x, self.paint_head, self.paint_head_bias)
            paint = paint.unflatten(0, self.size)[None]  # (1, H, W, 3)
        features = features.unflatten(0, self.size)  # (H, W, F)
        geometry = geometry.T.unflatten(1, self.size)  # (2, H, W)
        if self.form_basis.shape[-1]:
            geometry = geometry + self._linear(self.form_basis, base, shape)
            color = self._linear(self.color_basis, base, texture)
            features[..., :3] += color.permute(1, 2, 0).to(self.precision)
        depth, density = geometry.contiguous().unbind(0)
        depth = bounded_depth(self.part, depth, self.config)
        grain = grain_mix(base[None]) if self.is_grained else None
        return PartMap(features[None], depth[None], F.softplus(density)[None], paint, grain)

    def _modulated(self, weight: Tensor, style: Tensor) -> Tensor:
        """Weights (…, C out, C in), which hold √2, scaled by styles (…, C in) and normalised."""
        weight = weight * style[..., None, :]
        norm = weight.square().sum(-1, keepdim=True)
        return (weight * torch.rsqrt(norm / 2 + 1e-8)).to(self.precision)

    def _detail(self, x: Tensor, codes: Tensor) -> Tensor:
        """How much of each tile shows, (H W, T), from the last layer's x."""
        if not self.is_detailed:
            return x.new_zeros(len(x), self.tiles)
        style = codes @ self.detail_style + self.detail_style_bias
        weight = self._modulated(self.detail_weight, style)
        x = linear(x, weight, self.detail_bias, SLOPE)
        amounts = linear(x, self.detail_head, self.detail_head_bias)
        amounts = bounded_amounts(amounts, self.detail_lengths, self.detail_faint)
        return amounts if self.detail_gain == 1 else amounts * self.detail_gain

    def _linear(self, basis: Tensor, base: Tensor, code: Tensor) -> Tensor:
        """The linear model's share: (channels, H, W)."""
        codes = torch.cat([base, code, code.new_ones(1)])
        coarse = (codes @ basis.flatten(1)).unflatten(0, basis.shape[1:])
        return F.interpolate(coarse[None], self.size, mode="bilinear", align_corners=False)[0]


def _transposed(weight: Tensor) -> Tensor:
    """(…, a, b) → (…, b, a), in that order in memory."""
    return weight.transpose(-1, -2).contiguous()
