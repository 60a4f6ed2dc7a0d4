"""A map is the mean and what somebody has of each component."""

from __future__ import annotations

import torch

from core.components import EigenMaps


def test_a_map_is_the_mean_and_as_much_of_each_component() -> None:
    maps = EigenMaps(people=4, components=2, shape=(3, 2))
    assert maps.amounts.shape == (4, 2)
    maps.planes[0], maps.planes[1], maps.planes[2] = 10, 100, -50
    maps.planes[2, 1, 1] = 50
    maps.steps.fill_(0.01)
    found = maps(torch.tensor([[0.0, 0.0], [2.0, 1.0]]))
    torch.testing.assert_close(found[0], torch.full((3, 2), 0.1))
    expected = torch.full((3, 2), 0.1 + 2.0 - 0.5)
    expected[1, 1] = 0.1 + 2.0 + 0.5
    torch.testing.assert_close(found[1], expected)
