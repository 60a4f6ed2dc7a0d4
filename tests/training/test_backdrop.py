"""Backgrounds continued behind heads: what a map becomes, and that nothing else moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.model import SSGAN3D
from core.parts import BACKGROUND
from training.__main__ import main
from training.backdrop import filled, seen_of


def with_a_hole(value: float) -> tuple[Tensor, Tensor]:
    """A map of 3s with something else in its middle, which nobody has seen."""
    maps, seen = torch.full((1, 2, 32, 32), 3.0), torch.ones(1, 1, 32, 32)
    maps[..., 8:30, 10:22] = value
    seen[..., 8:30, 10:22] = 0
    return maps, seen


@pytest.mark.parametrize("blur", [1.0, 2.0])
def test_what_nobody_has_seen_becomes_what_is_around_it(blur: float) -> None:
    assert torch.allclose(filled(*with_a_hole(100.0), blur), torch.tensor(3.0), atol=1e-3)


def test_what_is_seen_is_blurred_by_as_much_as_is_asked_for() -> None:
    maps = torch.zeros(1, 1, 33, 33)
    maps[..., 16, 16] = 1
    spot = filled(maps, torch.ones(1, 1, 33, 33), 1.5)[0, 0]
    place = torch.arange(33.0) - 16
    assert float(spot.sum()) == pytest.approx(1, abs=1e-3)
    assert float((spot.sum(0) * place**2).sum()) == pytest.approx(1.5**2, rel=1e-3)


def test_colours_run_on_from_the_nearest_side() -> None:
    maps, seen = with_a_hole(100.0)
    maps[..., 22:] = 5.0
    row = filled(maps, seen, 1.0)[0, 0, 16]
    assert (row.diff() > -1e-3).all()  # from 3 on the left to 5 on the right, without a dent
    assert float(row[0]) == pytest.approx(3, abs=0.05) and float(row[-1]) == pytest.approx(
        5, abs=0.05
    )


def test_corners_are_seen_and_the_head_s_place_is_not(mixing: Path) -> None:
    model, _ = load_checkpoint(mixing)
    seen = seen_of(model, torch.arange(2))
    spec = model.config.maps[BACKGROUND]
    assert seen.shape == (2, 1, spec.height, spec.width)
    middle = seen[..., spec.height // 2, spec.width // 2]
    assert (seen[..., 0, 0] > 0.98).all() and (middle < 0.3).all()


def test_only_backgrounds_learn_and_specks_behind_heads_go(
    mixing: Path, tmp_path: Path, changed_parts: Callable[[SSGAN3D, SSGAN3D], set[str]]
) -> None:
    model, info = load_checkpoint(mixing)
    rows = model.mapping.presence[:, BACKGROUND].nonzero()[:, 0]
    group = next(group for group in model.generators.groups if BACKGROUND in group.parts)
    spec = model.config.maps[BACKGROUND]
    place = (spec.height // 2) * spec.width + spec.width // 2
    with torch.no_grad():
        group.position[group.parts.index(BACKGROUND), place] *= 30  # behind every head
    speckled, out = tmp_path / "speckled.safetensors", tmp_path / "out.safetensors"
    save_checkpoint(speckled, model, info)
    command = ["backdrop", "--weights", str(speckled), "--out", str(out), "--steps", "200"]
    assert main([*command, "--pictures", "4", "--threads", "1", "--rate", "0.02"]) == 0
    after, facts = load_checkpoint(out)

    def speck(one: SSGAN3D) -> float:
        people = one.mapping
        codes = people.base[rows], people.shape[rows], people.texture[rows]
        made = one.part_maps(*codes, [BACKGROUND])[BACKGROUND].features
        grid = made[..., : one.config.features].flatten(1, 2)
        return float((grid[:, place] - grid[:, place - 1]).abs().mean())

    assert speck(after) < speck(model) / 4
    assert changed_parts(model, after) == {"background"}
    assert [run["steps"] for run in facts["backgrounds continued"]] == [200]


def test_a_model_without_people_is_refused_in_words(tmp_path: Path, capsys) -> None:
    file = tmp_path / "none.safetensors"
    save_checkpoint(file, SSGAN3D(ModelConfig.tiny()), {})
    assert main(["backdrop", "--weights", str(file), "--out", str(tmp_path / "out")]) == 1
    assert "mixes no people" in capsys.readouterr().err
