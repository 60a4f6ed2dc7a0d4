"""Eigenclothes of a model's people: what their clothes in renders have more."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from core.camera import Camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.eigenclothes import SIZE
from core.engine import PortraitEngine, embedded_weights
from core.prints import CLOTHES
from tests.training.renders import latents_of, write_renders
from training.__main__ import main
from training.eigenclothes import calmed, with_eigenclothes
from training.model_files import put_on, rebuilt, taken_off


def test_the_command_finds_what_clothes_in_renders_have_more(tmp_path: Path) -> None:
    """People wear waves, which a model without them finds in the pictures."""
    given, info = load_checkpoint(embedded_weights())
    plain = rebuilt(given, eigenclothes=0)
    row, column = torch.meshgrid(*(torch.linspace(0, 1, n) for n in SIZE), indexing="ij")
    wearers = [0, 1]
    maps = torch.zeros(plain.config.people, 3, *SIZE)
    maps[wearers[0], 0] = 0.4 * torch.sin(8 * math.pi * row)
    maps[wearers[1], 1] = 0.4 * torch.cos(12 * math.pi * column)
    known = torch.zeros(plain.config.people, 1, *SIZE)
    known[wearers] = 1
    wavy, held = with_eigenclothes(plain, maps, known, 2)
    assert held == pytest.approx(1, abs=1e-3)
    drawn = PortraitEngine(wavy, info, device="cpu", precision="float32")
    root, source, out = tmp_path / "set", tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    write_renders(root, drawn, wavy, {who: info["people"][who] for who in wearers})
    save_checkpoint(source, plain, info)
    command = ["eigenclothes", "--weights", str(source), "--data", str(root), "--out", str(out)]
    assert main([*command, "--components", "2"]) == 0
    found, facts = load_checkpoint(out)
    assert facts["people"] == info["people"]
    assert found.config.eigenclothes == 2
    engines = [
        PortraitEngine(model, info, device="cpu", precision="float32") for model in (plain, found)
    ]
    for person in wearers:
        picture = drawn.render(latents_of(wavy, person), Camera.orbit(0.0, 0.05))
        cloth = picture.mask[0, CLOTHES] > 0.95
        missing = [
            (engine.render(latents_of(wavy, person), Camera.orbit(0.0, 0.05)).image - picture.image)
            .square()
            .mean(1)[0][cloth]
            .mean()
            for engine in engines
        ]
        assert float(missing[1]) < 0.25 * float(missing[0])  # from a side that it has not seen
    kept = put_on(taken_off(found), found)
    assert taken_off(found).config.eigenclothes == 0
    assert torch.equal(kept.mapping.eigenclothes.planes, found.mapping.eigenclothes.planes)


def test_single_pixels_are_no_edge() -> None:
    maps, known = torch.zeros(1, 3, *SIZE), torch.ones(1, 1, *SIZE)
    maps[:, :, :, 60:] = 0.5  # an edge
    maps[:, 0, 20, 30] = 1.0  # a pixel
    (made,) = calmed(maps, known)
    assert float(made[0, 20, 30]) == pytest.approx(1 / (2 * math.pi), rel=0.05)
    edge = made[2, 20]
    assert float(edge[:50].max()) < 0.01
    assert float(edge[75:-20].min()) > 0.49
    rise = int(((edge > 0.08) & (edge < 0.42)).sum())  # a standard deviation either way
    assert abs(rise - 2) <= 1
    # what nobody has seen is made up by nothing
    known[:, :, :, 70:] = 0
    assert not calmed(maps * known, known)[..., 70:].any()


def test_a_model_without_garments_is_told_of_it(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    command = ["eigenclothes", "--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main(command) == 1
    assert "training garments" in capsys.readouterr().err
    assert not out.exists()
