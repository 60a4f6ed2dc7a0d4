"""Lookups in parts of a picture are the lookups in the whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional as F

from core.lookup import lookup


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """As many threads as a lookup may be shared out among."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("repeat_border", [True, False])
@pytest.mark.parametrize("batch", [1, 2])
def test_lookup_is_that_of_torch(threads: int, batch: int, repeat_border: bool) -> None:
    """Whatever the threads, for places inside and outside of the maps."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(batch, 3, 20, 30, generator=generator)
    grid = torch.rand(batch, 66, 96, 2, generator=generator) * 3 - 1.5
    expected = F.grid_sample(
        maps, grid, padding_mode="border" if repeat_border else "zeros", align_corners=False
    )
    assert torch.equal(lookup(maps, grid, repeat_border=repeat_border), expected)


def test_one_map_serves_many_pictures_and_gets_their_gradients() -> None:
    """A portrait's own map, seen from several sides while it is fitted."""
    maps = torch.rand(1, 2, 8, 8, requires_grad=True)
    grid = torch.zeros(3, 64, 64, 2)  # the middle of the map
    found = lookup(maps, grid)
    assert found.shape == (3, 2, 64, 64)
    found.sum().backward()
    assert maps.grad is not None
    # between four texels, a quarter each
    assert maps.grad[0, :, 3:5, 3:5] == pytest.approx(3 * 64 * 64 / 4)
    assert maps.grad.sum().item() == pytest.approx(2 * 3 * 64 * 64)
