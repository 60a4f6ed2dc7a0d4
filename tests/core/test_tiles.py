"""Tiles on the surface, by hand."""

from __future__ import annotations

import dataclasses

import torch

from core.config import ModelConfig
from core.tiles import cut, extent, looked_up, texels_of, tile_positions, wrapped

CONFIG = dataclasses.replace(ModelConfig.tiny(), detail_density=2.0)


def test_extent_and_cut_by_hand() -> None:
    found = torch.zeros(8, 8, dtype=torch.bool)
    assert extent(found) is None
    found[2, 0] = found[4, 7] = True
    part = extent(found)
    assert part == (slice(1, 6), slice(0, 8))  # one more above and below, none beyond the picture
    picture = torch.arange(16.0 * 16).reshape(1, 16, 16)
    inside = cut(picture, part, 8)
    assert inside.shape == (1, 10, 16) and inside[0, 0, 0] == picture[0, 2, 0]
    inside.zero_()
    assert picture[0, 2:12].eq(0).all() and picture[0, 12, 0] > 0


def test_a_tile_is_looked_up_between_its_texels_and_goes_on_beyond_them() -> None:
    tile = torch.arange(16.0).reshape(1, 1, 4, 4)
    # texel centres lie half a texel in; (right, up), rows count with v
    places = torch.tensor([[0.5, 0.5], [1.0, 0.5], [4.5, 8.5], [0.0, 0.5]]).T[None, :, None]
    expected = torch.tensor([0.0, 0.5, 0.0, 1.5])  # the last lies between texels 3 and 0
    torch.testing.assert_close(looked_up(wrapped(tile), places)[0, 0, 0], expected)


def test_positions_are_texels_of_a_surface_that_may_be_seen_half() -> None:
    assert texels_of(CONFIG) == 2 * CONFIG.image_size / CONFIG.frame_side
    u, v, met = 0.25, -0.5, 0.5
    surface = torch.tensor([u * met, v * met, met])[None, :, None, None].expand(1, 3, 4, 6)
    where = tile_positions(surface, (8, 12), CONFIG)
    assert where.shape == (1, 2, 8, 12)
    expected = torch.tensor([u, v])[None, :, None, None] * texels_of(CONFIG)
    torch.testing.assert_close(where, expected.expand_as(where))
