"""Colours finer than a ray: where they lie, that they move along, and that all paths agree."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from core.config import ModelConfig
from core.fine_color import FINE, fine_color, fine_places
from core.generators import PartGroup, texels_of
from core.lifting import LIFTED
from core.model import SSGAN3D
from core.part_runner import PartRunner
from core.parts import PART_COUNT, part_index

CONFIG = dataclasses.replace(ModelConfig.tiny(), fine_texels=2)
SIDE, SIZE = CONFIG.ray_size, CONFIG.image_size
EYES = part_index("eyes")


def flat_places(left: int, right: int, u: float = 0.0, share: float = 1.0) -> torch.Tensor:
    """Eyes alone, on the rays of columns left to right, spread over a quarter of their window."""
    u0, u1, v0, v1 = CONFIG.maps[EYES].window
    line = (torch.arange(SIDE) + 0.5) / SIDE
    places = torch.zeros(1, 1, PART_COUNT - 1, SIDE, SIDE, 2)
    places[:, :, LIFTED.index(EYES), ..., 0] = u0 + (u1 - u0) * (0.25 + 0.25 * line) + u
    places[:, :, LIFTED.index(EYES), ..., 1] = (v1 - (v1 - v0) * (0.25 + 0.25 * line))[:, None]
    mask = torch.zeros(1, 1, PART_COUNT, SIDE, SIDE)
    mask[:, :, EYES, :, left:right] = share
    return fine_places(mask.flatten(-2), places.flatten(3, 4), LIFTED).unflatten(-1, (SIDE, SIDE))


def textures(eyes: torch.Tensor) -> dict[int, torch.Tensor]:
    return {part: eyes if part == EYES else torch.ones(1, 3, 4, 4) for part in FINE}


def test_a_texture_shows_where_its_part_does() -> None:
    eyes = torch.full((1, 3, 8, 8), 0.5)
    color = fine_color(textures(eyes), flat_places(4, 8, share=0.6), CONFIG)
    step = SIZE // SIDE
    inside = color[..., 5 * step : 7 * step]  # rays 4 and 7 are blended with their neighbours
    torch.testing.assert_close(inside, torch.full_like(inside, 0.3))
    assert not color[..., : 3 * step].any()
    assert not color[..., 9 * step :].any()


def test_a_texture_is_read_at_the_pixel_and_not_at_the_ray() -> None:
    """A step between two texels is as wide as a texel's distance, however far rays are apart."""
    eyes = torch.zeros(1, 3, 8, 64)
    eyes[..., 24:] = 1.0  # a quarter of the window begins at texel 16: half a picture further on
    color = fine_color(textures(eyes), flat_places(0, SIDE), CONFIG)[0, 0, 0, SIZE // 2]
    # 16 texels over 64 pixels: texels are four pixels apart, as rays are; the step lies between
    # the centres of texels 23 and 24, at pixels 30 and 34
    assert color[: SIZE // 2 - 2].abs().max() == 0
    assert color[SIZE // 2 + 2 :].min() == pytest.approx(1)
    slope = color[SIZE // 2 - 2 : SIZE // 2 + 2]
    torch.testing.assert_close(slope, torch.tensor([0.125, 0.375, 0.625, 0.875]), atol=1e-4, rtol=0)


def test_a_texture_moves_with_the_surface() -> None:
    eyes = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    u0, u1, *_ = CONFIG.maps[EYES].window
    pixel = (u1 - u0) * 0.25 / SIZE
    still = fine_color(textures(eyes), flat_places(0, SIDE), CONFIG)
    moved = fine_color(textures(eyes), flat_places(0, SIDE, u=3 * pixel), CONFIG)
    inner = slice(8, -8)  # beside the border, where enlargement repeats the last ray
    torch.testing.assert_close(
        moved[..., inner, 8:-11], still[..., inner, 11:-8], atol=1e-4, rtol=1e-4
    )


def test_only_what_is_seen_has_a_gradient() -> None:
    eyes = torch.zeros(1, 3, 8, 64, requires_grad=True)
    fine_color(textures(eyes), flat_places(0, SIDE // 2), CONFIG).sum().backward()
    seen = eyes.grad[0, 0].abs().sum(0)  # the picture's left half shows texels 16 to 24
    assert seen[17:23].min() > 0
    assert not seen[:15].any()
    assert not seen[26:].any()
    assert not eyes.grad[..., 5:, :].any()


def test_texels_lie_beside_each_other() -> None:
    colors = torch.arange(2 * 3 * 12).float().reshape(1, 6, 12)  # a map of 2 × 3 texels
    texture = texels_of(colors, 2, 2)
    assert texture.shape == (1, 3, 4, 6)
    # the texel (1, 2) of the map: colours of its four, channel by channel
    wanted = colors[0, 5].reshape(3, 2, 2)
    torch.testing.assert_close(texture[0, :, 2:4, 4:6], wanted)


def textured_model() -> SSGAN3D:
    torch.manual_seed(0)
    model = SSGAN3D(CONFIG)
    with torch.no_grad():
        for group in model.generators.groups:
            torch.nn.init.normal_(group.fine_head, std=0.2)
            torch.nn.init.normal_(group.fine_style, std=0.2)
    return model.requires_grad_(False)


def test_the_part_runner_makes_the_groups_textures() -> None:
    model = textured_model()
    generator = torch.Generator().manual_seed(3)
    base = torch.randn(1, CONFIG.base_dim, generator=generator)
    shape, texture = torch.randn(2, 1, PART_COUNT, CONFIG.code_dim, generator=generator)
    maps = model.part_maps(base, shape, texture)
    for group in model.generators.groups:
        assert isinstance(group, PartGroup)
        for part in group.parts:
            alone = PartRunner(group, part, torch.float32)(
                base[0], shape[0, part], texture[0, part]
            )
            if part not in FINE:
                assert alone.fine is None
                assert maps[part].fine is None
                continue
            assert maps[part].fine.std() > 0.05
            torch.testing.assert_close(alone.fine, maps[part].fine, atol=1e-4, rtol=1e-4)
