"""The warm start: generator and codes fitted by reconstruction of several views (auto-decoder)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.camera import canonical_camera
from core.config import ModelConfig
from core.indices import index_tensor
from core.model import SSGAN3D, GeneratorOutput, PosedFeatures
from core.parts import BRINGS_BASE
from core.volume import RayBatch, camera_tensors, rays_at, sample_rays
from training import losses
from training.codes import CodeBook, FactorIndex
from training.data import DatasetError, PortraitSet
from training.precision import mixed


@dataclass
class Batch:
    """V views of each of B portraits.

    Attributes:
        portraits: (B,) rows of the factor index.
        image: (B V, 3, S, S) in [-1, 1].
        mask: (B V, K, S / 2, S / 2) soft labels.
        coarse_mask: (B V, K, r, r).
        depth, foreground: (B V, r, r), planar depth relative to the origin's.
        visible: (B, K) bool.
        rays: samples of all views.
        centre: (B, V) planar depth of the model's origin.
    """

    portraits: Tensor
    image: Tensor
    mask: Tensor
    coarse_mask: Tensor
    depth: Tensor
    foreground: Tensor
    visible: Tensor
    rays: RayBatch
    centre: Tensor


class Views:
    """Batches of training views with their rays, decided by a random generator alone."""

    def __init__(
        self, data: PortraitSet, config: ModelConfig, device: torch.device, samples: int
    ) -> None:
        """
        Args:
            data: its pictures may be larger than the model's, by a whole number.
            samples: of each ray.

        Raises:
            DatasetError: they are of another size.
        """
        check_size(data, config)
        self.data, self.config, self.device, self.samples = data.to(device), config, device, samples
        self.presence = data.presence([group[0] for group in data.identities])  # (P, K)
        cameras = [canonical_camera(view.camera, config) for view in data.views]
        self.origins, self.directions, self.centre = (
            rays.to(device) for rays in camera_tensors(cameras, config.ray_size)
        )

    def batch(
        self, portraits: int, views: int, generator: torch.Generator, *, even: bool = False
    ) -> Batch:
        """Random portraits and views, with replacement where a portrait has fewer views.

        Args:
            even: as for :meth:`of`.
        """
        rows = torch.randint(len(self.data.identities), (portraits,), generator=generator)
        chosen = []
        for row in rows.tolist():
            group = self.data.identities[row]
            order = torch.randperm(len(group), generator=generator)[:views]
            extra = torch.randint(len(group), (views - len(order),), generator=generator)
            chosen += [group[int(i)] for i in torch.cat([order, extra])]
        return self.of(rows, chosen, generator, even=even)

    def of(
        self, rows: Tensor, chosen: list[int], generator: torch.Generator, *, even: bool = False
    ) -> Batch:
        """The batch of given portraits (B,) and views (B V).

        Args:
            even: rays are sampled as pictures are drawn, and not around the rendered surface.
        """
        size, side = self.config.image_size, self.config.ray_size
        mask = self.data.soft_mask(chosen, size // 2)
        grid = (len(rows), len(chosen) // len(rows))
        origins = self.origins[chosen].unflatten(0, grid)
        directions = self.directions[chosen].unflatten(0, grid)
        centre = self.centre[chosen].unflatten(0, grid)
        depth, shown = _average_depth(self.data.depth[chosen], self.data.foreground[chosen], side)
        if even:
            rays = sample_rays(origins, directions, centre, self.config)
        else:
            offsets, spacing = guided_samples(
                depth.flatten(1), shown.flatten(1), self.samples, self.config, generator
            )
            planar = offsets.unflatten(0, grid) + centre[..., None, None]
            spacing = spacing.unflatten(0, grid)
            rays = rays_at(origins, directions, planar, spacing, self.config)
        return Batch(
            rows,
            picture_of(self.data, chosen, self.config),
            mask,
            F.avg_pool2d(mask, size // 2 // side),
            depth,
            shown,
            self.presence[rows].to(self.device),
            rays,
            centre,
        )


def check_size(data: PortraitSet, config: ModelConfig) -> None:
    """Refuse data of no multiple of the model's size.

    Raises:
        DatasetError: they are of another size.
    """
    if data.size % config.image_size:
        raise DatasetError(
            f"The pictures have {data.size} pixels a side, and the model {config.image_size}: "
            "render a set of the model's size (synthesize --size)."
        )


def picture_of(data: PortraitSet, chosen: list[int], config: ModelConfig) -> Tensor:
    """Pictures of views as large as the model's, (n, 3, S, S) in [-1, 1]."""
    image, size = data.picture(chosen), config.image_size
    if image.shape[-1] == size:
        return image
    return F.interpolate(image, size=(size, size), mode="area")


def guided_samples(
    depth: Tensor, foreground: Tensor, samples: int, config: ModelConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Sample depths that spend themselves where the rendered surface is.

    A third of a ray's samples search the space in front of the surface, the others surround it, and
    what lies behind is hidden. Rays of the background are sampled evenly. Each sample is jittered
    within its interval.

    Args:
        depth, foreground: (N, R), depth relative to the origin's.

    Returns:
        Depths relative to the origin's and their intervals, both (N, R, samples).
    """
    front = samples // 3
    start = (depth - SURFACE_MARGIN[0]).clamp(config.near + 1e-3, config.far - 1e-3)
    # a surface outside of the volume must not turn the intervals round
    stop = torch.maximum((depth + SURFACE_MARGIN[1]).clamp(max=config.far), start + 0.05)
    ahead = (start - config.near) / front
    around = (stop - start) / (samples - front)
    guided = torch.cat(
        [
            ahead[..., None].expand(-1, -1, front),
            around[..., None].expand(-1, -1, samples - front),
        ],
        -1,
    )
    even = torch.full_like(guided, (config.far - config.near) / samples)
    spacing = torch.where(foreground[..., None], guided, even)  # (N, R, samples)
    jitter = torch.rand(*depth.shape, samples, generator=generator).to(depth.device)
    return config.near + spacing.cumsum(-1) - spacing * jitter, spacing


def _average_depth(depth: Tensor, foreground: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Mean foreground depth of squares, and which squares are foreground throughout."""
    step = depth.shape[-1] // side
    weight = foreground.float()
    covered = F.avg_pool2d(weight[:, None], step)[:, 0]
    mean = F.avg_pool2d((depth.float() * weight)[:, None], step)[:, 0] / covered.clamp_min(1e-6)
    return mean, covered > 0.99


def code_noise(codes: Tensor, book: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Codes with Gaussian noise: neighbours of a training portrait must be portraits too.

    Args:
        codes: rows of the code book, (B, ..., Z).
        book: all its rows, (R, Z).
        amount: of the noise, in standard deviations of each of the Z entries.
    """
    noise = torch.randn(codes.shape, generator=generator).to(codes.device)
    return codes + amount * noise * book.detach().std(0, correction=0)


def coarse_losses(
    coarse_image: Tensor, coarse_mask: Tensor, depth: Tensor, batch: Batch
) -> dict[str, Tensor]:
    """Terms of the warm start that need no render net, unweighted.

    Args:
        coarse_image: (B, V, 3, r, r).
        coarse_mask: (B, V, K, r, r), sums to 1.
        depth: planar, (B, V, r, r).
    """
    coarse = coarse_image.flatten(0, 1).float()
    small = F.avg_pool2d(batch.image, batch.image.shape[-1] // coarse.shape[-1])
    log_coarse = coarse_mask.flatten(0, 1).clamp_min(1e-5).log()
    relative = (depth - batch.centre[..., None, None]).flatten(0, 1)
    return {
        "coarse image": (coarse - small).abs().mean(),
        "coarse mask": losses.mask_cross_entropy(log_coarse, batch.coarse_mask),
        "depth": losses.depth_l1(relative, batch.depth, batch.foreground),
    }


def reconstruction_losses(output: GeneratorOutput, batch: Batch) -> dict[str, Tensor]:
    """All terms of the warm start, unweighted.

    Fine detail on the surface is left out: where a strand lies is chance, and the picture that errs
    least is a smooth one.
    """
    image = output.smooth.flatten(0, 1).float()
    log_mask = F.log_softmax(output.mask_logits.flatten(0, 1).float(), 1)
    return {
        "image": losses.multiscale_l1(image, batch.image),
        "gradient": losses.gradient_l1(image, batch.image),
        "mask": losses.mask_cross_entropy(log_mask, batch.mask),
    } | coarse_losses(output.coarse_image, output.coarse_mask, output.depth, batch)


WEIGHTS = {
    "image": 1.0,
    "gradient": 1.0,
    "coarse image": 0.5,
    "mask": 0.3,
    "coarse mask": 0.3,
    "depth": 2.0,
}


SURFACE_MARGIN = 0.2, 0.25
"""How far before and behind the rendered surface the guided samples reach."""
RENDER_RATE = 0.4
"""The render net has no normalised weights: at the generators' full rate it starts to ring."""
MAPPING_RATE = 0.05
"""The mapping network learns slower than what it drives (StyleGAN's 0.01, for fewer layers)."""
LINEAR_RATE = 0.1
"""The linear models start close to their best and have many small entries: they learn slower."""


@dataclass
class FittedCodes:
    """Codes of a batch.

    Attributes:
        base: w_base, (B, base_dim), or that of each part, (B, K, base_dim).
        shape, texture: w^s and w^t, (B, K, code_dim).
        visible: which parts are there, (B, K) bool.
    """

    base: Tensor
    shape: Tensor
    texture: Tensor
    visible: Tensor

    def with_parts_of(self, others: FittedCodes, chosen: Tensor) -> FittedCodes:
        """The same with parts ``chosen`` (B, K), bool, of others; who wears what stays.

        Both have each part's w_base.
        """
        rows = index_tensor(BRINGS_BASE, chosen.device)
        brings = torch.zeros_like(chosen)
        brings[:, rows] = chosen[:, rows]
        return FittedCodes(
            torch.where(brings[..., None], others.base, self.base),
            torch.where(chosen[..., None], others.shape, self.shape),
            torch.where(chosen[..., None], others.texture, self.texture),
            self.visible,
        )


def batch_codes(
    book: CodeBook, index: FactorIndex, batch: Batch, noise: float, generator: torch.Generator
) -> FittedCodes:
    """The codes of a batch's portraits, with noise."""
    device = book.base.device
    base, shape, texture = book(
        index.base_rows[batch.portraits].to(device), index.part_rows[batch.portraits].to(device)
    )
    return FittedCodes(
        code_noise(base, book.base, noise, generator),
        code_noise(shape, book.shape, noise, generator),
        code_noise(texture, book.texture, noise, generator),
        batch.visible,
    )


def render_codes(model: SSGAN3D, codes: FittedCodes, rays: RayBatch) -> GeneratorOutput:
    """Render codes with mixed precision on the device of the rays."""
    with mixed(rays.z.device.type):
        return model(codes.base, codes.shape, codes.texture, codes.visible, rays)


def pose_codes(model: SSGAN3D, codes: FittedCodes, rays: RayBatch) -> PosedFeatures:
    """What the volume renderer makes of codes, likewise."""
    with mixed(rays.z.device.type):
        return model.posed(codes.base, codes.shape, codes.texture, codes.visible, rays)


def parameter_groups(
    model: SSGAN3D, book: CodeBook, rate: float, code_rate: float
) -> list[dict[str, object]]:
    """Optimiser groups: layers, linear models, render net, mapping network, codes."""
    linear, mapping, render, layers = [], [], [], []
    for name, parameter in model.named_parameters():
        if name.startswith("mapping."):
            mapping.append(parameter)
        elif name.startswith("render_net."):
            render.append(parameter)
        elif name.endswith("_basis"):
            linear.append(parameter)
        else:
            layers.append(parameter)
    return [
        {"params": layers, "lr": rate},
        {"params": linear, "lr": rate * LINEAR_RATE},
        {"params": render, "lr": rate * RENDER_RATE},
        {"params": mapping, "lr": rate * MAPPING_RATE},
        {"params": list(book.parameters()), "lr": code_rate},
    ]
