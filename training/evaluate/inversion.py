"""Inversion: codes fitted to one view of a held-out person, and the error in the other views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional as F

from core.camera import canonical_camera
from core.config import ModelConfig
from core.errors import PortraitError
from core.model import SSGAN3D, GeneratorOutput
from core.parts import FACE_BASE
from core.volume import RayBatch, camera_tensors, sample_rays
from training import losses, warm_start
from training.codes import CodeBasis, describe
from training.data import PortraitSet
from training.evaluate.pictures import resized
from training.evaluate.segmentation import confusion, part_iou
from training.warm_start import FittedCodes, render_codes

RATE = 0.05
"""Step of the codes, in their standard deviations."""
PRIOR = 0.002
"""Weight of the mean squared code, in standard deviations."""
WEIGHTS = {name: weight for name, weight in warm_start.WEIGHTS.items() if name != "depth"}
"""A photograph has no depth."""
_DRAWN = 2048


@dataclass
class ViewErrors:
    """Means over views.

    Attributes:
        l1: mean absolute difference of R, G and B in [0, 1].
        psnr: mean of 10 log10(1 / mean squared difference), in dB.
        mask_iou: IoU of the labels, mean over the parts that occur.
        depth: mean absolute difference in model units where both have foreground.
    """

    l1: float
    psnr: float
    mask_iou: float
    depth: float


@dataclass
class Inversion:
    """Errors of the view that was fitted, and of the others.

    Attributes:
        pictures: pairs of (render, generated) of the sheet: rows of (3, S, S).
    """

    fitted: ViewErrors
    others: ViewErrors
    pictures: list[list[Tensor]]


@dataclass
class _CodeSpace:
    """Codes in standard deviations from the mean, so that one step size fits all."""

    mean: list[Tensor]
    scale: list[Tensor]

    @classmethod
    @torch.no_grad()
    def of(cls, model: SSGAN3D) -> _CodeSpace:
        generator = torch.Generator().manual_seed(0)
        z = torch.randn(_DRAWN, model.config.z_dim, generator=generator)
        base, shape, texture, _ = model.mapping(z)
        drawn = base[:, FACE_BASE], shape, texture  # whose picture it is, all of it is theirs
        # codes that never vary may move too, but little
        scale = [codes.std(0).clamp_min(0.05) for codes in drawn]
        return cls([codes.mean(0) for codes in drawn], scale)

    def codes(self, unit: Sequence[Tensor], visible: Tensor) -> FittedCodes:
        base, shape, texture = (
            m + s * u for m, s, u in zip(self.mean, self.scale, unit, strict=True)
        )
        return FittedCodes(base, shape, texture, visible)

    def unit(self, codes: Sequence[Tensor]) -> list[Tensor]:
        return [(c - m) / s for c, m, s in zip(codes, self.mean, self.scale, strict=True)]


def frontal_first(data: PortraitSet, count: int) -> list[list[int]]:
    """Views of ``count`` people who have several, the most frontal view first."""
    groups = [group for group in data.identities if len(group) > 1]
    step = max(1, len(groups) // max(count, 1))
    chosen = groups[::step][:count]
    return [sorted(group, key=lambda row: abs(data.views[row].yaw)) for group in chosen]


def invert(
    model: SSGAN3D,
    data: PortraitSet,
    groups: Sequence[Sequence[int]],
    steps: int,
    basis: CodeBasis | None = None,
    sheet_rows: int = 6,
) -> Inversion:
    """Fit codes to the first view of each group.

    Which parts a person has is taken from the data. Codes start at the model's mean, or at what the
    run's basis makes of the fitted view with its depth; the steps never see depth.

    Args:
        model: in float32 on the CPU.
        groups: views of each person, the one to fit first.
        basis: the run's.
    """
    space = _CodeSpace.of(model)
    visible = data.presence([group[0] for group in groups])
    unit = [torch.zeros(len(groups), *mean.shape) for mean in space.mean]
    if basis is not None:
        described = describe(data, [[group[0]] for group in groups], model.config)
        unit = [u.clamp(-3, 3) for u in space.unit(basis.encode(described))]
    fitted = _fit(model, space, data, [group[0] for group in groups], visible, unit, steps)
    return _measure(model, data, groups, space.codes(fitted, visible), sheet_rows)


def _fit(
    model: SSGAN3D,
    space: _CodeSpace,
    data: PortraitSet,
    views: Sequence[int],
    visible: Tensor,
    start: Sequence[Tensor],
    steps: int,
) -> list[Tensor]:
    unit = [u.clone().requires_grad_() for u in start]
    optimizer = torch.optim.Adam(unit, RATE, betas=(0.9, 0.95))
    config = model.config
    rays = _rays(data, [[view] for view in views], config)
    image = resized(data.picture(views), config.image_size)
    mask = data.soft_mask(views, config.image_size // 2)
    coarse_mask = F.avg_pool2d(mask, config.image_size // 2 // config.ray_size)
    coarse = resized(image, config.ray_size)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - step / steps))
        output = render_codes(model, space.codes(unit, visible), rays)
        picture = output.image.flatten(0, 1).float()
        log_mask = F.log_softmax(output.mask_logits.flatten(0, 1).float(), 1)
        log_coarse = output.coarse_mask.flatten(0, 1).clamp_min(1e-5).log()
        terms = {
            "image": losses.multiscale_l1(picture, image),
            "gradient": losses.gradient_l1(picture, image),
            "coarse image": (output.coarse_image.flatten(0, 1).float() - coarse).abs().mean(),
            "mask": losses.mask_cross_entropy(log_mask, mask),
            "coarse mask": losses.mask_cross_entropy(log_coarse, coarse_mask),
        }
        prior = torch.stack([u.square().mean() for u in unit]).sum()
        loss = losses.weighted(terms, WEIGHTS)
        optimizer.zero_grad(set_to_none=True)
        (loss + PRIOR * prior).backward()
        optimizer.step()
    return [u.detach() for u in unit]


@torch.no_grad()
def _measure(
    model: SSGAN3D,
    data: PortraitSet,
    groups: Sequence[Sequence[int]],
    codes: FittedCodes,
    sheet_rows: int,
) -> Inversion:
    errors: tuple[list[_OneView], list[_OneView]] = ([], [])
    rows: list[list[Tensor]] = []
    for person, group in enumerate(groups):
        own = FittedCodes(*(t[person : person + 1] for t in _fields(codes)))
        output = render_codes(model, own, _rays(data, [list(group)], model.config))
        pictures = resized(data.picture(list(group)), model.config.image_size)
        for place, view in enumerate(group):
            errors[place > 0].append(_compare(output, place, data, view, pictures[place]))
        if person < sheet_rows:
            made = output.image[0].float()
            rows.append([t for pair in zip(pictures[:3], made[:3], strict=True) for t in pair])
    return Inversion(_mean(errors[0]), _mean(errors[1]), rows)


def _fields(codes: FittedCodes) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return codes.base, codes.shape, codes.texture, codes.visible


@dataclass
class _OneView:
    l1: float
    squared: float
    confusion: Tensor
    depth: float


def _compare(
    output: GeneratorOutput, place: int, data: PortraitSet, view: int, picture: Tensor
) -> _OneView:
    difference = (output.image[0, place].float().clamp(-1, 1) - picture) / 2
    size = data.size // 2
    logits = resized(output.mask_logits[0, place : place + 1].float(), size)
    labels = data.labels[view][::2, ::2]
    side = output.depth.shape[-1]
    step = size // side
    true_depth = data.depth[view][step // 2 :: step, step // 2 :: step].float()
    solid = output.coarse_mask[0, place, 0] < 0.5
    both = solid & data.foreground[view][step // 2 :: step, step // 2 :: step]
    depth = output.depth[0, place] - data.views[view].distance
    return _OneView(
        float(difference.abs().mean()),
        float(difference.square().mean()),
        confusion(labels, logits[0].argmax(0)),
        float((depth - true_depth).abs()[both].mean()) if bool(both.any()) else math.nan,
    )


def _mean(views: list[_OneView]) -> ViewErrors:
    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else math.nan

    iou = part_iou(torch.stack([v.confusion for v in views]).sum(0)) if views else torch.tensor([])
    return ViewErrors(
        mean([v.l1 for v in views]),
        mean([-10 * math.log10(max(v.squared, 1e-12)) for v in views]),
        float(iou.nanmean()),
        mean([v.depth for v in views if not math.isnan(v.depth)]),
    )


def _rays(data: PortraitSet, views: Sequence[Sequence[int]], config: ModelConfig) -> RayBatch:
    """Evenly spaced samples of the views of each person (B, V)."""
    flat = [canonical_camera(data.views[v].camera, config) for group in views for v in group]
    grid = (len(views), len(views[0]))
    tensors = [t.unflatten(0, grid) for t in camera_tensors(flat, config.ray_size)]
    return sample_rays(tensors[0], tensors[1], tensors[2], config)


def read_basis(path: Path | None) -> CodeBasis | None:
    """The run's basis.safetensors, if one is given.

    Raises:
        PortraitError: it is missing or something else.
    """
    if path is None:
        return None
    try:
        return CodeBasis.load(path)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise PortraitError(f"{path} is no basis of a training run: {error}.") from error
