"""The moved picture: rays that move it, and the error of what does not move along."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.camera import Camera
from core.config import ModelConfig
from core.model import GeneratorOutput
from core.parts import BACKGROUND, PART_COUNT
from core.volume import camera_tensors
from training.adversarial import shift_error, shifted, view_of

CONFIG = ModelConfig.tiny()
SIDE, SIZE = CONFIG.ray_size, CONFIG.image_size
RAY = SIZE // SIDE


def test_a_whole_ray_of_shift_is_the_next_ray() -> None:
    _, directions, _ = camera_tensors([Camera.orbit(0.4, 0.1)], SIDE)
    before = directions[None].unflatten(2, (SIDE, SIDE))
    moved = shifted(directions[None], (RAY, 2 * RAY), CONFIG).unflatten(2, (SIDE, SIDE))
    np.testing.assert_allclose(moved[..., 2:, 1:, :], before[..., :-2, :-1, :], atol=1e-5)


def output_of(first: torch.Tensor, second: torch.Tensor, empty: torch.Tensor) -> GeneratorOutput:
    image = torch.stack([first, second])[None]  # (1, 2, 3, S, S)
    mask = torch.zeros(1, 2, PART_COUNT, SIDE, SIDE)
    mask[:, :, BACKGROUND] = empty
    none = torch.zeros(1, 2, 1)
    return GeneratorOutput(image, none, none, mask, none, none)


def test_only_what_stands_still_is_an_error() -> None:
    head = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    moved = head.roll((1, 2), (1, 2))  # one down, two to the right
    full = torch.zeros(SIDE, SIDE)
    assert shift_error(output_of(head, moved, full), (2, 1)) == 0
    assert shift_error(output_of(head, head, full), (2, 1)) > 0.1
    net = 0.5 * (torch.arange(SIZE) % RAY == 0)  # a line a ray, whatever is behind
    error = shift_error(output_of(head + net, moved + net, full), (2, 1))
    assert error == pytest.approx(0.25, abs=0.02)  # half of the columns differ by 0.5


def test_the_background_and_what_is_beside_it_do_not_count() -> None:
    head = torch.zeros(3, SIZE, SIZE)
    empty = torch.zeros(SIDE, SIDE)
    empty[:, :4] = 1.0
    second = head.clone()
    second[..., : 6 * RAY] = 1.0  # the background and two rays of the head
    assert shift_error(output_of(head, second, empty), (0, 1)) == 0
    second[..., : 7 * RAY] = 1.0
    assert shift_error(output_of(head, second, empty), (0, 1)) > 0


def test_one_view_of_two() -> None:
    first, second = torch.zeros(3, SIZE, SIZE), torch.ones(3, SIZE, SIZE)
    both = output_of(first, second, torch.zeros(SIDE, SIDE))
    assert torch.equal(view_of(both, 1).image, second[None, None])
