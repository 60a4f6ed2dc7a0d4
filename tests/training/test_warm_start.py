from pathlib import Path

import pytest
import torch

from core.config import ModelConfig
from training.data import PortraitSet, read_views
from training.warm_start import (
    FittedCodes,
    Views,
    code_noise,
    guided_samples,
    reconstruction_losses,
    render_codes,
)


def test_guided_samples_tile_the_ray_without_gaps() -> None:
    config = ModelConfig.shipped()
    assert (config.near, config.far) == (-0.75, 1.05)
    depth = torch.tensor([[0.1, 0.1, -0.74, 1.04]])
    shown = torch.tensor([[True, False, True, True]])
    generator = torch.Generator().manual_seed(0)
    offsets, spacing = guided_samples(depth, shown, 6, config, generator)
    edges = config.near + torch.cat([torch.zeros(1, 4, 1), spacing.cumsum(-1)], -1)
    assert (offsets >= edges[..., :-1] - 1e-6).all()
    assert (offsets <= edges[..., 1:] + 1e-6).all()
    # the surface at 0.1 is guarded from -0.1 to 0.35: two samples before it, four around it
    by_hand = [-0.75, -0.425, -0.1, 0.0125, 0.125, 0.2375, 0.35]
    torch.testing.assert_close(edges[0, 0], torch.tensor(by_hand))
    even = torch.linspace(-0.75, 1.05, 7)
    torch.testing.assert_close(edges[0, 1], even)
    # surfaces at the ends of the volume: still inside it, and in order
    assert (spacing > 0).all()
    assert float(edges[0, 2, -1]) == pytest.approx(-0.74 + 0.25)
    assert float(edges[0, 3, -1]) == pytest.approx(config.far)


def test_noise_is_measured_in_the_codes_own_deviations() -> None:
    generator = torch.Generator().manual_seed(0)
    book = torch.tensor([[0.0, 5.0, -2.0], [4.0, 5.0, 2.0]])  # deviations 2, 0 and 2
    codes = torch.ones(20_000, 3)
    noisy = code_noise(codes, book, 0.1, generator)
    torch.testing.assert_close(noisy.mean(0), codes[0], atol=0.01, rtol=0)
    torch.testing.assert_close(noisy.std(0), torch.tensor([0.2, 0.0, 0.2]), atol=0.01, rtol=0)


def test_batches_hold_what_the_renders_say(balls: Path) -> None:
    config = ModelConfig.tiny()
    data = PortraitSet(read_views([balls]))
    views = Views(data, config, torch.device("cpu"), samples=8)
    batch = views.batch(2, 4, torch.Generator().manual_seed(3))  # one more view than there are
    assert batch.image.shape == (8, 3, 64, 64)
    assert batch.rays.z.shape == (2, 4, 16 * 16, 8)
    torch.testing.assert_close(batch.mask.sum(1), torch.ones(8, 32, 32))
    torch.testing.assert_close(batch.coarse_mask.sum(1), torch.ones(8, 16, 16))
    # the ball's front is 0.7 nearer than the origin
    assert -0.7 <= float(batch.depth[batch.foreground].min()) < -0.65
    again = views.batch(2, 4, torch.Generator().manual_seed(3))
    assert torch.equal(batch.portraits, again.portraits)
    assert torch.equal(batch.rays.z, again.rays.z)


def test_codes_of_another_person_reconstruct_worse(trained) -> None:
    trainer = trained.trainer
    chosen = trainer.data.identities[1][:1]
    batch = trainer.views.of(torch.tensor([1]), chosen, torch.Generator().manual_seed(0))

    def error(portrait: int) -> float:
        codes = [c[portrait : portrait + 1] for c in trainer.portrait_codes()]
        with torch.no_grad():
            output = render_codes(trainer.model, FittedCodes(*codes, batch.visible), batch.rays)
        return float(reconstruction_losses(output, batch)["image"])

    assert error(1) < min(error(2), error(3))
