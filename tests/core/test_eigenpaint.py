"""Eigenpaints: what is added to the paint of somebody's eyes, and of nobody else's."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from core.camera import Camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig, PartMapSpec
from core.eigenpaint import EigenPaint
from core.engine import PortraitEngine, embedded_weights
from core.model import SSGAN3D
from core.parts import PAINTED, part_index
from core.people_mixture import PeopleMixture

EYES = part_index("eyes")
CONFIG = replace(
    ModelConfig.tiny(),
    people=3,
    paint_size=16,
    eigenpaints=2,
    eigenpaint_texels=(3,) * len(PAINTED),
)
SIZE = CONFIG.maps[EYES].height, CONFIG.maps[EYES].width


def mixture() -> PeopleMixture:
    """Three people with codes 0, 1 and 10; a mean of 0.1, and components of up to 1 and 2."""
    made = PeopleMixture(CONFIG)
    made.presence.fill_(1)
    for row, code in enumerate((0.0, 1.0, 10.0)):
        made.texture[row], made.shape[row] = code, code
    for paint in made.eigenpaints:
        paint.planes.fill_(100)
        paint.steps.copy_(torch.tensor([0.001, 0.01, 0.02]))
        paint.amounts.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
        paint.texels.copy_(torch.tensor([0, 5, SIZE[1]]))
    return made


def test_texels_that_are_known_get_what_they_have() -> None:
    paint = EigenPaint(people=2, components=1, texels=2, spec=PartMapSpec(2, 4, (-1, 1, -1, 1)))
    paint.planes.copy_(torch.tensor([[[10, 0]] * 3, [[100, 50]] * 3]))
    paint.steps.copy_(torch.tensor([0.01, 0.02]))
    paint.texels.copy_(torch.tensor([1, 5]))
    added = paint(torch.tensor([[1.0], [-1.0]]))
    assert added.shape == (2, 2, 4, 3)
    torch.testing.assert_close(added[0, 0, 1], torch.full((3,), 0.1 + 2.0))
    torch.testing.assert_close(added[0, 1, 1], torch.full((3,), 1.0))
    torch.testing.assert_close(added[1, 0, 1], torch.full((3,), 0.1 - 2.0))
    assert int((added != 0).sum()) == 2 * 2 * 3


def test_both_codes_have_to_be_somebodys() -> None:
    people = mixture()
    shape = torch.tensor([[0.0], [1.0], [0.0], [10.0]]).expand(-1, CONFIG.code_dim)
    texture = torch.tensor([[0.0], [1.0], [1.0], [10.0]]).expand(-1, CONFIG.code_dim)
    paint = people.own_paint(EYES, shape, texture)
    assert paint is not None
    # the third has one's shape and the other's texture, so nobody's paint but the mean
    for own, expected in zip(paint, (0.1 + 1.0, 0.1 + 2.0, 0.1, 0.1 - 2.0), strict=True):
        torch.testing.assert_close(own[0, 0], torch.full((3,), expected))
        torch.testing.assert_close(own[1, 0], torch.full((3,), expected))
        assert int((own != 0).any(-1).sum()) == 3
    assert people.own_paint(part_index("skin"), shape, texture) is None


def test_files_keep_them(tmp_path) -> None:
    model = SSGAN3D(CONFIG)
    generator = torch.Generator().manual_seed(0)
    kept = {name: one for name, one in model.mapping.named_buffers() if "eigen" in name}
    assert len(kept) == 4 * len(PAINTED)
    for one in kept.values():
        one.copy_(torch.randint(0, 100, one.shape, generator=generator))
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, {}, compact=True)
    read = load_checkpoint(path)[0].mapping
    for name, one in kept.items():
        found = read.get_buffer(name)
        assert found.dtype == one.dtype
        torch.testing.assert_close(found, one, atol=0.5, rtol=0)  # amounts are kept in steps
        assert name.endswith("amounts") or torch.equal(found, one)


@pytest.mark.parametrize(
    "change",
    [
        {"people": 0},
        {"paint_size": 0},
        {"eigenpaints": -1},
        {"eigenpaints": 0},
        {"eigenpaint_texels": (3, 3)},
        {"eigenpaint_texels": (3, 3, 3, 10**6)},
    ],
)
def test_what_cannot_be_is_refused(change) -> None:
    with pytest.raises(ValueError, match=r"paint|texels"):
        replace(CONFIG, **change)


def test_the_embedded_models_portraits_have_them_on_small_parts_alone() -> None:
    model, info = load_checkpoint(embedded_weights())
    assert model.config.eigenpaints
    bare = copy.deepcopy(model)
    for paint in bare.mapping.eigenpaints:
        paint.steps.zero_()
    engines = [PortraitEngine(m, info, device="cpu", precision="float32") for m in (model, bare)]
    camera = Camera.orbit(0.2)
    drawn = [engine.render(engine.sample(4), camera, size=(256, 256)) for engine in engines]
    change = (drawn[0].image - drawn[1].image)[0].abs().amax(0)
    small = drawn[1].mask[0, list(PAINTED)].sum(0)
    assert float(change[small > 0.9].mean()) > 0.02
    assert float(change[small < 0.01].mean()) < 0.002
    # no outline moves
    torch.testing.assert_close(drawn[0].mask, drawn[1].mask)
