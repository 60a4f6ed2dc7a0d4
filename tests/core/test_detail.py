"""Fine structure on the surface: what the tiles look like, and that they stay on the surface."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from core import reference
from core.camera import Camera, canonical_camera
from core.config import ModelConfig
from core.detail import (
    BANDS,
    DETAILED,
    SurfaceDetail,
    bounded_amounts,
    length_bounds,
    oriented_noise,
)
from core.engine import PortraitEngine
from core.fixed_shapes import ray_frames
from core.graphed_views import FixedViews
from core.latents import PortraitLatents
from core.model import SSGAN3D
from core.parts import PART_COUNT, part_index
from core.render_net import outline_share
from core.stages import PartKeys, _geometry_key
from core.surface_layers import SurfaceLayers
from core.volume import camera_tensors, sample_rays

GRAIN = ((0.02, 0.02, 0.02),) * 4
CONFIG = dataclasses.replace(ModelConfig.tiny(), detail_directions=4, detail_side=64, grain=GRAIN)
TILES = CONFIG.detail_tiles


def flat_surface(shift: float = 0.0, scale: float = 1.0) -> SurfaceLayers:
    """A plane that faces the camera, one texel a pixel, moved to the right by ``shift`` pixels."""
    side = CONFIG.ray_size
    texel = CONFIG.frame_side / CONFIG.image_size / CONFIG.detail_density  # in units of u
    pixel = (torch.arange(side) + 0.5) * CONFIG.image_size / side
    u = (pixel * scale - shift) * texel
    v = pixel * scale * texel
    grid = u.expand(side, -1), v[:, None].expand(-1, side), torch.ones(side, side)
    return SurfaceLayers(torch.stack(grid)[None])


def amounts(tile: int, value: float = 0.1) -> torch.Tensor:
    amount = torch.zeros(1, TILES, CONFIG.ray_size, CONFIG.ray_size)
    amount[:, tile] = value
    return amount


def test_tiles_are_strands_of_the_directions_and_widths_that_they_say() -> None:
    tiles = oriented_noise(4, 64)
    assert tiles.shape == (8, 64, 64)
    torch.testing.assert_close(tiles.std((1, 2)), torch.ones(8))
    assert torch.equal(tiles, oriented_noise(4, 64))
    across = (tiles - tiles.roll(1, 2)).square().mean((1, 2))
    along = (tiles - tiles.roll(1, 1)).square().mean((1, 2))
    for band in (0, 4):  # tile 0 varies along x: its strands hang; two further they lie
        assert across[band] > 4 * along[band]
        assert along[band + 2] > 4 * across[band + 2]
        assert across[band + 1] == pytest.approx(float(along[band + 1]), rel=0.3)
    assert (across[4:] > 4 * across[:4]).all()
    frequency = torch.fft.fftfreq(64)
    radius = torch.hypot(frequency[:, None], frequency)
    power = torch.fft.fft2(tiles).abs().square()
    for (low, high), some in zip(BANDS, (power[:4], power[4:]), strict=True):
        assert some[:, (radius > low) & (radius <= high)].sum() > 0.999 * some.sum()


def test_detail_goes_where_the_surface_goes() -> None:
    detail = SurfaceDetail(CONFIG)
    still, moved = (detail(amounts(5), flat_surface(s), CONFIG.image_size) for s in (0.0, 3.0))
    inner = slice(8, -8)  # at the border, the nearest ray's place is repeated
    assert float(still[..., inner, inner].std()) == pytest.approx(0.1, rel=0.2)
    torch.testing.assert_close(
        moved[..., inner, 11:-8], still[..., inner, 8:-11], atol=1e-4, rtol=1e-3
    )
    period = flat_surface(CONFIG.detail_side)
    again = detail(amounts(5), period, CONFIG.image_size)
    torch.testing.assert_close(again, still, atol=1e-4, rtol=1e-3)


def test_the_light_changes_by_the_amount_that_is_asked_for() -> None:
    detail = SurfaceDetail(CONFIG)
    surface = flat_surface()
    none, some, more = (
        detail(amounts(6, value), surface, CONFIG.image_size) for value in (0.0, 0.1, 0.3)
    )
    assert (none == 0).all()
    torch.testing.assert_close(more.log1p(), 3 * some.log1p())
    assert float(more.max()) > -1.3 * float(more.min())  # brighter than gaps are dark


def test_fine_structure_ends_with_the_final_mask_and_not_with_the_ray() -> None:
    rays = torch.zeros(1, PART_COUNT, 4, 4)
    rays[:, 0], rays[:, part_index("hair")] = 0.5, 0.5  # half covered everywhere
    final = torch.full((1, PART_COUNT, 8, 8), -20.0)
    final[:, part_index("hair"), :, :4] = 0
    final[:, 0, :, 4:] = 0  # drawn sharply: hair on the left
    final = final.softmax(1)
    share = outline_share(final, 1 - rays[:, :1])
    assert torch.allclose(share[..., :4], torch.tensor(2.0)) and share[..., 4:].max() < 1e-6
    rays[:, 0], rays[:, part_index("hair")] = 0.0, 1.0
    assert torch.allclose(outline_share(final, 1 - rays[:, :1])[..., :4], torch.tensor(1.0))
    detail = SurfaceDetail(CONFIG)
    whole, half, none = (
        detail(amounts(5), flat_surface(), CONFIG.image_size, torch.full((1, 1, 8, 8), share))
        for share in (1.0, 0.5, 0.0)
    )
    assert torch.equal(whole, detail(amounts(5), flat_surface(), CONFIG.image_size))
    assert torch.allclose(half.log1p(), whole.log1p() / 2, atol=1e-6) and not none.any()


def test_detail_that_a_pixel_cannot_show_fades() -> None:
    detail = SurfaceDetail(CONFIG)
    near, far = (
        detail(amounts(5), flat_surface(scale=scale), CONFIG.image_size)[..., 8:-8, 8:-8].std()
        for scale in (1.0, 4.0)
    )
    assert float(far / near) == pytest.approx(1 / 16, rel=0.3)


@pytest.fixture
def detailed_model() -> SSGAN3D:
    """Random weights; every part with detail shows much of it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = SSGAN3D(CONFIG)
        for group in model.generators.groups:
            torch.nn.init.normal_(group.detail_head, std=0.05)
            group.detail_lengths.fill_(0.1)  # for all: most are shortened, much is seen
            for row, part in enumerate(group.parts):
                group.geometry_bias.data[row, 1] = 1.0
                if part in DETAILED:
                    group.detail_head_bias.data[row] = 0.3
                else:
                    group.detail_head.data[row] = 0.0
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def replay(engine: PortraitEngine, latents: PortraitLatents, camera: Camera) -> torch.Tensor:
    """The picture that a GPU would replay."""
    stage, keys = engine.view_stage, PartKeys.of(latents)
    parts, key = engine.part_stage(latents, keys), _geometry_key(keys, latents.visible)
    camera = canonical_camera(camera, CONFIG)
    views = FixedViews(stage.net, CONFIG)
    views.take(
        parts,
        keys.features,
        key,
        lambda: stage.weights.lifted(key, parts, latents.visible),
        lambda: stage.layers(parts, keys, latents.visible),
    )
    return views.views(views.draw(torch.from_numpy(ray_frames([camera]))), [camera])[0].image[None]


def test_all_paths_draw_the_same_detail(detailed_model: SSGAN3D) -> None:
    engine = PortraitEngine(detailed_model, device="cpu", precision="float32")
    latents, camera = engine.sample(2), Camera.orbit(0.3, 0.1)
    fast = engine.render(latents, camera, size=(64, 64)).image
    rays = sample_rays(*(t[None] for t in camera_tensors([camera], CONFIG.ray_size)), CONFIG)
    codes = (latents.base[None], latents.shape[None], latents.texture[None], latents.visible[None])
    plain = detailed_model(*codes, rays)
    slow = reference.render(detailed_model, *codes, rays, levels=None)
    shown = (plain.image - plain.smooth).abs().mean()
    assert shown > 0.02
    replayed = replay(engine, latents, camera)
    for image in (fast, slow.image[:, 0].clamp(-1, 1), replayed):
        assert (image - plain.image[:, 0].clamp(-1, 1)).abs().mean() < 0.05 * shown


def test_only_parts_with_detail_have_any(detailed_model: SSGAN3D) -> None:
    engine = PortraitEngine(detailed_model, device="cpu", precision="float32")
    parts = engine.part_stage.compute(engine.sample(2), range(len(CONFIG.maps)))
    for part, made in parts.items():
        amount = made.map.features[..., CONFIG.features :]
        assert amount.shape[-1] == TILES
        assert (amount >= 0).all()
        assert bool((amount > 0).any()) == (part in DETAILED)
    assert part_index("eyes") not in DETAILED


def test_the_texture_code_moves_detail_and_no_geometry(detailed_model: SSGAN3D) -> None:
    engine = PortraitEngine(detailed_model, device="cpu", precision="float32")
    hair = part_index("hair")
    latents = engine.sample(2)
    other = dataclasses.replace(latents, texture=latents.texture + 1)
    before, after = (engine.part_stage.compute(code, [hair])[hair].map for code in (latents, other))
    assert torch.equal(before.depth, after.depth)
    amounts_before, amounts_after = (m.features[..., CONFIG.features :] for m in (before, after))
    assert not torch.allclose(amounts_before, amounts_after, rtol=0.05)


def test_a_view_from_afar_and_one_from_the_side_are_finite(detailed_model: SSGAN3D) -> None:
    engine = PortraitEngine(detailed_model, device="cpu", precision="float32")
    cameras = [Camera.orbit(math.radians(45), 0.2), Camera.orbit(0.0, 0.0, distance=40.0)]
    assert engine.render(engine.sample(1), cameras).image.isfinite().all()


def test_model_files_of_before_have_no_detail() -> None:
    config = ModelConfig.tiny()
    values = config.to_dict()
    for name in (
        "detail_directions",
        "detail_side",
        "detail_density",
        "detail_on_skin",
        "beard_gain",
        "grain",
    ):
        del values[name]
    before = dataclasses.replace(config, detail_density=1.5, detail_on_skin=0.012)
    assert ModelConfig.from_dict(values) == before
    assert SSGAN3D(config).render_net.detail is None


def test_an_amount_is_bounded_alone_and_with_others_of_its_band() -> None:
    x = torch.tensor([[0.1, 0.0, 3.0, 3.0], [3.0, 3.0, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0]])
    x.requires_grad_()
    amounts = bounded_amounts(x, torch.tensor([0.0, 0.05 * 2**0.5]))
    # coarse tiles must not show; fine ones, alike, share what may: √(2 · 0.05²)
    torch.testing.assert_close(amounts[0], torch.tensor([0.0, 0.0, 0.05, 0.05]))
    # 0.1² / (1 + 0.1² / 0.15) = 0.009375: short enough to stay
    torch.testing.assert_close(amounts[1], torch.tensor([0.0, 0.0, 0.009375, 0.0]))
    amounts.sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_what_is_faint_is_taken_away_as_energies_are() -> None:
    x = torch.tensor([[0.0, 0.0, 3.0, 3.0], [0.0, 0.0, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0]])
    x.requires_grad_()
    lengths, faint = torch.tensor([0.0, 0.2]), torch.tensor([0.0, 0.01])
    whole, amounts = bounded_amounts(x, lengths), bounded_amounts(x, lengths, faint)
    # two tiles of 9 / (1 + 9 / 0.15) = 0.14754, together 0.20866, of which 0.2 may be
    torch.testing.assert_close(
        torch.linalg.vector_norm(amounts[0]), torch.tensor(0.2 * (1 - (0.01 / 0.20866) ** 2) ** 0.5)
    )
    assert whole[1, 2] > 0.009 and amounts[1].max() < 1e-5  # 0.009375 is too faint
    amounts.sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


@pytest.mark.parametrize(
    # bfloat16 rounds by 2⁻⁸ thrice: the amounts, their length, the product
    ("precision", "rounding"),
    [("float32", 1e-4), ("bfloat16", 3 * 2**-8)],
)
def test_no_part_of_the_embedded_model_is_rougher_than_its_bounds(
    precision: str, rounding: float
) -> None:
    engine = PortraitEngine.load(device="cpu", precision=precision)
    parts = engine.part_stage.compute(engine.sample(33), range(len(engine.config.maps)))
    for part in DETAILED:
        amounts = parts[part].map.features[..., engine.config.features :].float()
        bands = torch.linalg.vector_norm(amounts.unflatten(-1, (2, -1)), dim=-1)
        most = length_bounds([part], engine.config)[0]
        if part == part_index("skin"):
            most = most * engine.config.beard_gain
        for longest, bound in zip(bands.amax((0, 1, 2)), most, strict=True):
            assert longest <= bound * (1 + rounding)
        assert longest > 0.9 * min(bound, 0.011)
