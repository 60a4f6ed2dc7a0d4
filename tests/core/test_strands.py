"""Combed hair: strands run where the amounts say, as far as these agree, and lie on the hair."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from core.camera import Camera
from core.config import ModelConfig
from core.detail import SurfaceDetail
from core.engine import PortraitEngine
from core.generators import PartMap
from core.model import SSGAN3D
from core.strands import (
    COMBED,
    HAIR,
    OCTAVE_SHARE,
    SKIN,
    STRENGTH,
    CombedHair,
    Strands,
    combed_hair,
    combed_noise,
    finer_strands,
    strands_of,
    strands_seen,
)
from core.surface_layers import SurfaceLayers

DIRECTIONS = 4
CONFIG = dataclasses.replace(
    ModelConfig.tiny(), image_size=256, ray_size=64, detail_directions=DIRECTIONS
)
SPEC = CONFIG.maps[HAIR]


def amounts(*tiles: int) -> Tensor:
    """As much of some tiles all over the hair's map, in both bands."""
    found = torch.zeros(1, 2, DIRECTIONS, SPEC.height, SPEC.width)
    found[:, :, list(tiles)] = 0.1
    return found.flatten(1, 2)


def correlation(noise: Tensor, right: int, down: int) -> Tensor:
    """Of noise (1, 2, h, w) with itself so many texels away, by band."""
    inner = noise[0, :, 40:-40, 40:-40]
    moved = noise[0].roll((-down, -right), (1, 2))[:, 40:-40, 40:-40]
    return (inner * moved).mean((1, 2)) / (inner.std((1, 2)) * moved.std((1, 2)))


def test_strands_of_one_direction_are_long() -> None:
    hanging = combed_noise(amounts(0), CONFIG)  # tile 0 varies along x
    window, texels = SPEC.window, CONFIG.image_size / CONFIG.frame_side
    assert hanging.shape[1:] == (
        2,
        round((window[3] - window[2]) * texels),
        round((window[1] - window[0]) * texels),
    )
    torch.testing.assert_close(hanging.std((0, 2, 3)), torch.tensor(STRENGTH), atol=0.1, rtol=0)
    assert (correlation(hanging, 0, 8) > 0.5).all()
    assert (correlation(hanging, 8, 0) < 0.3).all()
    lying = combed_noise(amounts(2), CONFIG)
    assert (correlation(lying, 8, 0) > 0.5).all()
    assert (correlation(lying, 0, 8) < 0.3).all()


def test_hair_that_runs_between_two_tiles_is_combed_between_them() -> None:
    # tiles 0 and 1 vary along 0° and 45°, so that strands lean by 22.5°: (-sin, cos), y down
    noise = combed_noise(amounts(0, 1), CONFIG)
    away = 8
    lean = round(-away * math.sin(math.pi / 8)), round(away * math.cos(math.pi / 8))
    assert (correlation(noise, *lean) > 0.4).all()
    for other in (-lean[0], lean[1]), (0, away), (away, 0):
        assert (correlation(noise, *other) < correlation(noise, *lean) - 0.2).all()


def test_curls_stay_curls() -> None:
    noise = combed_noise(amounts(*range(DIRECTIONS)), CONFIG)
    assert correlation(noise, 8, 0)[1].abs() < 0.1 and correlation(noise, 0, 8)[1].abs() < 0.1
    across, along = correlation(noise, 1, 0), correlation(noise, 0, 1)
    torch.testing.assert_close(across, along, atol=0.05, rtol=0)


def test_light_is_the_length_of_the_amounts_times_the_noise() -> None:
    detail = SurfaceDetail(CONFIG)
    rays, size = CONFIG.ray_size, CONFIG.image_size
    u = torch.linspace(-0.9, 0.9, rays)
    surface = torch.stack(
        [u.expand(rays, -1), -u[:, None].expand(-1, rays), torch.ones(rays, rays)]
    )
    surface = surface[None]
    amount = torch.zeros(1, 2 * DIRECTIONS, rays, rays)
    amount[:, 0], amount[:, DIRECTIONS], amount[:, DIRECTIONS + 1] = 0.2, 0.03, 0.04
    noise = torch.tensor([0.5, 2.0])[None, :, None, None].expand(1, 2, size, size)
    strands = Strands(amount, noise, surface)
    light = detail(amount, SurfaceLayers(surface, strands=strands), size).log1p()
    inner = light[..., 8:-8, 8:-8]  # 0.2 · 0.5 + √(0.03² + 0.04²) · 2, nothing from tiles
    torch.testing.assert_close(inner, torch.full_like(inner, 0.2), atol=2e-3, rtol=0)
    # what is not hair keeps its tiles
    none = torch.zeros_like(amount)
    strands = Strands(none, noise, surface)
    skin = detail(amount, SurfaceLayers(surface, strands=strands), size)
    torch.testing.assert_close(skin, detail(amount, SurfaceLayers(surface), size))
    assert skin.std() > 0.01


def test_beards_are_combed_too_and_less_than_hair() -> None:
    """Tiles of two directions agree by 0.7, halfway to what beards are combed wholly by."""
    spec = CONFIG.maps[SKIN]
    both = torch.zeros(1, 2, DIRECTIONS, spec.height, spec.width)
    both[:, 1, :2] = 0.1
    both = both.flatten(1, 2)
    beard, hair = (combed_noise(both, CONFIG, part=part) for part in COMBED[::-1])
    window, texels = spec.window, CONFIG.image_size / CONFIG.frame_side
    assert beard.shape[2:] == tuple(
        round((high - low) * texels) for low, high in (window[2:], window[:2])
    )
    away = 8
    lean = round(-away * math.sin(math.pi / 8)), round(away * math.cos(math.pi / 8))
    assert 0.1 < correlation(beard, *lean)[1] < correlation(hair, *lean)[1] - 0.05


def test_light_is_of_hair_and_beards() -> None:
    detail = SurfaceDetail(CONFIG)
    rays, size = CONFIG.ray_size, CONFIG.image_size
    surface = torch.ones(1, 3, rays, rays)
    amount = torch.zeros(1, 2 * DIRECTIONS, rays, rays)
    amount[:, DIRECTIONS] = 0.05
    noise = torch.ones(1, 2, size, size)
    hair, beard = (Strands(share * amount, noise, surface) for share in (0.4, 0.6))
    light = detail(amount, SurfaceLayers(surface, strands=hair, stubble=beard), size).log1p()
    torch.testing.assert_close(light, torch.full_like(light, 0.05), atol=1e-4, rtol=0)


def test_strands_move_with_the_hair() -> None:
    hair = CombedHair(amounts(0), combed_noise(amounts(1), CONFIG))
    rays, texel = CONFIG.ray_size, CONFIG.frame_side / CONFIG.image_size
    pixel = (torch.arange(rays) + 0.5) * CONFIG.image_size / rays - CONFIG.image_size / 2
    still, moved = (
        strands_seen(
            hair,
            torch.stack(
                [
                    (pixel - shift).expand(rays, -1) * texel,
                    -pixel[:, None].expand(-1, rays) * texel,
                    torch.full((rays, rays), 0.5),
                ]
            )[None]
            * torch.tensor([0.5, 0.5, 1.0])[:, None, None],
            CONFIG,
        )
        for shift in (0, 3)
    )
    inner = slice(8, -8)
    torch.testing.assert_close(
        moved.noise[..., inner, 11:-8], still.noise[..., inner, 8:-11], atol=2e-3, rtol=0
    )
    # half a ray meets the hair: half its amounts
    torch.testing.assert_close(still.amount[0, 0], torch.full((rays, rays), 0.05))


def test_amounts_learn_and_directions_are_given() -> None:
    features = torch.zeros(1, SPEC.height, SPEC.width, CONFIG.features + CONFIG.detail_tiles)
    features[..., CONFIG.features :] = amounts(0, 1).permute(0, 2, 3, 1)
    features.requires_grad_()
    plane = torch.zeros(1, SPEC.height, SPEC.width)
    hair = combed_hair(PartMap(features, plane, plane), CONFIG)
    assert hair is not None and hair.amounts.requires_grad and not hair.noise.requires_grad
    surface = torch.ones(1, 2, 3, CONFIG.ray_size, CONFIG.ray_size) * 0.1
    seen = strands_of(hair, surface, CONFIG)
    assert seen is not None and len(seen.amount) == len(seen.noise) == 2
    seen.amount.sum().backward()
    assert features.grad is not None and features.grad[..., CONFIG.features :].abs().sum() > 0


def half_covered() -> Tensor:
    """A plane of hair on the left half of a picture, of fine amounts that are 0.1 long."""
    rays, reach = CONFIG.ray_size, CONFIG.frame_side / 2
    line = (torch.arange(rays) + 0.5) / rays * 2 - 1
    fine = torch.stack(
        [
            torch.full((rays, rays), 0.1),
            line.expand(rays, -1) * reach,
            -line[:, None].expand(-1, rays) * reach,
            torch.ones(rays, rays),
        ]
    )
    fine[:, :, rays // 2 :] = 0
    return fine[None]


def test_larger_pictures_get_finer_strands_where_the_hair_is() -> None:
    share = torch.ones(1, 1, CONFIG.image_size // 2, CONFIG.image_size // 2)
    for doublings, wanted in ((1, OCTAVE_SHARE), (2, OCTAVE_SHARE / 2)):
        side = CONFIG.image_size * 2**doublings
        even = torch.ones(1, 1, 8, 8)
        gain = finer_strands(even, half_covered(), share, side, doublings, CONFIG)
        inner = gain[..., : side // 2 - side // 32]
        torch.testing.assert_close(inner.log1p(), torch.full_like(inner, 0.1 * wanted))
        assert not gain[..., side // 2 + side // 32 :].any()
        half = finer_strands(even, half_covered(), share / 2, side, doublings, CONFIG)
        torch.testing.assert_close(half.log1p(), gain.log1p() / 2)
    nothing = finer_strands(even, torch.zeros_like(half_covered()), share, side, 2, CONFIG)
    assert nothing.shape[-1] == side and not nothing.any()


def test_finer_strands_are_an_octave_finer_and_as_long() -> None:
    once, twice = (combed_noise(amounts(0), CONFIG, doublings) for doublings in (1, 2))
    plain = combed_noise(amounts(0), CONFIG)
    assert once.shape[1] == twice.shape[1] == 1
    for noise, times in ((once, 2), (twice, 4)):
        assert noise.shape[-1] == pytest.approx(times * plain.shape[-1], abs=times)
        assert float(noise.std()) == pytest.approx(STRENGTH[1], abs=0.1)
        assert correlation(noise, 0, 8 * times)[0] > 0.4  # eight texels of the plain one
        assert correlation(noise, 2, 0)[0] < 0  # waves of two to four texels


def test_only_large_pictures_of_models_with_fine_structure_have_finer_strands() -> None:
    config = dataclasses.replace(
        ModelConfig.tiny(), detail_directions=DIRECTIONS, upscaler_channels=4
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = SSGAN3D(config)
    for group in model.generators.groups:
        torch.nn.init.constant_(group.detail_head_bias, 0.5)
    engine = PortraitEngine(model.eval().requires_grad_(False), device="cpu", precision="float32")
    portrait, side = engine.sample(1), config.image_size
    plain = engine.render(portrait, Camera.orbit(0.0)).image
    large = engine.render(portrait, Camera.orbit(0.0), size=(2 * side, 2 * side))
    assert engine.view_stage.octaves.made == 1
    upscaler = engine.view_stage.upscaler
    assert upscaler is not None
    apart = large.image - upscaler(plain).clamp(-1, 1)
    hair = torch.nn.functional.interpolate(large.mask[:, HAIR, None], apart.shape[-2:])
    assert apart.abs().amax() > 0.01
    assert (apart.abs().amax(1, keepdim=True)[hair < 1e-3]).max() < 2e-3
    engine.render(portrait, Camera.orbit(0.2), size=(2 * side, 2 * side))
    assert engine.view_stage.octaves.made == 1  # of the hair, not of the view


def test_a_model_without_fine_structure_combs_nothing() -> None:
    config = ModelConfig.tiny()
    plane = torch.zeros(1, 4, 4)
    assert combed_hair(PartMap(torch.zeros(1, 4, 4, 8), plane, plane), config) is None
    assert strands_of(None, torch.zeros(1, 1, 3, 4, 4), config) is None


@pytest.fixture
def engine() -> PortraitEngine:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = SSGAN3D(dataclasses.replace(ModelConfig.tiny(), detail_directions=DIRECTIONS))
    return PortraitEngine(model.eval().requires_grad_(False), device="cpu", precision="float32")


def test_hair_is_combed_again_only_when_it_changes(engine: PortraitEngine) -> None:
    own, other = engine.sample(1), engine.sample(2)
    for latents, combed in (
        (own, 2),  # hair, and skin for its beard
        (own.replace("clothes", other), 2),
        (own.with_visible(hidden=["nose"]), 2),
        (own.replace("hair", other), 3),
        (own, 3),
        (own.replace("skin", other, shape=False), 4),
    ):
        engine.render(latents, Camera.orbit(0.0))
        assert engine.view_stage.combed.made == combed
