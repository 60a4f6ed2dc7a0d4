"""Buttons whose work needs the model wait for it, and the window answers meanwhile.

Without a window Blender calls neither ``invoke`` nor ``modal``, so a stand-in is what Blender would
call them with; it executes the real operator.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.blender.helpers import Addon, tick_until_done

ESC = SimpleNamespace(type="ESC", value="PRESS")
TIMER = SimpleNamespace(type="TIMER", value="NOTHING")


class Button:
    """An operator's button in a window, with what Blender keeps of its call."""

    def __init__(self, bpy: Any, name: str, options: dict[str, Any]) -> None:
        self.said: list[str] = []
        self.handlers: list[Any] = []
        self.timers: list[Any] = []
        real = getattr(bpy.types, f"SSGAN3D_OT_{name}")
        # Blender makes operators, nobody else may: what it has of its own is left out.
        base = next(base for base in real.__mro__ if not issubclass(base, bpy.types.bpy_struct))

        def execute(_self: Any, _context: Any) -> set[str]:
            result: set[str] = getattr(bpy.ops.ssgan3d, name)(**options)
            return result

        members = {
            "execute": execute,
            "report": lambda _self, _level, text: self.said.append(text),
            **{member: getattr(real, member) for member in ("poll", "needs_model", "of_portrait")},
        }
        self.operator = type(name, (base,), members)()

        def add_timer(_seconds: float, window: Any) -> Any:
            self.timers.append(object())
            return self.timers[-1]

        manager = SimpleNamespace(
            event_timer_add=add_timer,
            event_timer_remove=self.timers.remove,
            modal_handler_add=self.handlers.append,
        )
        context = bpy.context
        self.context = SimpleNamespace(
            window_manager=manager,
            window=None,
            view_layer=context.view_layer,
            scene=context.scene,
            mode=context.mode,
        )

    def press(self) -> set[str]:
        result: set[str] = self.operator.invoke(self.context, None)
        return result

    def event(self, event: SimpleNamespace) -> set[str]:
        result: set[str] = self.operator.modal(self.context, event)
        return result


@pytest.fixture
def windowed(bpy: Any, addon: Addon, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The jobs room as in a window; no model is in memory."""
    jobs = addon("ssgan3d_blender.jobs")
    monkeypatch.setattr(jobs, "_in_background", lambda: False)
    addon("ssgan3d_blender.runtime").release()
    yield jobs
    jobs.cancel_all()
    tick_until_done(jobs)


@pytest.fixture
def loaders(addon: Addon, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that have loaded a model."""
    found: list[threading.Thread] = []
    engine = addon("core.engine").PortraitEngine
    load: Callable[..., Any] = engine.load

    def noted(*arguments: Any, **options: Any) -> Any:
        found.append(threading.current_thread())
        return load(*arguments, **options)

    monkeypatch.setattr(engine, "load", noted)
    return found


USERS: dict[str, dict[str, Any]] = {
    "add_card": {"resolution": 16},
    "update_cards": {},
    "render_images": {"width": 16, "height": 16},
    "copy_part": {},
    "take_part": {"aspect": "BOTH"},
}


@pytest.mark.parametrize("name", USERS)
def test_a_button_waits_for_the_model_and_then_goes_on(
    bpy: Any,
    addon: Addon,
    portrait: Any,
    loaders: list[threading.Thread],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    portrait.ssgan3d.active_part = portrait.ssgan3d.parts.find("glasses")  # the seed decides
    if name == "update_cards":
        bpy.ops.ssgan3d.add_card(resolution=16)
    if name == "take_part":
        bpy.ops.ssgan3d.add_portrait(seed=7)
        bpy.context.scene.ssgan3d_source = bpy.context.object
        bpy.context.view_layer.objects.active = portrait
    jobs, runtime = addon("ssgan3d_blender.jobs"), addon("ssgan3d_blender.runtime")
    monkeypatch.setattr(jobs, "_in_background", lambda: False)
    runtime.release()
    loaders.clear()
    button = Button(bpy, name, USERS[name])
    assert button.press() == {"RUNNING_MODAL"}
    assert button.handlers == [button.operator] and button.timers
    assert [job.label for job in jobs.running()] == ["Loading the portrait model"]
    assert button.event(TIMER) == {"PASS_THROUGH"}
    tick_until_done(jobs)
    assert button.event(TIMER) == {"FINISHED"}
    assert not button.timers and len(loaders) == 1
    assert loaders[0] is not threading.main_thread()
    again = Button(bpy, name, USERS[name])
    if name != "add_card":  # this portrait has one now
        assert again.press() == {"FINISHED"} and not again.handlers  # it is there


@pytest.mark.parametrize("how", ["escape", "button in the status bar"])
def test_whoever_stops_the_wait_gets_nothing(
    bpy: Any, windowed: Any, portrait: Any, how: str
) -> None:
    button = Button(bpy, "render_images", USERS["render_images"])
    assert button.press() == {"RUNNING_MODAL"}
    if how != "escape":
        bpy.ops.ssgan3d.cancel_jobs()
        tick_until_done(windowed)
    assert button.event(ESC if how == "escape" else TIMER) == {"CANCELLED"}
    tick_until_done(windowed)
    assert not button.timers and not button.said and not bpy.data.images


@pytest.mark.parametrize("change", ["another portrait", "deleted", "edit mode"])
def test_what_was_selected_meanwhile_is_not_taken_for_what_was_meant(
    bpy: Any, windowed: Any, portrait: Any, change: str
) -> None:
    name = "add_card" if change == "edit mode" else "render_images"
    button = Button(bpy, name, USERS[name])
    assert button.press() == {"RUNNING_MODAL"}
    if change == "another portrait":
        bpy.ops.ssgan3d.add_portrait(seed=7)
    elif change == "deleted":
        bpy.data.objects.remove(portrait)
    else:
        button.context.mode = "EDIT_MESH"
    tick_until_done(windowed)
    assert button.event(TIMER) == {"CANCELLED"}
    assert "something else is selected" in button.said[0]
    assert not bpy.data.images


def test_a_model_that_cannot_be_loaded_is_said_as_without_a_wait(
    bpy: Any, windowed: Any, portrait: Any, preferences: Any, tmp_path: Path
) -> None:
    preferences.model_path = str(tmp_path / "gone.safetensors")
    button = Button(bpy, "render_images", USERS["render_images"])
    assert button.press() == {"RUNNING_MODAL"}
    tick_until_done(windowed)
    assert button.event(TIMER) == {"CANCELLED"}
    assert "There is no model file" in button.said[0]


def test_what_needs_no_model_does_not_wait(bpy: Any, windowed: Any, portrait: Any) -> None:
    portrait.ssgan3d.active_part = portrait.ssgan3d.parts.find("nose")  # everybody has one
    assert Button(bpy, "copy_part", {}).press() == {"FINISHED"}
    assert not windowed.running()
