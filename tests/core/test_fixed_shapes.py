"""What a GPU replays, run on the CPU: the same shapes whatever the portrait, and the same views."""

import math

import pytest
import torch

from core.camera import Camera, canonical_camera
from core.config import ModelConfig
from core.fixed_shapes import FixedTable, RayGrid, ray_frames
from core.graphed_views import FixedViews, _portions
from core.parts import PART_COUNT
from core.stages import PartKeys, _geometry_key
from core.volume import FeatureTable, RayWeights, camera_tensors, sample_rays

CPU = torch.device("cpu")
CAMERAS = [
    Camera.orbit(0.3, 0.2),
    Camera.orbit(-0.5, -0.1, distance=3.0),
    Camera.orbit(0.2, 0.1, orthographic=True),
]


def test_rays_from_a_few_numbers_are_the_cameras():
    config = ModelConfig.tiny()
    cameras = [canonical_camera(camera, config) for camera in CAMERAS]
    plain = sample_rays(*(t[None] for t in camera_tensors(cameras, config.ray_size)), config)
    rays = RayGrid(config, CPU).samples(torch.from_numpy(ray_frames(cameras)))
    for name in ("uv", "z", "depth", "step"):
        own, expected = getattr(rays, name), getattr(plain, name)
        torch.testing.assert_close(own, expected.expand_as(own), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("views", [1, 3])
def test_all_parts_at_all_rays_give_the_features_of_those_that_count(smooth_maps, views):
    config = ModelConfig.tiny()
    maps = smooth_maps(config)
    generator = torch.Generator().manual_seed(0)
    rays = config.ray_size**2
    mask = torch.rand(1, views, PART_COUNT, rays, generator=generator) ** 8
    # beyond windows and on their borders, too; and parts that cover next to nothing
    uv = torch.rand(1, views, PART_COUNT - 1, rays, 2, generator=generator) * 4 - 2
    weights = RayWeights(mask / mask.sum(2, keepdim=True), uv, mask[:, :, 0])
    table = FixedTable(config, torch.float32, CPU)
    for part, part_map in maps.items():
        table.put(part, part_map)
    expected = FeatureTable(maps, config).composite(weights, config)
    torch.testing.assert_close(table.composite(weights), expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_views_of_one_course_are_the_engines(engine):
    """Also after an edit, without a part, and of another portrait: nothing old is left."""
    views = FixedViews(engine.view_stage.net, engine.config)
    cameras = [canonical_camera(camera, engine.config) for camera in CAMERAS]
    frames = torch.from_numpy(ray_frames(cameras))
    own = engine.sample(1)
    portraits = [own, own.replace("hair", engine.sample(2)), own.with_visible(hidden=["nose"])]
    for latents in (*portraits, engine.sample(3), own):
        keys = PartKeys.of(latents)
        parts = engine.part_stage(latents, keys)
        key = _geometry_key(keys, latents.visible)
        geometry = engine.view_stage.weights.lifted(key, parts, latents.visible)
        layers = engine.view_stage.layers(parts, keys, latents.visible)
        views.take(
            parts,
            keys.features,
            key,
            lambda geometry=geometry: geometry,
            lambda layers=layers: layers,
        )
        expected = engine.view_stage(parts, keys, latents.visible, cameras)
        for made, plain in zip(views.views(views.draw(frames), cameras), expected, strict=True):
            assert made.camera is plain.camera
            error = (made.image - plain.image).square().mean().item()
            assert 10 * math.log10(4 / max(error, 1e-12)) > 60
            assert (made.coverage - plain.coverage).abs().max() < 5e-3
            assert torch.equal(made.backdrop, plain.backdrop)
            same = made.mask_logits.argmax(0) == plain.mask_logits.argmax(0)
            assert same.float().mean() > 0.995
            solid = plain.coverage > 0.5
            assert torch.allclose(made.depth[solid], plain.depth[solid], atol=5e-3)


@pytest.mark.parametrize("count", [1, 5, 16, 39])
def test_portions_make_up_the_whole(count):
    portions = _portions(count, (16, 1))
    assert [start for start, _ in portions] == [
        sum(length for _, length in portions[:i]) for i in range(len(portions))
    ]
    assert sum(length for _, length in portions) == count
    assert all(length in (16, 1) for _, length in portions)
