"""Eigenpaints of a model's people: what eyes and mouths in their renders have more."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.camera import Camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.parts import PAINTED, part_index
from tests.training.renders import latents_of, write_renders
from training.__main__ import main
from training.eigenpaint import with_eigenpaints
from training.model_files import NO_EIGENPAINTS, put_on, rebuilt, taken_off

MOUTH = part_index("mouth")


def test_the_command_finds_what_mouths_in_renders_have_more(tmp_path: Path) -> None:
    """People are drawn with striped mouths, which a model without stripes finds in the pictures."""
    given, info = load_checkpoint(embedded_weights())
    plain = rebuilt(given, **NO_EIGENPAINTS)
    maps, count = plain.config.maps, plain.config.people
    lacking = {p: torch.zeros(count, maps[p].height, maps[p].width, 3) for p in PAINTED}
    known = {p: torch.zeros(count, maps[p].height, maps[p].width, 1) for p in PAINTED}
    for part in PAINTED:
        known[part][:2] = 1
    lacking[MOUTH][0, :, ::16, 0] = lacking[MOUTH][0, :, 1::16, 0] = 0.5
    lacking[MOUTH][1, 8::16, :, 2] = lacking[MOUTH][1, 9::16, :, 2] = -0.5
    striped, _ = with_eigenpaints(plain, lacking, known, 2)
    drawn = PortraitEngine(striped, info, device="cpu", precision="float32")
    root, source, out = tmp_path / "set", tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    write_renders(root, drawn, striped, dict(enumerate(info["people"][:2])))
    save_checkpoint(source, plain, info)
    command = ["eigenpaint", "--weights", str(source), "--data", str(root), "--out", str(out)]
    assert main([*command, "--components", "2"]) == 0
    found, facts = load_checkpoint(out)
    assert facts["people"] == info["people"]
    assert set(facts["eigenpaint"][0]["held"]) == {"brows", "eyes", "nose", "mouth"}
    # only texels that somebody shows are kept
    assert 0 < found.config.eigenpaint_texels[PAINTED.index(MOUTH)] < 0.7 * 48 * 80
    engines = [
        PortraitEngine(model, info, device="cpu", precision="float32") for model in (plain, found)
    ]
    for person in (0, 1):
        picture = drawn.render(latents_of(striped, person), Camera.orbit(0.0, 0.05))
        mouth = picture.mask[0, MOUTH] > 0.9
        missing = [
            (
                engine.render(latents_of(striped, person), Camera.orbit(0.0, 0.05)).image
                - picture.image
            )
            .square()
            .mean(1)[0][mouth]
            .mean()
            for engine in engines
        ]
        assert float(missing[1]) < 0.25 * float(missing[0])  # from a side that it has not seen
    kept = put_on(taken_off(found), found)
    assert taken_off(found).config.eigenpaints == 0
    for mine, theirs in zip(kept.mapping.eigenpaints, found.mapping.eigenpaints, strict=True):
        assert torch.equal(mine.planes, theirs.planes)
        assert torch.equal(mine.texels, theirs.texels)
    with pytest.raises(PortraitError, match="2 people have been seen"):
        with_eigenpaints(plain, lacking, known, 3)


def test_a_model_without_paint_is_told_of_it(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    command = ["eigenpaint", "--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main(command) == 1
    assert "paints nothing" in capsys.readouterr().err
    assert not out.exists()
