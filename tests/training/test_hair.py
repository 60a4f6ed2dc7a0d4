"""How straight hair is: by hand, and in renders beside a model's pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.detail import oriented_noise
from core.parts import PART_COUNT, part_index
from training.__main__ import main
from training.detail import with_detail
from training.hair import Structure, resultants, structure_of

DIRECTIONS = 6


def test_resultants_by_hand() -> None:
    energy = torch.zeros(1, 8, 1, 3)  # four directions, coarse and fine
    energy[0, 1, 0, 0], energy[0, 5, 0, 0] = 2.0, 1.0  # all at 45°, whose double is 90°
    energy[0, :4, 0, 1] = 1.0  # all alike
    energy[0, 0, 0, 2], energy[0, 2, 0, 2] = 3.0, 1.0  # upright, and a third of it across
    pointing, total = resultants(energy)
    torch.testing.assert_close(total[0, 0, 0], torch.tensor([3.0, 4.0, 4.0]))
    expected = torch.tensor([[0.0, 0.0, 2.0], [3.0, 0.0, 0.0]])
    torch.testing.assert_close(pointing[0, :, 0], expected, atol=1e-6, rtol=0)


def test_strands_of_one_direction_are_straight_and_noise_is_not() -> None:
    tiles = oriented_noise(DIRECTIONS, 128)
    mask = torch.zeros(1, PART_COUNT, 64, 64)
    mask[:, part_index("hair")] = 1

    def seen(noise: torch.Tensor) -> Structure:
        found = structure_of((0.1 * noise).expand(1, 3, -1, -1), mask, DIRECTIONS)
        assert found is not None
        return found

    one, mixed = seen(tiles[DIRECTIONS]), seen(tiles[DIRECTIONS:].sum(0) / DIRECTIONS**0.5)
    assert one.straight > 0.7 and mixed.straight < 0.35
    assert one.fine > 5 * one.coarse
    assert seen(2 * tiles[DIRECTIONS]).fine == pytest.approx(2 * one.fine, rel=0.1)
    bald = torch.zeros_like(mask)
    assert structure_of(tiles[:1].expand(1, 3, -1, -1), bald, DIRECTIONS) is None


def test_means_are_of_energies() -> None:
    mean = Structure.mean([Structure(0.2, 0.3, 0.0), Structure(0.4, 0.4, 0.2)])
    assert mean.straight == pytest.approx(0.3)
    assert mean.coarse == pytest.approx((0.25 / 2) ** 0.5)
    assert mean.fine == pytest.approx((0.04 / 2) ** 0.5)


def test_the_command_compares_renders_with_pictures_of_the_same_people(
    mixing: Path,
    large_balls: Path,
    balls: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights, arguments = tmp_path / "weights.safetensors", ["hair", "--threads", "1"]
    assert main([*arguments, "--weights", str(mixing), "--data", str(balls)]) == 1
    assert "training detail" in capsys.readouterr().err
    model, info = load_checkpoint(mixing)
    torch.manual_seed(0)  # the new branches
    save_checkpoint(weights, with_detail(model, 4), info)
    monkeypatch.setattr("training.hair.LEAST", 1)  # balls have little hair
    assert main([*arguments, "--weights", str(weights), "--data", str(large_balls)]) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("renders / pictures") and rows[0].startswith("hair ")
    monkeypatch.setattr("training.hair.LEAST", 100_000)
    assert main([*arguments, "--weights", str(weights), "--data", str(large_balls)]) == 1
    assert "wide enough" in capsys.readouterr().err
