"""Models for the tests: random weights, made to draw something, in milliseconds."""

from pathlib import Path

import pytest
import torch

from core.checkpoint import save_checkpoint
from core.config import ModelConfig
from core.engine import PortraitEngine
from core.lifting import LIFTED
from core.model import SSGAN3D
from core.parts import FACE_BASE


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


@pytest.fixture(scope="session")
def checkpoint(model: SSGAN3D, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, model, {"steps": 3})
    return path


@pytest.fixture
def engine(checkpoint: Path) -> PortraitEngine:
    return PortraitEngine.load(checkpoint, device="cpu", precision="float32")
