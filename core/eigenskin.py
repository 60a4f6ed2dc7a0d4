"""What of people's skins a generator leaves out, as principal components.

Folds, patches of colour, outlines of beards and the light on a cheek are each person's own, but
they come again and again: in a space of textures, as those of a morphable model (Blanz and Vetter
1999), a few dozen components hold most of them (eigenfaces: Turk and Pentland 1991). They are what
renders of the people whom a model mixes have more than its pictures of them (``python -m training
eigenskin``), and how much of each a person has is kept with the people (:mod:`.components`).

The mean and the components are logarithms of what red, green and blue of the skin are multiplied
with, on a map in lifting coordinates. Their sum is drawn into the tile of the skin's grain
(:mod:`.grain`), which no face shows twice, and costs a picture nothing.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from .config import ModelConfig, Window
from .grain import SIDE
from .lifting import window_coordinates
from .lookup import lookup
from .tiles import tile_coordinates

WINDOW: Window = (-0.66, 0.66, -0.86, 0.80)
"""Of the map: the skin of faces, and of heads up to the crown."""
SIZE = 106, 84
"""Its texels down and across: two of the grain's tile either way, in the trained framing."""


def eigenskin_tile(light: Tensor, config: ModelConfig) -> Tensor:
    """Such maps, (B, 3, h, w), on the tile of the grain, (B, 3, t, t)."""
    grid = _grid(config, light.device).expand(len(light), -1, -1, -1)
    return lookup(light, grid)


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _grid(config: ModelConfig, device: torch.device) -> Tensor:
    """Where the tile's texels lie on the map, (1, t, t, 2)."""
    u, v = tile_coordinates(SIDE, config, device)
    return window_coordinates(torch.stack([u, v], -1), WINDOW)[None]
