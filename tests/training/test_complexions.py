"""Complexions: the colours of the noses, ears and necks of a model's people."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.complexion import TAKERS
from core.engine import embedded_weights
from training.__main__ import main
from training.model_files import put_on, rebuilt, taken_off


def test_everybody_has_the_colours_that_their_own_parts_have(tmp_path: Path) -> None:
    given, info = load_checkpoint(embedded_weights())
    source, out = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    plain = rebuilt(given, complexions=False)
    plain.mapping.presence[5:] = 0  # for speed: nobody else
    save_checkpoint(source, plain, info)
    assert main(["complexions", "--weights", str(source), "--out", str(out)]) == 0
    found, facts = load_checkpoint(out)
    assert facts["people"] == info["people"]
    people = found.mapping
    assert people.complexions.any(2).any(1).nonzero()[:, 0].tolist() == [0, 1, 2, 3, 4]
    codes = people.base[:2], people.shape[:2], people.texture[:2]
    maps = found.part_maps(*codes)
    for part in TAKERS:  # on their own heads nothing changes
        assert maps[part].hue is not None
        assert not maps[part].hue.any()
    swapped = found.part_maps(codes[0].flip(0), *codes[1:])
    assert all(swapped[part].hue.any() for part in TAKERS)
    kept = put_on(taken_off(found), found)
    assert torch.equal(kept.mapping.complexions, people.complexions)


def test_a_model_without_fine_structure_is_told_of_it(
    mixing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    assert main(["complexions", "--weights", str(mixing), "--out", str(out)]) == 1
    assert "training detail" in capsys.readouterr().err
    assert not out.exists()
