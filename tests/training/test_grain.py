"""Grain: as much as the renders' skin has, on skin alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.model import SSGAN3D
from core.parts import part_index
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.detail import with_detail
from training.grain import SAMPLES, measured_grain, with_grain
from training.refine import codes_of_rows, known_views
from training.warm_start import Batch, Views


@pytest.fixture
def teacher(mixing: Path) -> SSGAN3D:
    torch.manual_seed(0)
    return with_grain(with_detail(load_checkpoint(mixing)[0], 4), 0.0)


@pytest.fixture
def known(mixing: Path, balls: Path, teacher: SSGAN3D) -> tuple[Views, torch.Tensor]:
    shown, rows = known_views(read_views([balls]), load_checkpoint(mixing)[1]["people"])
    return Views(PortraitSet(shown), teacher.config, torch.device("cpu"), SAMPLES), rows


def drawn_by(model: SSGAN3D, rows: torch.Tensor, of: Callable[..., Batch]) -> Callable[..., Batch]:
    """``of`` with pictures that the model draws in place of renders."""

    def pictured(portraits: torch.Tensor, *more: object) -> Batch:
        batch = of(portraits, *more)
        codes = codes_of_rows(model.mapping, rows[portraits], batch.visible)
        with torch.no_grad():
            made = model(codes.base, codes.shape, codes.texture, codes.visible, batch.rays)
        return replace(batch, image=made.image[:, 0])

    return pictured


@pytest.mark.parametrize("grain", [0.0, 0.05, 0.1])
def test_grain_is_found_in_pictures_that_have_it(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor], grain: float
) -> None:
    views, rows = known
    for group in teacher.generators.groups:  # nothing but the grain
        group.detail_head.zero_()
        group.detail_head_bias.zero_()
    shown = copy.copy(views)
    shown.of = drawn_by(with_grain(teacher, grain), rows, views.of)  # type: ignore[method-assign]
    found = measured_grain(teacher, shown, rows, 12)
    assert found == pytest.approx(grain, rel=0.2, abs=0.005)
    # a model that has some already is measured without it
    assert measured_grain(with_grain(teacher, 0.3), shown, rows, 12) == pytest.approx(found)


def test_skin_has_grain_and_its_beards_keep_theirs(teacher: SSGAN3D) -> None:
    people = teacher.mapping
    codes = people.base[:2], people.shape[:2], people.texture[:2]
    with torch.no_grad():
        bare, grained = (model.generators(*codes) for model in (teacher, with_grain(teacher, 0.08)))
    colours = teacher.config.features
    for part, plain in bare.items():
        before, after = (one.features[..., colours:] for one in (plain, grained[part]))
        expected = before.clone()
        if part in [part_index(name) for name in ("skin", "nose", "neck")]:
            # four fine tiles of 0.04 have a root mean square of 0.08; energies add up
            expected[..., 4:] = (before[..., 4:].square() + 0.04**2).sqrt()
        torch.testing.assert_close(after, expected)
        assert torch.equal(plain.features[..., :colours], grained[part].features[..., :colours])


def test_the_command_writes_a_model_with_the_grain_of_its_renders(
    teacher: SSGAN3D, mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = tmp_path / "weights.safetensors", tmp_path / "out.safetensors"
    arguments = ["grain", "--data", str(balls), "--threads", "1", "--out", str(out)]
    assert main([*arguments, "--weights", str(mixing)]) == 1
    assert "training detail" in capsys.readouterr().err and not out.exists()
    save_checkpoint(weights, teacher, load_checkpoint(mixing)[1])
    assert main([*arguments, "--weights", str(weights)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"a grain of {load_checkpoint(out)[0].config.detail_grain:g}\n")
