"""Textures that learn from crops: what they are pieces of, what learns, what the command leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint
from core.model import SSGAN3D
from core.parts import PART_COUNT, part_index
from core.volume import sample_rays
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.polish import Polish, _corners, _cropped, _pixel_weights, cut
from training.refine import codes_of_rows, known_views
from training.trainer import reconfigured
from training.warm_start import Views

PARTS = [part_index("eyes"), part_index("skin")]  # a model of two steps shows hardly any eyes


@pytest.fixture
def textured(mixing: Path) -> SSGAN3D:
    """The model that mixes the balls' people, with textures of random colours."""
    torch.manual_seed(0)
    model = reconfigured(load_checkpoint(mixing)[0], fine_texels=2).requires_grad_(False)
    for group in model.generators.groups:
        torch.nn.init.normal_(group.fine_head, std=0.3)
    return model


def known(model: SSGAN3D, file: Path, balls: Path) -> tuple[Views, torch.Tensor]:
    views, rows = known_views(read_views([balls]), load_checkpoint(file)[1]["people"])
    return Views(PortraitSet(views), model.config, torch.device("cpu"), 8), rows


def test_a_crop_is_a_piece_of_the_picture(textured: SSGAN3D, mixing: Path, balls: Path) -> None:
    views, rows = known(textured, mixing, balls)
    crops = cut(textured, views, rows, PARTS)
    made = Polish(textured, crops, PARTS).picture(crops).detach()
    portraits = [p for p, group in enumerate(views.data.identities) for _ in group]
    order = [view for group in views.data.identities for view in group]
    codes = codes_of_rows(textured.mapping, rows[portraits], views.presence[portraits])
    rays = (views.origins, views.directions, views.centre)
    rays = sample_rays(*(t[order][:, None] for t in rays), textured.config)
    with torch.no_grad():
        posed = textured.posed(codes.base, codes.shape, codes.texture, codes.visible, rays)
        whole = textured.finish(posed).smooth[:, 0]
    corners = _corners(posed.mask[:, 0, PARTS].sum(1), textured.config.ray_size // 2)
    expected = _cropped(whole, corners, textured.config.ray_size).float()
    assert torch.equal(crops.rows, rows[portraits])
    # the render net sees black beyond a crop; in the middle, and to half precision, it is the same
    middle = slice(12, -12)
    error = (made - expected)[..., middle, middle].abs()
    assert error.mean() < 0.01
    assert expected.std() > 0.1


def test_crops_surround_what_learns_and_stay_in_the_picture() -> None:
    share = torch.zeros(3, 16, 16)
    share[0, 6:8, 2:14] = 1.0
    share[1, 0, 15] = 1.0
    assert _corners(share, 8) == [(3, 4), (0, 8), (4, 4)]  # nothing to see: the middle


def test_eyes_count_most_and_edges_on_both_sides() -> None:
    mask = torch.zeros(1, PART_COUNT, 1, 5)
    mask[:, part_index("hair")] = 1.0
    mask[..., 0] = 0.0
    mask[:, part_index("eyes"), :, 0] = 1.0
    weight = _pixel_weights(mask, PARTS)[0, 0, 0]
    torch.testing.assert_close(weight, torch.tensor([5.0, 2.5, 0.1, 0.1, 0.1]))


@torch.no_grad()
def error_of(polish: Polish) -> float:
    return sum(float(term) for term in polish.terms(polish.crops, torch.Generator()).values())


def test_textures_learn_and_nothing_else_moves(
    textured: SSGAN3D, mixing: Path, balls: Path
) -> None:
    views, rows = known(textured, mixing, balls)
    polish = Polish(textured, cut(textured, views, rows, PARTS), PARTS)
    people = textured.mapping
    before = [people.base.clone(), people.shape.clone(), people.texture.clone()]
    maps = textured.part_maps(*before)
    error = error_of(polish)
    assert polish.run(0, 4, 1e-2, steps=60) == 60
    assert error_of(polish) < 0.8 * error
    assert torch.equal(people.base, before[0])
    assert torch.equal(people.shape, before[1])
    others = [part for part in range(PART_COUNT) if part not in PARTS]
    assert torch.equal(people.texture[:, others], before[2][:, others])
    assert not torch.equal(people.texture[:, PARTS], before[2][:, PARTS])
    for part, made in textured.part_maps(*before).items():
        assert torch.equal(made.depth, maps[part].depth)
        assert torch.equal(made.density, maps[part].density)
        assert torch.equal(made.features, maps[part].features) == (part not in PARTS)


def test_the_command_writes_a_model_with_textures(
    mixing: Path, balls: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    files = ["--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main(["polish", *files, "--steps", "2", "--pictures", "2", "--parts", "eyes"]) == 0
    model, info = load_checkpoint(out)
    assert model.config.fine_texels == 2
    assert info["polished"][0]["parts"] == ["eyes"]
    assert info["people"] == load_checkpoint(mixing)[1]["people"]
