"""The fast renderer against the plain one on the dense grid."""

import dataclasses
import math

import pytest
import torch

from core import reference
from core.camera import Camera
from core.config import ModelConfig
from core.lifting import gather_geometry, part_geometry
from core.model import PosedFeatures
from core.parts import BACKGROUND, part_index
from core.raymarch import RaySamples, ShellTable, march
from core.surface_layers import SurfaceLayers
from core.volume import FeatureTable, camera_tensors, ray_weights, sample_rays

# The common grid is fine here, so that both paths read the same shapes. What is left:
# * the fast path evaluates ψ at the interpolated depth, the dense grid interpolates ψ itself, which
#   flattens a shell by h² 2α / 8 at its crest: 0.004 at the test's layer spacing h = 0.01;
# * the fast path fetches a part's feature once, at the mean of the places where a ray meets it. The
#   test's features bend by less than 2 over a unit and these places spread over less than 0.1.
FINE = dataclasses.replace(ModelConfig.tiny(), geometry_size=160, features=4, samples=48)
MASK_TOLERANCE, MASK_MEAN_TOLERANCE = 0.02, 0.0005
FEATURE_TOLERANCE = 0.03
DEPTH_TOLERANCE = 0.01


def both(maps, config, yaw, levels):
    geometry = gather_geometry({k: part_geometry(k, m, config) for k, m in maps.items()}, config)
    camera = Camera.orbit(yaw, 0.1)
    rays = sample_rays(*(t[None] for t in camera_tensors([camera], config.ray_size)), config)
    weights = ray_weights(geometry, rays, config)
    features = FeatureTable(maps, config).composite(weights, config)
    side = (config.ray_size, config.ray_size)
    fast = PosedFeatures(
        features,
        *(t.unflatten(-1, side) for t in (weights.mask, weights.depth)),
        SurfaceLayers(weights.surface()[0].unflatten(-1, side)),
    )
    return fast, reference.composite(maps, geometry, rays, config, levels=levels)


@pytest.mark.parametrize(
    ("degrees", "lift_origin"), [(0, 2.0), (45, 2.0), (-45, 2.0), (0, math.inf), (45, math.inf)]
)
def test_fast_path_follows_the_equations(smooth_maps, degrees, lift_origin):
    config = dataclasses.replace(FINE, lift_origin=lift_origin)
    yaw = math.radians(degrees)
    fast, plain = both(smooth_maps(config), config, yaw, levels=128)
    features, mask, depth = (
        abs(getattr(fast, name) - getattr(plain, name)) for name in ("features", "mask", "depth")
    )
    surface = abs(fast.layers.surface - plain.layers.surface)
    assert mask.max() < MASK_TOLERANCE
    assert mask.mean() < MASK_MEAN_TOLERANCE
    assert features.max() < FEATURE_TOLERANCE
    assert surface.max() < MASK_TOLERANCE
    seen = plain.mask[:, :, BACKGROUND] < 0.5
    assert seen.float().mean() > 0.3
    assert depth[seen].max() < DEPTH_TOLERANCE
    # and the scene is not trivial: parts hide and border each other
    shares = plain.mask.amax((0, 1, 3, 4))
    for name in ("skin", "nose", "hair", "clothes", "background"):
        assert shares[part_index(name)] > 0.7, name


def test_the_difference_comes_from_the_grid(smooth_maps):
    """A finer grid comes closer to the fast path: what differs is the grid's interpolation.

    Without a grid the masks are those of the fast path but for rounding.
    """
    coarse, fine, none = (
        abs(fast.mask - plain.mask).mean()
        for fast, plain in (both(smooth_maps(FINE), FINE, 0.4, levels) for levels in (24, 96, None))
    )
    assert fine < 0.5 * coarse
    assert none < 1e-6


def test_masks_of_the_plain_renderer_sum_to_one(smooth_maps):
    config = ModelConfig.tiny()
    mask = both(smooth_maps(config), config, 0.3, levels=32)[1].mask
    assert torch.allclose(mask.sum(2), torch.ones_like(mask[:, :, 0]), atol=1e-5)


@pytest.mark.parametrize(
    ("degrees", "lift_origin"), [(0, 2.0), (45, 2.0), (-45, 2.0), (30, math.inf)]
)
@pytest.mark.parametrize("orthographic", [False, True])
def test_marching_picks_the_samples_that_matter(smooth_maps, degrees, lift_origin, orthographic):
    """What is left out has densities below FAINT: 0.02 / unit, along 1.8 units 0.4 % of a ray."""
    config = dataclasses.replace(ModelConfig.tiny(), ray_size=32, image_size=128)
    config = dataclasses.replace(config, lift_origin=lift_origin)
    maps = smooth_maps(config)
    geometry = gather_geometry({k: part_geometry(k, m, config) for k, m in maps.items()}, config)
    camera = Camera.orbit(math.radians(degrees), 0.1, orthographic=orthographic)
    rays = sample_rays(*(t[None] for t in camera_tensors([camera], config.ray_size)), config)
    plain = ray_weights(geometry, rays, config)
    fast = march(ShellTable.of(geometry, config), [RaySamples.of(camera, config)], config)
    assert (fast.mask - plain.mask).abs().max() < 0.004
    assert torch.allclose(fast.mask.sum(2), torch.ones_like(fast.mask[:, :, 0]), atol=1e-5)
    met = (plain.mask[:, :, 1:] > 0.02).movedim(2, -1)
    assert met.any((0, 1, 2)).sum() == 5
    assert (fast.uv - plain.uv).movedim(2, -2)[met].abs().max() < 0.02
    seen = plain.mask[:, :, BACKGROUND] < 0.5
    assert (fast.depth - plain.depth)[seen].abs().max() < 0.005


def test_marching_through_nothing(smooth_maps):
    config = ModelConfig.tiny()
    maps = smooth_maps(config, peak=0.0)
    geometry = gather_geometry({k: part_geometry(k, m, config) for k, m in maps.items()}, config)
    weights = march(
        ShellTable.of(geometry, config), [RaySamples.of(Camera.orbit(0), config)] * 2, config
    )
    assert (weights.mask[:, :, BACKGROUND] == 1).all()
    assert weights.mask.shape == (1, 2, 13, 256)
