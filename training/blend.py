"""``python -m training blend``: the weighted mean of two models of one run.

A run that goes on stays near where it was, so that weights in between draw as well (Wortsman et al.
2022, "Model soups"). What a discriminator has taught the render net in its grid, nets of hair and
coloured fringes, differs from step to step and fades in the mean; what reconstruction has taught
both does not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.errors import PortraitError
from core.model import SSGAN3D
from training.export import LICENCE

KEPT = ("mapping.keys", "mapping.presence")
"""What names people and their parts, and is the same in both."""


def blend(first: SSGAN3D, second: SSGAN3D, share: float) -> SSGAN3D:
    """A model whose weights and codes are ``share`` of the second's and the rest of the first's.

    Raises:
        PortraitError: the models are built differently or mix other people.
    """
    mine, other = first.state_dict(), second.state_dict()
    same = first.config == second.config and all(
        torch.equal(mine[name], other[name]) for name in KEPT if name in mine
    )
    if not same:
        raise PortraitError(
            "These models differ in their configuration or in whom they mix: only models of one "
            "run have a mean that draws people."
        )
    mean = SSGAN3D(first.config)
    mean.load_state_dict(
        {
            name: value if name in KEPT else value.lerp(other[name], share)
            for name, value in mine.items()
        }
    )
    return mean.eval().requires_grad_(False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training blend``."""
    parser.add_argument("--weights", type=Path, required=True, help="a model file of a run")
    parser.add_argument("--other", type=Path, required=True, help="one of the same run, later")
    parser.add_argument("--share", type=float, default=0.5, help="of the other, 0 to 1 (0.5)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training blend``."""
    if not 0 <= arguments.share <= 1:
        raise PortraitError(f"A share of {arguments.share:g} is not between 0 and 1.")
    (first, before), (second, info) = (
        load_checkpoint(path) for path in (arguments.weights, arguments.other)
    )
    blended = {"share": arguments.share, "steps of the other": before.get("steps")}
    model = blend(first, second, arguments.share)
    save_checkpoint(arguments.out, model, info | {"blended": blended}, half=True, licence=LICENCE)
    print(f"{arguments.out}: {arguments.share:g} of {arguments.other}")
    return 0
