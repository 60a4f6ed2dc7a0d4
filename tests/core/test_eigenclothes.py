"""Eigenclothes: a tint of somebody's clothes, beside their print."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from core.camera import Camera
from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.eigenclothes import SIZE, WINDOW, cloth_atlas
from core.engine import PortraitEngine, embedded_weights
from core.generators import PartMap
from core.lifting import LIFTED, Geometry
from core.parts import part_index
from core.people_mixture import PeopleMixture
from core.prints import CLOTHES, print_atlas
from tests.core.cloth import worn

CONFIG = replace(
    ModelConfig.tiny(),
    image_size=256,
    ray_size=64,
    detail_directions=4,
    people=3,
    garments=True,
    eigenclothes=1,
)


def flat() -> Geometry:
    """All parts in the plane z = 0."""
    maps = torch.zeros(1, len(LIFTED), CONFIG.geometry_size, CONFIG.geometry_size)
    return Geometry(maps, maps + 5)


def cloth(tint: torch.Tensor | None, pattern: torch.Tensor | None = None) -> PartMap:
    """Clothes of which nothing else counts."""
    nothing = torch.zeros(1, 1, 1)
    return PartMap(nothing, nothing, nothing, traits=pattern, tint=tint)


def test_a_tint_lies_where_the_cloth_is() -> None:
    u0, u1, v0, v1 = CONFIG.maps[CLOTHES].window
    left, right, bottom, top = WINDOW
    tint = torch.zeros(1, 3, *SIZE)
    row, column = 10, 100  # of the map, from its upper left
    tint[0, 2, row, column] = 1.0
    atlas = cloth_atlas(cloth(tint), flat(), CONFIG)
    assert atlas is not None
    assert not atlas[0, :2].any()
    height, width = atlas.shape[2:]
    share = atlas[0, 2] / atlas[0, 2].sum()
    y, x = (torch.arange(n) + 0.5 for n in (height, width))
    u = u0 + float((share.sum(0) * x).sum()) / width * (u1 - u0)
    v = v1 - float((share.sum(1) * y).sum()) / height * (v1 - v0)
    assert u == pytest.approx(left + (column + 0.5) / SIZE[1] * (right - left), abs=0.01)
    assert v == pytest.approx(top - (row + 0.5) / SIZE[0] * (top - bottom), abs=0.01)


def test_it_is_added_to_a_print() -> None:
    pattern = worn("stripes", [(0.0, 20.0, 0.0, 0.0)], (0.5,) * 9)
    tint = torch.full((1, 3, *SIZE), 0.25)
    stripes = print_atlas(pattern, flat(), CONFIG)
    both = cloth_atlas(cloth(tint, pattern), flat(), CONFIG)
    assert stripes is not None
    assert both is not None
    change = both - stripes
    assert float(change.amax()) == pytest.approx(0.25)
    assert float(change.amin()) == pytest.approx(0.0, abs=1e-6)  # beyond the map
    assert torch.equal(cloth_atlas(cloth(None, pattern), flat(), CONFIG), stripes)
    assert cloth_atlas(cloth(None), flat(), CONFIG) is None


def test_both_codes_have_to_be_somebodys() -> None:
    people = PeopleMixture(CONFIG)
    people.presence.fill_(1)
    for row, code in enumerate((0.0, 1.0, 10.0)):
        people.texture[row], people.shape[row] = code, code
    people.eigenclothes.planes.fill_(100)
    people.eigenclothes.steps.copy_(torch.tensor([0.001, 0.01]))
    people.eigenclothes.amounts.copy_(torch.tensor([[1.0], [-1.0], [0.0]]))
    shape = torch.tensor([[0.0], [1.0], [0.0]]).expand(-1, CONFIG.code_dim)
    texture = torch.tensor([[0.0], [1.0], [1.0]]).expand(-1, CONFIG.code_dim)
    tint = people.tint(CLOTHES, shape, texture)
    assert tint is not None
    for own, expected in zip(tint, (0.1 + 1.0, 0.1 - 1.0, 0.1), strict=True):
        torch.testing.assert_close(own, torch.full((3, *SIZE), expected))
    assert people.tint(part_index("hat"), shape, texture) is None


@pytest.mark.parametrize("change", [{"people": 0}, {"eigenclothes": -1}])
def test_what_cannot_be_is_refused(change) -> None:
    with pytest.raises(ValueError, match="clothes|mixed"):
        replace(CONFIG, **change)


def test_the_embedded_models_portraits_have_them_on_their_clothes_alone() -> None:
    model, info = load_checkpoint(embedded_weights())
    assert model.config.eigenclothes
    bare = copy.deepcopy(model)
    bare.mapping.eigenclothes.steps.zero_()
    engines = [PortraitEngine(m, info, device="cpu", precision="float32") for m in (model, bare)]
    camera = Camera.orbit(0.2)
    drawn = [engine.render(engine.sample(4), camera, size=(256, 256)) for engine in engines]
    change = (drawn[0].image - drawn[1].image)[0].abs().amax(0)
    cloth = drawn[1].mask[0, CLOTHES]
    assert float(change[cloth > 0.9].mean()) > 0.02
    assert float(change[cloth < 0.001].max()) < 0.01
    # no outline moves
    torch.testing.assert_close(drawn[0].mask, drawn[1].mask)
