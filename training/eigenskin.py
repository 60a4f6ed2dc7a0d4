"""``python -m training eigenskin``: what skins in renders have more than a model's pictures.

A person whom the model mixes is drawn as each of their renders shows them, without grain, which is
chance. What the skin's colours would have to be multiplied with to be the render's is brought onto
a map on the face, from all of the person's views together. Of all people's maps the principal
components are kept, and how much of each a person has (:mod:`core.eigenskin`).

Few people are seen from all sides. So a map says how far it is known (:mod:`.components`).
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.eigenskin import SIZE, WINDOW
from core.engine import embedded_weights
from core.errors import PortraitError
from core.grain import SKIN, grain_light, grained_share
from core.lifting import window_coordinates
from core.model import SSGAN3D
from core.parts import part_index
from core.people_mixture import PeopleMixture
from core.tiles import extent, shown_by_pixels, texels_of, tile_positions
from training.components import add_component_arguments, kept
from training.data import PortraitSet, read_views
from training.drawn_people import DrawnView, drawn_people
from training.light_maps import Asked, missing_light, wanted_light
from training.model_files import rebuilt, write_model
from training.process import set_up
from training.refine import known_views, people_of

COMPONENTS = 128
GLASSES = part_index("glasses")
_LARGEST = 0.5
"""Bound of the logarithms that are asked for."""
_SURE = 0.7
"""Share of skin in a pixel from which it counts."""
_CLEAR = 0.5
"""Share of the map that a pixel has to show: at outlines it shows less, and other errors are
larger than what is looked for."""
_FRONT = 0.6, 0.9
"""Share of people of whom a texel is known from which on it counts, and from which in full. What
fewer show fades: the sides of faces, where single views end in lines, necks and crowns."""


def skin_asks(view: DrawnView, config: ModelConfig) -> Asked:
    """What a view asks of the map of a skin."""
    size = (config.image_size, config.image_size)
    skin = grained_share(view.drawn.mask_logits[0].softmax(1))
    where = tile_positions(view.posed.layers.surface, size, config)
    shares = grain_light(torch.ones_like(where[:, :1]), where, skin, config)
    shares = shares * shown_by_pixels(where)
    labelled = (view.labels == SKIN) & ~behind_glasses(view.labels)
    inner = -F.max_pool2d(-labelled[None, None].float(), 3, 1, 1)
    sure = inner * (F.interpolate(skin, size, mode="bilinear") > _SURE) * (shares > _CLEAR)
    places = (where / texels_of(config)).permute(0, 2, 3, 1)
    grid = window_coordinates(places, WINDOW)
    return Asked(wanted_light(view, _LARGEST), shares, sure, grid)


def behind_glasses(labels: Tensor) -> Tensor:
    """Which pixels (S, S) lie within the rows and columns of glasses.

    Skin there is as dark as the lenses are, and would stay so on those who take them off.
    """
    found = extent(labels == GLASSES)
    behind = torch.zeros_like(labels, dtype=torch.bool)
    if found is not None:
        behind[found] = True
    return behind


def with_eigenskins(
    model: SSGAN3D, maps: Tensor, known: Tensor, count: int
) -> tuple[SSGAN3D, float]:
    """The same model with eigenskins, and the share of the maps' energy that they hold.

    Args:
        maps, known: as :func:`.light_maps.missing_light` gives them.
        count: components.

    Raises:
        PortraitError: there are not so many people.
    """
    seen = known[known.flatten(1).amax(1) > 0]
    least, most = _FRONT
    front = ((seen.mean(0) - least) / (most - least)).clamp(0, 1)  # (1, h, w)
    found = kept((maps * front).flatten(1), known.expand_as(maps).flatten(1), count)
    made = rebuilt(model, eigenskins=count)
    assert isinstance(made.mapping, PeopleMixture)
    found.put_into(made.mapping.eigenskins)
    return made, found.held


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training eigenskin``."""
    add_component_arguments(parser, COMPONENTS, "principal components")


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
    people = drawn_people(model, PortraitSet(views), rows, torch.device("cpu"))
    maps, known = missing_light(
        people, model.config.people, partial(skin_asks, config=model.config), SIZE, _LARGEST
    )
    made, held = with_eigenskins(model, maps, known, arguments.components)
    once = {"pictures": len(views), "components": arguments.components, "held": round(held, 4)}
    write_model(arguments.out, made, info, eigenskin=once)
    print(
        f"{len(views)} pictures of {len(rows.unique())} people: {arguments.components} components "
        f"hold {held:.0%} of what the model's skin lacked"
    )
    print(arguments.out)
    return 0
