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
from core.prints import CLOTHES, KINDS
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
_PRINT_BLUR = 4.0
"""The same where there is a print: its lines lie a little elsewhere than the render's, and that is
no colour of the cloth."""


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


def calmed(maps: Tensor, known: Tensor, printed: Tensor) -> Tensor:
    """Maps of :func:`.light_maps.missing_light`, smoothed as far as they are known.

    Args:
        maps, known: of all people, (S, 3, h, w) and (S, 1, h, w).
        printed: who wears a print, (S,) bool.
    """
    made = torch.zeros_like(maps)
    for who, spread in ((~printed, _BLUR), (printed, _PRINT_BLUR)):
        trust = known[who]
        light = gaussian_blur(maps[who] * trust, spread)  # maps hold their trust once already
        made[who] = light / gaussian_blur(trust.square(), spread).clamp_min(_LITTLE) * trust
    return made


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
    people = model.mapping
    assert isinstance(people, PeopleMixture)
    maps = calmed(maps, known, people.prints[:, : len(KINDS)].any(1))
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
    if not whole.config.prints:
        raise PortraitError(
            f"{weights} has no prints, beside which they are drawn. Run `python -m training "
            "traits` first."
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
