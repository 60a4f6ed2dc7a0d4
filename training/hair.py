"""``python -m training hair``: how straight hair is and how much structure it has, by style.

In renders, and in a model's pictures of the same people: what the constants of ``core/strands.py``
were set by. Energies are those that ``training detail`` teaches, of filters of several directions.
What the directions of a place agree on is their resultant, by doubled angles, as a strand has no
arrow: as a share of all energy it says how straight hair is there.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.parts import part_index
from core.people_mixture import PeopleMixture
from training.data import PortraitSet
from training.detail import energies, inside_of
from training.own_pictures import add_measuring_arguments, own_pictures, spread, structured
from training.process import set_up
from training.synthetic.dataset import read_rows

LEAST = 40
"""Rays that hair has to fill, away from its edges."""
_ANY = "hair"
"""What hair of people is called whose rows name no style."""


@dataclass(frozen=True)
class Structure:
    """The structure of the hair in one picture, or means of several.

    Attributes:
        straight: resultant of the directions, as a share of the energy.
        coarse, fine: root mean squares of both bands, as shares of the light.
    """

    straight: float
    coarse: float
    fine: float

    @classmethod
    def mean(cls, several: Sequence[Structure]) -> Structure:
        """Of some pictures; root mean squares of energies."""
        squares = [torch.tensor([s.coarse, s.fine]).square() for s in several]
        coarse, fine = torch.stack(squares).mean(0).sqrt().tolist()
        return cls(sum(s.straight for s in several) / len(several), coarse, fine)


def resultants(energy: Tensor) -> tuple[Tensor, Tensor]:
    """Of energies (B, 2 D, r, r): resultants by doubled angles, (B, 2, r, r), and all energy."""
    both = energy.unflatten(1, (2, -1)).sum(1)  # (B, D, r, r)
    angles = torch.arange(both.shape[1], device=both.device) * (2 * math.pi / both.shape[1])
    pointing = torch.stack([angles.cos(), angles.sin()])[None, :, :, None, None]
    return (both[:, None] * pointing).sum(2), both.sum(1, keepdim=True)


def structure_of(image: Tensor, mask: Tensor, directions: int) -> Structure | None:
    """The structure of the hair in a picture; None where too little of it is seen.

    Args:
        image: (1, 3, S, S) in [-1, 1].
        mask: the render's, (1, K, S / 2, S / 2).
    """
    inside = F.interpolate(inside_of(mask, [part_index("hair")]), image.shape[-2:])
    side = mask.shape[-1] // 2
    known = F.adaptive_avg_pool2d(inside, side) > 0.99
    if int(known.sum()) < LEAST:
        return None
    energy = energies(image, inside, directions, side) * known
    pointing, total = resultants(energy)
    straight = torch.linalg.vector_norm(pointing, dim=1).sum() / total.sum().clamp_min(1e-12)
    bands = energy.unflatten(1, (2, -1)).sum((0, 2, 3, 4)) / known.sum()
    coarse, fine = bands.sqrt().tolist()
    return Structure(float(straight), coarse, fine)


@torch.no_grad()
def compared_hair(
    engine: PortraitEngine,
    mapping: PeopleMixture,
    data: PortraitSet,
    rows: Tensor,
    styles: Mapping[str, str],
    pictures: int,
) -> dict[str, tuple[int, Structure, Structure]]:
    """By style: of how many pictures, and the structure in renders and in a model's pictures.

    Args:
        engine, mapping, data, rows: as for :func:`~.own_pictures.own_pictures`.
        styles: by the name of a view.
        pictures: how many of the views, evenly spread, are looked at.
    """
    chosen = spread(range(len(data)), pictures)
    found: dict[str, list[tuple[Structure, Structure]]] = defaultdict(list)
    for view, drawn in zip(chosen, own_pictures(engine, mapping, data, rows, chosen), strict=True):
        mask = data.soft_mask([view], data.size // 2)
        real, made = (
            structure_of(image, mask, engine.config.detail_directions)
            for image in (data.picture([view]), drawn)
        )
        if real is not None and made is not None:
            found[styles.get(data.views[view].name, _ANY)].append((real, made))
    return {
        style: (
            len(pairs),
            Structure.mean([real for real, _ in pairs]),
            Structure.mean([made for _, made in pairs]),
        )
        for style, pairs in sorted(found.items())
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training hair``."""
    add_measuring_arguments(parser, pictures=200)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training hair``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    model, info, data, rows = structured(weights, arguments.data)
    styles = {
        row["name"]: row["attributes"]["hair_style"]
        for row in read_rows(arguments.data)
        if "hair_style" in row.get("attributes", {})
    }
    engine = PortraitEngine(model, info, device="cpu", precision="float32")
    assert isinstance(model.mapping, PeopleMixture)
    found = compared_hair(engine, model.mapping, data, rows, styles, arguments.pictures)
    if not found:
        raise PortraitError("No picture shows hair that is wide enough to be measured.")
    print(f"{'renders / pictures':20s}    n      straight            coarse              fine")
    for style, (count, real, made) in found.items():
        print(
            f"{style:20s} {count:4d}   {real.straight:.2f} / {made.straight:.2f}"
            f"     {real.coarse:.4f} / {made.coarse:.4f}     {real.fine:.4f} / {made.fine:.4f}"
        )
    return 0
