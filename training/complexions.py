"""``python -m training complexions``: the colours of the noses, ears and necks of a model's people.

Each person's own parts are made on their own head, and their mean colours kept
(:mod:`core.complexion`): what others' take when they are put there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from core.checkpoint import load_checkpoint
from core.complexion import TAKERS, mean_color
from core.engine import embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.people_mixture import PeopleMixture
from training.model_files import rebuilt, write_model
from training.process import set_up

_AT_ONCE = 20


@torch.no_grad()
def with_complexions(model: SSGAN3D) -> SSGAN3D:
    """The same model with the complexions of its people."""
    plain, made = rebuilt(model, complexions=False), rebuilt(model, complexions=True)
    people, kept = plain.mapping, made.mapping
    assert isinstance(people, PeopleMixture)
    assert isinstance(kept, PeopleMixture)
    rows = people.presence.any(1).nonzero()[:, 0]
    for some in rows.split(_AT_ONCE):
        maps = plain.part_maps(people.base[some], people.shape[some], people.texture[some], TAKERS)
        for column, part in enumerate(TAKERS):
            kept.complexions[some, column] = mean_color(maps[part], model.config)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training complexions``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training complexions``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    model, info = load_checkpoint(weights)
    if not (model.config.people > 1 and model.config.detail_directions):
        raise PortraitError(
            f"{weights} mixes no people, or has no fine structure, which complexions go with. Run "
            "`python -m training detail` first."
        )
    write_model(arguments.out, with_complexions(model), info)
    print(arguments.out)
    return 0
