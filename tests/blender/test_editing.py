"""Locks, solo, history, and parts that go from one portrait to another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config import DEFAULT_TRUNCATION
from tests.blender.helpers import Addon, render_png


@pytest.fixture
def codes(bpy: Any, addon: Addon) -> Callable[[Any], Any]:
    """Gives the codes that a portrait object resolves to."""

    def resolve(portrait: Any) -> Any:
        engine = addon("ssgan3d_blender.runtime").engine(
            addon("ssgan3d_blender.preferences").model_choice()
        )
        return addon("ssgan3d_blender.portraits").recipe(portrait).resolve(engine)

    return resolve


def rows_that_differ(addon: Addon, first: Any, second: Any) -> set[str]:
    """Names of the parts whose shape, texture or presence differs between two portraits' codes."""
    names = addon("core.parts").PART_NAMES
    return {
        name
        for k, name in enumerate(names)
        if not (
            first.shape[k].equal(second.shape[k])
            and first.texture[k].equal(second.texture[k])
            and bool(first.visible[k]) == bool(second.visible[k])
        )
    }


def look(portrait: Any) -> dict[str, Any]:
    """What is set on a portrait."""
    return json.loads(portrait.ssgan3d.recipe)


def test_locked_parts_stay_exactly_while_all_others_change(
    bpy: Any, addon: Addon, portrait: Any, codes: Callable[[Any], Any]
) -> None:
    parts = portrait.ssgan3d.parts
    parts["nose"].shape_seed = 5
    parts["hair"].mix_seed, parts["hair"].texture_mix = 9, 0.5
    locked = {"nose", "hair", "glasses"}
    for name in locked:
        parts[name].lock = True
    before = codes(portrait)
    assert bpy.ops.ssgan3d.randomise(random_seed=77) == {"FINISHED"}
    after = codes(portrait)
    assert rows_that_differ(addon, before, after) == set(addon("core.parts").PART_NAMES) - locked
    for name in ("skin", *locked):  # the head stays, which the locked parts sit on
        row = addon("core.parts").part_index(name)
        assert after.base[row].equal(before.base[row]), name


def test_surprise_changes_some_parts_and_no_locked_one(
    bpy: Any, addon: Addon, portrait: Any, codes: Callable[[Any], Any]
) -> None:
    names = set(addon("core.parts").PART_NAMES)
    parts = portrait.ssgan3d.parts
    parts["hat"].visibility = "HIDE"
    for name in ("eyes", "skin"):
        parts[name].lock = True
    changed: list[set[str]] = []
    for seed in range(12):
        before = codes(portrait)
        bpy.ops.ssgan3d.surprise(random_seed=seed)
        changed.append(rows_that_differ(addon, before, codes(portrait)))
    optional = {part.name for part in addon("core.parts").PARTS if part.optional}
    assert all(one - optional for one in changed)  # something that is seen, each time
    assert set.union(*changed) == names - {"eyes", "skin", "hat"}
    assert len({frozenset(one) for one in changed}) > 6


def test_a_locked_part_and_a_locked_portrait_say_so(bpy: Any, portrait: Any) -> None:
    portrait.ssgan3d.parts["nose"].lock = True
    before = look(portrait)
    with pytest.raises(RuntimeError, match="Nose is locked"):
        bpy.ops.ssgan3d.randomise(part="nose")
    for part in portrait.ssgan3d.parts:
        part.lock = True
    for operator in (bpy.ops.ssgan3d.randomise, bpy.ops.ssgan3d.surprise):
        with pytest.raises(RuntimeError, match="All parts are locked"):
            operator()
    assert look(portrait) == before


def test_solo_shows_one_part_in_render_and_leaves_visibility_alone(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    portrait.ssgan3d.parts["hat"].visibility = "HIDE"
    before, whole = look(portrait), render_png(bpy, tmp_path / "whole.png")
    bpy.ops.ssgan3d.solo_part(part="hat")
    assert look(portrait) == before
    alone = render_png(bpy, tmp_path / "hat.png")
    for part in portrait.ssgan3d.parts:
        part.visibility = "SHOW" if part.name == "hat" else "HIDE"
    portrait.ssgan3d.solo = ""
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "same.png"), alone)
    portrait.ssgan3d.recipe = json.dumps(before)
    bpy.ops.ssgan3d.solo_part(part="nose")
    bpy.ops.ssgan3d.solo_part(part="nose")
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), whole)


def test_history_goes_back_and_forward_through_clicks_and_hand_made_changes(
    bpy: Any, portrait: Any
) -> None:
    looks = [look(portrait)]
    bpy.ops.ssgan3d.randomise(random_seed=10)
    looks.append(look(portrait))
    portrait.ssgan3d.parts["hair"].shape_seed = 3  # by hand
    looks.append(look(portrait))
    bpy.ops.ssgan3d.surprise()
    looks.append(look(portrait))
    portrait.ssgan3d.truncation = 0.25  # by hand, and back from there
    looks.append(look(portrait))
    for expected in looks[-2::-1]:
        assert bpy.ops.ssgan3d.history(direction="BACK") == {"FINISHED"}
        assert look(portrait) == expected
    assert bpy.ops.ssgan3d.history(direction="BACK") == {"CANCELLED"}
    for expected in looks[1:]:
        assert bpy.ops.ssgan3d.history(direction="FORWARD") == {"FINISHED"}
        assert look(portrait) == expected
    assert bpy.ops.ssgan3d.history(direction="FORWARD") == {"CANCELLED"}
    bpy.ops.ssgan3d.history(direction="BACK")
    bpy.ops.ssgan3d.toggle_part(part="nose")  # what lay ahead is gone
    assert bpy.ops.ssgan3d.history(direction="FORWARD") == {"CANCELLED"}


def test_history_is_bounded_saved_and_survives_nonsense(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    for seed in range(40):
        bpy.ops.ssgan3d.randomise(random_seed=seed)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    portrait = bpy.data.objects["Portrait"]
    bpy.context.view_layer.objects.active = portrait
    steps = 0
    while bpy.ops.ssgan3d.history(direction="BACK") == {"FINISHED"}:
        steps += 1
    assert (steps, portrait.ssgan3d.seed) == (31, 8)
    for nonsense in ("{", "[]", '{"looks": 3, "at": "x"}', '{"looks": [], "at": 0}'):
        portrait.ssgan3d.history = nonsense
        assert bpy.ops.ssgan3d.history(direction="BACK") == {"CANCELLED"}
        assert bpy.ops.ssgan3d.randomise(random_seed=9) == {"FINISHED"}
    portrait.ssgan3d.history = '{"looks": [{"seed": "x"}, {}], "at": 1}'
    with pytest.raises(RuntimeError, match="seed must be a whole number"):
        bpy.ops.ssgan3d.history(direction="BACK")


def test_undo_and_redo_take_codes_and_history_along(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    def now() -> Any:
        return bpy.data.objects["Portrait"]  # undo makes objects anew

    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="start")
    first = look(portrait)
    picture = render_png(bpy, tmp_path / "first.png")
    bpy.ops.ssgan3d.randomise(random_seed=5)
    bpy.ops.ed.undo_push(message="randomise")
    second = look(now())
    bpy.ops.ssgan3d.surprise(random_seed=1)
    bpy.ops.ed.undo_push(message="surprise")
    third = look(now())
    bpy.ops.ed.undo()
    assert look(now()) == second
    bpy.ops.ed.undo()
    assert look(now()) == first
    np.testing.assert_array_equal(render_png(bpy, tmp_path / "b.png"), picture)
    assert bpy.ops.ssgan3d.history(direction="BACK") == {"CANCELLED"}  # that was not yet
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    assert look(now()) == third
    bpy.ops.ssgan3d.history(direction="BACK")
    assert look(now()) == second


def other_portrait(bpy: Any, seed: int = 2) -> Any:
    bpy.ops.ssgan3d.add_portrait(seed=seed, truncation=1.0)
    return bpy.context.object


def activate(bpy: Any, portrait: Any) -> None:
    bpy.context.view_layer.objects.active = portrait


def test_a_part_is_copied_with_its_effective_codes_and_presence(
    bpy: Any, addon: Addon, portrait: Any, codes: Callable[[Any], Any]
) -> None:
    names = list(addon("core.parts").PART_NAMES)
    source = other_portrait(bpy)
    source.ssgan3d.parts["hair"].texture_seed = 8
    source.ssgan3d.parts["hair"].mix_seed = 4
    source.ssgan3d.parts["hair"].shape_mix = 0.25
    for name in ("hair", "glasses"):
        portrait.ssgan3d.parts[name].visibility = "HIDE"
        activate(bpy, source)
        source.ssgan3d.active_part = names.index(name)
        bpy.ops.ssgan3d.copy_part()
        activate(bpy, portrait)
        bpy.ops.ssgan3d.paste_part()
        row = names.index(name)
        wanted, got = codes(source), codes(portrait)
        assert got.shape[row].equal(wanted.shape[row])
        assert got.texture[row].equal(wanted.texture[row])
        assert bool(got.visible[row]) == bool(wanted.visible[row])
    assert portrait.ssgan3d.seed == 1
    source.ssgan3d.seed = 99  # what was pasted does not hang on the source
    assert portrait.ssgan3d.parts["hair"].shape_seed == 2


def test_shape_or_texture_alone_is_taken_from_the_picked_portrait(bpy: Any, portrait: Any) -> None:
    source = other_portrait(bpy)
    activate(bpy, portrait)
    with pytest.raises(RuntimeError, match="Pick another portrait"):
        bpy.ops.ssgan3d.take_part()
    bpy.context.scene.ssgan3d_source = source
    portrait.ssgan3d.active_part = portrait.ssgan3d.parts.find("nose")
    nose = portrait.ssgan3d.parts["nose"]
    bpy.ops.ssgan3d.take_part(aspect="TEXTURE")
    assert (nose.shape_seed, nose.texture_seed) == (-1, 2)
    bpy.ops.ssgan3d.take_part(aspect="SHAPE")
    assert (nose.shape_seed, nose.texture_seed) == (2, 2)
    nose.mix_seed, nose.texture_mix = 6, 0.5
    theirs = source.ssgan3d.parts["nose"]
    theirs.mix_seed, theirs.shape_mix = 7, 0.5
    with pytest.raises(RuntimeError, match="mixed with two portraits, 6, 7"):
        bpy.ops.ssgan3d.take_part(aspect="SHAPE")
    bpy.ops.ssgan3d.take_part(aspect="BOTH")
    assert (nose.mix_seed, nose.shape_mix, nose.texture_mix) == (7, 0.5, 0.0)
    bpy.data.scenes.new("Elsewhere").collection.objects.link(source)
    bpy.context.scene.collection.objects.unlink(source)
    with pytest.raises(RuntimeError, match="Pick another portrait"):
        bpy.ops.ssgan3d.take_part()


def test_a_recipe_is_a_portrait_as_text(bpy: Any, addon: Addon, portrait: Any) -> None:
    settings = portrait.ssgan3d
    settings.truncation = 0.7
    settings.parts["hair"].shape_seed, settings.parts["hat"].visibility = 5, "SHOW"
    text = settings.recipe
    assert json.loads(text) == {
        "seed": 1,
        "truncation": 0.7,
        "parts": {"hair": {"shape_seed": 5}, "hat": {"visible": True}},
    }
    recipes = addon("core.recipe")
    stored = addon("ssgan3d_blender.portraits").recipe(portrait)
    read = recipes.PortraitRecipe.from_dict(json.loads(text))
    assert read.parts["hair"] == stored.parts["hair"] and read.seed == stored.seed
    bpy.ops.ssgan3d.randomise()
    settings.recipe = text
    assert settings.recipe == text
    settings.recipe = '{"seed": 3}'
    assert look(portrait) == {"seed": 3, "truncation": DEFAULT_TRUNCATION, "parts": {}}
    check = addon("ssgan3d_blender.snapshot").check
    good = json.loads(text)
    for bad in (
        {**good, "seed": -1},
        {**good, "seed": 2**40},
        {**good, "seed": True},
        {**good, "truncation": float("nan")},
        {**good, "extra": 1},
        {**good, "parts": {"antlers": {}}},
        {**good, "parts": {"hair": {"shape_mix": 2}}},
        {**good, "parts": {"hair": {"colour": 2}}},
        {**good, "parts": []},
        [],
    ):
        with pytest.raises(addon("core.errors").PortraitError):
            check(bad)


def test_changing_what_is_animated_is_done_and_warned_of(
    bpy: Any, portrait: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = portrait.ssgan3d
    portrait.keyframe_insert("ssgan3d.seed", frame=1)
    portrait.keyframe_insert('ssgan3d.parts["hat"].shape_seed', frame=1)  # stays -1
    settings.parts["nose"].driver_add("texture_seed").driver.expression = "3"
    settings.parts.add().name = "antlers"
    portrait.keyframe_insert('ssgan3d.parts["antlers"].mix_seed', frame=1)
    settings.parts.remove(settings.parts.find("antlers"))  # its curve stays
    bpy.context.view_layer.update()

    def warning_of(operator: str, **options: Any) -> str:
        capfd.readouterr()
        assert getattr(bpy.ops.ssgan3d, operator)(**options) == {"FINISHED"}
        said = capfd.readouterr().out
        return said.partition("Animated, so the next frame undoes the change: ")[2]

    assert warning_of("randomise", random_seed=77).startswith("Seed, Texture Seed of Nose. Insert")
    assert settings.seed == 77
    bpy.context.scene.frame_set(1)
    assert settings.seed == 1  # as was said
    hair = warning_of("randomise", part="hair", random_seed=5)
    assert hair == "" and settings.parts["hair"].shape_seed == 5
    assert warning_of("randomise", part="nose", aspect="SHAPE") == ""
    assert warning_of("randomise", part="nose").startswith("Texture Seed of Nose. Insert")
    settings.active_part = settings.parts.find("hat")
    assert warning_of("take_suggestion", part_seed=8).startswith("Shape Seed of Hat. Insert")
    assert warning_of("history", direction="BACK").startswith("Shape Seed of Hat. Insert")
    assert settings.parts["hat"].shape_seed == -1
    assert warning_of("history", direction="FORWARD").startswith("Shape Seed of Hat. Insert")
    assert settings.parts["hat"].shape_seed == 8


def test_locks_hold_against_chance_and_tooltips_say_what_they_do_not_hold_against(
    bpy: Any, addon: Addon, portrait: Any
) -> None:
    hair = portrait.ssgan3d.parts["hair"]
    hair.lock = True
    portrait.ssgan3d.active_part = portrait.ssgan3d.parts.find("hair")
    bpy.ops.ssgan3d.take_suggestion(part_seed=7)
    assert hair.shape_seed == 7
    bpy.ops.ssgan3d.copy_part()
    bpy.ops.ssgan3d.reset_part(part="hair")
    assert hair.shape_seed == -1
    bpy.ops.ssgan3d.paste_part()
    assert hair.shape_seed == 7 and hair.lock
    paste = addon("ssgan3d_blender.transplant").SSGAN3D_OT_paste_part
    tips = [
        bpy.ops.ssgan3d.take_suggestion.get_rna_type().description,
        bpy.ops.ssgan3d.reset_part.get_rna_type().description,
        bpy.ops.ssgan3d.take_part.get_rna_type().description,
        paste.description(bpy.context, None),
    ]
    assert all("locked" in tip for tip in tips), tips


def test_no_part_comes_or_goes_while_one_is_locked_and_the_tooltips_say_so(
    bpy: Any, portrait: Any, codes: Callable[[Any], Any]
) -> None:
    portrait.ssgan3d.parts["nose"].lock = True
    before = codes(portrait).visible
    for seed in range(8):
        for operator in (bpy.ops.ssgan3d.randomise, bpy.ops.ssgan3d.surprise):
            operator(random_seed=seed)
            assert codes(portrait).visible.equal(before)
            assert "glasses, comes or goes" in operator.get_rna_type().description
