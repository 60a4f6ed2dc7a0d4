import math

import pytest
import torch

from core.camera import Camera
from core.config import ModelConfig
from core.lifting import LIFTED, Geometry
from core.parts import BACKGROUND, part_index
from core.raymarch import RaySamples, ShellTable, march
from core.volume import RayWeights, camera_tensors, ray_weights, sample_rays

CONFIG = ModelConfig.tiny()
MIDDLE = CONFIG.ray_size * CONFIG.ray_size // 2 + CONFIG.ray_size // 2
SKIN, HAIR = part_index("skin"), part_index("hair")


def slab(**parts: tuple[float, float]) -> Geometry:
    """Flat shells: depth and density by part."""
    size = CONFIG.geometry_size
    geometry = Geometry(
        torch.zeros(1, len(LIFTED), size, size), torch.zeros(1, len(LIFTED), size, size)
    )
    for name, (depth, density) in parts.items():
        row = LIFTED.index(part_index(name))
        geometry.depth[:, row], geometry.density[:, row] = depth, density
    return geometry


def plain(geometry: Geometry, camera: Camera, samples: int = 256) -> RayWeights:
    origins, directions, centre = (t[None] for t in camera_tensors([camera], CONFIG.ray_size))
    rays = sample_rays(origins, directions, centre, CONFIG, samples=samples)
    return ray_weights(geometry, rays, CONFIG)


def fast(geometry: Geometry, camera: Camera) -> RayWeights:
    return march(ShellTable.of(geometry, CONFIG), [RaySamples.of(camera, CONFIG)], CONFIG)


def test_transmittance_of_one_shell_by_hand():
    """∫ σ exp(-α t²) dt = σ √(π / α): what is left of a ray is its exponential."""
    weights = plain(slab(skin=(0.1, 10.0)), Camera.orbit(0.0, orthographic=True))
    tau = 10.0 * math.sqrt(math.pi / CONFIG.shell_alpha)
    left = weights.mask[0, 0, BACKGROUND, MIDDLE].item()
    assert math.isclose(left, math.exp(-tau), rel_tol=1e-3)
    assert math.isclose(weights.mask[0, 0, SKIN, MIDDLE].item(), 1 - left, rel_tol=1e-5)


def test_an_opaque_shell_hides_what_is_behind():
    weights = plain(slab(hair=(0.5, 200.0), skin=(0.0, 200.0)), Camera.orbit(0.0))
    assert weights.mask[0, 0, HAIR, MIDDLE] > 0.999
    assert weights.mask[0, 0, SKIN, MIDDLE] < 1e-6
    # the light is gone a little before the middle of the shell
    depth = CONFIG.camera_distance - weights.depth[0, 0, MIDDLE].item()
    assert 0.5 < depth < 0.7


def test_equal_shells_share_equally():
    weights = plain(slab(hair=(0.2, 30.0), skin=(0.2, 30.0)), Camera.orbit(0.2))
    hair, skin = weights.mask[0, 0, HAIR, MIDDLE], weights.mask[0, 0, SKIN, MIDDLE]
    assert torch.allclose(hair, skin)
    assert hair > 0.49


@pytest.mark.parametrize("render", [plain, fast])
def test_masks_sum_to_one(render):
    generator = torch.Generator().manual_seed(0)
    geometry = slab()
    geometry.depth.uniform_(-0.5, 0.5, generator=generator)
    geometry.density.uniform_(0, 20, generator=generator)
    weights = render(geometry, Camera.orbit(0.4, 0.1))
    assert (weights.mask >= 0).all()
    total = weights.mask.sum(2)
    assert torch.allclose(total, torch.ones_like(total), atol=1e-5)


def test_rays_meet_a_shell_where_it_stands():
    """A flat shell at z = 0.25 seen from the side: the mean (u, v) is that of the meeting point."""
    camera = Camera.orbit(0.4, 0.1)
    weights = plain(slab(skin=(0.25, 8.0)), camera)
    origins, directions, _ = camera_tensors([camera], CONFIG.ray_size)
    t = (0.25 - origins[0, MIDDLE, 2]) / directions[0, MIDDLE, 2]
    point = origins[0, MIDDLE] + t * directions[0, MIDDLE]
    expected = point[:2] * CONFIG.lift_origin / (0.25 + CONFIG.lift_origin)
    met = weights.uv[0, 0, LIFTED.index(SKIN), MIDDLE]
    assert torch.allclose(met, expected, atol=0.02)


def test_an_empty_volume_is_all_background():
    weights = plain(slab(), Camera.orbit(0.0))
    assert (weights.mask[:, :, BACKGROUND] == 1).all()
    assert weights.uv.isfinite().all()
    assert weights.depth.isfinite().all()
