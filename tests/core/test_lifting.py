import dataclasses
import math

import torch

from core.config import ModelConfig
from core.generators import PartMap
from core.lifting import (
    HAIR,
    HAT,
    LIFTED,
    Geometry,
    gather_geometry,
    model_to_map,
    part_geometry,
    press_hair,
    shell,
    to_grid,
    window_coordinates,
)
from core.parts import BACKGROUND, FACE_BASE, PART_COUNT, part_index

CONFIG = ModelConfig.tiny()
PARALLEL = dataclasses.replace(CONFIG, lift_origin=math.inf)


def test_shell_by_hand():
    """ψ = exp(-α (d̂ - z)²): with α = 140, e^-1.4 at a distance of 0.1 and 1 on the shell."""
    config = dataclasses.replace(CONFIG, shell_alpha=140.0)
    psi = shell(torch.tensor(0.3), torch.tensor([0.3, 0.2, 0.4, 0.5]), config)
    expected = [1.0, math.exp(-1.4), math.exp(-1.4), math.exp(-5.6)]
    assert torch.allclose(psi, torch.tensor(expected))


def test_lifting_by_hand():
    """With u = x c / (z + c) and c = 2, the line through u = 0.5 meets x = 1 at z = 2."""
    config = dataclasses.replace(CONFIG, lift_origin=2.0)
    points = torch.tensor([[1.0, -1.0, 2.0], [1.0, 0.5, 0.0], [0.5, 1.0, -1.0]])
    expected = torch.tensor([[0.5, -0.5], [1.0, 0.5], [1.0, 2.0]])
    assert torch.allclose(model_to_map(points, config), expected)
    assert torch.equal(model_to_map(points, PARALLEL), points[:, :2])


def test_points_behind_the_lifting_origin_stay_finite():
    assert model_to_map(torch.tensor([[1.0, 1.0, -5.0]]), CONFIG).isfinite().all()


def test_window_coordinates_by_hand():
    window = (-1.0, 3.0, 0.0, 2.0)
    uv = torch.tensor([[-1.0, 2.0], [3.0, 0.0], [1.0, 1.0]])  # top left, bottom right, middle
    expected = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    assert torch.allclose(window_coordinates(uv, window), expected)


def test_a_linear_function_survives_resampling():
    """Linear interpolation is exact for it, wherever the window lies on the grid."""
    window = (-0.4, 0.5, -0.3, 0.7)
    u0, u1, v0, v1 = window
    u = u0 + (torch.arange(18) + 0.5) / 18 * (u1 - u0)
    v = v1 - (torch.arange(20) + 0.5) / 20 * (v1 - v0)
    maps = (2 * u[None] - 3 * v[:, None])[None]
    grid = to_grid(maps, window, CONFIG, zeros=True)[0]
    size = CONFIG.geometry_size
    g0, g1, h0, h1 = CONFIG.geometry_window
    gu = (g0 + (torch.arange(size) + 0.5) / size * (g1 - g0)).expand(size, -1)
    gv = (h1 - (torch.arange(size) + 0.5) / size * (h1 - h0))[:, None].expand(-1, size)
    margin_u, margin_v = 0.5 * (u1 - u0) / 18, 0.5 * (v1 - v0) / 20
    inside = (gu > u0 + margin_u) & (gu < u1 - margin_u)
    inside &= (gv > v0 + margin_v) & (gv < v1 - margin_v)
    assert inside.sum() > 50
    assert torch.allclose(grid[inside], (2 * gu - 3 * gv)[inside], atol=1e-5)
    outside = (gu < u0) | (gu > u1) | (gv < v0) | (gv > v1)
    assert (grid[outside] == 0).all()
    extended = to_grid(maps, window, CONFIG, zeros=False)[0]
    assert math.isclose(extended[0, 0].item(), maps[0, 0, 0].item(), rel_tol=1e-5)


def flat_maps(depth: float, density: float) -> dict[int, PartMap]:
    maps = {}
    for part in range(PART_COUNT):
        spec = CONFIG.maps[part]
        size = (1, spec.height, spec.width)
        maps[part] = PartMap(
            torch.zeros(*size, CONFIG.features),
            torch.full(size, depth),
            torch.full(size, density),
        )
    return maps


def test_depths_are_relative_to_the_face_and_densities_scaled():
    maps = flat_maps(0.2, 1.5)
    parts = {k: part_geometry(k, m, CONFIG) for k, m in maps.items() if k != BACKGROUND}
    geometry = gather_geometry(parts, CONFIG)
    assert len(LIFTED) == PART_COUNT - 1
    face, nose = LIFTED.index(FACE_BASE), LIFTED.index(part_index("nose"))
    assert torch.allclose(geometry.depth[:, face], torch.tensor(0.2))
    assert torch.allclose(geometry.depth[:, nose], torch.tensor(0.4))
    assert math.isclose(geometry.density.max().item(), 1.5 * CONFIG.density_scale, rel_tol=1e-5)


def test_hidden_parts_have_no_density_and_the_face_s_depth_stays():
    maps = flat_maps(0.2, 1.5)
    parts = {k: part_geometry(k, m, CONFIG) for k, m in maps.items() if k != BACKGROUND}
    visible = torch.ones(1, PART_COUNT, dtype=torch.bool)
    visible[:, FACE_BASE] = False
    geometry = gather_geometry(parts, CONFIG, visible)
    face, nose = LIFTED.index(FACE_BASE), LIFTED.index(part_index("nose"))
    assert geometry.density[:, face].max() == 0
    assert geometry.density[:, nose].max() > 0
    assert torch.allclose(geometry.depth[:, nose], torch.tensor(0.4))


def test_hair_lies_below_a_hat_ends_beside_it_and_hangs_out_of_it():
    size = 20
    geometry = Geometry(
        torch.zeros(1, len(LIFTED), size, size), torch.zeros(1, len(LIFTED), size, size)
    )
    geometry.depth[:, HAIR] = 0.5  # stands out everywhere
    geometry.density[:, HAIR] = 30.0
    geometry.depth[:, HAT] = 0.2
    geometry.density[:, HAT, 4:10, 6:14] = 30.0
    geometry.density[:, HAT, 8:10, 8:12] = 0.0  # a forehead below the rim
    pressed = press_hair(geometry)
    depth, density = pressed.depth[0, HAIR], pressed.density[0, HAIR]
    assert torch.allclose(depth[4:8, 6:14], torch.tensor(0.14))
    assert torch.equal(density[4:8, 6:14], torch.full((4, 8), 30.0))
    assert density[:4].max() == density[4:8, :6].max() == density[4:8, 14:].max() == 0
    assert density[8, 0] == 0  # two rows up from the hat's lowest, of twenty: ended
    assert density[9, 0] == 15
    for row, column in ((8, 9), (9, 10), (10, 0), (15, 9)):  # fringe, and all that hangs below
        assert (depth[row, column], density[row, column]) == (0.5, 30)
    assert geometry.depth[0, HAIR].min() == 0.5  # the caller's is left alone
    low = Geometry(torch.where(geometry.depth > 0.3, 0.0, geometry.depth), geometry.density)
    assert torch.equal(press_hair(low).depth, low.depth)  # hair that lies below stays


def test_a_hat_that_is_worn_can_be_learnt_from():
    shape = (1, len(LIFTED), 8, 8)
    geometry = Geometry(*(torch.ones(shape, requires_grad=True) for _ in range(2)))
    pressed = press_hair(geometry)
    (pressed.depth.sum() + pressed.density.sum()).backward()
    assert geometry.depth.grad.isfinite().all() and geometry.density.grad.isfinite().all()
    assert (geometry.depth.grad[:, HAT] > 0).all()  # hair moves with the hat above it


def test_hair_is_pressed_only_while_the_hat_is_worn():
    parts = {
        k: part_geometry(k, m, CONFIG) for k, m in flat_maps(0.2, 1.5).items() if k != BACKGROUND
    }
    visible = torch.ones(1, PART_COUNT, dtype=torch.bool)
    worn = gather_geometry(parts, CONFIG, visible)
    visible[:, LIFTED[HAT]] = False
    bare = gather_geometry(parts, CONFIG, visible)
    assert worn.depth[:, HAIR].min() < bare.depth[:, HAIR].min() - 0.05
    assert torch.equal(bare.density[:, HAIR], parts[LIFTED[HAIR]][1])
