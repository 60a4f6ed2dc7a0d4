"""Pictures larger than the network's own are doubled by the upscaler, as often as they need."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from core.camera import Camera
from core.config import ModelConfig
from core.engine import PortraitEngine
from core.model import SSGAN3D

SIDE = ModelConfig.tiny().image_size
FRONT = Camera.orbit(0.1)


@pytest.fixture
def upscaling(random_model: Callable[[ModelConfig], SSGAN3D]) -> PortraitEngine:
    """Of a model whose upscaler does more than to enlarge."""
    model = random_model(dataclasses.replace(ModelConfig.tiny(), upscaler_channels=8))
    assert model.upscaler is not None
    noise = torch.randn(
        model.upscaler.exit.weight.shape, generator=torch.Generator().manual_seed(0)
    )
    model.upscaler.exit.weight.copy_(0.05 * noise)
    return PortraitEngine(model, device="cpu", precision="float32")


def bilinear(engine: PortraitEngine) -> None:
    """Have an engine enlarge as one does whose model has no upscaler."""
    engine.release()
    engine.view_stage.upscaler = None


def square(side: int) -> tuple[int, int]:
    return side, side


def test_a_picture_of_twice_the_size_is_the_doubled_one(upscaling: PortraitEngine) -> None:
    upscaler, portrait = upscaling.view_stage.upscaler, upscaling.sample(1)
    assert upscaler is not None
    own = upscaling.render(portrait, FRONT).image
    once = upscaler(own).clamp(-1, 1)
    assert (once - F.interpolate(own, scale_factor=2, mode="bilinear")).abs().mean() > 0.01
    twice = upscaler(once).clamp(-1, 1)
    for wanted in (once, twice):
        made = upscaling.render(portrait, FRONT, size=wanted.shape[-2:]).image
        assert torch.allclose(made, wanted, atol=1e-4)
    # beyond that it is enlarged
    larger = upscaling.render(portrait, FRONT, size=square(8 * SIDE)).image
    plain = F.interpolate(twice, scale_factor=2, mode="bilinear")
    assert torch.allclose(larger, plain, atol=1e-4)


def test_a_crop_of_a_large_picture_is_as_sharp_as_the_whole(upscaling: PortraitEngine) -> None:
    portrait, side = upscaling.sample(1), 2 * SIDE
    left, right, bottom, top = FRONT.window
    half = Camera(FRONT.pose, (left, (left + right) / 2, bottom, top))
    whole = upscaling.render(portrait, FRONT, size=square(side)).image
    crop = upscaling.render(portrait, half, size=(side, side // 2)).image
    assert torch.allclose(crop, whole[..., : side // 2], atol=1e-4)


def test_all_but_large_pictures_is_as_without(upscaling: PortraitEngine) -> None:
    portrait, large = upscaling.sample(1), square(2 * SIDE)
    sizes = [square(SIDE // 2), square(SIDE), square(SIDE + SIDE // 4)]

    def rendered() -> list[torch.Tensor]:
        whole = upscaling.render(portrait, FRONT, size=large)
        draft = upscaling.render(portrait, FRONT, size=large, draft=True)
        images = [upscaling.render(portrait, FRONT, size=size).image for size in sizes]
        return [whole.image, whole.mask, whole.depth, draft.image, *images]

    sharp, *rest = rendered()
    bilinear(upscaling)
    soft, *as_before = rendered()
    assert not torch.allclose(sharp, soft, atol=0.01)
    assert all(torch.equal(one, other) for one, other in zip(rest, as_before, strict=True))


def test_another_lens_does_not_double_again(upscaling: PortraitEngine) -> None:
    portrait = upscaling.sample(1)
    upscaling.render(portrait, FRONT, size=square(4 * SIDE))
    made = upscaling.view_stage.doubled_memo.made
    assert made == 1  # what it was made from, without its grain, is not kept
    kept = upscaling.results.used
    upscaling.render(portrait, Camera.orbit(0.1, side=1.5), size=(3 * SIDE, 4 * SIDE))
    assert upscaling.view_stage.doubled_memo.made == made
    upscaling.release()
    assert kept > 4 * 3 * (4 * SIDE) ** 2 and upscaling.results.used == 0


def test_sizes_of_an_upscaler_are_checked() -> None:
    with pytest.raises(ValueError, match="upscaler"):
        dataclasses.replace(ModelConfig.tiny(), upscaler_channels=-1)
