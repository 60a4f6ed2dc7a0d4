"""``python -m training blend``: the weighted mean of two models of one run.

A run that goes on stays near where it was, so that weights in between draw as well (Wortsman et al.
2022, "Model soups"). What a discriminator has taught the render net in its grid, nets of hair and
coloured fringes, differs from step to step and fades in the mean; what reconstruction has taught
both does not. The render net alone draws that grid, so it may have a share of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from core.checkpoint import load_checkpoint
from core.errors import PortraitError
from core.model import SSGAN3D
from training.model_files import is_trait, write_model


def is_kept(name: str) -> bool:
    """Whether a tensor names people, their parts or their traits, and is the same in both."""
    room, _, own = name.partition(".")
    return room == "mapping" and (own in ("keys", "presence") or is_trait(own))


def blend(first: SSGAN3D, second: SSGAN3D, share: float, net_share: float | None = None) -> SSGAN3D:
    """A model whose weights and codes are ``share`` of the second's and the rest of the first's.

    Args:
        first: the one run's earlier model.
        second: its later model.
        share: of the second, 0 to 1.
        net_share: of the second in the render net; None is ``share``.

    Raises:
        PortraitError: the models are built differently or mix other people.
    """
    mine, other = first.state_dict(), second.state_dict()
    same = first.config == second.config and all(
        torch.equal(mine[name], other[name]) for name in filter(is_kept, mine)
    )
    if not same:
        raise PortraitError(
            "These models differ in their configuration or in whom they mix: only models of one "
            "run have a mean that draws people."
        )
    shares = dict.fromkeys(mine, share)
    if net_share is not None:
        shares |= {name: net_share for name in mine if name.startswith("render_net.")}
    mean = SSGAN3D(first.config)
    mean.load_state_dict(
        {
            name: value if is_kept(name) else value.lerp(other[name], shares[name])
            for name, value in mine.items()
        }
    )
    return mean.eval().requires_grad_(False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training blend``."""
    parser.add_argument("--weights", type=Path, required=True, help="a model file of a run")
    parser.add_argument("--other", type=Path, required=True, help="one of the same run, later")
    parser.add_argument("--share", type=float, default=0.5, help="of the other, 0 to 1 (0.5)")
    parser.add_argument(
        "--net-share", type=float, help="of the other in the render net (as --share)"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training blend``."""
    net_share = arguments.share if arguments.net_share is None else arguments.net_share
    for share in (arguments.share, net_share):
        if not 0 <= share <= 1:
            raise PortraitError(f"A share of {share:g} is not between 0 and 1.")
    (first, before), (second, info) = (
        load_checkpoint(path) for path in (arguments.weights, arguments.other)
    )
    blended = {
        "share": arguments.share,
        "render net's share": net_share,
        "steps of the first": before.get("steps"),
    }
    model = blend(first, second, arguments.share, net_share)
    write_model(arguments.out, model, info | {"blended": blended})
    print(f"{arguments.out}: {arguments.share:g}, {net_share:g} of {arguments.other}")
    return 0
