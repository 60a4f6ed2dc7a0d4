"""Tiles on the surface, by hand."""

from __future__ import annotations

import dataclasses

import torch

from core.config import ModelConfig
from core.tiles import cut, extent, looked_up, texels_of, tile_positions, unstretched, wrapped

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


def test_what_is_stretched_fades_by_hand() -> None:
    right, up = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="xy")

    def shown(matrix: list[list[float]]) -> float:
        places = torch.einsum("ij,jhw->ihw", torch.tensor(matrix), torch.stack([right, up]))
        inner = unstretched(places[None], 0.5)[..., 1:-1, 1:-1]
        assert float(inner.std()) < 1e-6
        return float(inner[0, 0, 0, 0])

    assert shown([[0.9, 0.0], [0.0, 0.9]]) == 1.0
    assert abs(shown([[0.2, 0.0], [0.0, 0.9]]) - 0.4) < 1e-6  # a fifth of a texel a pixel
    turned = [[0.0, 0.9], [-0.1, 0.0]]
    assert abs(shown(turned) - 0.2) < 1e-6
