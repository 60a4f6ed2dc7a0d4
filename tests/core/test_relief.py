"""The one surface of a face."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch.nn import functional as F

from core.config import ModelConfig
from core.engine import PortraitEngine
from core.generators import PartMap
from core.lifting import LIFTED, Geometry, gather_geometry, part_geometry, to_grid
from core.parts import FACE, FACE_BASE, PART_COUNT, part_index
from core.relief import DENSE, SIZES, Relief, front_of, on_one_surface, shares_in_front
from core.stages import PartKeys
from core.surfaces import find_surfaces, part_optics

CONFIG = dataclasses.replace(ModelConfig.tiny(), relief=True)
NOSE = part_index("nose")


def made_relief() -> Relief:
    """A face that slopes to one side, with a nose that a shape code of one raises by 0.2."""
    relief = Relief(CONFIG)
    codes = CONFIG.base_dim + CONFIG.code_dim
    for part, (height, width) in SIZES.items():
        rows = torch.zeros(codes + 1, height, width)
        if part == FACE_BASE:
            rows[-1] = 0.3 + 0.001 * torch.arange(width)
        if part == NOSE:
            rows[CONFIG.base_dim, 8:-8, 6:-6] = 0.2
        relief.put(part, rows)
    return relief


def test_the_front_of_a_shell_by_hand() -> None:
    """With τ = 2 ln 2 half of the light is gone at its middle; denser ones end before."""
    tau = torch.tensor([2 * math.log(2), 4.0, 30.0])
    front = front_of(tau, CONFIG)
    assert abs(float(front[0])) < 1e-6
    passed = tau / 2 * torch.erfc(math.sqrt(CONFIG.shell_alpha) * front)  # A(t)
    torch.testing.assert_close(passed, torch.full((3,), math.log(2)))
    assert front_of(torch.zeros(1), CONFIG).isfinite().all()


def test_shares_in_front_by_hand() -> None:
    """Shells at one depth share by density; one that lies in front of all hides the others."""
    depth = torch.tensor([0.2, 0.2, -0.3]).view(1, 3, 1, 1)
    density = torch.tensor([10.0, 30.0, 100.0]).view(1, 3, 1, 1)
    share = shares_in_front(depth, density, CONFIG).flatten()
    torch.testing.assert_close(share[:2] / share[:2].sum(), torch.tensor([0.25, 0.75]))
    through = math.exp(-40 * math.sqrt(math.pi / CONFIG.shell_alpha))
    assert abs(float(share[2]) - through) < 0.01
    assert not shares_in_front(depth, density * 0, CONFIG).any()


def test_only_the_parts_own_codes_raise_it() -> None:
    relief = made_relief()
    base, shape = torch.zeros(2, CONFIG.base_dim), torch.zeros(2, CONFIG.code_dim)
    shape[1, 0] = 0.5
    flat, raised = relief(NOSE, base, shape)
    assert not flat.any()
    torch.testing.assert_close(raised[8:-8, 6:-6], torch.full_like(raised[8:-8, 6:-6], 0.1))
    assert torch.equal(*relief(FACE_BASE, base, shape))
    assert relief(part_index("hair"), base, shape) is None


def test_all_parts_of_a_face_are_seen_on_its_surface(smooth_maps) -> None:  # type: ignore[no-untyped-def]
    """Where the renderer loses half of the light: wherever the generators placed them."""
    config = dataclasses.replace(CONFIG, geometry_size=96)
    maps, relief = smooth_maps(config), made_relief()
    codes = torch.zeros(1, config.base_dim), torch.full((1, config.code_dim), 0.5)
    for part in FACE:
        maps[part].relief = relief(part, *codes)
    parts = {k: part_geometry(k, maps[k], config) for k in LIFTED}
    geometry = gather_geometry(parts, config)
    base, *rises = (
        to_grid(maps[k].relief, config.maps[k].window, config, zeros=k != FACE_BASE) for k in FACE
    )
    surface = base + sum(rises)
    nose = parts[NOSE].density * math.sqrt(math.pi / config.shell_alpha)
    face = [LIFTED.index(part) for part in FACE]
    own = Geometry(geometry.depth[:, face], geometry.density[:, face])
    u0, u1, v0, v1 = config.geometry_window
    checked = 0
    for row in range(0, 96, 3):
        for column in range(0, 96, 3):
            u = u0 + (column + 0.5) / 96 * (u1 - u0)
            v = v1 - (row + 0.5) / 96 * (v1 - v0)
            tau = own.density[0, :, row, column].sum() * math.sqrt(math.pi / config.shell_alpha)
            if surface[0, row, column] > base[0, row, column] and nose[0, row, column] < 2 * DENSE:
                continue  # beside the nose, which counts where it is
            if math.hypot(u / 0.46, (v + 0.04) / 0.58) > 0.7 or tau < 1.1 * DENSE:
                continue
            z = float(surface[0, row, column])
            sides = []
            for near in (z - 0.004, z + 0.004):
                scale = (near + config.lift_origin) / config.lift_origin
                point = torch.tensor([[u * scale, v * scale, near]])
                sides.append(float(part_optics(point, own, config, 0.0)[0].sum()))
            assert sides[0] > math.log(2) > sides[1]
            checked += 1
    assert checked > 30
    hair = LIFTED.index(part_index("hair"))  # lies where it lay
    assert torch.equal(geometry.depth[:, hair], (parts[7].depth + parts[1].depth))


def test_a_hidden_part_does_not_raise_the_surface() -> None:
    relief = made_relief()
    codes = torch.zeros(1, CONFIG.base_dim), torch.ones(1, CONFIG.code_dim)
    parts = {}
    for part in LIFTED:
        size = (1, CONFIG.maps[part].height, CONFIG.maps[part].width)
        depth = torch.full(size, 0.2 * (part == NOSE))  # before all others, which it hides
        one = PartMap(torch.zeros(*size, 1), depth, torch.full(size, 3.0))
        one.relief = relief(part, *codes)
        parts[part] = part_geometry(part, one, CONFIG)
    visible = torch.ones(1, PART_COUNT, dtype=torch.bool)
    whole = gather_geometry(parts, CONFIG, visible)
    visible[:, NOSE] = False
    without = gather_geometry(parts, CONFIG, visible)
    row = LIFTED.index(FACE_BASE)
    assert (whole.depth[:, row] - without.depth[:, row]).max() > 0.15


def test_beyond_the_face_nothing_changes() -> None:
    size = CONFIG.geometry_size
    depth, density = torch.rand(1, 5, size, size), 20 * torch.rand(1, 5, size, size)
    moved, filled = on_one_surface(depth, density, torch.ones(1, 5, size, size), CONFIG)
    assert not torch.equal(moved, depth)
    for edge in ((..., slice(0, 4)), (..., slice(-4, None), slice(None))):
        assert torch.equal(moved[edge], depth[edge])
        assert torch.equal(filled[edge], density[edge])


def test_the_engine_draws_the_models_surface(random_model) -> None:  # type: ignore[no-untyped-def]
    model = random_model(CONFIG)
    model.relief = made_relief()
    engine = PortraitEngine(model, device="cpu", precision="float32")
    portrait = engine.sample(3)
    codes = portrait.base[None], portrait.shape[None], portrait.texture[None]
    geometry = model.geometry(model.part_maps(*codes), portrait.visible[None])
    parts = engine.part_stage(portrait, PartKeys.of(portrait))
    lifted = engine.view_stage.weights.gather(parts, portrait.visible)
    face = [LIFTED.index(part) for part in FACE]  # of others, what a portrait lacks is not made
    own = geometry.depth[:, face]
    torch.testing.assert_close(lifted.depth[:, face], own, atol=1e-4, rtol=0)
    finer = engine.part_fields(portrait).geometry
    assert finer.depth.shape[-1] == 2 * own.shape[-1]
    assert (F.avg_pool2d(finer.depth[:, face], 2) - own).abs().median() < 0.01


def test_skin_beyond_the_face_is_smooth_in_meshes_and_the_face_is_as_it_is() -> None:
    """A bumpy plane: its mesh has bumps within the oval alone."""
    size = 128
    config = dataclasses.replace(CONFIG, geometry_size=size)
    bumps = 0.02 * torch.rand(size, size, generator=torch.Generator().manual_seed(0))
    geometry = Geometry(torch.full((1, 12, size, size), 0.2), torch.zeros(1, 12, size, size))
    row = LIFTED.index(FACE_BASE)
    geometry.depth[0, row] += bumps
    geometry.density[0, row] = 60.0
    bumpy, calm = (
        find_surfaces(geometry, one, [FACE_BASE], 96)[FACE_BASE][0]
        for one in (dataclasses.replace(config, relief=False), config)
    )
    spread = []
    for vertices in (bumpy, calm):
        front = vertices[(vertices[:, 2] > 0.15) & (np.abs(vertices[:, :2]).max(1) < 0.9)]
        inner = np.hypot(front[:, 0], front[:, 1]) < 0.25
        outer = np.hypot(front[:, 0], front[:, 1]) > 0.75
        spread.append((front[inner, 2].std(), front[outer, 2].std()))
    assert abs(spread[1][0] - spread[0][0]) < 0.1 * spread[0][0]
    assert spread[1][1] < 0.4 * spread[0][1]


def test_codes_can_be_fitted_through_the_surface(random_model) -> None:  # type: ignore[no-untyped-def]
    """Gradients are finite, and those of the nose's shape are not zero."""
    model = random_model(CONFIG)
    model.relief = made_relief()
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(1, CONFIG.base_dim, generator=generator)
    shape, texture = torch.randn(2, 1, PART_COUNT, CONFIG.code_dim, generator=generator)
    shape.requires_grad_()
    geometry = model.geometry(model.part_maps(base, shape, texture))
    (geometry.depth.sum() + geometry.density.sum()).backward()
    assert shape.grad is not None
    assert shape.grad.isfinite().all()
    assert shape.grad[0, NOSE, 0].abs() > 0
