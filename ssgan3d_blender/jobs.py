"""Long work off the main thread: progress in the status bar, cancel, results on the main thread.

Blender's data may be touched by the main thread alone, so a job has two halves: ``work`` computes
in a thread and sees plain values only, ``finish`` puts the result into the scene. A timer carries
the result over, one step at a time: between two steps the window answers. A job whose file was
closed in the meantime is cancelled: what it was for is gone.

Without a window (``blender -b``) no timer runs and nobody waits for a window: there the same call
does both halves before it returns, and raises what went wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as iface_

from .messages import describe
from .notices import tell

POLL_SECONDS = 0.1
STEP_SECONDS = 0.01
"""Between two steps of a result: what has come in at the window is dealt with first."""
BAR_WIDTH = 14  # of a job in the status bar, in heights of a button: room for the longest text

JOBS_SHOWN_IN = {("VIEW_3D", "UI"), ("PREFERENCES", "WINDOW")}

Steps = Generator[None, None, None]


class JobCancelled(Exception):  # noqa: N818 - it is no error
    """Raised in a job's thread by :meth:`Job.report` once somebody asked it to stop."""


class Job:
    """One piece of work. ``label``, ``progress`` (0 to 1) and :meth:`shown` are for display."""

    def __init__(
        self,
        label: str,
        work: Callable[[Job], Any],
        finish: Callable[[Any], Steps | None],
        ends_with_file: bool,
    ) -> None:
        self.label, self.progress = label, 0.0
        self._text: tuple[str, tuple[Any, ...]] = "", ()
        self.ends_with_file = ends_with_file
        self._work, self._finish = work, finish
        self._stop = threading.Event()
        self._result: Any = None
        self._steps: Steps | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=label, daemon=True)

    def report(self, progress: float, text: str = "", *values: Any) -> None:
        """Called by ``work`` every second or oftener: tells how far it is.

        Args:
            progress: 0 to 1.
            text: what is being done, in English, with fields for ``values``.

        Raises:
            JobCancelled: the job was cancelled. Let it pass.
        """
        if self._stop.is_set():
            raise JobCancelled
        self.progress, self._text = min(max(progress, 0.0), 1.0), (text, values)

    def shown(self) -> str:
        """What is being done, in the language of the interface; for the main thread."""
        text, values = self._text
        return f"{self.label} {iface_(text).format(*values) if text else ''}".strip()

    def cancel(self) -> None:
        """Ask the job to stop at its next report; its result is dropped in any case."""
        self._stop.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._stop.is_set()

    def join(self) -> None:
        """Wait until ``work`` has ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._result = self._work(self)
        except JobCancelled:
            self._stop.set()
        except BaseException as error:  # carried to the main thread, which reports it
            self._error = error

    def _deliver(self) -> bool:
        """On the main thread, after the work: the next step of finishing, or raise what went wrong.

        Returns:
            Whether that was the last one.
        """
        if self._stop.is_set():
            return True
        if self._error is not None:
            raise self._error
        if self._steps is None:
            self._steps, self._result = self._finish(self._result), None
        return self._steps is None or next(self._steps, self) is self


_jobs: list[Job] = []


def start(
    label: str,
    work: Callable[[Job], Any],
    finish: Callable[[Any], Steps | None],
    *,
    ends_with_file: bool = True,
) -> Job:
    """Run ``work(job)`` in a thread and then ``finish(result)`` on the main thread.

    Args:
        label: what is being done, as the status bar shows it.
        work: computes; must not touch ``bpy``; calls ``job.report`` often.
        finish: puts the result into Blender's data; as a generator if that takes long, which yields
            after each step. Objects are looked up anew in each step (``portraits.Handle``): they
            may have gone in the meantime.
        ends_with_file: opening another file cancels the job.
    """
    job = Job(label, work, finish, ends_with_file)
    if _in_background():
        job._run()
        while not job._deliver():
            pass
        return job
    _jobs.append(job)
    job._thread.start()
    if not bpy.app.timers.is_registered(_poll):
        bpy.app.timers.register(_poll, first_interval=POLL_SECONDS, persistent=True)
    return job


def _in_background() -> bool:
    return bpy.app.background


def running() -> tuple[Job, ...]:
    """The jobs under way, oldest first."""
    return tuple(_jobs)


def cancel_all() -> None:
    """Ask all jobs to stop."""
    for job in _jobs:
        job.cancel()


def _poll() -> float | None:
    """Timer: deliver a step of what is done, show how far the others are."""
    ended = [job for job in _jobs if not job._thread.is_alive()]
    for job in ended[:1]:
        try:
            is_last = job._deliver()
        except Exception as error:
            is_last = True
            tell("WARNING", f"{job.label}: {describe(error)}")
        if is_last:
            _jobs.remove(job)
            ended.remove(job)
    _redraw()
    if ended:
        return STEP_SECONDS
    return POLL_SECONDS if _jobs else None


def _redraw() -> None:
    """Redraw what shows running jobs: status bar, sidebars and preferences; no 3D view, which
    may take longer to draw than all else here.
    """
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if (area.type, region.type) in JOBS_SHOWN_IN:
                    region.tag_redraw()
        window.workspace.status_text_set(None)  # the only call that redraws the status bar


def draw_status(header: bpy.types.Header, _context: bpy.types.Context) -> None:
    """Status bar: a bar for each job, and a button that stops them all."""
    for job in _jobs:
        bar = header.layout.row()
        bar.ui_units_x = BAR_WIDTH
        bar.progress(factor=job.progress, text=job.shown())
    if _jobs:
        header.layout.operator(SSGAN3D_OT_cancel_jobs.bl_idname, text="", icon="CANCEL")


class SSGAN3D_OT_cancel_jobs(bpy.types.Operator):
    """Stop all that is being computed."""

    bl_idname = "ssgan3d.cancel_jobs"
    bl_label = "Cancel"
    bl_description = "Stop what is being computed for portraits; nothing in the file changes"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """There must be something to stop."""
        return bool(_jobs)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask all jobs to stop."""
        cancel_all()
        return {"FINISHED"}


@persistent
def _file_closed(*_: object) -> None:
    for job in _jobs:
        if job.ends_with_file:
            job.cancel()


def attach() -> None:
    """Show jobs in the status bar, and stop them when another file is opened."""
    bpy.types.STATUSBAR_HT_header.append(draw_status)
    bpy.app.handlers.load_pre.append(_file_closed)


def detach() -> None:
    """Stop all jobs, wait until their threads are done, and undo :func:`attach`."""
    bpy.app.handlers.load_pre.remove(_file_closed)
    bpy.types.STATUSBAR_HT_header.remove(draw_status)
    cancel_all()
    for job in _jobs:
        job.join()
    _jobs.clear()
    if bpy.app.timers.is_registered(_poll):
        bpy.app.timers.unregister(_poll)


CLASSES = (SSGAN3D_OT_cancel_jobs,)
