"""Beards: as strong as in renders of the same people."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.detail import oriented_noise
from core.engine import PortraitEngine
from core.generators import PartGroup
from core.grain import SKIN
from core.model import SSGAN3D
from core.parts import PART_COUNT, part_index
from training.__main__ import main
from training.beards import measured_gain, strand_energy
from training.data import PortraitSet, read_views
from training.detail import with_detail
from training.model_files import rebuilt
from training.own_pictures import own_pictures
from training.refine import known_views

DIRECTIONS = 4


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures of balls are a quarter of the real ones' size."""
    monkeypatch.setattr("training.beards.LEAST", 4)


def test_energy_is_of_the_lower_face_and_of_fine_strands() -> None:
    fine, coarse = (oriented_noise(DIRECTIONS, 128)[i] for i in (DIRECTIONS, 0))
    mask = torch.zeros(1, PART_COUNT, 64, 64)
    mask[:, part_index("skin")] = 1
    assert strand_energy(torch.zeros(1, 3, 128, 128), mask, DIRECTIONS) is None  # no mouth
    mask[:, :, 36:40, 24:40] = 0
    mask[:, part_index("mouth"), 36:40, 24:40] = 1
    low = torch.zeros(128, 128)
    low[60:] = 0.1  # an eighth of the picture above the mouth's middle
    energies = [
        strand_energy((noise * where).expand(1, 3, -1, -1), mask, DIRECTIONS)
        for noise, where in ((fine, low), (fine, 2 * low), (coarse, low), (fine, 0.1 - low))
    ]
    strong, stronger, wide, above = (float(one or 0) for one in energies)
    assert strong > 0 and stronger == pytest.approx(4 * strong, rel=0.1)
    assert wide < 0.2 * strong and above < 0.3 * strong


@pytest.fixture
def bearded(mixing: Path) -> SSGAN3D:
    """Everybody has the same strands all over the skin, well above what is faint."""
    model = with_detail(load_checkpoint(mixing)[0], DIRECTIONS)
    for group in model.generators.groups:
        assert isinstance(group, PartGroup)
        if SKIN in group.parts:
            group.detail_head_bias[group.parts.index(SKIN), DIRECTIONS:] = 0.2
    return model


def shown_by(data: PortraitSet, drawn: dict[int, torch.Tensor]) -> Callable[..., torch.Tensor]:
    def picture(views: Sequence[int]) -> torch.Tensor:
        return torch.cat([drawn[view] for view in views])

    return picture


@pytest.mark.parametrize("gain", [0.6, 1.7])
def test_what_renders_have_more_is_found(
    mixing: Path, balls: Path, bearded: SSGAN3D, gain: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, rows = known_views(read_views([balls]), load_checkpoint(mixing)[1]["people"])
    data, views = PortraitSet(known), list(range(6))
    stronger = rebuilt(bearded, beard_gain=gain)
    engine = PortraitEngine(stronger, device="cpu", precision="float32")
    drawn = own_pictures(engine, bearded.mapping, data, rows, views)
    monkeypatch.setattr(data, "picture", shown_by(data, dict(zip(views, drawn, strict=True))))
    assert measured_gain(bearded, data, rows, views) == pytest.approx(gain, rel=0.1)


def test_the_command_reads_who_has_a_beard(
    mixing: Path,
    balls: Path,
    bearded: SSGAN3D,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = tmp_path / "bearded.safetensors", tmp_path / "out.safetensors"
    save_checkpoint(path, bearded, load_checkpoint(mixing)[1])
    command = ["beards", "--weights", str(path), "--out", str(out), "--data"]
    assert main([*command, str(balls)]) == 1
    assert "has a beard" in capsys.readouterr().err
    told = tmp_path / "told"
    told.mkdir()
    for name in ("images", "labels", "depth", "dataset.json"):
        (told / name).symlink_to(balls / name)
    rows = [json.loads(line) for line in (balls / "views.jsonl").read_text().splitlines()]
    for row in rows:
        row["attributes"] = {"beard": "full" if row["identity"] == 1 else "none"}
    (told / "views.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main([*command, str(told)]) == 0
    shown = sum(row["identity"] == 1 for row in rows)
    assert f"{shown} pictures of beards" in capsys.readouterr().out
    assert load_checkpoint(out)[0].config.beard_gain != 1
