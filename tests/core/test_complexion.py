"""Noses, ears and necks take the complexion of the head that they are put on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from core.camera import Camera
from core.checkpoint import load_checkpoint
from core.complexion import TAKERS, change_of_hue, head_color, hues_of, mean_color, tinted
from core.config import ModelConfig
from core.engine import PortraitEngine, embedded_weights
from core.generators import PartMap
from core.latents import PortraitLatents
from core.parts import PART_COUNT, part_index

NOSE = part_index("nose")


def part(light: float, hue: torch.Tensor | None = None) -> PartMap:
    """Two texels: one of the part with so much light, one that is none of it and is black."""
    features = torch.tensor([[light - 1] * 3, [-1.0] * 3])[None, None]  # (1, 1, 2, 3)
    density = torch.tensor([[[10.0, 0.0]]])
    return PartMap(features, torch.zeros_like(density), density, hue=hue)


def test_the_mean_is_of_what_is_there() -> None:
    color = mean_color(part(0.5), ModelConfig.tiny())
    torch.testing.assert_close(color, torch.full((1, 3), math.log(0.5)), atol=1e-3, rtol=0)


def test_a_part_gets_the_colour_that_is_wanted() -> None:
    color = torch.log(torch.tensor([[0.5, 0.4, 0.3]]))
    own = torch.log(torch.tensor([0.4, 0.4, 0.31]))
    change = change_of_hue(color, torch.cat([torch.ones(1), own])[None])
    # to 0.02 of the logarithm, which is no difference
    expected = torch.tensor([[math.log(0.8) + 0.02, 0.0, math.log(0.31 / 0.3) - 0.02]])
    torch.testing.assert_close(change, expected)
    # between people half of it, and never more than a factor of two
    half = change_of_hue(color, torch.cat([torch.full((1,), 0.5), own])[None])
    torch.testing.assert_close(half, expected / 2)
    dark = change_of_hue(color, torch.tensor([[1.0, -5.0, -5.0, -5.0]]))
    torch.testing.assert_close(dark, torch.full((1, 3), -0.7))


def test_a_head_between_two_people_has_a_colour_between_theirs() -> None:
    people = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0], [0.1, 0.0]])
    colors = torch.tensor([[0.0] * 3, [1.0] * 3, [5.0] * 3, [7.0] * 3])
    known = torch.tensor([True, True, True, False])
    heads = torch.tensor([[0.0, 0.0], [0.25, 0.0], [0.5, 3.0]])
    found = head_color(heads, people, colors, known)
    torch.testing.assert_close(found[0], torch.tensor([1.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(found[1], torch.tensor([1.0, 0.25, 0.25, 0.25]))
    assert float(found[2, 0]) == 0  # nobody's


def test_masks_say_where() -> None:
    mask = torch.zeros(1, PART_COUNT, 2, 2)
    mask[0, NOSE, 0, 0], mask[0, part_index("skin"), 0, 0], mask[0, TAKERS[1], 1, 1] = 0.5, 0.5, 1
    hues = torch.zeros(1, len(TAKERS), 3)
    hues[0, 0], hues[0, 1] = torch.tensor([0.2, -0.2, 0.0]), 0.4
    light = tinted(hues, mask)
    torch.testing.assert_close(light[0, :, 0, 0], torch.tensor([0.1, -0.1, 0.0]))
    torch.testing.assert_close(light[0, :, 1, 1], torch.full((3,), 0.4))
    assert not light[0, :, 0, 1].any()


def test_nothing_is_looked_up_where_nothing_changes() -> None:
    none, some = torch.zeros(1, 3), torch.tensor([[0.0, 0.1, -0.1]])
    assert hues_of(dict.fromkeys(TAKERS, part(0.5))) is None
    assert hues_of(dict.fromkeys(TAKERS, part(0.5, none))) is None
    changed = hues_of({k: part(0.5, some if k == NOSE else none) for k in TAKERS})
    assert changed is not None
    assert torch.equal(changed[0, TAKERS.index(NOSE)], some[0])


@pytest.mark.parametrize("change", [{"people": 0}, {"detail_directions": 0}])
def test_without_people_or_fine_structure_there_are_none(change) -> None:
    config = replace(ModelConfig.tiny(), people=3, detail_directions=4, complexions=True)
    with pytest.raises(ValueError, match="complexions"):
        replace(config, **change)


def test_swapped_noses_are_of_the_heads_colour_and_own_ones_as_they_were() -> None:
    model, info = load_checkpoint(embedded_weights())
    assert model.config.complexions
    bare, _ = load_checkpoint(embedded_weights())
    bare.config = bare.mapping.config = replace(model.config, complexions=False)
    engines = [PortraitEngine(m, info, device="cpu", precision="float32") for m in (model, bare)]

    def nose(engine: PortraitEngine, latents: PortraitLatents) -> torch.Tensor:
        drawn = engine.render(latents, Camera.orbit(0.0))
        return drawn.image[0][:, drawn.mask[0, NOSE] > 0.8].mean(1)

    off = torch.zeros(2)  # how far noses are from the colour of the head's own one
    for seed in range(12):
        one, other = (engines[0].sample(number) for number in (seed, seed + 100))
        own = [nose(engine, one) for engine in engines]
        # a seed's face is a blend, mostly of one person
        torch.testing.assert_close(*own, atol=0.05, rtol=0)
        swapped = one.replace("nose", other)
        off += torch.stack([(nose(engine, swapped) - own[0]).norm() for engine in engines])
    assert float(off[0]) < 0.7 * float(off[1])
