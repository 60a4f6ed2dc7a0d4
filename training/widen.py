"""``python -m training widen``: larger part generators, which make what they made.

A generator of 64 channels is small for what a thousand people's eyes are: 51 people alone, from the
same start, came a sixth nearer to their renders within minutes, where all of them had stopped to
gain. The new channels see all others and nobody sees them at first (function-preserving growth:
Chen, Goodfellow and Shlens 2016), so that a training goes on from where it was.

A map of a multiple of texels repeats each position, and so the old map's values. Otherwise
positions lie between the old ones, and the layers bend what is made of them: where a scalp is
barely dense, it thins.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.config import ModelConfig, PartMapSpec
from core.engine import embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.parts import PART_NAMES
from training.graft import parameters_of
from training.model_files import write_model

PRODUCTS = {"weight", "detail_weight"}
"""Parameters of part generators from channels to channels, (…, C in, C out)."""
HEADS = {"geometry_weight", "feature_weight", "detail_head", "paint_head"}
"""From channels to what a generator gives, (C, …)."""


def widen(
    model: SSGAN3D, parts: Collection[str], hidden: int, texels: tuple[int, int] | None = None
) -> SSGAN3D:
    """A model that makes the same, with ``hidden`` channels in the generators of ``parts``.

    Args:
        texels: height and width of their maps; None leaves them.

    Raises:
        PortraitError: they have more channels or texels, or as many of both.
    """
    config, maps = model.config, list(model.config.maps)
    for name in parts:
        part = PART_NAMES.index(name)
        spec, has = maps[part], config.hidden_of(part)
        size = (spec.height, spec.width)
        height, width = texels or size
        if has > hidden or spec.height > height or spec.width > width:
            raise PortraitError(
                f"The generator of {name} has {has} channels for {spec.height} × {spec.width} "
                "texels, and cannot shrink."
            )
        if has == hidden and size == (height, width):
            raise PortraitError(f"The generator of {name} is as large already.")
        maps[part] = replace(spec, hidden=hidden, height=height, width=width)
    return _grown(model, replace(config, maps=tuple(maps)))


def with_paint(model: SSGAN3D, size: int) -> SSGAN3D:
    """A model that makes the same, with an atlas of paint of ``size`` texels a side, still blank.

    Raises:
        PortraitError: it has paint.
    """
    if model.config.paint_size:
        raise PortraitError("The model has paint already.")
    return _grown(model, replace(model.config, paint_size=size))


def _grown(model: SSGAN3D, to: ModelConfig) -> SSGAN3D:
    """The model in a larger configuration."""
    config, maps = model.config, to.maps
    wide = SSGAN3D(to)
    state = wide.state_dict()
    state |= {k: v for k, v in model.state_dict().items() if not k.startswith("generators.")}
    wide.load_state_dict(state)
    for part, (old, new) in enumerate(zip(config.maps, maps, strict=True)):
        mine, given = parameters_of(wide, part), parameters_of(model, part)
        if "position" in given:
            given["position"] = _enlarged(given["position"], old, new)
        for name, tensor in mine.items():
            if name in given:  # paint starts blank
                put_in(tensor, given[name], name)
    return wide.eval().requires_grad_(False)


def _enlarged(position: Tensor, old: PartMapSpec, new: PartMapSpec) -> Tensor:
    """Positions (H W, C) of a map as those of a larger one."""
    if (old.height, old.width) == (new.height, new.width):
        return position
    grid = position.T.unflatten(1, (old.height, old.width))[None]
    size = (new.height, new.width)
    if new.height % old.height or new.width % old.width:
        grid = F.interpolate(grid, size=size, mode="bicubic", align_corners=False)
    else:
        grid = F.interpolate(grid, size=size, mode="nearest-exact")
    return grid[0].flatten(1).T


def put_in(wide: Tensor, given: Tensor, name: str) -> None:
    """Fill the first channels of a parameter from a narrower one; they see no others."""
    width = given.shape[-2] if name in PRODUCTS else given.shape[0]
    if name in PRODUCTS:
        wide[..., width:, :width] = 0
    elif name in HEADS:
        wide[width:] = 0
    wide[tuple(slice(size) for size in given.shape)] = given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training widen``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument("--parts", nargs="+", choices=PART_NAMES, default=[], help="which parts")
    parser.add_argument("--hidden", type=int, default=128, help="channels (default 128)")
    parser.add_argument(
        "--texels",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of their maps (as they are)",
    )
    parser.add_argument(
        "--paint",
        type=int,
        metavar="TEXELS",
        help="give the face an atlas of paint of so many texels a side, blank at first",
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training widen``."""
    if not arguments.parts and not arguments.paint:
        raise PortraitError("Say what shall grow: --parts, --paint or both.")
    torch.manual_seed(0)
    model, info = load_checkpoint(arguments.weights or embedded_weights())
    texels = tuple(arguments.texels) if arguments.texels else None
    if arguments.parts:
        model = widen(model, arguments.parts, arguments.hidden, texels)
        print(f"{arguments.hidden} channels for {', '.join(arguments.parts)}")
    if arguments.paint:
        model = with_paint(model, arguments.paint)
        print(f"an atlas of {arguments.paint} x {arguments.paint} texels")
    write_model(arguments.out, model, info)
    return 0
