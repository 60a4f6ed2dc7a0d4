"""Long work off the main thread, as operators use it."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.blender.helpers import Addon, tick_until_done


@pytest.fixture
def jobs(bpy: Any, addon: Addon, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The jobs room as in a window, where nothing waits for a job."""
    module = addon("ssgan3d_blender.jobs")
    monkeypatch.setattr(module, "_in_background", lambda: False)
    return module


def test_without_a_window_work_is_done_and_errors_are_raised_at_once(
    bpy: Any, addon: Addon
) -> None:
    jobs = addon("ssgan3d_blender.jobs")
    got: list[int] = []
    jobs.start("Sum", lambda job: 1 + 1, got.append)
    assert got == [2] and not jobs.running()
    with pytest.raises(ZeroDivisionError):
        jobs.start("Divide", lambda job: 1 // 0, got.append)


def test_results_arrive_on_the_main_thread(jobs: Any) -> None:
    seen: list[tuple[bool, bool]] = []
    main = threading.main_thread()
    jobs.start(
        "Where",
        lambda job: threading.current_thread() is main,
        lambda inside: seen.append((inside, threading.current_thread() is main)),
    )
    tick_until_done(jobs)
    assert seen == [(False, True)]


def test_between_two_steps_of_a_result_the_window_answers(jobs: Any) -> None:
    got: list[int] = []

    def finish(numbers: Any) -> Iterator[None]:
        for number in numbers:
            got.append(number)
            yield

    jobs.start("Three", lambda job: range(3), finish)
    (job,) = jobs.running()
    job.join()
    for ticks in (1, 2, 3):
        assert jobs._poll() == jobs.STEP_SECONDS and got == list(range(ticks))
    assert jobs._poll() is None and not jobs.running()


def test_a_result_that_is_stopped_half_way_stays_half(bpy: Any, jobs: Any) -> None:
    got: list[int] = []

    def finish(_: Any) -> Iterator[None]:
        got.append(1)
        yield
        got.append(2)

    jobs.start("Two", lambda job: None, finish)
    jobs.running()[0].join()
    jobs._poll()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    tick_until_done(jobs)
    assert got == [1]


def test_what_a_job_does_is_shown_in_the_language_of_the_interface(
    jobs: Any, addon: Addon, monkeypatch: pytest.MonkeyPatch
) -> None:
    german = addon("ssgan3d_blender.translations").GERMAN
    monkeypatch.setattr(jobs, "iface_", lambda text: german.get(text, text))
    step = addon("ssgan3d_blender.torch_install")._step
    job = jobs.Job("PyTorch:", print, print, False)
    assert job.shown() == "PyTorch:"
    job.report(*step("  Downloading torch-2.13.0-cp311-linux_x86_64.whl (190.2 MB)", 0.1))
    assert job.shown() == "PyTorch: lädt torch (190.2 MB) herunter"
    job.report(*step("Installing collected packages: mpmath, sympy, torch", 0.4))
    assert (job.shown(), job.progress) == ("PyTorch: packt aus", 0.6)
    assert step("  Using cached torch-2.13.0.whl", 0.6) is None


def test_what_went_wrong_is_told_without_a_popup(
    jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(jobs, "tell", lambda *words: told.append(words))
    jobs.start("Divide", lambda job: 1 // 0, lambda _: None)
    tick_until_done(jobs)
    ((level, message),) = told
    assert level == "WARNING"  # an error would lie over the window until it is clicked away
    assert message.startswith("Divide: Unexpected ZeroDivisionError")


def test_another_file_leaves_what_has_nothing_to_do_with_it(bpy: Any, jobs: Any) -> None:
    opened, got = threading.Event(), []

    def work(job: Any) -> str:
        assert opened.wait(10)
        job.report(1.0)
        return "installed"

    jobs.start("Install", work, got.append, ends_with_file=False)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.app.timers.is_registered(jobs._poll)  # Blender drops others with the file
    opened.set()
    tick_until_done(jobs)
    assert got == ["installed"]


@pytest.mark.parametrize("how", ["button", "another file"])
def test_a_cancelled_job_changes_nothing(bpy: Any, jobs: Any, how: str) -> None:
    begun, got = threading.Event(), []

    def work(job: Any) -> str:
        begun.set()
        while True:
            job.report(0.5)

    jobs.start("Endless", work, got.append)
    assert begun.wait(10)
    if how == "button":
        assert bpy.ops.ssgan3d.cancel_jobs() == {"FINISHED"}
    else:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    tick_until_done(jobs)
    assert got == [] and not jobs.running()


def test_a_deleted_portrait_is_named_as_the_reason(bpy: Any, addon: Addon, portrait: Any) -> None:
    portraits = addon("ssgan3d_blender.portraits")
    handle = portraits.Handle.of(portrait)
    portrait.name = "Renamed"
    assert handle.get() == portrait
    bpy.data.objects.remove(portrait)
    with pytest.raises(Exception, match="deleted"):
        handle.get()
