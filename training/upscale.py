"""``python -m training upscale``: a net that doubles finished pictures, taught by larger renders.

It learns from renders alone: halved, they are what a model draws, and themselves what is wanted.
A model is softer than renders along outlines, so they are blurred before they are halved, each by
another amount: what comes out should be sharp either way. (With blurs up to twice as wide, and the
strength of edges counting four times as much, it drew halos around heads and hatched noses, and
worse when it was applied twice.) No colour may lie beyond those nearby. All else of the model stays
as it is.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.engine import embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.upscaler import FACTOR, Upscaler
from training import losses
from training.budget import add_run_arguments, dealt
from training.closeup import edge_strength
from training.data import PortraitSet, read_views
from training.model_files import rebuilt, write_model
from training.precision import mixed
from training.process import set_up
from training.sharpen import beyond
from training.student import StudentOptions, train_student

CHANNELS, BLOCKS = 48, 3
WEIGHTS = {"image": 1.0, "gradient": 0.5, "edges": 0.25, "beyond": 4.0}
CROP = 128
"""Side, in pixels of the render, of the squares that are looked at."""
BLURS = (0.0, 0.8)
"""Least and most standard deviation of the blur before a render is halved, in its pixels."""
NOISE = 0.012
"""Most standard deviation of what is added to halved renders: patterns of a model's own pixels are
not to be drawn as lines."""
REPORT_EVERY = 200
_REACH = 5
"""Pixels on either side that a blur's kernel reaches: three of its largest deviations."""


def with_upscaler(model: SSGAN3D) -> SSGAN3D:
    """The same model with an upscaler, its own or one that is bilinear enlargement still."""
    if model.upscaler is not None:
        return copy.deepcopy(model)
    return rebuilt(model, upscaler_channels=CHANNELS, upscaler_blocks=BLOCKS)


def blurred(images: Tensor, deviations: Tensor) -> Tensor:
    """Images (B, 3, H, W) beneath Gaussians of such standard deviations (B,), in pixels.

    Returns:
        (B, 3, H - 2 R, W - 2 R): what a kernel of ``_REACH`` pixels R has seen whole.
    """
    line = torch.arange(-_REACH, _REACH + 1, device=images.device)
    bell = torch.exp(-line.square() / (2 * deviations.clamp_min(1e-3)[:, None].square()))
    bell = (bell / bell.sum(1, keepdim=True)).repeat_interleave(3, 0)  # (3 B, 2 R + 1)
    stacked = images.flatten(0, 1)[None]  # (1, 3 B, H, W)
    stacked = F.conv2d(stacked, bell[:, None, :, None], groups=len(bell))
    stacked = F.conv2d(stacked, bell[:, None, None, :], groups=len(bell))
    return stacked[0].unflatten(0, images.shape[:2])


def crops_of(
    data: PortraitSet, chosen: list[int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Squares of renders, halved after some blur, and as they are.

    Returns:
        (B, 3, CROP / 2, CROP / 2) and (B, 3, CROP, CROP), in [-1, 1]; some are mirrored.
    """
    side = CROP + 2 * _REACH
    corners = torch.randint(data.size - side + 1, (len(chosen), 2), generator=generator).tolist()
    images = torch.stack(
        [
            data.picture(view)[:, top : top + side, left : left + side]
            for view, (top, left) in zip(chosen, corners, strict=True)
        ]
    )
    mirrored = torch.rand(len(chosen), generator=generator) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    low, high = BLURS
    soft = blurred(images, low + (high - low) * torch.rand(len(chosen), generator=generator))
    small = F.avg_pool2d(soft, FACTOR)
    noise = torch.randn(small.shape, generator=generator)
    small += NOISE * torch.rand(len(chosen), 1, 1, 1, generator=generator) * noise
    inner = slice(_REACH, _REACH + CROP)
    return small, images[..., inner, inner]


def terms_of(picture: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """What tells pictures from renders (B, 3, H, W)."""
    return {
        "image": (picture - wanted).abs().mean(),
        "gradient": losses.gradient_l1(picture, wanted),
        "edges": (edge_strength(picture) - edge_strength(wanted)).abs().mean(),
        "beyond": beyond(picture, wanted).mean(),
    }


def upscale(
    upscaler: Upscaler,
    data: PortraitSet,
    options: StudentOptions,
    save: Callable[[Upscaler, dict[str, float]], None],
) -> None:
    """Train a copy of an upscaler.

    Args:
        upscaler: is left as it is.
        data: renders of the size that is wanted, or a larger one.
        save: is told the average net, steps and minutes every few minutes and at the end.

    Raises:
        PortraitError: the renders are smaller than a crop.
    """
    if data.size < CROP + 2 * _REACH:
        raise PortraitError(
            f"Renders of {data.size} pixels are too small: make them with `--size 512`."
        )

    order: list[int] = []

    def terms_for(net: Upscaler, generator: torch.Generator) -> dict[str, Tensor]:
        chosen = dealt(order, options.pictures, len(data), generator)
        small, wanted = crops_of(data, chosen, generator)
        with mixed("cpu"):
            picture = net(small.contiguous(memory_format=torch.channels_last))
        return terms_of(picture, wanted)

    train_student(upscaler, options, terms_for, WEIGHTS, report_every=REPORT_EVERY, save=save)


@torch.no_grad()
def fidelity(upscaler: Upscaler, data: PortraitSet) -> dict[str, float]:
    """Mean PSNR in dB of halved renders that are doubled again, by way of doubling them."""
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "bilinear": partial(F.interpolate, scale_factor=FACTOR, mode="bilinear"),
        "bicubic": partial(F.interpolate, scale_factor=FACTOR, mode="bicubic"),
        "upscaler": upscaler,
    }
    totals = dict.fromkeys(ways, 0.0)
    for view in range(len(data)):
        wanted = data.picture([view])
        small = F.avg_pool2d(wanted, FACTOR)
        for name, double in ways.items():
            error = (double(small).clamp(-1, 1) - wanted).square().mean()
            totals[name] += 10 * math.log10(4 / max(float(error), 1e-12))  # the range is 2
    return {name: total / len(data) for name, total in totals.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training upscale``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="data sets of the size that is wanted (`synthesize --size 512`)",
    )
    parser.add_argument(
        "--held-out", type=Path, nargs="+", help="renders of nobody that it learns from, to measure"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    add_run_arguments(parser, minutes=30.0, pictures=16, rate=1e-3, of="crops")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training upscale``."""
    set_up(arguments.threads)
    torch.manual_seed(arguments.seed)
    model, info = load_checkpoint(arguments.weights or embedded_weights())
    model = with_upscaler(model)
    assert model.upscaler is not None
    data = PortraitSet(read_views(arguments.data))
    print(f"{len(data)} renders of {data.size} pixels a side", flush=True)

    def save(made: Upscaler, spent: dict[str, float]) -> None:
        model.upscaler = made
        write_model(arguments.out, model, info, upscaled=spent | {"pictures": len(data)})

    upscale(model.upscaler, data, StudentOptions.of(arguments), save)
    print(f"{arguments.out}: written")
    if arguments.held_out:
        unseen = PortraitSet(read_views(arguments.held_out, held_out=True))
        found = fidelity(model.upscaler, unseen)
        told = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
        print(f"{len(unseen)} held-out renders, PSNR in dB: {told}")
    return 0
