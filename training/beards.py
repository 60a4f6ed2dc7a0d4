"""``python -m training beards``: beards as strong as renders have them.

The fine structure of skin is taught by medians, because with means all cheeks get a little of the
stubble that few have. So beards are too faint. Here the energy of their strands is compared, in
renders of people who have one and in the model's pictures of the same people, stored alike. What
renders have more than a picture without any strands, as a multiple of what the strands give, is
the square of what these have to be multiplied with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.parts import part_index
from core.people_mixture import PeopleMixture
from training.data import PortraitSet
from training.detail import energies, inside_of
from training.model_files import rebuilt, write_model
from training.own_pictures import add_measuring_arguments, own_pictures, spread, structured
from training.process import set_up
from training.synthetic.dataset import read_rows

LEAST = 30
"""Rays that a beard has to fill, away from edges."""
_ABOVE = 1 / 8
"""How far above the middle of the mouth beards begin, as a share of the picture."""
_BARE = "none"
"""What the rows of people without a beard say."""


def strand_energy(image: Tensor, mask: Tensor, directions: int) -> float | None:
    """Mean energy of the fine band on the lower face; None where too little of it is seen.

    Args:
        image: (1, 3, S, S) in [-1, 1].
        mask: the render's, (1, K, S / 2, S / 2).
    """
    mouth = (mask[0, part_index("mouth")] > 0.5).any(1).nonzero()
    if not len(mouth):
        return None
    inside = inside_of(mask, [part_index("skin")])
    top = float(mouth.float().mean()) - _ABOVE * inside.shape[2]
    inside[:, :, : max(round(top), 0)] = 0
    side = mask.shape[-1] // 2
    inside = F.interpolate(inside, image.shape[-2:])
    known = F.adaptive_avg_pool2d(inside, side) > 0.99
    if int(known.sum()) < LEAST:
        return None
    energy = energies(image, inside, directions, side)[:, directions:].sum(1, keepdim=True)
    return float(energy[known].mean())


@torch.no_grad()
def measured_gain(model: SSGAN3D, data: PortraitSet, rows: Tensor, bearded: list[int]) -> float:
    """What strands of beards have to be multiplied with.

    Args:
        model: of any gain.
        data: renders of people whom it mixes.
        rows: (P,) row of each portrait of ``data`` among the model's people.
        bearded: views of people with a beard.

    Raises:
        PortraitError: none of them shows a beard.
    """
    assert isinstance(model.mapping, PeopleMixture)
    drawn = [
        own_pictures(
            PortraitEngine(rebuilt(model, beard_gain=gain), device="cpu", precision="float32"),
            model.mapping,
            data,
            rows,
            bearded,
        )
        for gain in (0.0, 1.0)
    ]
    missing = given = 0.0
    for view, bare, strands in zip(bearded, *drawn, strict=True):
        mask = data.soft_mask([view], data.size // 2)
        without, own, real = (
            strand_energy(image, mask, model.config.detail_directions)
            for image in (bare, strands, data.picture([view]))
        )
        if without is not None and own is not None and real is not None:
            missing += real - without
            given += own - without
    if given <= 0:
        raise PortraitError("No picture shows a beard whose strands the model draws.")
    return max(missing / given, 0.0) ** 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training beards``."""
    add_measuring_arguments(parser, pictures=120)
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training beards``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    model, info, data, rows = structured(weights, arguments.data)
    beards = {
        row["name"]: row.get("attributes", {}).get("beard", _BARE)
        for row in read_rows(arguments.data)
    }
    bearded = [number for number, view in enumerate(data.views) if beards[view.name] != _BARE]
    if not bearded:
        raise PortraitError(f"No row of {arguments.data} says that somebody has a beard.")
    bearded = spread(bearded, arguments.pictures)
    gain = round(measured_gain(model, data, rows, bearded), 2)
    write_model(arguments.out, rebuilt(model, beard_gain=gain), info)
    print(f"{len(bearded)} pictures of beards: strands times {gain:g}")
    print(arguments.out)
    return 0
