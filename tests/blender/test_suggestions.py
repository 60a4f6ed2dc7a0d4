"""The strip of suggestions for a part."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon, render_png, tick_until_done


@pytest.fixture
def strip(bpy: Any, addon: Addon, portrait: Any) -> Iterator[Any]:
    """Suggestions for the hair of the portrait, and the room that keeps them."""
    portrait.ssgan3d.active_part = portrait.ssgan3d.parts.find("hair")
    assert bpy.ops.ssgan3d.suggest(random_seed=4) == {"FINISHED"}
    room = addon("ssgan3d_blender.suggestions")
    yield room
    room.forget()


def pixels(room: Any, seed: int) -> np.ndarray:
    """A thumbnail as Blender keeps it: (128, 128, 4), row 0 at the top."""
    preview = room._icons[str(seed)]
    flat = np.empty(len(preview.image_pixels_float), np.float32)
    preview.image_pixels_float.foreach_get(flat)
    return flat.reshape(preview.image_size[1], preview.image_size[0], 4)[::-1]


def test_thumbnails_show_this_portrait_with_the_part_of_others(
    bpy: Any, addon: Addon, portrait: Any, strip: Any
) -> None:
    made = strip.for_part(portrait, "hair")
    assert len(set(made.seeds)) == 8
    shown = [pixels(strip, seed) for seed in made.seeds]
    assert all(one.shape == (128, 128, 4) and one.std() > 0.02 for one in shown)
    assert all(np.abs(shown[0] - other).max() > 0.02 for other in shown[1:])
    look = addon("ssgan3d_blender.snapshot").take(portrait.ssgan3d)
    bpy.ops.ssgan3d.take_suggestion(part_seed=made.seeds[3])
    taken = addon("ssgan3d_blender.snapshot").take(portrait.ssgan3d)
    assert {**taken, "parts": {}} == {**look, "parts": {}}
    assert taken["parts"].keys() == {"hair"}
    choice = addon("ssgan3d_blender.preferences").model_choice()
    seen = strip.thumbnail(choice, taken, "hair").numpy()
    np.testing.assert_allclose(seen, shown[3], atol=1 / 255)  # what was shown is what one gets


def test_suggestions_are_of_people_like_the_portrait(
    bpy: Any, addon: Addon, portrait: Any, strip: Any
) -> None:
    engine = addon("ssgan3d_blender.runtime").engine(
        addon("ssgan3d_blender.preferences").model_choice()
    )

    def head(seed: int) -> np.ndarray:
        apart = engine.sample(seed).base - engine.mean_latents.base
        return apart[addon("core.parts").FACE_BASE].numpy()

    own = head(portrait.ssgan3d.seed)

    def likeness(seed: int) -> float:
        return float(head(seed) @ own / np.linalg.norm(head(seed)))

    shown = [likeness(seed) for seed in strip.for_part(portrait, "hair").seeds]
    assert np.mean(shown) > np.mean([likeness(seed) for seed in range(64)])


def test_taking_a_suggestion_can_be_gone_back_from(bpy: Any, portrait: Any, strip: Any) -> None:
    before = portrait.ssgan3d.recipe
    seeds = strip.for_part(portrait, "hair").seeds
    for seed in seeds[:2]:
        bpy.ops.ssgan3d.take_suggestion(part_seed=seed)
    assert not strip.is_stale(strip.for_part(portrait, "hair"), portrait)
    bpy.ops.ssgan3d.history(direction="BACK")
    assert portrait.ssgan3d.parts["hair"].shape_seed == seeds[0]
    bpy.ops.ssgan3d.history(direction="BACK")
    assert portrait.ssgan3d.recipe == before


def test_suggestions_are_stale_once_another_part_changes(
    bpy: Any, portrait: Any, strip: Any
) -> None:
    made = strip.for_part(portrait, "hair")
    bpy.ops.ssgan3d.randomise(part="nose")
    assert strip.is_stale(made, portrait)
    bpy.ops.ssgan3d.history(direction="BACK")
    assert not strip.is_stale(made, portrait)
    portrait.ssgan3d.active_part = portrait.ssgan3d.parts.find("nose")
    assert strip.for_part(portrait, "nose") is None


def test_a_part_that_the_portrait_lacks_is_suggested_and_there_once_taken(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path
) -> None:
    portrait.ssgan3d.parts["hat"].visibility = "HIDE"
    portrait.ssgan3d.active_part = portrait.ssgan3d.parts.find("hat")
    without = render_png(bpy, tmp_path / "a.png").astype(int)
    bpy.ops.ssgan3d.suggest()
    room = addon("ssgan3d_blender.suggestions")
    bpy.ops.ssgan3d.take_suggestion(part_seed=room.for_part(portrait, "hat").seeds[0])
    assert portrait.ssgan3d.parts["hat"].visibility == "SHOW"
    assert np.abs(render_png(bpy, tmp_path / "b.png").astype(int) - without).max() > 3
    room.forget()


def test_strip_goes_with_the_file(bpy: Any, portrait: Any, strip: Any) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert strip._strip is None and strip._icons is None


@pytest.mark.parametrize("what", ["cancelled", "deleted"])
def test_suggestions_that_nobody_waits_for_do_no_harm(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    jobs, room = addon("ssgan3d_blender.jobs"), addon("ssgan3d_blender.suggestions")
    monkeypatch.setattr(jobs, "_in_background", lambda: False)
    said: list[Any] = []
    monkeypatch.setattr(jobs, "tell", lambda *words: said.append(words))
    bpy.ops.ssgan3d.suggest()
    if what == "cancelled":
        bpy.ops.ssgan3d.suggest()  # anew: the first is not wanted any more
        first, second = jobs.running()
        assert first.is_cancelled and not second.is_cancelled
        bpy.ops.ssgan3d.cancel_jobs()
    else:
        bpy.data.objects.remove(portrait)
    tick_until_done(jobs)
    assert room._strip is None and not jobs.running()
    assert [("deleted" in text) for _, text in said] == ([True] if what == "deleted" else [])
