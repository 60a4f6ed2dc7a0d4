"""The surfaces of a model's people, from the depth of their renders."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from core.camera import Camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.engine import PortraitEngine, embedded_weights
from core.parts import FACE, FACE_BASE, part_index
from core.relief import SIZES
from tests.training.conftest import Trained
from tests.training.renders import latents_of, write_renders
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.model_files import rebuilt
from training.relief import (
    TEXELS,
    Surfaces,
    Target,
    fitted,
    seen_surfaces,
    spanned,
    targets,
)

RADIUS = 0.7  # of the balls


def test_renders_show_the_surface(large_balls: Path) -> None:
    """Texels lie on the ball that the data show, and know whose part they are."""
    config = dataclasses.replace(ModelConfig.tiny(), ray_size=40, image_size=160)
    data = PortraitSet(read_views([large_balls]))
    surfaces = seen_surfaces(data, torch.tensor([4, 4, 1, 1, 0]), config)
    assert surfaces.rows.tolist() == [0, 1, 4]
    u0, u1, v0, v1 = config.maps[FACE_BASE].window
    height, width = TEXELS
    u = u0 + (torch.arange(width) + 0.5) / width * (u1 - u0)
    v = v1 - (torch.arange(height)[:, None] + 0.5) / height * (v1 - v0)
    seen, z = surfaces.seen[0], surfaces.height[0]
    scale = (z + config.lift_origin) / config.lift_origin
    radius = ((u * scale).square() + (v * scale).square() + z.square()).sqrt()
    assert seen.sum() > 500
    error = (radius - RADIUS).abs()
    assert error[seen].max() < 0.03  # the set's depth is half a pixel off
    assert error[seen & (torch.hypot(u, v) < 0.3)].max() < 0.01
    nose = surfaces.shares[0, FACE.index(part_index("nose"))]
    assert nose[(u.abs() < 0.03) & ((v + 0.03).abs() < 0.05)].min() > 0.95
    assert not nose[(u.abs() > 0.15).expand_as(nose)].any()


def test_a_membrane_goes_on_as_its_edges_do() -> None:
    """A plane with a hole in it is a plane; what is known stays."""
    plane = torch.linspace(0, 1, 24)[:, None] - 0.5 * torch.linspace(0, 1, 30)
    known = torch.ones(24, 30, dtype=torch.bool)
    known[8:15, 10:22] = False
    made = spanned(torch.where(known, plane, 9)[None], known[None])[0]
    assert torch.equal(made[known], plane[known])
    torch.testing.assert_close(made, plane, atol=0.01, rtol=0)


def test_parts_rise_out_of_the_skin_around_them() -> None:
    config = ModelConfig.tiny()
    height = torch.zeros(1, *TEXELS)
    shares = torch.zeros(1, len(FACE), *TEXELS)
    nose = (..., slice(60, 75), slice(43, 53))
    shares[:, 0], height[nose] = 1, 0.2
    shares[0, 0][nose], shares[0, FACE.index(part_index("nose"))][nose] = 0, 1
    surfaces = Surfaces(torch.zeros(1), height, torch.ones(1, *TEXELS, dtype=torch.bool), shares)
    nothing = Target(height, torch.zeros(1, *TEXELS))
    found = targets(surfaces, nothing, config)
    assert found[FACE_BASE].rise.abs().max() < 1e-3
    rise = found[part_index("nose")].rise
    assert abs(float(rise.max()) - 0.2) < 1e-3
    assert not rise[..., 0].any()
    assert not found[part_index("eyes")].known.any()  # nobody has shown any


def test_cells_are_fitted_by_those_of_whom_they_are_known() -> None:
    """By hand: 1 + 2 c of those who are seen; nothing of a cell that nobody shows."""
    codes = torch.linspace(-50, 50, 101)[:, None]
    known = torch.ones(101, 1, 3)
    known[::2, 0, 1], known[:, 0, 2] = 0, 0
    rise = (1 + 2 * codes)[:, :, None].expand(-1, -1, 3).clone()
    rise[::2, 0, 1] = 77  # not known
    found = fitted(Target(rise, known), codes)
    expected = torch.tensor([[[2.0, 2.0, 0.0]], [[1.0, 1.0, 0.0]]])
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_the_command_finds_the_surface_of_renders(tmp_path: Path) -> None:
    """People are drawn with chins and noses that stand out, which a flat model finds."""
    given, info = load_checkpoint(embedded_weights())
    drawn = rebuilt(rebuilt(given, relief=False), relief=True)
    assert drawn.relief is not None
    codes = given.config.base_dim + given.config.code_dim
    for part, (height, width) in SIZES.items():
        rows = torch.zeros(codes + 1, height, width)
        down, across = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
        if part == FACE_BASE:
            rows[-1] = 0.7 - 0.7 * across.square() - 0.2 * down.square()
        if part == part_index("nose"):
            rows[-1] = 0.25 * (1 - across.square()) * (1 - down.square())
        drawn.relief.put(part, rows)
    plain = rebuilt(given, relief=False)
    root, source, out = tmp_path / "set", tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    engine = PortraitEngine(drawn, info, device="cpu", precision="float32")
    write_renders(root, engine, drawn, dict(enumerate(info["people"][:2])))
    save_checkpoint(source, plain, info)
    command = ["relief", "--weights", str(source), "--data", str(root), "--out", str(out)]
    assert main(command) == 0
    found, facts = load_checkpoint(out)
    assert facts["people"] == info["people"]
    assert facts["relief"][-1] == {"pictures": 4}
    portrait, camera = latents_of(drawn, 0), Camera.orbit(0.0, 0.05)
    true = engine.render(portrait, camera)
    face = torch.isin(true.labels[0], torch.tensor(FACE)) & (true.depth[0].isfinite())
    face[:60], face[150:], face[:, :90], face[:, 170:] = False, False, False, False
    errors = []
    for model in (plain, found):
        other = PortraitEngine(model, info, device="cpu", precision="float32")
        depth = other.render(portrait, camera).depth[0]
        errors.append(float((depth - true.depth[0])[face].abs().mean()))
    assert errors[1] < 0.25 * errors[0]


def test_a_model_that_mixes_nobody_is_told_of_it(
    trained: Trained, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    save_checkpoint(source, trained.trainer.model, {})
    command = ["relief", "--weights", str(source), "--data", str(balls), "--out", str(out)]
    assert main(command) == 1
    assert "mixes no people" in capsys.readouterr().err
    assert not out.exists()
