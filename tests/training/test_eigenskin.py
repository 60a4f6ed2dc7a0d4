"""Eigenskins of a model's people: what their renders have more."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from core.camera import Camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.eigenskin import SIZE
from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.grain import SKIN
from tests.training.renders import latents_of, write_renders
from training.__main__ import main
from training.eigenskin import GLASSES, behind_glasses, with_eigenskins
from training.model_files import put_on, rebuilt, taken_off


def test_nothing_is_made_up_for_who_is_not_seen() -> None:
    model, _ = load_checkpoint(embedded_weights())
    model = rebuilt(model, eigenskins=0)
    maps = torch.zeros(model.config.people, 3, *SIZE)
    known = torch.zeros(model.config.people, 1, *SIZE)
    maps[[2, 5]], known[[2, 5]] = torch.tensor([0.1, 0.3])[:, None, None, None], 1
    made, held = with_eigenskins(model, maps, known, 1)
    assert held == pytest.approx(1, abs=1e-4)
    assert made.mapping.eigenskins.amounts.any(1).nonzero()[:, 0].tolist() == [2, 5]
    light = made.mapping.tint(
        SKIN, *(codes[[2, 5], SKIN] for codes in (made.mapping.shape, made.mapping.texture))
    )
    torch.testing.assert_close(light, maps[[2, 5]], atol=2e-3, rtol=0)
    with pytest.raises(PortraitError, match="2 people have been seen"):
        with_eigenskins(model, maps, known, 3)


def test_skin_behind_lenses_does_not_count() -> None:
    """Nothing of whom wears none; else all within a frame, and a pixel around it."""
    labels = torch.full((12, 12), SKIN)
    assert not behind_glasses(labels).any()
    labels[4, 2:9] = labels[7, 2:9] = labels[4:8, 2] = labels[4:8, 8] = GLASSES
    behind = behind_glasses(labels)
    assert behind[3:9, 1:10].all()
    assert behind.sum() == 6 * 9


def test_the_command_finds_what_skins_in_renders_have_more(tmp_path: Path) -> None:
    """People are drawn with eigenskins, which a model without them finds in the pictures."""
    given, info = load_checkpoint(embedded_weights())
    plain = rebuilt(given, eigenskins=0)
    row, column = torch.meshgrid(*(torch.linspace(0, 1, n) for n in SIZE), indexing="ij")
    waves = torch.stack([torch.sin(12 * math.pi * row), torch.cos(9 * math.pi * column)])
    maps = torch.zeros(plain.config.people, 3, *SIZE)
    maps[0, 0], maps[1, 1] = 0.25 * waves[0], 0.25 * waves[1]
    known = torch.zeros(plain.config.people, 1, *SIZE)
    known[:2] = 1
    wavy, _ = with_eigenskins(plain, maps, known, 2)
    drawn = PortraitEngine(wavy, info, device="cpu", precision="float32")
    root, source, out = tmp_path / "set", tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    write_renders(root, drawn, wavy, dict(enumerate(info["people"][:2])))
    save_checkpoint(source, plain, info)
    command = ["eigenskin", "--weights", str(source), "--data", str(root), "--out", str(out)]
    assert main([*command, "--components", "2"]) == 0
    found, facts = load_checkpoint(out)
    assert facts["people"] == info["people"]
    assert found.config.eigenskins == 2
    engines = [
        PortraitEngine(model, info, device="cpu", precision="float32") for model in (plain, found)
    ]
    for person in (0, 1):
        picture = drawn.render(latents_of(wavy, person), Camera.orbit(0.0, 0.05))
        skin = picture.mask[0, SKIN] > 0.95
        missing = [
            (engine.render(latents_of(wavy, person), Camera.orbit(0.0, 0.05)).image - picture.image)
            .square()
            .mean(1)[0][skin]
            .mean()
            for engine in engines
        ]
        assert float(missing[1]) < 0.25 * float(missing[0])  # from a side that it has not seen
    kept = put_on(taken_off(found), found)
    assert taken_off(found).config.eigenskins == 0
    assert torch.equal(kept.mapping.eigenskins.planes, found.mapping.eigenskins.planes)


def test_a_model_without_grain_is_told_of_it(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    command = ["eigenskin", "--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main(command) == 1
    assert "training grain" in capsys.readouterr().err
    assert not out.exists()
