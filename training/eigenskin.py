"""``python -m training eigenskin``: what skins in renders have more than a model's pictures.

A person whom the model mixes is drawn as each of their renders shows them, without grain, which is
chance. What the skin's colours would have to be multiplied with to be the render's is brought onto
a map on the face, from all of the person's views together. Of all people's maps the principal
components are kept, and how much of each a person has (:mod:`core.eigenskin`).

Few people are seen from all sides. So a map says how far it is known, and components are those of
what is known: the rest is filled with what they make of it, and they are computed again (an
iteration for principal components with missing values: Wiberg 1976; Kiers 1997).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.eigenskin import MOST, SIZE, WINDOW
from core.engine import embedded_weights
from core.errors import PortraitError
from core.generators import PartMap
from core.grain import SIDE, SKIN, grain_light, grained_share
from core.lifting import window_coordinates
from core.model import SSGAN3D
from core.people_mixture import PeopleMixture
from core.spots import spots_tile
from core.tiles import shown_by_pixels, texels_of, tile_positions, wrapped
from core.volume import sample_rays
from training.data import PortraitSet, read_views
from training.model_files import rebuilt, write_model
from training.process import set_up
from training.refine import known_views, people_of
from training.warm_start import Views

COMPONENTS = 128
ROUNDS = 3
"""Rounds of bringing what is still missing onto the map."""
FILLINGS = 6
"""Rounds of filling what is not known of the maps."""
_FLOOR = 0.05
"""Added to the light of both pictures, of 2: what is darker says little about colours."""
_LARGEST = 0.5
"""Bound of the logarithms that are asked for."""
_SURE = 0.7
"""Share of skin in a pixel from which it counts."""
_CLEAR = 0.5
"""Share of the map that a pixel has to show: at outlines it shows less, and other errors are
larger than what is looked for."""
_UNSURE = 0.3
"""Pixels a texel at which its map is half known."""
_FRONT = 0.6, 0.9
"""Share of people of whom a texel is known from which on it counts, and from which in full. What
fewer show fades: the sides of faces, where single views end in lines, necks and crowns."""
_FEW = 0.15
"""The least number of pixels that what a texel is missing is divided by."""


@torch.no_grad()
def missing_light(
    model: SSGAN3D, data: PortraitSet, rows: Tensor, device: torch.device
) -> tuple[Tensor, Tensor]:
    """What multiplies the skin of a model's people in their renders, as a logarithm.

    Args:
        model: without eigenskins.
        data: renders of its people.
        rows: (P,) row of each portrait of ``data`` among them.

    Returns:
        Maps (S, 3, h, w), the closer to zero the less is known of them, and how far they are known,
        (S, 1, h, w) in [0, 1].
    """
    model = model.to(device)
    people = model.mapping
    assert isinstance(people, PeopleMixture)
    views = Views(data, model.config, device, model.config.samples)
    shown: dict[int, list[int]] = defaultdict(list)
    for view, portrait in enumerate(data.portrait_of.tolist()):
        shown[int(rows[portrait])].append(view)
    maps = torch.zeros(model.config.people, 3, *SIZE)
    known = torch.zeros(model.config.people, 1, *SIZE)
    for row, own in shown.items():
        drawn = model.part_maps(people.base[[row]], people.shape[[row]], people.texture[[row]])
        pixels = [_wanted(model, views, drawn, view) for view in own]
        weight = sum(_splat(shares.square() * sure, grid) for _, shares, sure, grid in pixels)
        assert isinstance(weight, Tensor)
        light = torch.zeros(1, 3, *SIZE, device=device)
        for _ in range(ROUNDS):
            change = torch.zeros_like(light)
            for wanted, shares, sure, grid in pixels:
                left = wanted - shares * F.grid_sample(light, grid, align_corners=False)
                change += _splat(left * shares * sure, grid)
            light += change / weight.clamp_min(_FEW)
        trust = weight / (weight + _UNSURE)
        known[row] = trust[0].cpu()
        maps[row] = (light * trust).clamp(-_LARGEST, _LARGEST)[0].cpu()
    return maps, known


def _wanted(
    model: SSGAN3D, views: Views, maps: dict[int, PartMap], view: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What one view asks of the map.

    Args:
        maps: of the parts of whom it shows.

    Returns:
        The logarithm that its pixels ask for, (1, 3, S, S); how much of the map each shows, and
        whether it counts, (1, 1, S, S) each; where it lies on the map, (1, S, S, 2).
    """
    data, config, device = views.data, model.config, views.device
    visible = views.presence[data.portrait_of[view], None].to(device)
    rays = sample_rays(
        views.origins[view, None, None],
        views.directions[view, None, None],
        views.centre[view, None, None],
        config,
    )
    posed = model.posed_maps(maps, model.geometry(maps, visible), visible, rays)
    # grain is chance of six kinds, which components would know again; spots have a mean
    spots = maps[SKIN].traits
    plain = torch.zeros(1, 3, SIDE, SIDE, device=device)
    tile = wrapped(plain if spots is None else spots_tile(spots, config))
    posed.layers = dataclasses.replace(posed.layers, grain=tile)
    drawn = model.finish(posed)
    size = (config.image_size, config.image_size)
    skin = grained_share(drawn.mask_logits[0].softmax(1))
    where = tile_positions(posed.layers.surface, size, config)
    shares = grain_light(torch.ones_like(where[:, :1]), where, skin, config)
    shares = shares * shown_by_pixels(where)
    labelled = (data.labels[view] == SKIN)[None, None].float()
    inner = -F.max_pool2d(-labelled, 3, 1, 1)
    sure = inner * (F.interpolate(skin, size, mode="bilinear") > _SURE) * (shares > _CLEAR)
    real, own = (
        picture.clamp(-1, 1) + 1 + _FLOOR for picture in (data.picture([view]), drawn.image[0])
    )
    wanted = (real / own).log().clamp(-_LARGEST, _LARGEST)
    places = (where / texels_of(config)).permute(0, 2, 3, 1)
    return wanted, shares, sure, window_coordinates(places, WINDOW)


def _splat(pixels: Tensor, grid: Tensor) -> Tensor:
    """The transpose of looking a map up: pixels (1, C, S, S) added to it, (1, C, h, w)."""
    with torch.enable_grad():
        light = pixels.new_zeros(1, pixels.shape[1], *SIZE, requires_grad=True)
        shown = F.grid_sample(light, grid, align_corners=False)
        return torch.autograd.grad(shown, light, pixels)[0]


def principal(maps: Tensor, known: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of rows that are known in part.

    Args:
        maps: (n, D).
        known: how far, in [0, 1], (n, D).
        count: at most n.

    Returns:
        The mean (D,), components (count, D), orthogonal, the largest first, and how much of each
        the rows have, (n, count).
    """
    mean = (known * maps).sum(0) / known.sum(0).clamp_min(1)
    there = known * (maps - mean)
    filled = there
    for round_ in range(FILLINGS + 1):
        _, vectors = torch.linalg.eigh(filled @ filled.T)
        amounts = vectors[:, -count:].flip(1)
        components = amounts.T @ filled
        if round_ < FILLINGS:
            filled = there + (1 - known) * (amounts @ components)
    return mean, components, amounts


def with_eigenskins(
    model: SSGAN3D, maps: Tensor, known: Tensor, count: int
) -> tuple[SSGAN3D, float]:
    """The same model with eigenskins, and the share of the maps' energy that they hold.

    Args:
        maps, known: as :func:`missing_light` gives them.
        count: components.

    Raises:
        PortraitError: there are not so many people.
    """
    rows = (known.flatten(1).amax(1) > 0).nonzero()[:, 0]
    if not 0 < count <= len(rows):
        raise PortraitError(
            f"{len(rows)} people have been seen: they have 1 to {len(rows)} components, "
            f"not {count}."
        )
    least, most = _FRONT
    front = ((known[rows].mean(0) - least) / (most - least)).clamp(0, 1)  # (1, h, w)
    seen = (maps[rows] * front).flatten(1)
    trust = known[rows].expand(-1, 3, -1, -1).flatten(1)
    mean, components, amounts = principal(seen, trust, count)
    left = seen - mean - amounts @ components
    held = 1 - float((trust * left.square()).sum() / (trust * seen.square()).sum())
    made = rebuilt(model, eigenskins=count)
    assert isinstance(made.mapping, PeopleMixture)
    planes = torch.cat([mean[None], components])
    steps = planes.abs().amax(1).clamp_min(1e-12) / MOST
    whole = (planes / steps[:, None]).round().to(torch.int8)
    made.mapping.eigenskins.copy_(whole.unflatten(1, (3, *SIZE)))
    made.mapping.eigenskin_steps.copy_(steps)
    made.mapping.skins[rows] = amounts
    return made, held


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training eigenskin``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets that show its people"
    )
    parser.add_argument(
        "--components",
        type=int,
        default=COMPONENTS,
        help=f"principal components (default {COMPONENTS})",
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training eigenskin``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    if not whole.config.grain:
        raise PortraitError(
            f"{weights} has no grain, in which they are drawn. Run `python -m training grain` "
            "first."
        )
    model = rebuilt(whole, eigenskins=0)
    views, rows = known_views(read_views(arguments.data), people_of(info, weights))
    maps, known = missing_light(model, PortraitSet(views), rows, torch.device("cpu"))
    made, held = with_eigenskins(model, maps, known, arguments.components)
    once = {"pictures": len(views), "components": arguments.components, "held": round(held, 4)}
    write_model(arguments.out, made, info, eigenskin=once)
    print(
        f"{len(views)} pictures of {len(rows.unique())} people: {arguments.components} components "
        f"hold {held:.0%} of what the model's skin lacked"
    )
    print(arguments.out)
    return 0
