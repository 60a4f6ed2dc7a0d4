"""Where crops around a part lie in pictures."""

from __future__ import annotations

import torch

from core.config import ModelConfig
from training.crops import Frame


def test_the_shipped_models_crops_lie_around_the_part() -> None:
    frame = Frame.of(ModelConfig.shipped())
    assert (frame.height, frame.width, frame.margin) == (24, 32, 4)
    share = torch.zeros(3, 64, 64)
    share[0, 30:34, 20:40] = 1  # in the middle: rows 20 to 43, columns 14 to 45
    share[1, :2, 60:] = 1  # in a corner: as near as the picture allows
    corners = frame.corners(share, torch.Generator())  # the last is not seen
    assert corners == [(20, 14), (0, 32), (20, 16)]
    numbers = torch.arange(64 * 64, dtype=torch.float32)
    crops = frame.crop(numbers.view(1, 1, 64, 64).expand(3, -1, -1, -1), corners, 64)
    assert torch.equal(crops.flatten(1), frame.rays(corners, 64).float())
    assert frame.grid(crops.flatten(2)).shape == (3, 1, 24, 32)
    # without four rows of rays above and below
    assert torch.equal(frame.inner(crops), crops[:, :, 4:20])
    assert frame.inner(torch.zeros(1, 3, 96, 128)).shape == (1, 3, 64, 128)


def test_larger_parts_are_seen_around_random_rays_of_theirs() -> None:
    frame = Frame.of(ModelConfig.shipped())
    share = torch.zeros(200, 64, 64)
    share[:, 2:62, 10:14] = 1  # a strand of sixty rows, four columns wide
    corners = frame.corners(share, torch.Generator().manual_seed(0))
    rows = sorted({top for top, _ in corners})
    # the middle 16 rows of 24 reach all of it, as far as the picture lets them
    assert rows[0] == 0 and rows[-1] == 40 and len(rows) > 30
    assert {left for _, left in corners} == {0}  # centred across, as near as the picture allows
