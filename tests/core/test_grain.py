"""Grain of the skin: as strong and as coloured as its spectrum says, and on skin alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from core.camera import Camera
from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.detail import SurfaceDetail
from core.engine import PortraitEngine, embedded_weights
from core.errors import CheckpointError
from core.grain import (
    BANDS,
    FOREHEAD,
    GRAINED,
    NOISES,
    SIDE,
    from_axes,
    grain_mix,
    grain_of,
    grain_tile,
    grained_height,
    grained_share,
    to_axes,
)
from core.parts import PART_COUNT, part_index
from core.surface_layers import SurfaceLayers
from core.tiles import texels_of
from training.model_files import rebuilt

FIRST = torch.eye(NOISES)[:1]
SPECTRUM = ((0.01, 0.0, 0.02), (0.0, 0.03, 0.0), (0.04, 0.0, 0.0), (0.0, 0.0, 0.05))
CONFIG = dataclasses.replace(ModelConfig.tiny(), detail_directions=4, grain=SPECTRUM)


def test_axes_of_colour_by_hand() -> None:
    colour = torch.tensor([0.6, 0.3, 0.0])[:, None, None]
    axes = to_axes(colour)
    torch.testing.assert_close(axes[:, 0, 0], torch.tensor([0.3, 0.3, 0.3]))
    torch.testing.assert_close(from_axes(axes), colour)
    torch.testing.assert_close(to_axes(from_axes(axes * 2)), axes * 2)


def test_each_band_of_the_tile_is_as_strong_along_each_axis_as_its_spectrum_says() -> None:
    axes = to_axes(grain_tile(SPECTRUM))
    frequency = torch.fft.fftfreq(SIDE)
    radius = torch.hypot(frequency[:, None], frequency)
    power = torch.fft.fft2(axes).abs().square() / SIDE**4  # sums to the mean square
    for (low, high), strengths in zip(BANDS, SPECTRUM, strict=True):
        found = (power * ((radius > low) & (radius <= high))).sum((1, 2)).sqrt()
        torch.testing.assert_close(found, torch.tensor(strengths), rtol=0.01, atol=1e-5)
    assert torch.equal(grain_tile(SPECTRUM), grain_tile(SPECTRUM))


def test_people_have_grain_of_their_own_and_equally_much() -> None:
    """People's w_base differ by about 0.28 an entry, around a mean that they share."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(32, generator=generator) * 0.25
    people = base + torch.randn(200, 32, generator=generator) * 0.28
    mix = grain_mix(people)
    torch.testing.assert_close(mix.square().sum(1), torch.ones(200))
    alike = mix @ mix.T
    apart = alike[~torch.eye(200, dtype=torch.bool)]
    assert apart.mean().abs() < 0.15 and (apart > 0.9).float().mean() < 0.02
    # who changes little keeps most of it
    assert (grain_mix(people[:1].lerp(people[1:2], 0.02)) * mix[:1]).sum() > 0.98
    some = grain_of(mix[:4], SPECTRUM)
    assert some is not None and some.shape == (4, 3, SIDE + 2, SIDE + 2)
    tile = grain_tile(SPECTRUM)
    for one in some[..., 1:-1, 1:-1]:
        assert float(one.std()) == pytest.approx(float(tile.std()), rel=0.1)
    torch.testing.assert_close(grain_of(FIRST, SPECTRUM)[0, :, 1:-1, 1:-1], tile)
    torch.testing.assert_close(some[..., 0, 1:-1], some[..., -2, 1:-1])  # it is periodic
    assert grain_of(None, SPECTRUM) is None


def test_grain_lies_on_skin_and_no_other_part() -> None:
    logits = torch.full((1, PART_COUNT, 1, 4), -30.0)
    for column, name in enumerate(("skin", "hair", "nose", "background")):
        logits[0, part_index(name), 0, column] = 0.0
    share = grained_share(logits.softmax(1))
    torch.testing.assert_close(share[0, 0, 0], torch.tensor([1.0, 0.0, 1.0, 0.0]))


def test_foreheads_have_less_by_hand() -> None:
    config = dataclasses.replace(CONFIG, forehead_grain=0.5)
    low, high = FOREHEAD
    heights = torch.tensor([-1.0, low, (low + high) / 2, high, 1.0])[:, None]
    expected = torch.tensor([1.0, 1.0, 0.75, 0.5, 0.5])[:, None]
    torch.testing.assert_close(grained_height(heights, config), expected)
    assert (grained_height(heights, CONFIG) == 1).all()


def drawn(skin: float, shift: int = 0) -> torch.Tensor:
    """Logarithm of what grain does on a plane, one texel a pixel, moved right by some pixels."""
    detail, rays = SurfaceDetail(CONFIG), CONFIG.ray_size
    pixels = (torch.arange(rays) + 0.5) * CONFIG.image_size / rays
    across, down = ((pixels - moved) / texels_of(CONFIG) for moved in (shift, 0))
    grid = torch.meshgrid(down, across, indexing="ij")[::-1]
    surface = torch.stack([*grid, torch.ones(rays, rays)])[None]
    layers = SurfaceLayers(surface, grain=grain_of(FIRST, SPECTRUM))
    amount = torch.zeros(1, CONFIG.detail_tiles, rays, rays)
    share = torch.full((1, 1, 8, 8), skin)
    return detail(amount, layers, CONFIG.image_size, skin=share).log1p()


def test_what_is_half_skin_has_half_of_the_grain() -> None:
    none, half, whole = map(drawn, (0.0, 0.5, 1.0))
    side = CONFIG.image_size
    assert whole.shape == (1, 3, side, side) and not none.any()
    torch.testing.assert_close(half, whole / 2, atol=1e-6, rtol=1e-5)
    # as the tile has it: half a texel further, which a lookup averages
    inner = whole[0, :, 8:-8, 8:-8]  # at the border the nearest ray's place is repeated
    tile = grain_tile(SPECTRUM)
    near = (tile + tile.roll(-1, 1) + tile.roll(-1, 2) + tile.roll((-1, -1), (1, 2))) / 4
    assert float(inner.std()) == pytest.approx(float(near.std()), rel=0.3)


def test_grain_goes_where_the_surface_goes() -> None:
    still, moved = drawn(1.0), drawn(1.0, shift=3)
    assert still.std() > 0.02
    inner = slice(8, -8)
    torch.testing.assert_close(
        moved[..., inner, 11:-8], still[..., inner, 8:-11], atol=1e-5, rtol=1e-3
    )


@pytest.fixture(scope="module")
def engines() -> list[PortraitEngine]:
    """Of the embedded model, and of the same without grain."""
    model, info = load_checkpoint(embedded_weights())
    assert any(axes[1] > 0 for axes in model.config.grain)
    models = model, rebuilt(model, grain=(), spots=False, eigenskins=0)
    return [PortraitEngine(one, info, device="cpu", precision="float32") for one in models]


def test_grain_of_the_embedded_model_is_coloured_and_on_its_skin_alone(
    engines: list[PortraitEngine],
) -> None:
    grained, bare = (
        engine.render(engine.sample(27), Camera.orbit(0.2), size=(256, 256)) for engine in engines
    )
    assert torch.equal(grained.labels, bare.labels)
    changed = (grained.image - bare.image).abs()[0]
    skin = sum(bare.mask[:, part] for part in GRAINED)
    near, skin = F.max_pool2d(skin, 5, 1, 2)[0], skin[0]  # masks are drawn at half the size
    assert changed[:, skin > 0.99].mean() > 0.01
    assert changed[:, near < 0.001].max() < 0.001


@pytest.mark.parametrize("times", [1, 2])
def test_grain_is_drawn_on_the_doubled_picture_and_not_doubled_itself(
    engines: list[PortraitEngine], times: int
) -> None:
    """It stays where it is, and has finer octaves besides."""
    light = []
    for engine in engines:
        for number in (0, times):
            size = (256 * 2**number, 256 * 2**number)
            drawn = engine.render(engine.sample(27), Camera.orbit(0.2), size=size)
            light.append(((drawn.image + 1) / 2).clamp_min(0.02).log())
    small, large = light[0] - light[2], light[1] - light[3]
    skin = sum(drawn.mask[:, part] for part in GRAINED)
    inside = (1 - F.max_pool2d(1 - skin, 9, 1, 4) > 0.99).expand_as(large)
    averaged = F.avg_pool2d(large, 2**times)
    whole = F.avg_pool2d(inside.float(), 2**times) == 1
    assert whole.float().mean() > 0.05
    alike = torch.corrcoef(torch.stack([averaged[whole], small[whole]]))[0, 1]
    assert alike > 0.9
    finer = large - F.interpolate(averaged, scale_factor=2**times, mode="nearest")
    assert finer[inside].std() > 0.005
    outside = (F.max_pool2d(skin, 9, 1, 4) < 0.001).expand_as(large)
    assert large[outside].abs().mean() < 1e-3


def test_grain_of_a_broken_file_is_refused() -> None:
    values = ModelConfig.tiny().to_dict()
    with pytest.raises(CheckpointError, match="4 bands along 3 axes"):
        ModelConfig.from_dict(values | {"grain": [[0.1, 0.2]]})
    with pytest.raises(CheckpointError, match="broken"):
        ModelConfig.from_dict(values | {"grain": 0.1})


def test_grain_of_one_colour_in_older_files_keeps_its_strength() -> None:
    values = ModelConfig.tiny().to_dict()
    del values["grain"]
    assert ModelConfig.from_dict(values).grain == ()
    assert ModelConfig.from_dict(values | {"detail_grain": 0.0}).grain == ()
    config = ModelConfig.from_dict(values | {"detail_grain": 0.02})
    tile = grain_tile(config.grain)
    assert torch.equal(tile[0], tile[1]) and torch.equal(tile[1], tile[2])
    assert float(tile[0].std()) == pytest.approx(0.02, rel=0.05)
    assert ModelConfig.from_dict(config.to_dict()) == config
