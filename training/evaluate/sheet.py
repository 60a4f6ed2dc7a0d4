"""Pictures of what was measured, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from core.camera import Camera
from core.engine import PortraitEngine
from core.parts import PART_NAMES
from training.evaluate.pictures import resized
from training.sheets import save_sheet

SIDE = 128
GAIN = 4.0
"""Differences are shown this many times as strong."""


def rows(path: Path, pictures: Sequence[Sequence[Tensor]]) -> None:
    """Rows of pictures; short rows are filled with black."""
    width = max(len(row) for row in pictures)
    blank = -torch.ones_like(pictures[0][0])
    save_sheet(path, [[*row, *[blank] * (width - len(row))] for row in pictures])


def pairs(path: Path, couples: Sequence[tuple[Tensor, Tensor]], side: int = 10) -> None:
    """Couples of pictures, each over its other half, ``side`` couples a row."""
    small = [[resized(tile[None], SIDE)[0] for tile in couple] for couple in couples]
    lines = [small[start : start + side] for start in range(0, len(small), side)]
    rows(path, [[couple[half] for couple in line] for line in lines for half in (0, 1)])


def samples(path: Path, engine: PortraitEngine, truncation: float, side: int = 8) -> None:
    """Random portraits, ``side`` rows of ``side`` of them, frontal."""
    size = (SIDE, SIDE)
    tiles = [
        engine.render(engine.sample(seed, truncation), Camera.orbit(0.0), size=size).image[0]
        for seed in range(side * side)
    ]
    rows(path, [tiles[start : start + side] for start in range(0, len(tiles), side)])


def edits(path: Path, engine: PortraitEngine, pair: tuple[int, int], truncation: float) -> None:
    """A row a part: before, after its shape and texture were swapped, and the difference."""
    own, other = (engine.sample(seed, truncation) for seed in pair)
    cameras = [Camera.orbit(math.radians(yaw)) for yaw in (-40, 0, 40)]
    size = (SIDE, SIDE)
    table = []
    for part in PART_NAMES:
        base = own.with_visible({*own.visible_names, part})
        donor = other.with_visible({*other.visible_names, part})
        before = engine.render(base, cameras, size=size).image
        after = engine.render(base.replace(part, donor), cameras, size=size).image
        difference = (after - before).abs() * GAIN / 2
        strips = zip(before, after, difference.clamp(0, 1) * 2 - 1, strict=True)
        table.append([tile for strip in strips for tile in strip])
    rows(path, table)
