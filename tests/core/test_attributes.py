"""Attributes: seeds of people who are as is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core import attributes
from core.config import ModelConfig
from core.engine import PortraitEngine
from core.errors import PortraitError
from core.model import SSGAN3D
from core.parts import part_index

SEEDS = range(60)


def people(*values: dict[str, str]) -> dict:
    """Facts of a file about people of whom only this is known."""
    unknown = dict.fromkeys(attributes.BY_NAME)
    return {attributes.FACTS: attributes.facts_of([{**unknown, **one} for one in values])}


@pytest.fixture
def engine() -> PortraitEngine:
    """Of three people: two have long hair, of whom one smiles."""
    torch.manual_seed(0)
    model = SSGAN3D(replace(ModelConfig.tiny(), people=3))
    mixture = model.mapping
    mixture.keys.copy_(torch.nn.functional.normalize(torch.randn(mixture.keys.shape), dim=1))
    mixture.presence.fill_(1)
    facts = people(
        {"hair_style": "long", "expression": "smile"},
        {"hair_style": "long", "expression": "frown"},
        {"hair_style": "afro"},
    )
    return PortraitEngine(model, facts, device="cpu", precision="float32")


def lender(engine: PortraitEngine, seed: int, part: str) -> int:
    """Whose part a seed's portrait has."""
    from core.latents import seed_noise

    noise = torch.from_numpy(seed_noise(seed, engine.config.z_dim))[None]
    return int(engine.mapping.choose(noise)[1][0, part_index(part)].argmax())


def test_parts_are_of_the_people_who_have_it(engine: PortraitEngine) -> None:
    found = engine.having(SEEDS, {"hair_style": "afro"})
    assert found == [seed for seed in SEEDS if lender(engine, seed, "hair") == 2]
    both = engine.having(SEEDS, {"hair_style": "long", "expression": "smile"})
    assert both == [
        seed
        for seed in SEEDS
        if lender(engine, seed, "hair") < 2 and lender(engine, seed, "mouth") == 0
    ]
    assert 0 < len(both) < len(engine.having(SEEDS, {"expression": "smile"})) < len(SEEDS)
    assert engine.having(SEEDS, {"iris": "blue"}) == []
    assert engine.having(SEEDS, {"expression": "smile", "hair_style": "bob"}) == []
    assert engine.having([5, 3], {}) == [5, 3]


def test_what_cannot_be_asked_for_is_named(engine: PortraitEngine) -> None:
    with pytest.raises(PortraitError, match="no attribute 'wings'"):
        engine.having(SEEDS, {"wings": "two"})
    with pytest.raises(PortraitError, match="hair_style cannot be 'green', but: long, bob"):
        engine.having(SEEDS, {"hair_style": "green"})


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"attributes": None},
        {"attributes": {"iris": {"values": ["blue"], "people": 3}}},
        {"attributes": {"iris": {"values": ["blue"], "people": [0] * 9}}},
    ],
)
def test_a_file_that_does_not_say_it_is_no_error_before_it_is_asked(facts: dict) -> None:
    model = SSGAN3D(replace(ModelConfig.tiny(), people=3))
    engine = PortraitEngine(model, facts, device="cpu", precision="float32")
    assert engine.sample(0)
    with pytest.raises(PortraitError, match="does not say what its people are like"):
        engine.having(SEEDS, {"iris": "blue"})


def test_names_and_labels_are_used_once() -> None:
    names = [one.name for one in attributes.ATTRIBUTES]
    labels = [one.label for one in attributes.ATTRIBUTES]
    assert len(set(names)) == len(names) and len(set(labels)) == len(labels)
    assert [one.name for one in attributes.of_part("hair")] == ["hair_style", "hair_color"]
    assert attributes.BY_NAME["layer"].label_of("hood") == "Hood"


def test_who_has_none_has_no_value() -> None:
    facts = people({"metal": "silver"}, {})
    assert attributes.having(facts, "metal", "silver") == [True, False]
    assert attributes.having(facts, "metal", "gold") == [False, False]
