"""Eigenskins: the mean and as much of each component as the person has, on skin alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from core.camera import Camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.eigenskin import SIZE, WINDOW, eigenskin_tile
from core.engine import PortraitEngine, embedded_weights
from core.grain import GRAINED, SIDE, SKIN
from core.model import SSGAN3D
from core.parts import part_index
from core.people_mixture import PeopleMixture

CONFIG = replace(
    ModelConfig.tiny(),
    image_size=256,
    ray_size=64,
    detail_directions=4,
    people=3,
    eigenskins=2,
    grain=((0.01, 0.0, 0.0),) * 4,
)
MAP = (3, *SIZE)
_OLD = {
    "mapping.eigenskins.amounts": "mapping.skins",
    "mapping.eigenskins.planes": "mapping.eigenskins",
    "mapping.eigenskins.steps": "mapping.eigenskin_steps",
}


def mixture() -> PeopleMixture:
    """Three people with codes 0, 1 and 10; a mean of 0.1, and components of 1 and of 2."""
    made = PeopleMixture(CONFIG)
    made.presence.fill_(1)
    for row, code in enumerate((0.0, 1.0, 10.0)):
        made.texture[row] = code
    made.eigenskins.planes.fill_(100)
    made.eigenskins.steps.copy_(torch.tensor([0.001, 0.01, 0.02]))
    made.eigenskins.amounts.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, -1.0]]))
    return made


def test_between_people_the_mean_is_left() -> None:
    people = mixture()
    codes = torch.tensor([[1.0], [0.5], [0.75]]).expand(-1, CONFIG.code_dim)
    light = people.tint(SKIN, codes, codes)
    assert light is not None
    # theirs; halfway nobody's; a quarter of the way, which is still whole
    for own, expected in zip(light, (0.1 + 2.0, 0.1, 0.1 + 2.0), strict=True):
        torch.testing.assert_close(own, torch.full(MAP, expected))
    assert people.tint(part_index("hair"), codes, codes) is None


def test_a_map_lies_on_the_tile_where_the_skin_is() -> None:
    left, right, bottom, top = WINDOW
    light = torch.zeros(1, *MAP)
    row, column = 20, 70  # of the map, from its upper left
    light[0, 1, row, column] = 1.0
    tile = eigenskin_tile(light, CONFIG)[0]
    assert not tile[[0, 2]].any()
    v, u = ((tile[1] == tile[1].max()).nonzero().float().mean(0) + 0.5).tolist()
    period, texels = SIDE, CONFIG.image_size / CONFIG.frame_side
    expected_u = left + (column + 0.5) / SIZE[1] * (right - left)
    expected_v = top - (row + 0.5) / SIZE[0] * (top - bottom)
    assert (u - period * (u > period / 2)) / texels == pytest.approx(expected_u, abs=1 / texels)
    assert (v - period * (v > period / 2)) / texels == pytest.approx(expected_v, abs=1 / texels)
    outside = tile[:, round(0.85 * texels) : period - round(0.9 * texels)]
    assert outside.numel() and not outside.any()


def test_files_keep_whole_numbers_whole(tmp_path) -> None:
    model = SSGAN3D(CONFIG)
    skins = model.mapping.eigenskins
    skins.planes.random_(-127, 128, generator=torch.Generator().manual_seed(0))
    skins.steps.fill_(0.25)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, {}, compact=True)
    read = load_checkpoint(path)[0].mapping
    assert read.eigenskins.planes.dtype == torch.int8
    assert torch.equal(read.eigenskins.planes, skins.planes)


def test_files_of_before_are_read(tmp_path) -> None:
    """The first that had eigenskins called them otherwise, and kept amounts as halves."""
    model = SSGAN3D(CONFIG)
    model.mapping.eigenskins.amounts.fill_(0.25)
    model.mapping.eigenskins.planes.fill_(9)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, {})
    with safe_open(path, "pt") as file:
        header, names = file.metadata(), list(file.keys())
        tensors = {_OLD.get(name, name): file.get_tensor(name) for name in names}
    save_file(tensors, path, header)
    read = load_checkpoint(path)[0].mapping.eigenskins
    assert torch.equal(read.amounts, model.mapping.eigenskins.amounts)
    assert torch.equal(read.planes, model.mapping.eigenskins.planes)


@pytest.mark.parametrize("change", [{"people": 1}, {"grain": ()}, {"eigenskins": -1}])
def test_without_people_or_grain_there_are_none(change) -> None:
    with pytest.raises(ValueError, match=r"eigenskins|components"):
        replace(CONFIG, **change)


def test_the_embedded_models_portraits_have_them_on_their_skin_alone() -> None:
    model, info = load_checkpoint(embedded_weights())
    assert model.config.eigenskins
    bare = copy.deepcopy(model)
    bare.mapping.eigenskins.steps.zero_()
    engines = [PortraitEngine(m, info, device="cpu", precision="float32") for m in (model, bare)]
    camera = Camera.orbit(0.2)
    drawn = [engine.render(engine.sample(4), camera, size=(256, 256)) for engine in engines]
    change = (drawn[0].image - drawn[1].image)[0].abs().amax(0)
    skin = drawn[1].mask[0, list(GRAINED)].sum(0)
    assert float(change[skin > 0.9].mean()) > 0.01
    assert float(change[skin < 0.01].max()) < 0.01
    # no outline moves
    torch.testing.assert_close(drawn[0].mask, drawn[1].mask)
