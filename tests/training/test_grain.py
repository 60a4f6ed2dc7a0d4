"""Grain: as much as the renders' skin has, on skin alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import Spectrum
from core.engine import PortraitEngine
from core.grain import grain_tile, to_axes
from core.model import SSGAN3D
from core.parts import PART_COUNT, part_index
from training.__main__ import main
from training.data import PortraitSet, as_stored, read_views
from training.detail import with_detail
from training.grain import (
    SAMPLES,
    _non_negative,
    _places,
    _skin_energies,
    _without_form,
    compared_skin,
    measured_grain,
    with_grain,
)
from training.refine import codes_of_rows, known_views
from training.warm_start import Batch, Views


@pytest.fixture
def teacher(mixing: Path) -> SSGAN3D:
    torch.manual_seed(0)
    return with_grain(with_detail(load_checkpoint(mixing)[0], 4), ())


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
        return replace(batch, image=as_stored(made.image[:, 0]))

    return pictured


SPECTRUM = ((0.01, 0.0, 0.02), (0.02, 0.02, 0.0), (0.0, 0.03, 0.01), (0.03, 0.0, 0.02))
LIGHT = ((0.0, 0.0, 0.0), (0.05, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def test_strengths_are_found_on_a_grey_wall() -> None:
    """Eight pictures that are all skin, a texel a pixel."""
    mask = torch.zeros(8, PART_COUNT, 64, 64)
    mask[:, part_index("skin")] = 1
    mask[:, part_index("eyes"), 0] = 1  # what is below them is measured

    def energies(spectrum: Spectrum) -> torch.Tensor:
        tile = grain_tile(spectrum)
        crops = torch.stack([tile.roll((40 * i, 90 * i), (1, 2))[:, :128, :128] for i in range(8)])
        return _skin_energies(to_axes(crops), mask)[:, 0].mean(0)

    bands = [tuple((float(i == band),) * 3 for i in range(4)) for band in range(4)]
    gives = torch.stack([energies(band) for band in bands], 1)  # (bands, bands, axes)
    assert (gives.diagonal().T >= gives.amax(0)).all()  # each shows most in its own band
    wanted = energies(SPECTRUM)
    found = [_non_negative(gives[..., axis], wanted[:, axis]).sqrt() for axis in range(3)]
    torch.testing.assert_close(
        torch.stack(found, 1).float(), torch.tensor(SPECTRUM), atol=0.006, rtol=0.1
    )


def test_grain_is_found_in_pictures_that_have_it(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor]
) -> None:
    views, rows = known
    shown = copy.copy(views)
    for spectrum in ((), LIGHT):
        of = drawn_by(with_grain(teacher, spectrum), rows, views.of)
        shown.of = of  # type: ignore[method-assign]
        found = torch.tensor(measured_grain(teacher, shown, rows, 18)[0])
        if spectrum:  # on so little skin a band is told apart from the next by half
            assert float(found[1, 0]) == pytest.approx(0.05, abs=0.01)
            assert found.flatten().sort().values[-2] < 0.03
        else:
            assert not found.any()
        # a model that has some already is measured without it
        again, _ = measured_grain(with_grain(teacher, SPECTRUM), shown, rows, 18)
        torch.testing.assert_close(torch.tensor(again), found)


def test_a_models_own_pictures_have_what_they_have(
    teacher: SSGAN3D, mixing: Path, balls: Path
) -> None:
    known, rows = known_views(read_views([balls]), load_checkpoint(mixing)[1]["people"])
    data = PortraitSet(known)
    # louder than the fine structure of random weights
    loud = tuple(tuple(4 * strength for strength in band) for band in SPECTRUM)
    engine = PortraitEngine(with_grain(teacher, loud), device="cpu", precision="float32")
    real, made = compared_skin(engine, teacher.mapping, data, rows, 18)
    assert real.shape == made.shape == (4, 3) and made.isfinite().all()
    none, less = compared_skin(
        PortraitEngine(with_grain(teacher, ()), device="cpu", precision="float32"),
        teacher.mapping,
        data,
        rows,
        18,
    )
    assert torch.equal(none, real) and (less < made)[:3, :2].all()


def test_strengths_by_hand_are_never_negative() -> None:
    matrix = torch.tensor([[2.0, 1.0], [1.0, 2.0]])
    found = _non_negative(matrix, torch.tensor([4.0, 5.0]))
    torch.testing.assert_close(found.float(), torch.tensor([1.0, 2.0]))
    # (x, 0) with (2, 1)·(2x, x) = (2, 1)·(4, 0.5): x = 8.5 / 5
    found = _non_negative(matrix, torch.tensor([4.0, 0.5]))
    torch.testing.assert_close(found.float(), torch.tensor([1.7, 0.0]))


def test_the_command_writes_a_model_with_the_grain_of_its_renders(
    teacher: SSGAN3D, mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = tmp_path / "weights.safetensors", tmp_path / "out.safetensors"
    arguments = ["grain", "--data", str(balls), "--threads", "1", "--out", str(out)]
    assert main([*arguments, "--weights", str(mixing)]) == 1
    assert "training detail" in capsys.readouterr().err and not out.exists()
    save_checkpoint(weights, teacher, load_checkpoint(mixing)[1])
    without = [one for one in arguments if one not in ("--out", str(out))]
    assert main([*without, "--weights", str(weights)]) == 1
    assert "--out is missing" in capsys.readouterr().err
    assert main([*without, "--weights", str(weights), "--compare"]) == 0
    assert "0.7 pixels, light: renders 0." in capsys.readouterr().out
    assert main([*arguments, "--weights", str(weights)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"{out}\n")
    strengths = [f"{one:g}" for band in load_checkpoint(out)[0].config.grain for one in band]
    assert len(strengths) == 12 and all(one in said for one in strengths)


def test_folds_are_no_grain_by_hand() -> None:
    squares = torch.tensor([[9.0, 1, 1], [9, 1, 1], [2, 4, 1], [9, 6, 1]])
    # red against green grows by 6 / 4 from the third band to the last: so may light
    expected = torch.tensor([[9.0, 1, 1], [9, 1, 1], [2, 4, 1], [3, 6, 1]])
    torch.testing.assert_close(_without_form(squares), expected)
    squares[-1, 0] = 2  # less is not made more
    torch.testing.assert_close(_without_form(squares), squares)
    assert not _without_form(torch.zeros(4, 3)).any()


def test_places_by_hand() -> None:
    mask = torch.zeros(2, PART_COUNT, 40, 8)
    mask[0, part_index("eyes"), 20:22, 3] = 1
    below, above = _places(mask)
    # from beneath the eyes on, and a tenth of the picture above them
    assert below[0, 0, :, 0].nonzero()[:, 0].tolist() == list(range(22, 40))
    assert above[0, 0, :, 0].nonzero()[:, 0].tolist() == list(range(16))
    assert not below[1].any() and not above[1].any()  # no eyes, no places
