"""``python -m training eigenclothes``: what clothes in renders have more than a model's pictures.

As :mod:`.eigenskin`, on a map of the clothes (:mod:`core.eigenclothes`).
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.eigenclothes import SIZE, WINDOW
from core.engine import embedded_weights
from core.errors import PortraitError
from core.lifting import places_in
from core.model import SSGAN3D
from core.people_mixture import PeopleMixture
from core.prints import CLOTHES
from training.components import add_component_arguments, kept
from training.data import PortraitSet, read_views
from training.detail import gaussian_blur
from training.drawn_people import DrawnView, drawn_people
from training.light_maps import Asked, missing_light, wanted_light
from training.model_files import rebuilt, write_model
from training.process import set_up
from training.refine import known_views, people_of

COMPONENTS = 128
_LARGEST = 1.2
"""Bound of the logarithms that are asked for: a white collar on a dark jacket."""
_LITTLE = 1e-3
_SURE = 0.7
"""Share of clothes in a pixel from which it counts."""
_SHOWN = 0.03, 0.15
"""Share of people of whom a texel is known from which on it counts, and from which in full."""
_BLUR = 1.0
"""Standard deviation in texels by which maps are smoothed: single pixels are no garment's edge."""


def cloth_asks(view: DrawnView, config: ModelConfig) -> Asked:
    """What a view asks of the map of somebody's clothes."""
    size = (config.image_size, config.image_size)
    cloth = view.drawn.mask_logits[0].softmax(1)[:, CLOTHES, None]
    cloth = F.interpolate(cloth, size, mode="bilinear")
    where = F.interpolate(view.surface((CLOTHES,)), size, mode="bilinear")
    grid = places_in(where, WINDOW)
    labelled = (view.labels == CLOTHES)[None, None].float()
    inner = -F.max_pool2d(-labelled, 3, 1, 1)
    inside = (grid.abs().amax(-1) < 1)[:, None]
    return Asked(wanted_light(view, _LARGEST), cloth, inner * (cloth > _SURE) * inside, grid)


def calmed(maps: Tensor, known: Tensor) -> Tensor:
    """Maps of :func:`.light_maps.missing_light`, smoothed as far as they are known.

    Args:
        maps, known: of all people, (S, 3, h, w) and (S, 1, h, w).
    """
    light = gaussian_blur(maps * known, _BLUR)  # maps hold their trust once already
    return light / gaussian_blur(known.square(), _BLUR).clamp_min(_LITTLE) * known


def with_eigenclothes(
    model: SSGAN3D, maps: Tensor, known: Tensor, count: int
) -> tuple[SSGAN3D, float]:
    """The same model with eigenclothes, and the share of the maps' energy that they hold.

    Args:
        maps, known: as :func:`.light_maps.missing_light` gives them.
        count: components.

    Raises:
        PortraitError: there are not so many people.
    """
    maps = calmed(maps, known)
    least, most = _SHOWN
    seen = known[known.flatten(1).amax(1) > 0]
    shown = ((seen.mean(0) - least) / (most - least)).clamp(0, 1)  # (1, h, w)
    found = kept((maps * shown).flatten(1), known.expand_as(maps).flatten(1), count)
    made = rebuilt(model, eigenclothes=count)
    assert isinstance(made.mapping, PeopleMixture)
    found.put_into(made.mapping.eigenclothes)
    return made, found.held


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training eigenclothes``."""
    add_component_arguments(parser, COMPONENTS, "principal components")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training eigenclothes``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    if not whole.config.garments:
        raise PortraitError(
            f"{weights} does not know what its people wear, beside which components are drawn. "
            "Run `python -m training garments` first."
        )
    model = rebuilt(whole, eigenclothes=0)
    views, rows = known_views(read_views(arguments.data), people_of(info, weights))
    people = drawn_people(model, PortraitSet(views), rows, torch.device("cpu"))
    asks = partial(cloth_asks, config=model.config)
    maps, known = missing_light(people, model.config.people, asks, SIZE, _LARGEST)
    made, held = with_eigenclothes(model, maps, known, arguments.components)
    once = {"pictures": len(views), "components": arguments.components, "held": round(held, 4)}
    write_model(arguments.out, made, info, eigenclothes=once)
    print(
        f"{len(views)} pictures of {len(rows.unique())} people: {arguments.components} components "
        f"hold {held:.0%} of what the model's clothes lacked"
    )
    print(arguments.out)
    return 0
