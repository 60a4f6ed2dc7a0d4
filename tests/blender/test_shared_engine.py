"""One engine for the 3D view, renders and jobs."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.blender.helpers import Addon


class Engine:
    """What stands for a ``PortraitEngine``; notes who called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.device = "cpu"
        self.released = False

    @property
    def mean(self) -> int:
        self.calls.append("mean")
        return 7

    def render(self, who: str) -> str:
        self.calls.append(who)
        return who

    def compute(self, who: str) -> None:
        """A call that takes its time, and lets other threads run meanwhile, as torch does."""
        self.calls.append(who)
        time.sleep(0.005)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def shared(addon: Addon, engine: Engine) -> Any:
    return addon("ssgan3d_blender.shared_engine").SharedEngine(engine)


@pytest.fixture
def held(shared: Any) -> Iterator[None]:
    """The engine is busy in another thread."""
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with shared.turn():
            begun.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(10)
    yield
    over.set()
    thread.join()


def test_it_answers_as_the_engine_does(shared: Any, engine: Engine) -> None:
    assert (shared.render("me"), shared.mean, shared.device) == ("me", 7, "cpu")
    assert engine.calls == ["me", "mean"]
    with pytest.raises(AttributeError, match="nothing"):
        _ = shared.nothing


def test_what_a_panel_asks_does_not_wait(shared: Any, engine: Engine, held: None) -> None:
    assert shared.device == "cpu"  # would hang
    shared.release()
    assert not engine.released  # in use


def test_a_job_that_calls_again_and_again_lets_others_in(shared: Any, engine: Engine) -> None:
    waiting, over = threading.Event(), threading.Event()

    def job() -> None:
        while not over.is_set():
            shared.compute("job")
            waiting.set()

    thread = threading.Thread(target=job)
    thread.start()
    try:
        assert waiting.wait(10)
        for _ in range(20):
            before = len(engine.calls)
            shared.render("view")
            # on a busy machine this thread may sleep for some calls before it asks
            assert engine.calls[before:].index("view") <= 20
    finally:
        over.set()
        thread.join()


def test_the_main_thread_never_waits_while_a_job_computes(
    bpy: Any, addon: Addon, portrait: Any
) -> None:
    runtime, preferences = addon("ssgan3d_blender.runtime"), addon("ssgan3d_blender.preferences")
    jobs, choice = addon("ssgan3d_blender.jobs"), preferences.model_choice()
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with runtime.engine(choice).turn():
            begun.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(30)
    try:  # any of these would hang
        assert runtime.is_ready(choice) and "cpu" in runtime.status()
        jobs._poll()
        assert bpy.ops.ssgan3d.randomise(part="ALL") == {"FINISHED"}
        preferences.get().memory_limit += 1  # frees the model that is in use
        assert not runtime.is_ready(choice)
    finally:
        over.set()
        thread.join()
        preferences.get().property_unset("memory_limit")
