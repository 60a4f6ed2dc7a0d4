"""Means nearby, against sums by hand and convolutions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from core.blur import blurred, box_means, gaussian_means


def test_box_means_by_hand() -> None:
    """Texels that lie outside of the map do not count."""
    means = box_means(torch.tensor([[0.0, 3.0, 6.0], [9.0, 12.0, 15.0], [18.0, 21.0, 24.0]]), 1)
    # a corner has four texels, an edge six, the middle nine
    assert means[0, 0].item() == pytest.approx((0 + 3 + 9 + 12) / 4)
    assert means[1, 0].item() == pytest.approx((0 + 3 + 9 + 12 + 18 + 21) / 6)
    assert means[1, 1].item() == pytest.approx(12.0)


def test_gaussian_means_leave_what_is_even_and_bend_with_the_border() -> None:
    """Ones stay ones up to the border; a step is a mean of what lies on the map."""
    ones = gaussian_means(torch.ones(2, 3, 70, 150), 2.5)
    assert (ones - 1).abs().max().item() < 1e-5
    point = torch.zeros(1, 5, 131)
    point[0, 2, 0] = 1
    line = gaussian_means(point, 1.0)[0, 2]
    weights = [1.0, 0.60653, 0.13534, 0.01111, 0.00034]  # exp(-n² / 2)
    along = weights[0] / sum(weights)  # half of a Gaussian lies on the map
    down = weights[0] / (weights[0] + 2 * weights[1] + 2 * weights[2])  # five rows
    assert line[0].item() == pytest.approx(along * down, rel=1e-3)
    assert line[20:].abs().max().item() == 0


@pytest.mark.parametrize("size", [(3, 64), (65, 200)])
def test_blurred_is_a_convolution_of_each_channel_with_its_kernel(size: tuple[int, int]) -> None:
    """For maps that fill blocks of a product, and for others."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 3, size[0] + 6, size[1] + 6, generator=generator)
    kernels = torch.rand(3, 7, generator=generator)
    expected = F.conv2d(maps, kernels[:, None, None], groups=3)
    expected = F.conv2d(expected, kernels[:, None, :, None], groups=3)
    made = blurred(maps, kernels)
    assert made.shape == (2, 3, *size)
    assert (made - expected).abs().max().item() < 1e-4
