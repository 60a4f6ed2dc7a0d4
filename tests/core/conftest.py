"""What the tests render: models with random weights, and a head made of smooth formulas."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from core.checkpoint import save_checkpoint
from core.config import ModelConfig
from core.engine import PortraitEngine
from core.generators import PartMap
from core.latents import PortraitLatents
from core.lifting import LIFTED
from core.model import SSGAN3D
from core.parts import FACE_BASE, PART_COUNT, PART_NAMES
from core.stages import PartResult


def make_model(config: ModelConfig, seed: int = 0) -> SSGAN3D:
    """A model with random weights whose parts have clear shapes, unlike a freshly made one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SSGAN3D(config)
        with torch.no_grad():
            for group in model.generators.groups:
                group.geometry_weight.mul_(8)
                # small parts stand before the face, or it would hide them
                for row, part in enumerate(group.parts):
                    group.geometry_bias[row, 0] = (
                        0.2
                        if part == FACE_BASE
                        else 0.05 * LIFTED.index(part)
                        if part in LIFTED
                        else 0.0
                    )
            for head in (model.render_net.to_picture, model.render_net.to_mask):
                torch.nn.init.normal_(head.weight, std=0.1)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def model() -> SSGAN3D:
    return make_model(ModelConfig.tiny())


@pytest.fixture
def random_model() -> Callable[[ModelConfig], SSGAN3D]:
    return make_model


@pytest.fixture(scope="session")
def checkpoint(model: SSGAN3D, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, model, {"steps": 3})
    return path


@pytest.fixture
def engine(checkpoint: Path) -> PortraitEngine:
    return PortraitEngine.load(checkpoint, device="cpu", precision="float32")


# Centre (u, v), radii and relative depth of ellipses on an egg-shaped front of a head, in
# lifting coordinates. Parts that are not listed are empty.
SHAPES = {
    "skin": ((0.0, 0.05), (0.45, 0.6), 0.35),
    "nose": ((0.0, 0.0), (0.09, 0.14), 0.12),
    "mouth": ((0.0, -0.28), (0.16, 0.07), 0.05),
    "hair": ((0.0, 0.25), (0.75, 0.75), -0.15),
    "clothes": ((0.0, -0.95), (0.8, 0.4), -0.1),
}


def texel_positions(config: ModelConfig, part: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(u, v) of the texels of a part's map, both (H, W); row 0 is the largest v."""
    spec = config.maps[part]
    u0, u1, v0, v1 = spec.window
    u = u0 + (torch.arange(spec.width) + 0.5) / spec.width * (u1 - u0)
    v = v1 - (torch.arange(spec.height) + 0.5) / spec.height * (v1 - v0)
    return u.expand(spec.height, -1), v[:, None].expand(-1, spec.width)


def make_smooth_maps(config: ModelConfig, *, peak: float = 2.0) -> dict[int, PartMap]:
    """Ellipses with soft borders on curved shells; features vary slowly. One portrait.

    Args:
        peak: raw density inside the ellipses.
    """
    maps = {}
    for part in range(PART_COUNT):
        u, v = texel_positions(config, part)
        waves = torch.arange(1, config.features + 1) * 0.3
        features = torch.sin(u[..., None] * waves + v[..., None] * waves.flip(0) + part)
        shape = SHAPES.get(PART_NAMES[part])
        depth, density = torch.zeros_like(u), torch.zeros_like(u)
        if shape is not None:
            (cu, cv), (ru, rv), height = shape
            radius = ((u - cu) / ru).square() + ((v - cv) / rv).square()
            depth = torch.full_like(u, height)  # relative to the face
            if part == FACE_BASE:
                depth -= 0.35 * (u.square() + v.square())
            density = peak * torch.sigmoid((1 - radius) * 6)
        maps[part] = PartMap(features[None].contiguous(), depth[None], density[None])
    return maps


@pytest.fixture
def smooth_maps() -> Callable[..., dict[int, PartMap]]:
    return make_smooth_maps


@pytest.fixture
def head_engine(monkeypatch: pytest.MonkeyPatch) -> PortraitEngine:
    """An engine whose part maps are the smooth head, and whose render net adds nothing."""
    config = dataclasses.replace(ModelConfig.tiny(), geometry_size=96, ray_size=32, image_size=128)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        engine = PortraitEngine(SSGAN3D(config), device="cpu", precision="float32")
    maps = make_smooth_maps(config)

    def compute(latents: PortraitLatents, parts: Sequence[int]) -> dict[int, PartResult]:
        return {k: PartResult.of(k, maps[k], config) for k in parts}

    monkeypatch.setattr(engine.part_stage, "compute", compute)
    return engine
