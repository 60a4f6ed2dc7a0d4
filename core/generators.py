"""The 2D part generators G_k: position embedding, modulated 1 × 1 convolutions, linear heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ModelConfig
from .detail import bounded_amounts, faint_lengths, length_bounds
from .grain import SKIN, grain_mix
from .parts import PAINTED, PART_COUNT, part_index

SLOPE = 0.2
"""Of the generators' leaky ReLU below zero."""
BROWS = part_index("brows")
BROWS_RISE = ((0.15, 0.09), (0.27, 0.02))
"""How far brows may lie before the face, in units: |u| from which the bound falls, and its value
there; |u| to which, and its value from there on (3 mm).

Few renders show a brow's outer end before the background: unbounded, some stood out of the face by
six pixels seen from 50 degrees.
"""


@dataclass
class PartMap:
    """What one part generator makes; B portraits.

    Attributes:
        features: f_k^2d, and how much of each tile of fine structure shows, which is at least 0
            (:mod:`.detail`); (B, H, W, C + T).
        depth: d_k^2d relative to the face base (absolute for the face base), (B, H, W).
        density: σ_k^2d ≥ 0, (B, H, W).
        paint: what is added to the picture at every pixel, where the part lies (:mod:`.paint`),
            (B, H, W, 3); None for parts without.
        grain: how the grain of skin is mixed (:func:`.grain.grain_mix`), (B, N); None of others.
        traits: what is known of people with such clothes, or such skin (:mod:`.traits`), (B, N);
            None of others.
        tint: what multiplies the colours of such skin (:mod:`.eigenskin`) or such clothes
            (:mod:`.eigenclothes`), as a logarithm, (B, 3, h, w); None of others.
        hue: what multiplies the colours of the part on this head (:mod:`.complexion`), as a
            logarithm, (B, 3); None of parts that keep theirs.
        relief: where the surface of a face lies, of skin, or how far the part rises out of it
            (:mod:`.relief`), (B, h, w); None of others.
    """

    features: Tensor
    depth: Tensor
    density: Tensor
    paint: Tensor | None = None
    grain: Tensor | None = None
    traits: Tensor | None = None
    tint: Tensor | None = None
    hue: Tensor | None = None
    relief: Tensor | None = None


def bounded_depth(part: int, depth: Tensor, config: ModelConfig) -> Tensor:
    """A part's d_k, (…, H, W), in ``BROWS_RISE`` if it is brows."""
    if part != BROWS:
        return depth
    left, right, *_ = config.maps[part].window
    return torch.minimum(depth, _brows_bound(left, right, depth.shape[-1], depth.device))


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _brows_bound(left: float, right: float, width: int, device: torch.device) -> Tensor:
    """``BROWS_RISE`` at the columns of a map, (W,)."""
    centres = left + (torch.arange(width, dtype=torch.float64) + 0.5) / width * (right - left)
    (first, most), (last, least) = BROWS_RISE
    share = ((centres.abs() - first) / (last - first)).clamp(0, 1)
    return (most + share * (least - most)).float().to(device)


def fourier_embedding(height: int, width: int, channels: int, scale: float) -> Tensor:
    """Random Fourier features of the texel positions, (H W, channels), channels even.

    The same frequencies for every map: they are drawn from a fixed seed.
    """
    generator = torch.Generator().manual_seed(0)
    y = (torch.arange(height) + 0.5) / height * 2 - 1
    x = (torch.arange(width) + 0.5) / width * 2 - 1
    position = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)  # (H W, 2)
    frequencies = torch.randn(2, channels // 2, generator=generator) * scale
    phase = math.pi * position @ frequencies
    return torch.cat([phase.sin(), phase.cos()], 1) * math.sqrt(2)


class PartGroup(nn.Module):
    """The generators of all parts with maps of one size and as many channels: their layers run as
    one batched product.

    A modulated 1 × 1 convolution scales the input channels of a weight by the style, normalises the
    weight's columns (StyleGAN 2's demodulation) and multiplies.

    Beside the layers runs a linear model: depth, density and coarse colour on a coarse grid, linear
    in w_base and the part's code. A warm start sets it to principal components of the data, so that
    training starts from blurred portraits instead of noise and the layers learn what is left. It is
    zero otherwise, and ``linear_cells`` = 0 leaves it out, as the paper does.
    """

    def __init__(self, config: ModelConfig, parts: Sequence[int]) -> None:
        super().__init__()
        count, width, layers = len(parts), config.hidden_of(parts[0]), config.part_layers
        spec = config.maps[parts[0]]
        self.hidden = width
        self.config, self.parts = config, tuple(parts)
        self.height, self.width = spec.height, spec.width
        embedding = fourier_embedding(spec.height, spec.width, width, config.fourier_scale)
        if config.learned_position:
            self.position = nn.Parameter(embedding.repeat(count, 1, 1))  # (Kg, H W, C)
        else:
            self.register_buffer("position", embedding.repeat(count, 1, 1))
        self.weight = nn.Parameter(torch.randn(layers, count, width, width))
        self.bias = nn.Parameter(torch.zeros(layers, count, width))
        self.style_bias = nn.Parameter(torch.ones(layers, count, width))
        upper = config.shape_layers + config.texture_layers
        self.base_style = nn.Parameter(
            torch.randn(config.base_layers, count, config.base_dim, width)
            * 0.3
            * config.base_dim**-0.5
        )
        self.code_style = nn.Parameter(
            torch.randn(upper, count, config.code_dim, width) * 0.3 * config.code_dim**-0.5
        )
        self.geometry_weight = nn.Parameter(torch.randn(count, width, 2) * 0.02)
        self.geometry_bias = nn.Parameter(torch.tensor([0.0, -2.0]).repeat(count, 1))
        feature_weight = torch.randn(count, width, config.features) * width**-0.5
        feature_weight[..., :3] *= 0.1  # coarse colour starts calm
        self.feature_weight = nn.Parameter(feature_weight)
        self.feature_bias = nn.Parameter(torch.zeros(count, config.features))
        tiles = config.detail_tiles
        if tiles:
            self.detail_style = nn.Parameter(torch.zeros(count, 2 * config.code_dim, width))
            self.detail_style_bias = nn.Parameter(torch.ones(count, width))
            self.detail_weight = nn.Parameter(torch.randn(count, width, width))
            self.detail_bias = nn.Parameter(torch.zeros(count, width))
            self.detail_head = nn.Parameter(torch.zeros(count, width, tiles))
            self.detail_head_bias = nn.Parameter(torch.zeros(count, tiles))
            self.register_buffer("detail_lengths", length_bounds(parts, config), persistent=False)
            self.register_buffer("detail_faint", faint_lengths(parts), persistent=False)
            gains = [config.beard_gain if part == SKIN else 1.0 for part in parts]
            self.register_buffer("detail_gain", torch.tensor(gains), persistent=False)
            self.detail_lengths: Tensor  # (Kg, 2)
            self.detail_faint: Tensor  # (Kg, 2)
            self.detail_gain: Tensor  # (Kg,)
        self.is_painted = config.paint_size > 0 and any(part in PAINTED for part in parts)
        if self.is_painted:  # rows of other parts stay unused
            self.paint_head = nn.Parameter(torch.zeros(count, width, 3))
            self.paint_head_bias = nn.Parameter(torch.zeros(count, 3))
        cells = config.linear_cells
        rows = config.base_dim + config.code_dim + 1
        self.form_basis = nn.Parameter(torch.zeros(count, rows, 2, cells, cells))
        self.color_basis = nn.Parameter(torch.zeros(count, rows, 3, cells, cells))

    def forward(
        self, base: Tensor, shape: Tensor, texture: Tensor, chosen: Sequence[int] | None = None
    ) -> dict[int, PartMap]:
        """Maps of this group's parts.

        Args:
            base: w_base, (B, base_dim), or that of each part, (B, K, base_dim).
            shape, texture: w^s and w^t of all parts, (B, K, code_dim).
            chosen: part indices to make; None makes all of the group.
        """
        wanted = [p for p in self.parts if chosen is None or p in chosen]
        if not wanted:
            return {}
        rows = [self.parts.index(p) for p in wanted]
        whole = len(rows) == len(self.parts)
        pick = (lambda t: t) if whole else (lambda t: t[rows])
        batch, count = base.shape[0], len(rows)
        base = base[:, None].expand(-1, count, -1) if base.ndim == 2 else base[:, wanted]
        flat = (batch * count, self.height * self.width, self.hidden)
        x = pick(self.position).expand(batch, *[-1] * 3).reshape(flat)  # (B Kg, H W, C)
        geometry = x
        for layer in range(self.config.part_layers):
            x = self._layer(x, layer, base, shape[:, wanted], texture[:, wanted], pick)
            if layer == self.config.base_layers + self.config.shape_layers - 1:
                geometry = self._head(x, self.geometry_weight, self.geometry_bias, pick)
        features = self._head(x, self.feature_weight, self.feature_bias, pick)
        grid = (batch, count, self.height, self.width, -1)
        features, geometry = features.reshape(grid), geometry.reshape(grid).float()
        if self.config.linear_cells:
            geometry = geometry + self._linear(self.form_basis, base, shape[:, wanted], pick)
            color = self._linear(self.color_basis, base, texture[:, wanted], pick)
            features = torch.cat(
                [features[..., :3] + color.to(features.dtype), features[..., 3:]], -1
            )
        if self.config.detail_directions:
            amount = self._detail(x, shape[:, wanted], texture[:, wanted], pick)
            features = torch.cat([features, amount.reshape(grid).to(features.dtype)], -1)
        paint = None
        if self.is_painted:
            paint = self._head(x, self.paint_head, self.paint_head_bias, pick).reshape(grid)
        depth, density = geometry[..., 0], F.softplus(geometry[..., 1])
        return {
            part: PartMap(
                features[:, row],
                bounded_depth(part, depth[:, row], self.config),
                density[:, row],
                paint[:, row] if paint is not None and part in PAINTED else None,
                grain_mix(base[:, row]) if self.config.grain and part == SKIN else None,
            )
            for row, part in enumerate(wanted)
        }

    def _layer(self, x, layer, base, shape, texture, pick):  # type: ignore[no-untyped-def]
        lower = self.config.base_layers
        if layer < lower:
            style = torch.einsum("bkz,kzc->bkc", base, pick(self.base_style[layer]))
        else:
            code = shape if layer < lower + self.config.shape_layers else texture
            style = torch.einsum("bkz,kzc->bkc", code, pick(self.code_style[layer - lower]))
        style = style + pick(self.style_bias[layer])  # (B, Kg, C)
        return _modulated(x, pick(self.weight[layer]), pick(self.bias[layer]), style)

    def _detail(self, x, shape, texture, pick):  # type: ignore[no-untyped-def]
        """How much of each tile shows, (B Kg, H W, T): one more layer and a head."""
        codes = torch.cat([shape, texture], 2)
        style = torch.einsum("bkz,kzc->bkc", codes, pick(self.detail_style))
        style = style + pick(self.detail_style_bias)
        x = _modulated(x, pick(self.detail_weight), pick(self.detail_bias), style)
        lengths, faint = (
            pick(bounds).to(x.dtype).repeat(codes.shape[0], 1)[:, None]  # (B Kg, 1, 2)
            for bounds in (self.detail_lengths, self.detail_faint)
        )
        amounts = self._head(x, self.detail_head, self.detail_head_bias, pick)
        gain = pick(self.detail_gain).to(x.dtype).repeat(codes.shape[0])[:, None, None]
        return bounded_amounts(amounts, lengths, faint) * gain

    def _linear(self, basis, base, code, pick):  # type: ignore[no-untyped-def]
        """The linear model's share: (B, Kg, H, W, channels)."""
        basis = pick(basis)  # (Kg, base_dim + code_dim + 1, channels, cells, cells)
        batch, count, channels = base.shape[0], basis.shape[0], basis.shape[2]
        codes = torch.cat([base, code, torch.ones_like(code[..., :1])], 2)
        coarse = torch.einsum("bkz,kzn->bkn", codes, basis.flatten(2)).float()
        cells = self.config.linear_cells
        coarse = coarse.reshape(batch * count, channels, cells, cells)
        size = (self.height, self.width)
        fine = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        return fine.reshape(batch, count, channels, *size).permute(0, 1, 3, 4, 2)

    def _head(self, x, weight, bias, pick):  # type: ignore[no-untyped-def]
        batch = x.shape[0] // pick(weight).shape[0]
        weight = pick(weight).repeat(batch, 1, 1).to(x.dtype)
        bias = pick(bias).repeat(batch, 1)[:, None].to(x.dtype)
        return torch.baddbmm(bias, x, weight)


def _modulated(x: Tensor, weight: Tensor, bias: Tensor, style: Tensor) -> Tensor:
    """Modulated 1 × 1 convolution and leaky ReLU.

    Args:
        x: (B Kg, H W, C).
        weight, bias: (Kg, C in, C out) and (Kg, C out).
        style: (B, Kg, C in).
    """
    weight = weight * style[..., None]  # (B, Kg, C in, C out)
    weight = weight * torch.rsqrt(weight.square().sum(2, keepdim=True) + 1e-8)
    bias = bias.expand(style.shape).flatten(0, 1)[:, None]
    x = torch.baddbmm(bias.to(x.dtype), x, (weight * math.sqrt(2)).flatten(0, 1).to(x.dtype))
    return F.leaky_relu(x, SLOPE, inplace=True)


class PartGenerators(nn.Module):
    """All part generators, grouped by the size of their maps and their channels."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sizes: dict[tuple[int, int, int], list[int]] = {}
        for part in range(PART_COUNT):
            spec = config.maps[part]
            size = (spec.height, spec.width, config.hidden_of(part))
            sizes.setdefault(size, []).append(part)
        self.groups = nn.ModuleList(PartGroup(config, parts) for parts in sizes.values())

    def forward(
        self, base: Tensor, shape: Tensor, texture: Tensor, chosen: Sequence[int] | None = None
    ) -> dict[int, PartMap]:
        """Maps by part index; see :meth:`PartGroup.forward`. Only ``chosen`` parts are computed."""
        maps: dict[int, PartMap] = {}
        for group in self.groups:
            maps.update(group(base, shape, texture, chosen))
        return maps
