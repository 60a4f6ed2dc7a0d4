"""The upscaler: taught by renders of twice the size, beside a model that stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.render_net import enlarge_to
from core.upscaler import Upscaler
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.upscale import CROP, blurred, crops_of, fidelity, terms_of, with_upscaler


def test_a_blur_is_a_gaussian_and_none_is_the_picture() -> None:
    dots = torch.zeros(3, 3, 21, 21)
    dots[:, :, 10, 10] = 1
    made = blurred(dots, torch.tensor([0.0, 1.0, 1.6]))
    assert made.shape == (3, 3, 11, 11)
    assert torch.equal(made[0], dots[0, :, 5:16, 5:16])
    assert torch.allclose(made.sum((2, 3)), torch.ones(3, 3), atol=1e-5)
    # one and two pixels from the middle: e^(-1/2) and e^-2 of what is there
    row = made[1, 0, 5] / made[1, 0, 5, 5]
    assert row[6].item() == pytest.approx(0.6065, abs=1e-3)
    assert row[7].item() == pytest.approx(0.1353, abs=1e-3)


def test_crops_are_halves_of_what_is_wanted(large_balls: Path) -> None:
    data = PortraitSet(read_views([large_balls]))
    generator = torch.Generator().manual_seed(0)
    small, wanted = crops_of(data, list(range(8)), generator)
    assert small.shape == (8, 3, CROP // 2, CROP // 2) and wanted.shape == (8, 3, CROP, CROP)
    # a blur moves no mean, and whatever is cut or mirrored is so in both
    halved = F.avg_pool2d(wanted, 2)
    assert (small - halved).abs().mean() < 0.02
    assert (small.flip(-1) - halved).abs().mean() > 0.05


def test_sharp_edges_cost_nothing_and_soft_or_overshooting_ones_do() -> None:
    edge = torch.full((1, 3, 32, 32), -0.5)
    edge[..., 16:] = 0.5
    assert all(value == 0 for value in terms_of(edge, edge).values())
    soft = terms_of(blurred(F.pad(edge, (5,) * 4, mode="replicate"), torch.tensor([0.7])), edge)
    assert soft["image"] > 0 and soft["edges"] > 0.02 and soft["beyond"] < 1e-4
    assert terms_of(edge * 1.5, edge)["beyond"] > 0.1


def test_only_the_upscaler_learns_and_it_beats_enlargement(
    mixing: Path,
    large_balls: Path,
    held_out_balls: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("training.upscale.CHANNELS", 16)
    monkeypatch.setattr("training.upscale.BLURS", (1.4, 1.6))  # much to learn in few steps
    out = tmp_path / "large.safetensors"
    command = ["upscale", "--data", str(large_balls), "--out", str(out), "--threads", "1"]
    options = ["--pictures", "2", "--steps", "300", "--rate", "0.004"]
    assert main([*command, *options, "--weights", str(mixing)]) == 0
    (before, _), (after, facts) = load_checkpoint(mixing), load_checkpoint(out)
    assert before.upscaler is None and after.upscaler is not None
    state = after.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in before.state_dict().items())
    assert [run["steps"] for run in facts["upscaled"]] == [300]
    data = PortraitSet(read_views([large_balls]))
    small, wanted = crops_of(data, list(range(len(data))), torch.Generator().manual_seed(7))
    error, plain = (
        float((made - wanted).abs().mean())
        for made in (after.upscaler(small), enlarge_to(small, wanted.shape[-1]))
    )
    assert error < 0.9 * plain
    # it goes on from where it was, and says how good it is
    again = [*command, "--minutes", "0", "--held-out", str(held_out_balls), "--weights", str(out)]
    assert main(again) == 0
    assert len(load_checkpoint(out)[1]["upscaled"]) == 2
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith("9 held-out renders, PSNR in dB: bilinear ")


def test_an_upscaler_starts_as_bilinear_enlargement(mixing: Path) -> None:
    model = with_upscaler(load_checkpoint(mixing)[0])
    assert model.upscaler is not None
    picture = torch.rand(2, 3, 16, 24)
    made = model.upscaler(picture)
    assert made.shape == (2, 3, 32, 48)
    assert torch.equal(made, F.interpolate(picture, scale_factor=2, mode="bilinear"))


def test_fidelity_is_that_of_each_way(large_balls: Path) -> None:
    data = PortraitSet(read_views([large_balls])[:2])
    found = fidelity(Upscaler(8, 1), data)
    assert found["upscaler"] == found["bilinear"] < found["bicubic"]
    wanted = data.picture([0, 1])
    plain = F.interpolate(F.avg_pool2d(wanted, 2), scale_factor=2, mode="bilinear")
    errors = (plain - wanted).square().mean((1, 2, 3))
    assert found["bilinear"] == pytest.approx(float((-10 * (errors / 4).log10()).mean()), abs=1e-3)


def test_renders_that_are_too_small_are_refused(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["upscale", "--weights", str(mixing), "--data", str(balls)]
    assert main([*command, "--out", str(tmp_path / "x.safetensors")]) == 1
    assert "--size 512" in capsys.readouterr().err
