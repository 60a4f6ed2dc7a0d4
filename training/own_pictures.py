"""Pictures that a model draws of people whom renders show, as users get them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from core.checkpoint import load_checkpoint
from core.engine import PortraitEngine
from core.errors import PortraitError
from core.latents import PortraitLatents
from core.model import SSGAN3D
from core.parts import PART_COUNT
from core.people_mixture import PeopleMixture
from training.data import PortraitSet, as_stored, read_views
from training.refine import known_views, people_of

_Items = TypeVar("_Items", range, list[int])


def add_measuring_arguments(parser: argparse.ArgumentParser, pictures: int) -> None:
    """Arguments of commands that compare a model's pictures with renders of its people.

    Args:
        pictures: how many, where nothing is said.
    """
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument("--data", type=Path, required=True, help="data set that shows its people")
    parser.add_argument(
        "--pictures",
        type=int,
        default=pictures,
        help=f"renders that are looked at (default {pictures})",
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")


def structured(weights: Path, folder: Path) -> tuple[SSGAN3D, dict[str, Any], PortraitSet, Tensor]:
    """A model with fine structure, its facts, and renders of its people with their rows.

    Raises:
        PortraitError: it has no fine structure, or the data show none of its people.
    """
    model, info = load_checkpoint(weights)
    if not model.config.detail_directions:
        raise PortraitError(
            f"{weights} has no fine structure. Run `python -m training detail` first."
        )
    known, rows = known_views(read_views([folder]), people_of(info, weights))
    return model, info, PortraitSet(known), rows


def spread(items: _Items, wanted: int) -> _Items:
    """At most so many of some items, evenly spread."""
    return items[:: max(len(items) // wanted, 1)][:wanted]


def own_pictures(
    engine: PortraitEngine,
    mapping: PeopleMixture,
    data: PortraitSet,
    rows: Tensor,
    chosen: Sequence[int],
) -> Iterator[Tensor]:
    """Pictures from the cameras of some views, stored as renders are, (1, 3, S, S) each.

    Args:
        engine: of the model.
        mapping: the model's people.
        data: renders of S pixels a side.
        rows: (P,) row of each portrait of ``data`` among the people.
        chosen: views.
    """
    presence = data.presence([group[0] for group in data.identities])
    for view in chosen:
        portrait = int(data.portrait_of[view])
        row = int(rows[portrait])
        base = mapping.base[row].expand(PART_COUNT, -1).clone()
        codes = mapping.shape[row].clone(), mapping.texture[row].clone()
        latents = PortraitLatents(base, *codes, presence[portrait])
        drawn = engine.render(latents, data.views[view].camera, size=(data.size, data.size))
        yield as_stored(drawn.image)
