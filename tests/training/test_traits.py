"""Spots and attributes of a model's people: those of their renders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import spots
from core.attributes import FACTS, UNKNOWN
from core.checkpoint import load_checkpoint, save_checkpoint
from core.engine import embedded_weights
from core.errors import PortraitError
from training.__main__ import main
from training.detail import with_detail
from training.graft import graft
from training.grain import with_grain
from training.model_files import put_on, rebuilt, taken_off
from training.synthetic.identity import sample_identity
from training.synthetic.numbering import stream
from training.synthetic.sampling import sample_person, sample_skin
from training.traits import attributes_of, spots_of_skin, with_traits


def test_spots_are_the_skins() -> None:
    person = replace(sample_person(stream(2, "global", "traits")), years=80.0)
    skin = replace(
        sample_skin(stream(2, "skin", "traits"), person),
        spots=0.2,
        freckles=0.4,
        moles=0.5,
        pores=1.1,
    )
    made = spots_of_skin(skin, person, 2)
    expected = torch.tensor([0.2, 0.4, 0.15, 0.5, 1.0, 0.3])
    torch.testing.assert_close(made[: len(spots.KINDS)], expected)
    young = spots_of_skin(skin, replace(person, years=20.0), 2)
    assert young[spots.KINDS.index("age spots")] == 0
    assert young[spots.KINDS.index("wrinkles")] == 0
    assert torch.equal(made[-5:], young[-5:])
    assert not torch.equal(made[-2:], spots_of_skin(skin, person, 3)[-2:])


def test_the_command_gives_people_theirs_and_again(mixing: Path, tmp_path: Path) -> None:
    model, info = load_checkpoint(mixing)
    with pytest.raises(PortraitError, match="training grain"):
        with_traits(model, info["people"])
    path, out, again = (tmp_path / f"{name}.safetensors" for name in ("in", "out", "again"))
    grained = with_grain(with_detail(model, 4), ((0.01, 0.0, 0.0),) * 4)
    save_checkpoint(path, grained, info)
    for source, target in ((path, out), (out, again)):
        assert main(["traits", "--weights", str(source), "--out", str(target)]) == 0
    made, facts = load_checkpoint(out)
    assert facts["people"] == info["people"]
    for row, number in enumerate(facts["people"]):
        person = sample_person(stream(number, "global", "traits"))
        skin = sample_skin(stream(number, "skin", "traits"), person)
        expected = spots_of_skin(skin, person, number)
        torch.testing.assert_close(made.mapping.spots[row], expected, rtol=2e-3, atol=2e-3)
    assert torch.equal(load_checkpoint(again)[0].mapping.spots, made.mapping.spots)
    bare = taken_off(made)
    assert torch.equal(put_on(bare, made).mapping.spots, made.mapping.spots)
    assert not bare.config.spots
    for name, value in bare.state_dict().items():
        assert torch.equal(value, made.state_dict()[name]), name


def test_what_learns_from_renders_keeps_them_for_its_people(
    mixing: Path, balls: Path, tmp_path: Path
) -> None:
    model, info = load_checkpoint(mixing)
    grained = with_grain(with_detail(model, 4), ((0.01, 0.0, 0.0),) * 4)
    whole = rebuilt(with_traits(grained, info["people"]), beard_gain=1.5)
    path, out = tmp_path / "whole.safetensors", tmp_path / "learnt.safetensors"
    save_checkpoint(path, whole, info)
    command = ["detail", "--weights", str(path), "--data", str(balls), "--out", str(out)]
    assert main([*command, "--steps", "1"]) == 0
    learnt, _ = load_checkpoint(out)
    assert learnt.config == whole.config
    torch.testing.assert_close(learnt.mapping.spots, whole.mapping.spots, rtol=2e-3, atol=2e-3)


def test_parts_come_over_from_a_model_without_traits(mixing: Path) -> None:
    """People keep their own."""
    model, info = load_checkpoint(mixing)
    donor = with_grain(with_detail(model, 4), ((0.01, 0.0, 0.0),) * 4)
    made = with_traits(donor, info["people"])
    kept = made.mapping.spots.clone()
    graft(made, donor, ["hair"])
    assert torch.equal(made.mapping.spots, kept)


def test_the_embedded_models_people_have_those_of_their_renders() -> None:
    model, info = load_checkpoint(embedded_weights())
    made = with_traits(model, info["people"])
    torch.testing.assert_close(model.mapping.spots, made.mapping.spots, rtol=2e-3, atol=2e-3)
    assert json.dumps(model.config.to_dict())  # as a header it can be written
    for row, number in list(enumerate(info["people"]))[::20]:
        person = attributes_of(sample_identity(number, ()))
        for name, value in person.items():
            facts = info[FACTS][name]
            index = UNKNOWN if value is None else facts["values"].index(value)
            assert facts["people"][row] == index, (number, name)


def test_attributes_are_what_a_person_would_say() -> None:
    person = sample_identity(1, ())
    grey = replace(person.hair, grey=0.8, present=True, style="afro")
    old = replace(person.person, years=56.0, tone=0.3, female=True)
    round_ = replace(person.glasses, present=True, exponent=2.0, material="navy")
    silver = replace(person.earrings, present=True, gold=False)
    told = attributes_of(replace(person, person=old, hair=grey, glasses=round_, earrings=silver))
    assert (told["sex"], told["age"], told["tone"]) == ("female", "old", "medium")
    assert (told["hair_style"], told["hair_color"]) == ("afro", "grey")
    assert (told["frame"], told["frame_color"], told["metal"]) == ("round", "navy", "silver")
    bare = attributes_of(
        replace(
            person,
            person=replace(old, years=17.9),
            hair=replace(grey, present=False),
            glasses=replace(round_, present=False),
            earrings=replace(silver, present=False),
        )
    )
    assert bare["age"] == "child"
    for name in ("hair_style", "hair_color", "frame", "frame_color", "metal"):
        assert bare[name] is None
