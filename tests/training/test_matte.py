"""Ends of hair: as strandy along them, and as steep outside, as in renders of the same people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from core.checkpoint import load_checkpoint, save_checkpoint
from core.engine import PortraitEngine
from core.generators import PartGroup
from core.matte import matte
from core.model import SSGAN3D
from core.parts import BACKGROUND, PART_COUNT, part_index
from core.strands import HAIR, Strands
from training.__main__ import main
from training.detail import with_detail
from training.matte import Ends, halved, measured_matte, variation
from training.model_files import put_on, taken_off

DIRECTIONS = 4
SKIN = part_index("skin")


def test_ends_are_found_and_which_way_hair_lies() -> None:
    mask = torch.zeros(1, PART_COUNT, 64, 64)
    mask[:, HAIR, :32] = 1  # above
    mask[:, SKIN, 32:, :32] = 1
    mask[:, BACKGROUND, 32:, 32:] = 1
    ends = Ends.of(mask)
    assert ends.inside[31, 8:24].all() and not ends.inside[31, 40:].any()
    assert ends.outside[31, 40:56].all() and not ends.outside[31, 8:24].any()
    assert not (ends.inside | ends.outside)[:24].any(), "hair itself is no end"
    torch.testing.assert_close(ends.across[:, 31, 16], torch.tensor([0.0, -1.0]))

    rising = torch.linspace(0, 1, 64)
    right, down = (
        variation([ends], [picture.expand(1, 3, 64, 64)]) for picture in (rising, rising[:, None])
    )
    # a rise of 1 over 63 pixels: along on heads, along outside, across outside
    torch.testing.assert_close(right * 63, torch.tensor([1.0, 1.0, 0.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(down * 63, torch.tensor([0.0, 0.0, 1.0]), atol=0.25, rtol=0)


@pytest.mark.parametrize(("root", "found"), [(0.7, 0.7), (-1.0, 0.0), (5.0, 2.0)])
def test_halving_finds_a_root_or_the_nearest_end(root: float, found: float) -> None:
    assert halved((0.0, 2.0), lambda x: x**3 - root**3) == pytest.approx(found, abs=0.04)


@pytest.fixture
def strandy(mixing: Path) -> SSGAN3D:
    """Everybody's hair has strands."""
    model = with_detail(load_checkpoint(mixing)[0], DIRECTIONS)
    for group in model.generators.groups:
        assert isinstance(group, PartGroup)
        if HAIR in group.parts:
            group.detail_head_bias[group.parts.index(HAIR), ::DIRECTIONS] = 0.2
    return model


def test_the_matte_that_renders_have_is_found(
    mixing: Path, strandy: SSGAN3D, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pictures of the same end of hair, on a face to the left and outside to the right."""
    torch.manual_seed(0)
    config = replace(strandy.config, image_size=128, ray_size=32)
    hard = torch.zeros(1, PART_COUNT, 128, 128)
    hard[:, HAIR, :64] = 1
    hard[:, SKIN, 64:, :64] = 1
    hard[:, BACKGROUND, 64:, 64:] = 1
    soft = F.avg_pool2d(F.pad(hard, [3] * 4, mode="replicate"), 7, 1)
    smooth = 0.5 - soft[:, HAIR, None].expand(1, 3, -1, -1)
    noise = torch.randn(1, 2, 1, 128).expand(1, 2, 128, 128)  # upright strands
    curls = torch.ones(1, 2 * DIRECTIONS, 32, 32)
    strands = Strands(curls, noise, curls[:, :0], torch.ones(1, 2, 32, 32))

    def drawn(matte_of: tuple[float, ...]) -> torch.Tensor:
        half = F.avg_pool2d(soft, 2)
        if not matte_of:
            return smooth
        return matte(smooth, half, strands, replace(config, hair_matte=matte_of)).picture

    class Renders:
        size = 128

        def soft_mask(self, _chosen: list[int], _size: int) -> torch.Tensor:
            return hard

        def picture(self, _chosen: list[int]) -> torch.Tensor:
            return drawn((0.5, 0.9, 2.5))

    def own_pictures(engine: PortraitEngine, *_rest: object) -> list[torch.Tensor]:
        return [drawn(engine.config.hair_matte)]

    monkeypatch.setattr("training.matte.own_pictures", own_pictures)
    renders: Any = Renders()
    found, (real, soft, made) = measured_matte(strandy, renders, torch.zeros(1), [0])
    assert found == pytest.approx((0.5, 0.9, 2.5), abs=0.15)
    torch.testing.assert_close(made, real, atol=0, rtol=0.1)
    assert (soft < 0.8 * real).all()


def test_the_command_gives_a_model_a_matte(
    mixing: Path,
    balls: Path,
    strandy: SSGAN3D,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = tmp_path / "strandy.safetensors", tmp_path / "out.safetensors"
    save_checkpoint(path, strandy, load_checkpoint(mixing)[1])
    command = ["matte", "--weights", str(path), "--out", str(out), "--pictures", "4"]
    command += ["--threads", "1"]
    assert main([*command, "--data", str(balls)]) == 0
    assert "4 pictures of hair" in capsys.readouterr().out
    made = load_checkpoint(out)[0]
    assert len(made.config.hair_matte) == 3
    # what learns from renders sees soft ends, and gives the matte back
    bare = taken_off(made)
    assert bare.config.hair_matte == ()
    assert put_on(bare, made).config == made.config
