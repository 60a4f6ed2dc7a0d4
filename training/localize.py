"""``python -m training localize``: teach a model to change nothing outside of a part that changes.

Of a small part's edits most of what changes elsewhere lies within the render net's reach, 28 pixels
to every side: neither rendered siblings, which are few, nor a discriminator says much about that.
The model itself says it all: pairs of its random portraits that differ in one part are rendered by
a frozen copy, and outside of the part the second picture should be the first. Inside, and in
geometry, everything should stay as the copy has it, so that people remain who they are. It needs
no data. (Teaching by a set of one's own makings: distillation, Hinton et al. 2015.)
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.camera import Camera, canonical_camera
from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.device import choose_device
from core.engine import embedded_weights
from core.model import SSGAN3D, GeneratorOutput
from core.parts import PART_NAMES, part_index
from core.volume import RayBatch, camera_tensors, sample_rays
from training import losses
from training.budget import add_run_arguments
from training.model_files import write_model
from training.process import set_up
from training.rates import half_cosine
from training.student import StudentOptions, train_student
from training.swaps import SWAPPED, edited_pixels, swapped_pairs
from training.warm_start import WEIGHTS

OUTSIDE = 4.0
"""Weight of what differs outside of the part, where nobody sets it."""
LENSES = 35 / 24, 135 / 24
"""Shortest and longest focal length in heights of the sensor, as in the rendered data."""
EMA = 0.99
REPORT_EVERY = 50


@dataclass(frozen=True)
class Target:
    """What N pictures should be.

    Attributes:
        image: (N, 3, S, S).
        mask: (N, K, S / 2, S / 2), sums to 1.
        coarse_mask: (N, K, r, r), sums to 1.
        depth: planar, (N, r, r).
        outside: (N / 2, 1, S, S) bool, where both pictures of a pair should be the same.
    """

    image: Tensor
    mask: Tensor
    coarse_mask: Tensor
    depth: Tensor
    outside: Tensor


def random_rays(
    config: ModelConfig, count: int, generator: torch.Generator, device: torch.device
) -> RayBatch:
    """Rays of one random camera within the trained range for each of ``count`` portraits."""
    turn = torch.rand(count, 2, generator=generator) * 2 - 1
    near, far = (math.log(config.frame_side * lens) for lens in LENSES)
    distance = torch.exp(near + (far - near) * torch.rand(count, generator=generator))
    cameras = [
        canonical_camera(
            Camera.orbit(yaw * config.yaw_max, pitch * config.pitch_max, distance=away), config
        )
        for (yaw, pitch), away in zip(turn.tolist(), distance.tolist(), strict=True)
    ]
    origins, directions, centre = (t[:, None] for t in camera_tensors(cameras, config.ray_size))
    origins, directions, centre = (t.to(device) for t in (origins, directions, centre))
    return sample_rays(origins, directions, centre, config)


def twice(rays: RayBatch) -> RayBatch:
    """Rays for both portraits of each pair."""
    return RayBatch(*(torch.cat([t, t]) for t in (rays.uv, rays.z, rays.depth, rays.step)))


def target_of(teacher: GeneratorOutput, parts: Tensor) -> Target:
    """Pairs as they are but for the second picture outside of the part, which should be the first.

    Args:
        teacher: what the frozen copy makes of 2 B portraits, one view each.
        parts: (B,) the swapped parts.
    """
    image, logits = teacher.image[:, 0], teacher.mask_logits[:, 0]
    size, small = image.shape[-1], logits.shape[-1]
    cell = size // teacher.depth.shape[-1]
    outside = ~edited_pixels(logits, parts, size, cell)
    outside_small = ~edited_pixels(logits, parts, small, cell * small // size)

    def alike(pairs: Tensor, where: Tensor) -> Tensor:
        first, second = pairs.chunk(2)
        return torch.cat([first, torch.where(where, first, second)])

    return Target(
        alike(image, outside),
        alike(F.softmax(logits, 1), outside_small),
        teacher.coarse_mask[:, 0],
        teacher.depth[:, 0],
        outside,
    )


def held_terms(student: GeneratorOutput, target: Target) -> dict[str, Tensor]:
    """What holds form, masks and unchanged places, unweighted.

    "outside" is D_mean^masked of the pairs in units of [-1, 1].
    """
    first, second = student.image[:, 0].float().chunk(2)
    known = target.coarse_mask[:, 0] < 0.99  # depth means nothing where there is only background
    log_coarse = student.coarse_mask[:, 0].float().clamp_min(1e-5).log()
    log_mask = F.log_softmax(student.mask_logits[:, 0].float(), 1)
    return {
        "mask": losses.mask_cross_entropy(log_mask, target.mask.float()),
        "coarse mask": losses.mask_cross_entropy(log_coarse, target.coarse_mask.float()),
        "depth": losses.depth_l1(student.depth[:, 0], target.depth, known),
        "outside": ((first - second).abs() * target.outside).mean(),
    }


def terms_of(student: GeneratorOutput, target: Target) -> dict[str, Tensor]:
    """All losses, unweighted."""
    image = student.image[:, 0]
    return {
        "image": losses.multiscale_l1(image, target.image),
        "gradient": losses.gradient_l1(image, target.image),
    } | held_terms(student, target)


def localize(
    teacher: SSGAN3D,
    options: StudentOptions,
    *,
    outside: float = OUTSIDE,
    swapped: Sequence[int] = SWAPPED,
) -> tuple[SSGAN3D, dict[str, float]]:
    """A copy of the model whose edits change less outside of what is edited.

    Args:
        teacher: is left as it is.
        options: ``pictures`` are pairs of them.
        outside: weight of what differs outside of the part.
        swapped: parts that pairs differ in.

    Returns:
        The average of the weights over the last hundred steps or so, and how many steps
        and minutes that took.
    """
    device = next(teacher.parameters()).device

    def terms_for(student: SSGAN3D, generator: torch.Generator) -> dict[str, Tensor]:
        with torch.no_grad():
            codes, parts = swapped_pairs(teacher, options.pictures, generator, swapped)
            rays = twice(random_rays(teacher.config, options.pictures, generator, device))
            arguments = (codes.base, codes.shape, codes.texture, codes.visible, rays)
            target = target_of(teacher(*arguments), parts)
        return terms_of(student(*arguments), target)

    return train_student(
        teacher,
        options,
        terms_for,
        WEIGHTS | {"outside": outside},
        report_every=REPORT_EVERY,
        choose=_hold,
        falls=lambda progress, _step: half_cosine(progress),
        ema=EMA,
    )


def _hold(student: SSGAN3D) -> None:
    """Let people keep their codes, and the linear models stay: they know nothing of other parts."""
    for name, parameter in student.named_parameters():
        if name.startswith("mapping.") or name.endswith("_basis"):
            parameter.requires_grad_(False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training localize``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    add_run_arguments(
        parser, minutes=20.0, pictures=3, rate=3e-4, of="pairs of portraits", option="pairs"
    )
    parser.add_argument(
        "--outside",
        type=float,
        default=OUTSIDE,
        help=f"weight of what changes outside of the part ({OUTSIDE:g})",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        default=[],
        choices=[PART_NAMES[part] for part in SWAPPED],
        help="parts that pairs differ in (all but the skin)",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (auto)")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training localize``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    teacher, info = load_checkpoint(weights)
    model, spent = localize(
        teacher.to(choose_device(arguments.device)),
        StudentOptions.of(arguments),
        outside=arguments.outside,
        swapped=[part_index(name) for name in arguments.parts] or SWAPPED,
    )
    once: dict[str, object] = spent | {"weight": arguments.outside}
    if arguments.parts:
        once["parts"] = arguments.parts
    write_model(arguments.out, model.cpu(), info, edits_made_local=once)
    print(f"{arguments.out}: {spent['steps']} steps")
    return 0
