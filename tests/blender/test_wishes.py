"""Wishes: chance draws from the people who are as the artist asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.blender.helpers import Addon, tick_until_done


@pytest.fixture
def engine(addon: Addon, preferences: Any) -> Any:
    """The model that comes along, which knows its people."""
    preferences.model_path = ""
    choice = addon("ssgan3d_blender.preferences").model_choice()
    return addon("ssgan3d_blender.runtime").engine(choice)


def test_a_wish_draws_the_part_and_chance_keeps_to_it(bpy: Any, portrait: Any, engine: Any) -> None:
    settings = portrait.ssgan3d
    seed = settings.seed
    afro = {"hair_style": "afro"}
    assert bpy.ops.ssgan3d.wish(attribute="hair_style", value="afro") == {"FINISHED"}
    hair = settings.parts["hair"]
    drawn = [hair.shape_seed]
    assert hair.shape_seed == hair.texture_seed and hair.visibility == "SHOW"
    for _ in range(3):
        bpy.ops.ssgan3d.randomise(part="hair")
        drawn.append(hair.shape_seed)
    assert engine.having(drawn, afro) == drawn and len(set(drawn)) > 1
    assert settings.seed == seed and settings.parts["nose"].shape_seed == -1
    bpy.ops.ssgan3d.wish(attribute="hair_color", value="grey")
    assert engine.having([hair.shape_seed], {**afro, "hair_color": "grey"})
    bpy.ops.ssgan3d.wish(attribute="hair_style", value="")
    assert settings.wishes.hair_style == "any" and settings.wishes.hair_color == "grey"


def test_a_whole_person_is_as_is_wished_and_wears_it(bpy: Any, portrait: Any, engine: Any) -> None:
    settings = portrait.ssgan3d
    settings.wishes.frame = "round"
    settings.wishes.beard = "full"
    face = {"sex": "male", "age": "old", "beard": "full"}
    settings.wishes.age = "old"
    assert bpy.ops.ssgan3d.wish(attribute="sex", value="male") == {"FINISHED"}
    assert engine.having([settings.seed], face)
    glasses = settings.parts["glasses"]
    assert engine.having([glasses.shape_seed], {"frame": "round"}) and glasses.visibility == "SHOW"
    drawn = [settings.seed]
    for _ in range(3):
        bpy.ops.ssgan3d.randomise()
        drawn.append(settings.seed)
    assert engine.having(drawn, face) == drawn and len(set(drawn)) > 1
    again = settings.recipe
    bpy.ops.ssgan3d.randomise(random_seed=settings.seed)  # as the redo panel does
    assert settings.recipe == again
    bpy.ops.ssgan3d.history(direction="BACK")


def test_surprises_and_suggestions_keep_to_wishes(
    bpy: Any, addon: Addon, portrait: Any, engine: Any
) -> None:
    settings = portrait.ssgan3d
    settings.wishes.hair_style = "long"
    for part in settings.parts:
        part.lock = part.name != "hair"
    bpy.ops.ssgan3d.surprise(random_seed=3)
    long = {"hair_style": "long"}
    assert engine.having([settings.parts["hair"].shape_seed], long)
    settings.active_part = settings.parts.find("hair")
    bpy.ops.ssgan3d.suggest(random_seed=4)
    tick_until_done(addon("ssgan3d_blender.jobs"))
    room = addon("ssgan3d_blender.suggestions")
    seeds = list(room.for_part(portrait, "hair").seeds)
    room.forget()
    assert len(set(seeds)) == 8 and engine.having(seeds, long) == seeds


def test_what_nobody_is_changes_nothing(bpy: Any, portrait: Any, engine: Any) -> None:
    settings = portrait.ssgan3d
    settings.wishes.hair_style = "bald"
    before = settings.recipe
    with pytest.raises(RuntimeError, match="Fringe of a Bald Head, Ginger"):
        bpy.ops.ssgan3d.wish(attribute="hair_color", value="ginger")
    assert settings.recipe == before and settings.wishes.hair_color == "any"
    settings.wishes.hair_color = "ginger"
    with pytest.raises(RuntimeError, match="None of 8192 people"):
        bpy.ops.ssgan3d.randomise()
    assert settings.recipe == before
    settings.parts["mouth"].lock = True
    with pytest.raises(RuntimeError, match="Mouth is locked"):
        bpy.ops.ssgan3d.wish(attribute="expression", value="smile")
    assert settings.wishes.expression == "any"
    settings.parts["skin"].lock = True
    with pytest.raises(RuntimeError, match="Face is locked"):
        bpy.ops.ssgan3d.wish(attribute="age", value="old")
    with pytest.raises(RuntimeError, match="cannot be 'green'"):
        bpy.ops.ssgan3d.wish(attribute="hair_style", value="green")


def test_a_wish_is_taken_back_without_a_model_and_saved_with_the_file(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path
) -> None:
    runtime = addon("ssgan3d_blender.runtime")
    portrait.ssgan3d.wishes.tone, portrait.ssgan3d.wishes.iris = "dark", "green"
    runtime.release()
    bpy.ops.ssgan3d.wish(attribute="tone", value="")
    assert runtime.status() == "No model in memory"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "wishes.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "wishes.blend"))
    wishes = bpy.context.active_object.ssgan3d.wishes
    assert (wishes.tone, wishes.iris) == ("any", "green")


def test_a_model_that_does_not_know_its_people_says_so(bpy: Any, portrait: Any) -> None:
    with pytest.raises(RuntimeError, match="does not say what its people are like"):
        bpy.ops.ssgan3d.wish(attribute="sex", value="female")
    assert portrait.ssgan3d.wishes.sex == "any"
