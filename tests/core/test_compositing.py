"""Pictures for other programs: linear light, and portraits over one another."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.compositing import (
    FAR,
    Picture,
    display_picture,
    label_picture,
    srgb_to_linear,
    without_background,
)
from core.parts import BACKGROUND, PART_COUNT, PARTS, part_index

HAIR, SKIN = part_index("hair"), part_index("skin")


def rendering(grey: float, alpha: float, depth: float, part: int = HAIR) -> Any:
    """One pixel of one part in front of the background; grey is sRGB in [0, 1]."""
    mask = torch.zeros(1, PART_COUNT, 1, 1)
    mask[:, part], mask[:, BACKGROUND] = alpha, 1 - alpha
    return SimpleNamespace(
        image=torch.full((1, 3, 1, 1), grey * 2 - 1),
        alpha=torch.full((1, 1, 1), alpha),
        mask=mask,
        labels=mask.argmax(1).byte(),
        depth=torch.full((1, 1, 1), depth),
        frame_side=lambda _index: 1.0,
    )


def test_srgb_decoding_has_the_standards_values() -> None:
    values = srgb_to_linear(torch.tensor([-1.0, 0.0, 0.04045, 0.5, 1.0, 7.0]))
    expected = [0.0, 0.0, 0.04045 / 12.92, 0.21404114, 1.0, 1.0]
    torch.testing.assert_close(values, torch.tensor(expected), atol=1e-6, rtol=0)


def test_one_opaque_portrait_keeps_its_background() -> None:
    picture = Picture([(rendering(0.5, 0.25, 2.0), 0.5)], transparent=False)
    torch.testing.assert_close(picture.color[0, 0], torch.tensor([0.21404114] * 3 + [1.0]))
    assert picture.depth.item() == 1.0  # two units of half a metre
    assert picture.labels.item() == BACKGROUND


def test_transparent_portrait_is_premultiplied_by_its_alpha() -> None:
    picture = Picture([(rendering(1.0, 0.25, math.inf), 1.0)], transparent=True)
    torch.testing.assert_close(picture.color[0, 0], torch.tensor([0.25] * 4))
    assert picture.depth.item() == pytest.approx(FAR)


def test_soft_edges_have_the_portraits_colour_and_not_the_backgrounds() -> None:
    alpha = torch.linspace(-11.5, 12.5, 96).clamp(0, 1).repeat(96, 1)  # 4 pixels of edge
    dark, bright = torch.tensor([0.3, 0.2, 0.1]), 1.0
    mixed = dark[:, None, None] * alpha + bright * (1 - alpha)
    own = without_background(mixed, alpha, 96.0)
    opaque, edge = alpha == 1, (alpha > 0) & (alpha < 1)
    torch.testing.assert_close(own[:, opaque], mixed[:, opaque])
    torch.testing.assert_close(own[:, :, 0], mixed[:, :, 0])  # nothing opaque is near
    rim, before = ((picture - dark[:, None, None]).abs()[:, edge] for picture in (own, mixed))
    assert rim.mean() < before.mean() / 4


def test_soft_edges_of_a_crop_are_those_of_the_whole_picture() -> None:
    alpha = torch.linspace(-11.5, 12.5, 96).clamp(0, 1).repeat(96, 1)
    color = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0))
    whole = without_background(color, alpha, 96.0)
    crop = without_background(color[:, 40:70, 30:70], alpha[40:70, 30:70], 96.0)
    inner = slice(8, -8)  # the crop's own border sees less
    torch.testing.assert_close(crop[:, inner, inner], whole[:, 40:70, 30:70][:, inner, inner])


def test_nearer_portrait_lies_over_the_farther() -> None:
    far, near = rendering(1.0, 1.0, 6.0, SKIN), rendering(0.0, 0.75, 3.0, HAIR)
    picture = Picture([(far, 1.0), (near, 2.0)], transparent=False)
    torch.testing.assert_close(picture.color[0, 0], torch.tensor([0.25, 0.25, 0.25, 1.0]))
    assert picture.masks[HAIR].item() == 0.75
    assert picture.masks[SKIN].item() == 0.25
    assert picture.masks.sum().item() == 1.0
    assert picture.labels.item() == HAIR
    assert picture.depth.item() == 6.0


def test_picture_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Picture([], transparent=False)


def test_display_and_label_pictures() -> None:
    shown = display_picture(rendering(0.25, 0.5, 1.0), transparent=True)
    torch.testing.assert_close(shown, torch.tensor([[[0.25, 0.25, 0.25, 0.5]]]))
    assert display_picture(rendering(0.25, 0.5, 1.0))[0, 0, 3] == 1
    colors = label_picture(torch.tensor([[HAIR]], dtype=torch.uint8)) * 255
    torch.testing.assert_close(colors[0, 0], torch.tensor([*PARTS[HAIR].color, 255.0]))
