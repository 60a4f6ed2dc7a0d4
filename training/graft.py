"""``python -m training graft``: a model with some parts' generators of another one.

Two models that one training grew from are close enough for that: what the other learnt about a part
comes over, and the render net with its detail stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from core.checkpoint import load_checkpoint
from core.engine import embedded_weights
from core.errors import PortraitError
from core.generators import PartGroup
from core.model import SSGAN3D
from core.parts import PART_NAMES
from core.people_mixture import PeopleMixture
from training.model_files import TRAIT_FIELDS, write_model

LAYERED = {"weight", "bias", "style_bias", "base_style", "code_style"}
"""Parameters of part generators whose first axis are layers and the second parts, not the first."""


def parameters_of(model: SSGAN3D, part: int) -> dict[str, Tensor]:
    """Views of what the generator of one part alone consists of, by its name in the group."""
    for group in model.generators.groups:
        assert isinstance(group, PartGroup)
        if part in group.parts:
            row = group.parts.index(part)
            return {
                name: parameter.detach().select(1 if name in LAYERED else 0, row)
                for name, parameter in group.named_parameters()
            }
    raise ValueError(part)


def graft(model: SSGAN3D, donor: SSGAN3D, parts: Collection[str]) -> None:
    """Give ``model`` the donor's generators of ``parts``; all else stays.

    Where both mix the same people, these come with the donor's codes of the parts, which its
    generators are made for.

    Raises:
        PortraitError: the two are built otherwise.
    """
    rows = [PART_NAMES.index(name) for name in parts]
    mine, given = model.config, donor.config
    alike = replace(
        mine,
        maps=given.maps,
        upscaler_channels=given.upscaler_channels,  # which no part depends on
        upscaler_blocks=given.upscaler_blocks,
        **{field: getattr(given, field) for field in TRAIT_FIELDS},  # which its own people have
    )
    if alike != given:
        raise PortraitError("The two models have other sizes: graft from one of the same training.")
    for name, row in zip(parts, rows, strict=True):
        if mine.maps[row] != given.maps[row]:
            raise PortraitError(
                f"The generators of {name} have other sizes: bring the smaller one to the size of "
                "the other with `python -m training widen`."
            )
        learnt = parameters_of(donor, row)
        for parameter, tensor in parameters_of(model, row).items():
            tensor.copy_(learnt[parameter])
    if same_people(model, donor):
        for name in ("shape", "texture"):
            getattr(model.mapping, name)[:, rows] = getattr(donor.mapping, name)[:, rows]


def same_people(model: SSGAN3D, donor: SSGAN3D) -> bool:
    """Whether both mix people, and the same ones: their keys say so."""
    keys = [m.mapping.keys for m in (model, donor) if isinstance(m.mapping, PeopleMixture)]
    return len(keys) == 2 and torch.equal(*keys)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training graft``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument("--donor", type=Path, required=True, help="model file to take parts from")
    parser.add_argument("--parts", nargs="+", choices=PART_NAMES, required=True, help="which parts")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training graft``."""
    weights = arguments.weights or embedded_weights()
    model, info = load_checkpoint(weights)
    donor, learnt = load_checkpoint(arguments.donor)
    graft(model, donor, arguments.parts)
    once = {"parts": arguments.parts, "refined": learnt.get("refined", [])}
    if "close-ups" in learnt:
        once["close-ups"] = learnt["close-ups"]
    if "people" in learnt and same_people(model, donor):
        info["people"] = learnt["people"]
    write_model(arguments.out, model, info, grafted=once)
    print(f"{arguments.out}: {', '.join(arguments.parts)} of {arguments.donor}")
    return 0
