"""The step benchmark: a fast step and a plain one of the same network."""

import json

import pytest
import torch

from training.__main__ import main
from training.bench import PlainModel, write_noise
from training.precision import float32_only, mixed
from training.trainer import Trainer, TrainOptions


def test_bench_times_both_steps(tmp_path, capsys):
    arguments = ["bench", "--preset", "tiny", "--portraits", "1", "--views", "2", "--threads", "1"]
    arguments += ["--random-portraits", "1", "--repeats", "1", "--json", str(tmp_path / "b.json")]
    assert main(arguments) == 0
    numbers = json.loads((tmp_path / "b.json").read_text())
    assert numbers["trainer"]["images_per_s"] > 0
    assert numbers["plain"]["images_per_s"] > 0
    assert numbers["times"] == pytest.approx(
        numbers["trainer"]["images_per_s"] / numbers["plain"]["images_per_s"]
    )
    assert "plain" in capsys.readouterr().out


def test_the_plain_network_is_the_same(tmp_path):
    """The same parameters and nearly the same picture, or the comparison would mean nothing."""
    write_noise(tmp_path / "data", 64)
    options = TrainOptions(
        data=[str(tmp_path / "data")], out=str(tmp_path / "run"), preset="tiny", device="cpu"
    )
    trainer = Trainer(options)
    plain = PlainModel.of(trainer.model)
    assert {id(p) for p in plain.parameters()} == {id(p) for p in trainer.model.parameters()}
    batch = trainer.views.batch(1, 1, torch.Generator().manual_seed(0))
    codes = [codes[:1] for codes in trainer.portrait_codes()]
    with torch.no_grad():
        fast, slow = (model(*codes, None, batch.rays) for model in (trainer.model, plain))
    assert (fast.coarse_mask - slow.coarse_mask).abs().mean() < 0.02


def test_float32_only_turns_mixed_precision_off():
    a = torch.ones(2, 2)
    with float32_only(), mixed("cpu"):
        assert (a @ a).dtype == torch.float32
