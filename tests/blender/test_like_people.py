"""Parts drawn by chance are of people like the portrait, where that costs no wait."""

from __future__ import annotations

from typing import Any

import pytest

from tests.blender.helpers import Addon

CANDIDATES = list(range(101, 117))


@pytest.fixture
def room(addon: Addon, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, which draws the same candidates always."""
    like_people = addon("ssgan3d_blender.like_people")
    monkeypatch.setattr(like_people.random.Random, "sample", lambda *_: list(CANDIDATES))
    return like_people


def test_another_hair_is_of_the_likest_of_several_people(
    bpy: Any, addon: Addon, portrait: Any, room: Any
) -> None:
    choice = addon("ssgan3d_blender.preferences").model_choice()
    engine = addon("ssgan3d_blender.runtime").engine(choice)
    settings = portrait.ssgan3d
    own = engine.sample(settings.seed, settings.truncation)
    best = engine.most_alike(own, CANDIDATES, 1, settings.truncation)[0]
    assert best != CANDIDATES[0]
    bpy.ops.ssgan3d.randomise(part="hair")
    assert settings.parts["hair"].shape_seed == settings.parts["hair"].texture_seed == best
    bpy.ops.ssgan3d.randomise(part="hair", random_seed=7)
    assert settings.parts["hair"].shape_seed == 7


def test_a_click_waits_for_no_model_and_for_no_number_that_is_none(
    bpy: Any, addon: Addon, portrait: Any, room: Any
) -> None:
    runtime = addon("ssgan3d_blender.runtime")
    runtime.release()
    bpy.ops.ssgan3d.randomise(part="hair")
    assert portrait.ssgan3d.parts["hair"].shape_seed == CANDIDATES[0]
    assert runtime.status() == "No model in memory"
    runtime.engine(addon("ssgan3d_blender.preferences").model_choice())
    portrait.ssgan3d.truncation = float("nan")
    bpy.ops.ssgan3d.randomise(part="nose")
    assert portrait.ssgan3d.parts["nose"].shape_seed == CANDIDATES[0]
