"""Long work off the main thread, as operators use it."""

import threading
from typing import Any

import pytest

from tests.blender.helpers import Addon


@pytest.fixture
def jobs(bpy: Any, addon: Addon, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The jobs room as in a window, where nothing waits for a job."""
    module = addon("ssgan3d_blender.jobs")
    monkeypatch.setattr(module, "_in_background", lambda: False)
    return module


def wait(jobs: Any) -> None:
    """Let all threads end and the timer's work be done."""
    for job in jobs.running():
        job.join()
    jobs._poll()


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
    wait(jobs)
    assert seen == [(False, True)]


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
    wait(jobs)
    assert got == [] and not jobs.running()


def test_a_deleted_portrait_is_named_as_the_reason(bpy: Any, addon: Addon, portrait: Any) -> None:
    portraits = addon("ssgan3d_blender.portraits")
    handle = portraits.Handle.of(portrait)
    portrait.name = "Renamed"
    assert handle.get() == portrait
    bpy.data.objects.remove(portrait)
    with pytest.raises(Exception, match="deleted"):
        handle.get()
