"""Contact sheets: many seeds' portraits in one picture, each with its number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .camera import Camera
from .compositing import display_picture
from .config import DEFAULT_TRUNCATION
from .errors import PortraitError

if TYPE_CHECKING:
    from .engine import PortraitEngine

MAX_SIDE = 16384
MAX_SEEDS = 1_000_000
"""Of one list: more than any sheet holds."""
TILE_SIDES = (16, 1024)
_PAPER = 0.97
_INK = 0.15
# 3 × 5 pixels each, rows from the top: enough to read a number by, without a font.
_DIGITS = {
    "0": "111101101101111",
    "1": "010110010010111",
    "2": "111001111100111",
    "3": "111001111001111",
    "4": "101101111001001",
    "5": "111100111001111",
    "6": "111100111101111",
    "7": "111001010010010",
    "8": "111101111101111",
    "9": "111101111001111",
}


def parse_seeds(text: str) -> list[int]:
    """Seeds from "0:64" (64 is left out, as in Python), "3,17,20:24" or "5".

    Raises:
        PortraitError: the text is something else, or there are too many.
    """
    seeds: list[int] = []
    for item in text.split(","):
        first, colon, end = item.strip().partition(":")
        if (
            not first.isdecimal()
            or (colon and not end.isdecimal())
            or max(map(len, (first, end))) > 19
        ):
            raise PortraitError(
                "{0!r} are no seeds: write FROM:TO or numbers, as 0:64 or 3,7.", text
            )
        some = range(int(first), int(end)) if colon else range(int(first), int(first) + 1)
        if len(seeds) + len(some) > MAX_SEEDS:
            raise PortraitError("{0!r} are more than {1} seeds: take fewer.", text, MAX_SEEDS)
        seeds += some
    if not seeds:
        raise PortraitError("There is no seed in {0!r}: the second number must be larger.", text)
    return seeds


def contact_sheet(
    engine: PortraitEngine,
    seeds: Sequence[int],
    *,
    columns: int | None = None,
    tile: int = 128,
    truncation: float = DEFAULT_TRUNCATION,
    yaw: float = 0.0,
    pitch: float = 0.0,
    progress: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """Portraits in rows, their seeds below them.

    Args:
        columns: None takes as many as make the sheet about square.
        tile: side of a portrait in pixels.
        truncation: as in :meth:`~.engine.PortraitEngine.sample`.
        yaw, pitch: of the camera, in radians.
        progress: called with the share that is done, 0 to 1; what it raises ends the work.

    Returns:
        (H, W, 4) sRGB in [0, 1], opaque, row 0 at the top.

    Raises:
        PortraitError: there is no seed, or a size is out of range.
    """
    if not seeds:
        raise PortraitError("There is no seed for the contact sheet.")
    if not TILE_SIDES[0] <= tile <= TILE_SIDES[1]:
        raise PortraitError(
            "Portraits of a contact sheet have {0} to {1} pixels a side, not {2}.",
            TILE_SIDES[0],
            TILE_SIDES[1],
            tile,
        )
    across = math.ceil(math.sqrt(len(seeds))) if columns is None else columns
    if across < 1:
        raise PortraitError("A contact sheet needs at least one column, not {0}.", across)
    across = min(across, len(seeds))
    gap, scale = max(2, tile // 32), max(1, tile // 64)
    step = (tile + 7 * scale + gap, tile + gap)  # of rows and columns
    size = (math.ceil(len(seeds) / across) * step[0] + gap, across * step[1] + gap)
    if max(size) > MAX_SIDE:
        raise PortraitError(
            "This contact sheet would have {0} × {1} pixels, and {2} a side are the "
            "most. Take fewer seeds or smaller portraits.",
            size[1],
            size[0],
            MAX_SIDE,
        )
    sheet = torch.full((*size, 4), _PAPER)
    sheet[..., 3] = 1
    camera = Camera.orbit(yaw, pitch)
    for index, seed in enumerate(seeds):
        progress(index / len(seeds))
        rendering = engine.render(engine.sample(seed, truncation), camera, size=(tile, tile))
        top, left = (gap + (index // across) * step[0], gap + (index % across) * step[1])
        sheet[top : top + tile, left : left + tile] = display_picture(rendering)
        number = _number(seed, scale)
        if number.shape[1] > tile:
            continue  # a part of a number would be another seed's
        under = sheet[top + tile + scale :, left:][: number.shape[0], : number.shape[1], :3]
        under[number] = _INK
    progress(1.0)
    return sheet


def _number(value: int, scale: int) -> Tensor:
    """A number as pixels, (5 scale, W) bool."""
    columns = []
    for digit in str(value):
        bits = torch.tensor([bit == "1" for bit in _DIGITS[digit]]).reshape(5, 3)
        columns += [bits, torch.zeros(5, 1, dtype=torch.bool)]
    return torch.cat(columns, 1).repeat_interleave(scale, 0).repeat_interleave(scale, 1)
