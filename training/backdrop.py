"""``python -m training backdrop``: backgrounds without what heads have left on them.

A background stays fixed to the picture, and its renders show it around one head only. What its map
holds behind that head nobody has ever compared with anything: behind a smaller one, or where hair
is taken off, bright specks come out. And two views of a person show two parts of a panorama, out of
focus, which one map answers with blotches. So the background's generator learns from itself: its
maps where they are seen, blurred, and continued from there to where they are not (a normalised
convolution: Knutsson and Westin 1993). It needs no data. All else of the model stays as it is.
"""

from __future__ import annotations

import argparse
import math
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.camera import Camera, canonical_camera
from core.checkpoint import load_checkpoint
from core.engine import embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.parts import BACKGROUND, PART_NAMES
from core.people_mixture import PeopleMixture
from core.volume import camera_tensors, ray_weights, sample_rays
from training.budget import add_run_arguments
from training.model_files import write_model
from training.process import set_up
from training.refine import codes_of_rows, train_only
from training.student import StudentOptions, train_student

BLUR = 1.0
"""Standard deviation of the blur, in texels of 8 pixels, where nobody sets it."""
YAWS = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Cameras, in radians, that say where a background is seen: as wide as the renders'."""
CODE_NOISE = 0.1
"""Noise on the codes, in their standard deviations: what lies between people is smooth as well."""
REPORT_EVERY = 200
_WIDER = 2.0
"""Each blur that continues a background is so much wider than the one before."""
_ENOUGH = 0.3
"""Share of a blur that must have been seen: with less the wider one counts as well."""
_SAMPLES = 16


def filled(maps: Tensor, seen: Tensor, blur: float) -> Tensor:
    """Maps blurred where they are seen and continued where they are not, (N, C, H, W).

    Args:
        maps: (N, C, H, W).
        seen: how surely a texel is known, (N, 1, H, W) in [0, 1].
        blur: standard deviation in texels.
    """
    spreads = [blur]
    while spreads[-1] < maps.shape[-1]:
        spreads.append(spreads[-1] * _WIDER)
    given = torch.cat([maps * seen, seen], 1)
    widest, *narrower = reversed(spreads)
    made, _ = _mean_of_seen(given, widest)
    for spread in narrower:
        mean, known = _mean_of_seen(given, spread)
        made = made.lerp(mean, (known / _ENOUGH).clamp_max(1))
    return made


def _mean_of_seen(given: Tensor, spread: float) -> tuple[Tensor, Tensor]:
    """Means beneath a Gaussian of what is seen there, (N, C, H, W), and how much that is.

    Args:
        given: values times how surely they are known, and that last, (N, C + 1, H, W).
    """
    height, width = given.shape[-2:]
    found = _gaussian(height, spread) @ given @ _gaussian(width, spread)
    known = found[:, -1:]
    return found[:, :-1] / known.clamp_min(1e-4), known


def _gaussian(count: int, spread: float) -> Tensor:
    """A symmetric (count, count) matrix; its rows sum to 1, or less at the border."""
    line = torch.arange(count, dtype=torch.float32)
    bell = torch.exp(-(line[:, None] - line).square() / (2 * spread**2))
    return bell / (math.sqrt(2 * math.pi) * spread)


@torch.no_grad()
def seen_of(model: SSGAN3D, rows: Tensor) -> Tensor:
    """How surely renders of people have shown texels of their backgrounds, (N, 1, H, W).

    Two views are what most people have: of a texel that a share p of cameras shows, p² is the
    chance that both do.

    Args:
        model: mixes the people.
        rows: (N,) their rows in the mixture.
    """
    people, config = model.mapping, model.config
    assert isinstance(people, PeopleMixture)
    spec = config.maps[BACKGROUND]
    cameras = [canonical_camera(Camera.orbit(yaw), config) for yaw in YAWS]
    origins, directions, centre = (t[None] for t in camera_tensors(cameras, config.ray_size))
    rays = sample_rays(origins, directions, centre, config, samples=_SAMPLES)
    shares = []
    for row in rows.split(1):
        visible = people.presence[row] > 0
        codes = codes_of_rows(people, row, visible)
        maps = model.part_maps(codes.base, codes.shape, codes.texture)
        weights = ray_weights(model.geometry(maps, visible), rays, config)
        share = weights.mask[:, :, BACKGROUND].mean(1).unflatten(-1, (config.ray_size, -1))
        shares.append(F.interpolate(share[:, None], size=(spec.height, spec.width), mode="area"))
    return torch.cat(shares).square()


def backdrop(
    teacher: SSGAN3D, options: StudentOptions, blur: float = BLUR
) -> tuple[SSGAN3D, dict[str, float]]:
    """A copy of a model whose backgrounds are smooth, also where its people's heads were.

    Args:
        teacher: mixes people; is left as it is.
        options: ``pictures`` are backgrounds.
        blur: standard deviation in texels.

    Returns:
        The average of the weights, and how many steps and minutes that took.

    Raises:
        PortraitError: the model mixes nobody.
    """
    people = teacher.mapping
    if not isinstance(people, PeopleMixture):
        raise PortraitError("The model mixes no people, whose backgrounds could be continued.")
    lends = people.presence[:, BACKGROUND].nonzero()[:, 0]
    seen = seen_of(teacher, lends)
    spreads = [
        codes[lends, BACKGROUND].std(0, correction=0) for codes in (people.shape, people.texture)
    ]
    with torch.no_grad():
        all_codes = people.base[lends], people.shape[lends], people.texture[lends]
        scale = _features(teacher, *all_codes).std((0, 2, 3)) + 1e-3

    def terms_of(student: SSGAN3D, generator: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(len(lends), (options.pictures,), generator=generator)
        base, shape, texture = (codes[chosen] for codes in all_codes)
        for codes, spread in zip((shape, texture), spreads, strict=True):
            noise = torch.randn(len(chosen), len(spread), generator=generator)
            codes[:, BACKGROUND] += CODE_NOISE * spread * noise
        with torch.no_grad():
            wanted = filled(_features(teacher, base, shape, texture), seen[chosen], blur)
        made = _features(student, base, shape, texture)
        return {"features": ((made - wanted).abs() / scale[:, None, None]).mean()}

    return train_student(
        teacher,
        options,
        terms_of,
        {"features": 1.0},
        report_every=REPORT_EVERY,
        choose=partial(train_only, parts=(PART_NAMES[BACKGROUND],)),
    )


def _features(model: SSGAN3D, base: Tensor, shape: Tensor, texture: Tensor) -> Tensor:
    """Backgrounds of N people, (N, C, H, W), from their codes as for :meth:`SSGAN3D.part_maps`."""
    made = model.part_maps(base, shape, texture, [BACKGROUND])[BACKGROUND]
    return made.features[..., : model.config.features].permute(0, 3, 1, 2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training backdrop``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    parser.add_argument(
        "--blur",
        type=float,
        default=BLUR,
        help=f"standard deviation of the blur, in texels of the background's map ({BLUR:g})",
    )
    add_run_arguments(parser, minutes=5.0, pictures=32, rate=3e-3, of="backgrounds")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training backdrop``."""
    set_up(arguments.threads)
    teacher, info = load_checkpoint(arguments.weights or embedded_weights())
    model, spent = backdrop(teacher, StudentOptions.of(arguments), arguments.blur)
    once = spent | {"blur": arguments.blur}
    write_model(arguments.out, model, info, backgrounds_continued=once)
    print(f"{arguments.out}: {spent['steps']} steps")
    return 0
