import math

import pytest
import torch

from core.parts import PART_COUNT, part_index
from training import losses


def test_mask_cross_entropy_by_hand() -> None:
    target = torch.zeros(1, PART_COUNT, 1, 1)
    log_mask = torch.full((1, PART_COUNT, 1, 1), -50.0)
    for name, share, predicted in (("skin", 0.5, 0.25), ("eyes", 0.5, 0.5)):
        target[0, part_index(name)] = share
        log_mask[0, part_index(name)] = math.log(predicted)
    # skin counts once, eyes three times: 0.5 · ln 4 + 3 · 0.5 · ln 2
    expected = 2.5 * math.log(2)
    assert float(losses.mask_cross_entropy(log_mask, target)) == pytest.approx(expected)


def test_gradient_l1_by_hand() -> None:
    prediction = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    # across: 1 and 3, down: 2 and 4; a constant difference costs nothing
    assert float(losses.gradient_l1(prediction, torch.zeros(1, 1, 2, 2))) == pytest.approx(5.0)
    assert float(losses.gradient_l1(prediction + 7, prediction)) == pytest.approx(0.0)


def test_multiscale_l1_counts_a_common_offset_at_every_scale() -> None:
    target = torch.zeros(1, 1, 4, 4)
    stripes = torch.ones(1, 1, 4, 4)
    stripes[..., ::2] = -1
    assert float(losses.multiscale_l1(stripes, target)) == pytest.approx(1.0)
    assert float(losses.multiscale_l1(torch.ones(1, 1, 4, 4), target)) == pytest.approx(2.0)


def test_small_part_l1_looks_where_small_parts_are() -> None:
    mask = torch.zeros(1, PART_COUNT, 1, 2)
    mask[0, part_index("skin")] = torch.tensor([1.0, 0.5])
    mask[0, part_index("eyes"), 0, 1] = 0.5
    prediction = torch.zeros(1, 3, 2, 4)
    prediction[..., :2] = 9.0  # skin
    prediction[..., 2] = 1.0  # half of the pixels that are half of an eye
    found = losses.small_part_l1(prediction, torch.zeros(1, 3, 2, 4), mask)
    assert float(found) == pytest.approx(0.5)
    assert float(losses.small_part_l1(prediction, -prediction, 0 * mask)) == 0.0


def test_depth_l1_only_looks_at_the_foreground() -> None:
    prediction = torch.tensor([[[1.0, 2.0, 9.0]]])
    target = torch.tensor([[[0.0, 4.0, 0.0]]])
    shown = torch.tensor([[[True, True, False]]])
    assert float(losses.depth_l1(prediction, target, shown)) == pytest.approx(1.5)
    assert float(losses.depth_l1(prediction, target, torch.zeros_like(shown))) == 0.0


def test_adversarial_losses_at_undecided_scores() -> None:
    undecided = torch.zeros(4, 2, 2)
    even = torch.ones_like(undecided)
    judged = losses.discriminator_loss(undecided, undecided, even, even)
    assert float(losses.generator_loss(undecided, even)) == pytest.approx(math.log(2))
    assert float(judged) == pytest.approx(2 * math.log(2))
    assert losses.generator_loss(undecided + 3, even) < losses.generator_loss(undecided, even)
    assert losses.discriminator_loss(undecided + 3, undecided - 3, even, even) < 0.2


def test_a_place_that_shows_eyes_counts_more() -> None:
    mask = torch.zeros(1, PART_COUNT, 4, 4)
    mask[:, part_index("skin")] = 1.0
    mask[:, :, :2, :2] = 0.0
    mask[:, part_index("eyes"), :2, :2] = 1.0
    weight = losses.place_weights(mask, (2, 2), 6.0)
    torch.testing.assert_close(weight, torch.tensor([[[6.0, 1.0], [1.0, 1.0]]]) * 4 / 9)
    scores = torch.zeros(1, 2, 2)
    scores[:, 0, 0] = 3.0  # the eyes look real
    elsewhere = scores.flip(1)
    assert losses.generator_loss(scores, weight) < losses.generator_loss(elsewhere, weight)


def test_r1_of_a_linear_discriminator() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(3, 3, 4, 4, generator=generator).requires_grad_()
    mask = torch.randn(3, PART_COUNT, 2, 2, generator=generator).requires_grad_()
    w = torch.randn(3, 4, 4, generator=generator)
    v = torch.randn(PART_COUNT, 2, 2, generator=generator)
    # two places, one looks at the picture and one at the mask: the mean score's gradient is half
    places = [(image * w).sum((1, 2, 3)), (mask * v).sum((1, 2, 3))]
    scores = torch.stack(places, 1)[:, :, None]
    penalty = losses.gradient_penalty(scores, (image, mask), (10.0, 100.0))
    expected = 5 * float(w.square().sum()) / 4 + 50 * float(v.square().sum()) / 4
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-5)
