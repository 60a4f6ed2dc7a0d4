"""The render net R: from posed features and coarse masks to the picture and the final masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .complexion import tinted
from .config import ModelConfig
from .detail import SurfaceDetail
from .grain import grained_share
from .matte import ended, matte
from .parts import BACKGROUND, PART_COUNT
from .prints import CLOTHES

if TYPE_CHECKING:
    from .surface_layers import SurfaceLayers

MASK_FLOOR = 1.0e-4
"""Smallest coarse mask value that the residual starts from: log 0 would drown any residual."""
_MOST_SHARE = 2.0
"""Within an outline, what a ray half saw is whole; beyond that it says little of the portrait."""


@dataclass(frozen=True)
class Drawing:
    """What a render net draws of N views.

    Attributes:
        smooth: the picture without what is finer than rays, but with paint, (N, 3, S, S).
        logits: of the masks, (N, K, S / 2, S / 2).
        matted: the same with the ends of hair (:mod:`.matte`).
        gain: of :class:`.detail.SurfaceDetail`, if the net has one.
    """

    smooth: Tensor
    logits: Tensor
    matted: Tensor
    gain: Tensor | None

    @property
    def picture(self) -> Tensor:
        """The whole picture, (N, 3, S, S)."""
        return detailed(self.matted, self.gain)


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions round a skip; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        start_at_zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same."""
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x, 0.2)), 0.2, inplace=True))


class RenderNet(nn.Module):
    """Convolutions on the ray grid, doublings by pixel shuffle, heads.

    The first three features are coarse colour and the coarse mask is a log probability: both are
    enlarged and the net adds a residual, so that picture and mask cannot part from the geometry
    that made them (masks as in SemanticStyleGAN).

    The picture's last doubling is a pixel shuffle of the head's own output, and masks are made at
    half the picture's size and enlarged as logits, which keeps their borders sharp: convolutions on
    the full picture would cost more than all others together.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = config.render_channels
        self.entry = nn.Conv2d(config.features + PART_COUNT, widths[0], 3, padding=1)
        self.blocks = nn.Sequential(
            *[ResidualBlock(widths[0]) for _ in range(config.render_blocks)]
        )
        self.enlarge = nn.ModuleList(
            alike_for_shuffle(nn.Conv2d(before, after * 4, 1))
            for before, after in zip(widths, widths[1:], strict=False)
        )
        self.shuffle_blur = config.shuffle_blur
        self.refine = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in widths[1:])
        self.to_picture = nn.Conv2d(widths[-1], 3 * 4, 3, padding=1)
        self.to_mask = nn.Conv2d(widths[-1], PART_COUNT, 1)
        for head in (self.to_picture, self.to_mask):
            start_at_zero(head)
        self.config, self.features = config, config.features
        self.detail = SurfaceDetail(config) if config.detail_directions else None

    def trunk(self, features: Tensor, mask: Tensor) -> Tensor:
        """f_render (B, C, r, r) and m (B, K, r, r) → features at half the picture's size."""
        x = self.entry(torch.cat([features, mask.to(features.dtype)], 1))
        x = self.blocks(x)
        for enlarge, refine in zip(self.enlarge, self.refine, strict=True):
            x = self._shuffle(enlarge(F.leaky_relu(x, 0.2)))
            x = F.leaky_relu(x + refine(F.leaky_relu(x, 0.2)), 0.2, inplace=True)
        return x  # (B, C', S / 2, S / 2)

    def picture(self, x: Tensor, features: Tensor) -> Tensor:
        """Smooth picture in about [-1, 1], (B, 3, S, S), from the trunk's output."""
        residual = self._shuffle(self.to_picture(x), blurred_picture)
        # float32 and plane by plane: three channels last in bfloat16 take three times as long
        coarse = features[:, :3].float().contiguous()
        return enlarge_to(coarse, residual.shape[-2:]) + residual

    def mask_logits(self, x: Tensor, mask: Tensor) -> Tensor:
        """Log masks up to a constant at half the picture's size, (B, K, S / 2, S / 2)."""
        return enlarge_to(log_mask(mask.float()), x.shape[-2:]) + self.to_mask(x)

    def _shuffle(self, x: Tensor, blur: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """(B, 4 C, h, w) → (B, C, 2 h, 2 w), blurred by :func:`binomial_blur` or another."""
        x = F.pixel_shuffle(x, 2)
        return (blur or binomial_blur)(x) if self.shuffle_blur else x

    def forward(
        self, features: Tensor, mask: Tensor, layers: SurfaceLayers
    ) -> tuple[Tensor, Tensor]:
        """Picture (B, 3, S, S) and mask logits (B, K, S / 2, S / 2).

        Args:
            features: f_render, (B, C + T, r, r).
            mask: m, (B, K, r, r).
            layers: what lies on the surface.
        """
        drawing = self.drawn(features, mask, layers)
        return drawing.picture, drawing.logits

    def drawn(self, features: Tensor, mask: Tensor, layers: SurfaceLayers) -> Drawing:
        """Picture and masks, in what they are made of; arguments as for :meth:`forward`."""
        amount = features[:, self.features :]
        features = features[:, : self.features]
        x = self.trunk(features, mask)
        picture, logits = self.picture(x, features), self.mask_logits(x, mask)
        if layers.paint is not None:
            picture = picture + layers.paint
        matted, gain = picture, None
        if self.detail is not None:
            # whatever the structure, it moves no outline
            soft = F.softmax(logits.detach().float(), 1)
            share = outline_share(soft, 1 - mask[:, BACKGROUND, None])
            if self.config.hair_matte and layers.strands is not None:
                matted, noise, change = matte(picture, soft, layers.strands, self.config)
                layers = replace(layers, strands=replace(layers.strands, noise=noise))
                logits, soft = ended(logits, soft, change)
            skin, cloth = grained_share(soft), soft[:, CLOTHES, None]
            hue = None if layers.hues is None else tinted(layers.hues, soft)
            gain = self.detail(amount, layers, picture.shape[-1], share, skin, cloth, hue)
        return Drawing(picture, logits, matted, gain)


def detailed(smooth: Tensor, gain: Tensor | None) -> Tensor:
    """A picture whose light, which is 0 at -1, the detail's gain has changed."""
    return smooth if gain is None else smooth + (smooth + 1) * gain


def log_mask(mask: Tensor) -> Tensor:
    """Logits of a coarse mask."""
    return mask.clamp_min(MASK_FLOOR).log()


def outline_share(soft: Tensor, met: Tensor) -> Tensor:
    """How much more of the portrait there is at a place than the ray there met, (B, 1, h, w).

    A ray is four pixels wide, so that the amounts of fine structure reach beyond outlines, which
    final masks have drawn sharply by then: strands were dots on the background.

    Args:
        soft: the final mask, (B, K, h, w).
        met: how much of the portrait each ray met, (B, 1, r, r).
    """
    covered = 1 - soft[:, BACKGROUND, None]
    met = enlarge_to(met.detach().float(), covered.shape[-2:])
    return (covered / met.clamp_min(1e-3)).clamp_max(_MOST_SHARE)


def alike_for_shuffle(convolution: nn.Conv2d) -> nn.Conv2d:
    """Give the four pixels of each shuffled square the same weights at first (ICNR).

    Drawn apart they start as a net of unequal pixels, which training never quite removes.
    """
    with torch.no_grad():
        for parameter in convolution.parameters():
            parameter.copy_(parameter[::4].repeat_interleave(4, 0))
    return convolution


def binomial_blur(x: Tensor) -> Tensor:
    """(B, C, h, w) blurred by (1, 2, 1) / 4 either way, borders repeated: no pixel pattern left."""
    # average pooling twice is the same, but 1.5 to 4 times as slow
    return _by_channel(x, _binomial(x.shape[1], x.dtype, x.device))


def blurred_picture(x: Tensor) -> Tensor:
    """:func:`binomial_blur` of (B, 3, S, S), less what is left of a chess board in it.

    An edge that is sharper than the blur allows is drawn on a chess board of full contrast, whose
    blur is nothing only where that contrast is even: rows of dots stayed along outlines.
    """
    return _by_channel(x, _without_board(x.shape[1], x.dtype, x.device))


def _by_channel(x: Tensor, kernel: Tensor) -> Tensor:
    """(B, C, h, w) beneath a kernel (C, 1, n, n), borders repeated; n is odd."""
    padding = [kernel.shape[-1] // 2] * 4
    return F.conv2d(F.pad(x, padding, mode="replicate"), kernel, groups=x.shape[1])


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _binomial(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Kernel of :func:`binomial_blur`; kept, because a GPU would be waited for at every copy."""
    line = torch.tensor((0.25, 0.5, 0.25), dtype=dtype, device=device)
    return torch.outer(line, line).repeat(channels, 1, 1, 1)


@cache
@torch.inference_mode(False)
def _without_board(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Kernel of :func:`blurred_picture`, likewise."""
    blur = torch.tensor((0.0, 0.25, 0.5, 0.25, 0.0))
    board = torch.tensor((-1.0, 0.0, 2.0, 0.0, -1.0)) / 16  # (1, 2, 1) / 4 * (-1, 2, -1) / 4
    kernel = torch.outer(blur, blur) - torch.outer(board, board)
    return kernel.to(device, dtype).repeat(channels, 1, 1, 1)


def start_at_zero(convolution: nn.Conv2d) -> None:
    """Make a residual's last convolution give nothing at first."""
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def enlarge_to(x: Tensor, size: int | torch.Size) -> Tensor:
    """Bilinear enlargement of (B, C, h, w) to a square of ``size``, or to a height and width."""
    shape = (size, size) if isinstance(size, int) else tuple(size)
    return F.interpolate(x, size=shape, mode="bilinear", align_corners=False)
