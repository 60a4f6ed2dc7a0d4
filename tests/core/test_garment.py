"""Garments: what is where on them, by hand."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from core.garment import (
    KINDS,
    LOOSE,
    NECK_AXIS,
    ORDER,
    TERMS,
    WAVES,
    Garment,
    around_neck,
    collar_line,
    jacket_line,
    polynomial,
    printed,
    series,
    worn_colors,
)
from tests.core.cloth import UNIT, worn

FINE = 1e-4
HIGH = math.pi / 2


def at(*places: tuple[float, float, float]) -> Tensor:
    """Some places as a row of texels, (1, 3, 1, n)."""
    return torch.tensor(places, dtype=torch.float32).T[None, :, None]


def share(kind: str, waves: list[list[float]], place: tuple[float, float, float]) -> float:
    garment = Garment.of(worn(kind, waves))
    return round(float(printed(garment.kinds, garment.waves, at(place), FINE)), 4)


def test_prints_by_hand() -> None:
    up, across = [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]
    line = math.asin(0.75)
    assert share("stripes", [up], (0, HIGH, 0)) == 1 and share("stripes", [up], (0, -HIGH, 0)) == 0
    assert share("stripes", [[0.0, 1.0, 0.0, math.pi]], (0, HIGH, 0)) == 0  # by its phase
    assert share("pinstripes", [across], (line + 0.01, 0, 0)) == 1
    assert share("pinstripes", [across], (line - 0.01, 0, 0)) == 0
    assert share("checks", [across, up], (HIGH, HIGH, 0)) == 1
    assert share("checks", [across, up], (HIGH, -HIGH, 0)) == 0.5
    assert share("dots", [across, up], (HIGH, HIGH, 0)) == 1
    assert share("dots", [across, up], (HIGH, math.asin(0.54), 0)) == 0
    assert share("dots", [across, up], (-HIGH, -HIGH, 0)) == 1  # in the gaps between the others
    assert share("yoke", [], (0, 5.2, 0)) == 1 and share("yoke", [], (0, 5.4, 0)) == 0
    # ten waves of which five count half: all at their heights, at their depths, and at zero
    for phase, expected in ((HIGH, 1), (-HIGH, 0), (0.0, 0.5)):
        assert share("blotches", [[0.0, 0.0, 0.0, phase]] * WAVES, (0, 0, 0)) == expected
    coarse = [[0.0, 0.0, 0.0, HIGH]] * 5 + [[0.0, 0.0, 0.0, -HIGH]] * 5
    assert share("blotches", coarse, (0, 0, 0)) == 1


def test_garments_side_by_side_are_what_they_are_alone() -> None:
    up, across = [0.0, 3.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]
    several = [
        worn("stripes", [up]),
        worn(),
        worn("checks", [across, up]),
        worn("yoke"),
        worn("blotches", [[2.0, 1.0, 0.5, float(n)] for n in range(WAVES)]),
    ]
    places = at(*((0.1 * n, 0.07 * n, 0.0) for n in range(-9, 10)))
    together = Garment.of(torch.cat(several))
    made = printed(together.kinds, together.waves, places.expand(len(several), -1, -1, -1), FINE)
    for own, numbers in zip(made, several, strict=True):
        alone = Garment.of(numbers)
        torch.testing.assert_close(own[None], printed(alone.kinds, alone.waves, places, FINE))


def test_edges_are_as_wide_as_a_texel() -> None:
    """A tenth of a unit that is a fifth of a radian."""
    garment = Garment.of(worn("stripes", [[0.0, 2.0, 0.0, 0.0]]))
    places = at(*((0.0, y, 0.0) for y in torch.linspace(-0.25, 0.25, 101).tolist()))
    made = printed(garment.kinds, garment.waves, places, 0.1)
    rising = (made > 0) & (made < 1)
    assert rising.sum() == pytest.approx(20, abs=1)  # a two-hundredth of a unit each


def test_polynomials_by_hand() -> None:
    numbers = torch.zeros(1, 3 * TERMS)
    numbers[0, :TERMS] = torch.arange(TERMS)  # 0 + x + 2y + 3z + 4x² + 5y² + 6z² + 7xy + 8xz + 9yz
    x, y, z = 0.5, -1.0, 2.0
    second = 4 * x * x + 5 * y * y + 6 * z * z + 7 * x * y + 8 * x * z + 9 * y * z
    made = polynomial(numbers, at((x, y, z)))
    assert made.flatten().tolist() == pytest.approx([x + 2 * y + 3 * z + second, 0, 0])


def test_a_collar_ends_where_it_is_cut() -> None:
    """5.8 behind, 0.1 lower in front, with a notch of 0.4 that is half a unit wide."""
    collar = torch.tensor([[5.8, 0.1, 0.4, 0.25, 0.9]])
    behind, middle, beside, shoulder = (0.0, 5, -1), (0.0, 5, 2), (0.125, 5, 2), (1.2, 5, -1)
    line = collar_line(collar, at(behind, middle, beside, shoulder)).flatten()
    assert line.tolist() == pytest.approx([5.8, 5.3, 5.5, 6.7])


def test_a_jacket_is_open_in_front() -> None:
    places = at((0.1, 5, 1), (0.5, 5, 1), (0.5, 6, 1), (0.1, 5.5, 0), (0.1, 6.1, 0))
    line = jacket_line(torch.tensor([[0.2]]), places).flatten()
    # its opening is wider above, and its back ends at 6
    assert line.tolist() == pytest.approx([-0.1, 0.3, -0.45, 0.5, -0.1], abs=1e-6)


def test_a_scarf_lies_around_the_neck() -> None:
    around = torch.zeros(1, 3, 2 * ORDER + 1)
    around[0, :, 0] = torch.tensor([-0.9, -0.7, 0.4])  # its edges and its reach
    around[0, 0, 1] = -0.1  # deeper in front (by the cosine), less deep behind
    front, side = (0.0, -0.95, NECK_AXIS + 0.3), (0.3, -0.95, NECK_AXIS)
    far, high = (0.4 + LOOSE + 0.01, -0.8, NECK_AXIS), (0.0, -0.6, NECK_AXIS + 0.3)
    within = (0.4 + LOOSE - 0.01, -0.8, NECK_AXIS)
    made = around_neck(around.flatten(1), at(front, side, far, high, within), FINE)
    assert made.flatten().tolist() == [1, 0, 0, 0, 1]
    assert not around_neck(torch.zeros_like(around).flatten(1), at(front, side), FINE).any()
    waves = series(torch.tensor([[0.3]])).flatten().tolist()
    assert waves == pytest.approx(
        [1, *(f(n * 0.3) for n in (1, 2, 3) for f in (math.cos, math.sin))]
    )


def test_colours_lie_one_over_the_other() -> None:
    """Print on cloth, trim over both, and a scarf over all."""
    colors = [math.log(c) for c in (2.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 4.0)]
    numbers = worn("stripes", [[0.0, 30 / UNIT, 0.0, 0.0]], colors, collar=0.0)
    garment = Garment.of(numbers)
    garment.around[0, 0], garment.around[0, 7], garment.around[0, 14] = -0.3, -0.2, 1.0
    garment.shown.fill_(1)
    stripe, gap = math.pi / 60, -math.pi / 60
    period = 2 * math.pi / 30
    places = at(*((0.0, y, 0.0) for y in (stripe - 4 * period, gap - 4 * period, -0.03, -0.25)))
    half = partial(torch.full_like, fill_value=0.5)
    made, print_ = worn_colors(garment, places, FINE, UNIT, half)
    red, green, blue = made[0, :, 0]
    assert red.tolist() == pytest.approx([1.5, 1.5, 1, 1])  # printed cloth in its mean colour
    assert green.tolist() == pytest.approx([1, 1, 3, 1])
    assert blue.tolist() == pytest.approx([1, 1, 1, 4])
    # lines over and below that mean, on cloth alone
    assert print_[0, 0, 0].tolist() == pytest.approx([2 / 1.5, 1 / 1.5, 1, 1], abs=1e-4)
    assert len(KINDS) == garment.kinds.shape[1]
