"""The render net's enlargements: no pattern of pixels at first, and none with the blur."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from core.config import ModelConfig
from core.errors import CheckpointError
from core.render_net import RenderNet, binomial_blur, blurred_picture

CONFIG = ModelConfig.tiny()


def test_a_new_net_enlarges_without_a_net_of_unequal_pixels() -> None:
    torch.manual_seed(0)
    net = RenderNet(CONFIG)
    with torch.no_grad():
        shuffled = torch.pixel_shuffle(net.enlarge[0](torch.randn(1, 8, 5, 5)), 2)
    squares = shuffled.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)  # (1, C, 5, 5, 4)
    assert float(squares.std(-1).max()) < 1e-6
    assert float(shuffled.std()) > 0.1


def test_the_blur_removes_a_pattern_of_pixels_and_nothing_else() -> None:
    row, column = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    net_pattern = ((row + column) % 2).float()[None, None]
    torch.testing.assert_close(
        binomial_blur(net_pattern)[..., 1:-1, 1:-1], torch.full((1, 1, 6, 6), 0.5)
    )
    ramp = column.float()[None, None]
    torch.testing.assert_close(binomial_blur(ramp)[..., 1:-1], ramp[..., 1:-1])


def test_less_is_left_of_a_chess_board_that_ends_and_straight_edges_stay() -> None:
    row, column = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    board = 1 - 2 * ((row + column) % 2)
    inner = slice(4, -4)
    apart = torch.tensor((-1.0, 2.0, -1.0)) / 4
    squares = torch.outer(apart, apart).repeat(3, 1, 1, 1)

    def left(picture: torch.Tensor) -> float:
        """What is most like a chess board in it."""
        found = F.conv2d(picture, squares, groups=3)[..., inner, inner]
        return float(found.abs().max())

    for end in (row + 2 * column > 46, 2 * row + column > 46, row + column > 31):
        ended = (board * end).float().expand(1, 3, 32, 32)
        assert 0 < left(blurred_picture(ended)) < 0.85 * left(binomial_blur(ended))
    upright = (column > 15).float().expand(1, 3, 32, 32)
    for picture in (upright, upright.mT, (row / 32 + column / 16).expand(1, 3, 32, 32)):
        same = binomial_blur(picture)[..., inner, inner]
        torch.testing.assert_close(blurred_picture(picture)[..., inner, inner], same)


def test_only_the_switch_decides_about_the_blur() -> None:
    torch.manual_seed(0)
    plain, blurred = RenderNet(CONFIG), RenderNet(replace(CONFIG, shuffle_blur=True))
    with torch.no_grad():
        plain.to_picture.weight.normal_()
        blurred.load_state_dict(plain.state_dict())  # the same weights fit both
        features = torch.randn(1, CONFIG.features, CONFIG.ray_size, CONFIG.ray_size)
        trunk = torch.randn(1, 8, 32, 32)
        rough, smooth = (net.picture(trunk, features) for net in (plain, blurred))
    assert smooth.shape == rough.shape == (1, 3, 64, 64)
    step = (rough - smooth).abs().mean()
    assert float(step) > 0.05


def test_model_files_of_before_have_no_blur() -> None:
    values = CONFIG.to_dict()
    del values["shuffle_blur"]
    assert ModelConfig.from_dict(values) == CONFIG
    del values["samples"]
    with pytest.raises(CheckpointError, match="samples"):
        ModelConfig.from_dict(values)
