"""Paint of the face's small parts: where it lies in the atlas, and what pixels see of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch

from core import reference
from core.camera import Camera, canonical_camera
from core.config import ModelConfig
from core.engine import PortraitEngine
from core.fixed_shapes import ray_frames
from core.generators import PartMap
from core.graphed_views import FixedViews
from core.lifting import gather_geometry, opacity, part_geometry
from core.model import SSGAN3D
from core.paint import WINDOW, face_atlas, painted
from core.parts import FACE, PAINTED, PART_COUNT, part_index
from core.stages import PartKeys, _geometry_key
from core.volume import camera_tensors, sample_rays

CONFIG = dataclasses.replace(ModelConfig.tiny(), paint_size=96)
EYES, MOUTH, SKIN = (part_index(name) for name in ("eyes", "mouth", "skin"))


@pytest.fixture
def painted_model(random_model: Callable[[ModelConfig], SSGAN3D]) -> SSGAN3D:
    """Random colours on all that has paint."""
    model = random_model(CONFIG)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for group in model.generators.groups:
            if group.is_painted:
                torch.nn.init.normal_(group.paint_head, std=0.3)
    return model


def blank(part: int, density: float, paint: float | None) -> PartMap:
    spec = CONFIG.maps[part]
    size = (1, spec.height, spec.width)
    colours = None if paint is None else torch.full((*size, 3), paint)
    return PartMap(
        torch.zeros(*size, CONFIG.features), torch.zeros(size), torch.full(size, density), colours
    )


def texel(atlas: torch.Tensor, u: float, v: float) -> torch.Tensor:
    """The three colours of an atlas at lifting coordinates."""
    u0, u1, v0, v1 = WINDOW
    column, row = (u - u0) / (u1 - u0), (v1 - v) / (v1 - v0)
    return atlas[0, :, int(row * atlas.shape[2]), int(column * atlas.shape[3])]


def test_paint_lies_where_its_part_does_and_is_as_strong_as_that_is_opaque() -> None:
    maps = {
        EYES: blank(EYES, 0.2, 0.5),
        MOUTH: blank(MOUTH, 50.0, -0.25),
        SKIN: blank(SKIN, 1, None),
    }
    atlas = face_atlas(maps, None, CONFIG)
    assert atlas is not None and atlas.shape == (1, 3, 96, 96)
    # 0.2 of a density scale of 30 through a shell of √(π / 140) hides 1 - e^-0.9 = 0.593 of what
    # is behind it
    thin = 1 - math.exp(-0.2 * 30 * math.sqrt(math.pi / 140))
    assert texel(atlas, 0.15, 0.1).tolist() == pytest.approx([0.5 * thin] * 3, abs=1e-5)
    assert texel(atlas, 0.0, -0.35).tolist() == pytest.approx([-0.25] * 3, abs=1e-5)
    assert texel(atlas, 0.0, -0.05).tolist() == [0, 0, 0]  # the nose is not there
    assert texel(atlas, -0.4, 0.1).tolist() == [0, 0, 0]  # beside the eyes' window
    visible = torch.ones(1, PART_COUNT, dtype=torch.bool)
    visible[:, EYES] = False
    hidden = face_atlas(maps, visible, CONFIG)
    assert hidden is not None
    assert texel(hidden, 0.15, 0.1).tolist() == [0, 0, 0]
    assert torch.equal(texel(hidden, 0.0, -0.35), texel(atlas, 0.0, -0.35))


def test_pixels_see_the_texel_that_they_lie_on_and_less_of_it_behind_hair() -> None:
    atlas = torch.zeros(1, 3, 2, 2)  # quarters of the window: upper left red, lower right blue
    atlas[0, 0, 0, 0], atlas[0, 2, 1, 1] = 0.5, 0.25
    u0, u1, v0, v1 = WINDOW
    left, right = u0 + (u1 - u0) / 4, u1 - (u1 - u0) / 4
    lower, upper = v0 + (v1 - v0) / 4, v1 - (v1 - v0) / 4
    # four views of a picture of one ray, each in one quarter; the last is half hidden
    places = torch.tensor([[left, upper], [right, upper], [left, lower], [right, lower]])
    share = torch.tensor([1.0, 1.0, 1.0, 0.5])[:, None]
    face = torch.cat([places * share, share], 1)[:, :, None, None]
    seen = painted(atlas, face, 4)
    assert seen.shape == (4, 3, 4, 4)
    expected = torch.tensor([[0.5, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0.125]])
    torch.testing.assert_close(seen, expected[:, :, None, None].expand(-1, -1, 4, 4))


def test_between_two_rays_pixels_look_up_places_of_their_own() -> None:
    """A line of one texel, which lies between two rays, shows as a line of a pixel or two."""
    size = 32
    atlas = torch.zeros(1, 3, size, size)
    atlas[..., 16] = 1.0
    u0, u1, v0, v1 = WINDOW
    texel_width = (u1 - u0) / size
    rays = u0 + (torch.arange(4) * 8 + 4) * texel_width  # eight texels apart
    face = torch.stack([rays.expand(4, 4), torch.full((4, 4), (v0 + v1) / 2), torch.ones(4, 4)])
    row = painted(atlas, face[None], 8)[0, 0, 16]
    assert row.sum().item() == pytest.approx(1, abs=1e-3)
    assert row[15:18].sum().item() == pytest.approx(1, abs=1e-3)


def test_what_is_hidden_is_not_painted_and_a_part_changes_its_own_place_only(
    painted_model: SSGAN3D,
) -> None:
    engine = PortraitEngine(painted_model, device="cpu", precision="float32")
    own, other = engine.sample(1), engine.sample(2)
    keys = PartKeys.of(own)
    atlas = engine.view_stage.atlas(engine.part_stage(own, keys), keys, own.visible)
    edited = own.replace("mouth", other, shape=False)
    keys = PartKeys.of(edited)
    after = engine.view_stage.atlas(engine.part_stage(edited, keys), keys, edited.visible)
    assert atlas is not None and after is not None
    apart = (after - atlas).abs().sum((0, 1))
    rows = WINDOW[3] - (torch.arange(96) + 0.5) / 96 * (WINDOW[3] - WINDOW[2])
    assert apart.max() > 0.01
    assert apart[rows > -0.05].max() == 0
    bare = own.with_visible(hidden=["brows", "eyes", "nose", "mouth"])
    keys = PartKeys.of(bare)
    nothing = engine.view_stage.atlas(engine.part_stage(bare, keys), keys, bare.visible)
    assert nothing is not None and nothing.abs().max() == 0


@torch.inference_mode()
def test_engine_replay_model_and_equations_paint_alike(painted_model: SSGAN3D) -> None:
    engine = PortraitEngine(painted_model, device="cpu", precision="float32")
    latents = engine.sample(3)
    cameras = [canonical_camera(Camera.orbit(yaw, 0.1), CONFIG) for yaw in (0.0, 0.4)]
    keys = PartKeys.of(latents)
    parts = engine.part_stage(latents, keys)
    views = engine.view_stage(parts, keys, latents.visible, cameras)
    rays = sample_rays(*(t[None] for t in camera_tensors(cameras, CONFIG.ray_size)), CONFIG)
    codes = latents.base[None], latents.shape[None], latents.texture[None], latents.visible[None]
    plain = painted_model(*codes, rays)
    fixed = FixedViews(engine.view_stage.net, CONFIG)
    key = _geometry_key(keys, latents.visible)
    fixed.take(
        parts,
        keys.features,
        key,
        lambda: engine.view_stage.weights.lifted(key, parts, latents.visible),
        lambda: engine.view_stage.layers(parts, keys, latents.visible),
    )
    replayed = fixed.views(fixed.draw(torch.from_numpy(ray_frames(cameras))), cameras)
    for number, (view, again) in enumerate(zip(views, replayed, strict=True)):
        expected = plain.image[0, number].clamp(-1, 1)
        assert (view.image - expected).square().mean().sqrt() < 2e-3
        assert (again.image - expected).square().mean().sqrt() < 2e-3
    maps = painted_model.part_maps(*codes[:3])
    geometry = gather_geometry(
        {k: part_geometry(k, one, CONFIG) for k, one in maps.items()}, CONFIG, codes[3]
    )
    fast = painted_model.posed_maps(maps, geometry, codes[3], rays).layers.paint
    slow = reference.composite(maps, geometry, rays, CONFIG, visible=codes[3], levels=None)
    slow = slow.layers.paint
    assert fast is not None and slow is not None
    assert fast.abs().mean() > 1e-3
    assert (fast - slow).abs().mean() < 0.02 * fast.abs().mean()


def test_paint_is_no_handle_for_form() -> None:
    """What colours miss must not be won by moving a part."""
    density = torch.full((1, 16, 16), 0.1, requires_grad=True)
    paint = torch.ones(1, 16, 16, 3, requires_grad=True)
    one = PartMap(torch.zeros(1, 16, 16, 8), torch.zeros(1, 16, 16), density, paint)
    atlas = face_atlas({EYES: one}, None, CONFIG)
    assert atlas is not None
    atlas.sum().backward()
    assert density.grad is None and paint.grad is not None
    assert opacity(density, CONFIG).max() < 1


def test_painted_parts_lie_on_the_face_and_in_the_window() -> None:
    assert set(PAINTED) < set(FACE)
    for part in PAINTED:
        u0, u1, v0, v1 = CONFIG.maps[part].window
        assert WINDOW[0] <= u0 and u1 <= WINDOW[1] and WINDOW[2] <= v0 and v1 <= WINDOW[3]


def test_model_files_of_before_have_no_paint() -> None:
    values = ModelConfig.tiny().to_dict()
    del values["paint_size"]
    config = ModelConfig.from_dict(values)
    assert config.paint_size == 0
    assert face_atlas({EYES: blank(EYES, 1.0, None)}, None, config) is None
    assert not any(group.is_painted for group in SSGAN3D(config).generators.groups)
