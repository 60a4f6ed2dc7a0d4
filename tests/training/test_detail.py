"""Where how much fine structure lies: measured energies, and what is learnt of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.detail import COARSE, DETAILED, SurfaceDetail, length_bounds, oriented_noise
from core.parts import PART_COUNT, part_index
from core.surface_layers import SurfaceLayers
from core.volume import picture_positions
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.detail import (
    DetailTraining,
    distance,
    energies,
    given_energies,
    misfit,
    missing_energies,
    response,
    with_detail,
)
from training.refine import known_views
from training.warm_start import Views

DIRECTIONS = 4


def grey(gain: torch.Tensor) -> torch.Tensor:
    """A grey picture whose light changes by ``gain`` (S, S)."""
    return (0.5 * (1 + gain) - 1).expand(1, 3, -1, -1)


@pytest.mark.parametrize("tile", [0, 2, 5, 7])
def test_a_tile_has_the_energy_that_its_response_says(tile: int) -> None:
    noise = oriented_noise(DIRECTIONS, 128)[tile]
    found = energies(grey(0.1 * noise), torch.ones(1, 1, 128, 128), DIRECTIONS, 32)
    expected = 0.01 * response(DIRECTIONS, 128)[:, tile]
    mean = found.mean((0, 2, 3))
    assert int(mean.argmax()) == tile
    # dividing by the light nearby takes a little from the coarse band
    assert float(mean[tile]) == pytest.approx(float(expected[tile]), rel=0.3)
    faint = expected < 0.01 * expected.max()
    assert (mean[faint] < 0.1 * mean[tile]).all()


@pytest.mark.parametrize("texels", [0.8, 1.6])
@pytest.mark.parametrize("tile", [5, 6])
def test_a_picture_has_the_energy_that_is_counted_as_given(texels: float, tile: int) -> None:
    """Tiles that are finer than pixels fade, and must not count as if they were seen."""
    size, rays = 128, 32
    config = replace(
        ModelConfig.tiny(), image_size=size, ray_size=rays, detail_directions=DIRECTIONS
    )
    detail = SurfaceDetail(config)
    unit = texels * config.frame_side / size / config.detail_density  # a pixel's
    line = (torch.arange(rays) + 0.5) * (size / rays) * unit
    across, down = line.expand(rays, -1), line[:, None].expand(-1, rays)
    surface = torch.stack([across, down, torch.ones_like(across)])[None]
    amount = torch.zeros(1, 2 * DIRECTIONS, rays, rays)
    amount[:, tile] = 0.1
    gain = detail(amount, SurfaceLayers(surface), size)
    shown = (gain[0, 0, 16:-16, 16:-16]).square().mean()
    resolved = detail.resolved(surface, size)
    given = given_energies(amount, resolved, config)
    # of a crop, as closeup has it, the same
    crop = given_energies(amount[..., :24, :], resolved[..., :96, :], config)
    assert torch.equal(crop, given[..., :24, :])
    # of the tile's energy as the filters see it, all bands together
    own = response(DIRECTIONS, config.detail_side)[:, tile].sum()
    counted = given[..., 4:-4, 4:-4].sum(1).mean() / own
    # between texels a lookup takes a little from the fine band
    assert float(shown) == pytest.approx(float(counted), rel=0.45)
    assert float(counted) == pytest.approx(0.01 * min(1, texels**-4), rel=0.05)


@pytest.mark.parametrize(("tile", "mirrored"), [(5, 7), (7, 5)])
def test_strands_lean_in_pictures_as_in_the_renders_that_they_were_measured_in(
    tile: int, mirrored: int
) -> None:
    """Counted downwards and drawn upwards, every slant was its mirror image."""
    config = replace(ModelConfig.tiny(), image_size=128, ray_size=32, detail_directions=DIRECTIONS)
    detail = SurfaceDetail(config)
    positions = picture_positions(32).T.unflatten(-1, (32, 32))  # (2, r, r), v up
    surface = torch.cat([positions, torch.ones(1, 32, 32)])[None]
    amount = torch.zeros(1, 2 * DIRECTIONS, 32, 32)
    amount[:, tile] = 0.1
    shown = grey(detail(amount, SurfaceLayers(surface), 128)[0, 0])
    found = energies(shown, torch.ones(1, 1, 128, 128), DIRECTIONS, 32).mean((0, 2, 3))
    assert int(found.argmax()) == tile
    assert float(found[mirrored]) < 0.2 * float(found[tile])


def test_what_is_missing_is_what_the_render_has_more_away_from_edges() -> None:
    hair, eyes = part_index("hair"), part_index("eyes")
    mask = torch.zeros(1, PART_COUNT, 64, 64)
    mask[:, hair, :, :32] = 1
    mask[:, eyes, :, 32:] = 1  # no detail there, whatever the render shows
    noise = oriented_noise(DIRECTIONS, 128)[4]
    render, half = grey(0.2 * noise), grey(0.1 * noise)
    energy, known = missing_energies(render, half, mask, DIRECTIONS, 32)
    assert energy.shape == (1, 2 * DIRECTIONS, 32, 32)
    assert known[0, 0, 4:-4, 1:14].all()
    assert not known[..., 15:].any()
    shown = energy[:, :, 4:-4, 4:12].mean((0, 2, 3))
    expected = (0.2**2 - 0.1**2) * response(DIRECTIONS, 128)[:, 4]
    assert float(shown[4]) == pytest.approx(float(expected[4]), rel=0.3)
    nothing, _ = missing_energies(half, render, mask, DIRECTIONS, 32)
    assert float(nothing.max()) < 0.2 * float(expected[4])


def test_a_mean_or_a_median_of_what_is_wanted_is_best() -> None:
    """Of three people one has stubble: everybody a third of it, or nobody any."""
    stubble = 0.03
    wanted = torch.zeros(3, 1, 1, 1)
    wanted[0] = stubble
    known = torch.ones(3, 1, 1, 1)
    tried = [stubble * i / 30 for i in range(31)]

    def best(loss: Callable[..., torch.Tensor]) -> float:
        return min(tried, key=lambda given: float(loss(wanted * 0 + given, wanted, known)))

    assert best(misfit) == pytest.approx(stubble / 3)
    assert best(distance) == 0


def test_skin_is_given_the_structure_of_beards_and_none_of_pores() -> None:
    """Energies by hand: less than a thousandth is none, ten times as much all but that."""
    noise = oriented_noise(DIRECTIONS, 128)[4]
    skin, hair = (torch.zeros(1, PART_COUNT, 64, 64) for _ in range(2))
    skin[:, part_index("skin")], hair[:, part_index("hair")] = 1, 1

    def wanted(amount: float, mask: torch.Tensor) -> float:
        smooth, render = grey(0 * noise), grey(amount * noise)
        energy, _ = missing_energies(render, smooth, mask, DIRECTIONS, 32)
        return float(energy[..., 4:-4, 4:-4].sum(1).mean())

    pores, beard = 0.02, 0.1
    assert wanted(pores, skin) == pytest.approx(1e-5, rel=0.05)
    assert wanted(pores, hair) > 2e-4
    assert wanted(beard, skin) == pytest.approx(wanted(beard, hair) - 1e-3, rel=0.02)


def test_a_model_is_given_a_little_detail_and_stays_what_it_is(mixing: Path) -> None:
    model, _ = load_checkpoint(mixing)
    grown = with_detail(model, DIRECTIONS)
    before, after = model.state_dict(), grown.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    codes = grown.mapping(torch.randn(1, model.config.z_dim))[:3]
    for part, made in grown.part_maps(*codes).items():
        amount = made.features[..., model.config.features :]
        coarse, fine = amount.split(DIRECTIONS, -1)
        bounds = length_bounds([part], grown.config)[0].tolist()
        for share, bound in zip((coarse, fine), bounds, strict=True):
            length = min(0.02 * DIRECTIONS**0.5, bound)
            faint = 0.015 if bound and part == part_index("skin") else 0.0
            expected = (length**2 - faint**2) ** 0.5 / DIRECTIONS**0.5  # all tiles alike
            assert (expected > 0) == (part in (COARSE if share is coarse else DETAILED))
            torch.testing.assert_close(share, torch.full_like(share, expected))
    assert with_detail(grown, 6) is grown


def test_only_detail_is_learnt_and_comes_near_the_renders(mixing: Path, balls: Path) -> None:
    torch.manual_seed(0)  # the new branches
    model, info = load_checkpoint(mixing)
    grown = with_detail(model, DIRECTIONS)
    for group in grown.generators.groups:
        group.detail_lengths.fill_(0.1)  # what is measured decides, and no part's bound
    known, rows = known_views(read_views([balls]), info["people"])
    training = DetailTraining(
        grown, Views(PortraitSet(known), grown.config, torch.device("cpu"), 8), rows
    )
    before = {name: value.clone() for name, value in grown.state_dict().items()}

    def found() -> torch.Tensor:
        """Loss and given share of the missing energies, over all pictures."""
        every = [
            torch.stack(training.loss([view], torch.Generator().manual_seed(view))).detach()
            for view in range(len(training.views.data))
        ]
        return torch.stack(every).mean(0)

    first = found()
    assert training.run(0, 6, 1e-2, steps=100)["steps"] == 100
    last = found()
    assert last[0] < first[0] - 0.05
    assert 0.1 < last[1] < 2
    moved = {n for n, value in grown.state_dict().items() if not torch.equal(value, before[n])}
    assert moved
    assert all(".detail_" in name for name in moved)


def test_the_command_writes_a_model_with_detail(mixing: Path, balls: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    files = ["--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main(["detail", *files, "--steps", "2", "--directions", "3", "--pictures", "2"]) == 0
    model, info = load_checkpoint(out)
    assert model.config.detail_directions == 3
    assert info["detail"][0]["steps"] == 2
    assert info["people"] == load_checkpoint(mixing)[1]["people"]
