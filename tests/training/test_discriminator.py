from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.errors import CheckpointError
from core.parts import PART_COUNT
from training.augment import MAX_STRENGTH, SPEED, TARGET, AdaptiveAugmentation
from training.discriminator import (
    UNKNOWN_AUGMENTATION,
    Discriminator,
    read_discriminator,
    write_discriminator,
)


@pytest.mark.parametrize("side", [64, 256])
def test_scores_pairs_of_picture_and_mask(side: int) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator()
    image = torch.randn(2, 3, side, side, requires_grad=True)
    mask = torch.rand(2, PART_COUNT, side // 2, side // 2, requires_grad=True)
    scores = discriminator(image, mask)
    assert scores.shape == (2, side // 8, side // 8)
    scores.sum().backward()
    for gradient in (image.grad, mask.grad):
        assert gradient is not None
        assert (gradient.flatten(1).abs().sum(1) > 0).all()


def test_sees_a_generator_that_repeats_itself() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator()
    image, mask = torch.randn(2, 3, 64, 64), torch.rand(2, PART_COUNT, 32, 32)
    with torch.no_grad():
        beside_another = discriminator(image, mask)[0]
        beside_itself = discriminator(image[[0, 0]], mask[[0, 0]])[0]
    assert float((beside_another - beside_itself).abs().mean()) > 1e-6


def test_augmentation_of_no_strength_changes_nothing() -> None:
    image, mask = torch.randn(3, 3, 8, 8), torch.rand(3, PART_COUNT, 4, 4)
    changed = AdaptiveAugmentation(0.0)(image, mask, torch.Generator().manual_seed(0))
    torch.testing.assert_close(changed[0], image)
    torch.testing.assert_close(changed[1], mask)


def test_picture_and_mask_move_together() -> None:
    count = 32
    left = (torch.arange(32) < 16).float().expand(count, 1, 32, 32)
    image = (left * 1.6 - 0.8).expand(-1, 3, -1, -1)
    mask = torch.cat([left, 1 - left], 1)
    changed, moved = AdaptiveAugmentation(0.5)(image, mask, torch.Generator().manual_seed(1))
    grey = changed.mean(1)
    bright = grey > (grey.amax((1, 2), keepdim=True) + grey.amin((1, 2), keepdim=True)) / 2
    agree = (bright == (moved[:, 0] > 0.5)).float().mean((1, 2))
    assert float(agree.min()) > 0.95
    flipped = moved[:, 0, :, 0].mean(1) < 0.5
    assert 8 <= int(flipped.sum()) <= 24  # one half of 32 are expected


def test_strength_follows_how_sure_the_discriminator_is() -> None:
    augmentation = AdaptiveAugmentation(0.1)
    augmentation.update(torch.ones(10))
    assert augmentation.strength == pytest.approx(0.1 + 10 * SPEED)
    augmentation.update(torch.tensor([1.0, 1.0, -1.0, -1.0]))  # mean sign 0 < TARGET
    assert TARGET > 0
    assert augmentation.strength == pytest.approx(0.1 + 6 * SPEED)
    low, high = AdaptiveAugmentation(0.0), AdaptiveAugmentation(MAX_STRENGTH)
    low.update(-torch.ones(4))
    high.update(torch.ones(4))
    assert (low.strength, high.strength) == (0.0, MAX_STRENGTH)


def test_a_file_may_not_say_what_augmentation_it_is_used_to(tmp_path: Path) -> None:
    file, judge = tmp_path / "judge.safetensors", Discriminator()
    save_file(judge.state_dict(), file)
    assert read_discriminator(file, Discriminator()) == UNKNOWN_AUGMENTATION
    write_discriminator(file, judge.state_dict(), 0.5)
    assert read_discriminator(file, Discriminator()) == 0.5


def test_what_is_no_discriminator_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "judge.safetensors"
    file.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="Give another"):
        read_discriminator(file, Discriminator())
