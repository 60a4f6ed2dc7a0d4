"""Operators that use the model in ``execute``: from a button they first wait until it is there.

PyTorch and the model take seconds to load. That is done in a job, while the window answers, and the
operator goes on by itself. Scripts and ``blender -b``, which call no ``invoke``, do all in one go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from . import jobs, portraits, preferences, runtime, window_timers
from .messages import cancels_on_error, describe

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.05


class ModelOperator:
    """An operator whose ``execute`` uses the model. Esc stops the wait, and so does its job's end
    by the button in the status bar or by another file.
    """

    of_portrait = True
    """Whether it is about the active portrait: then nothing is done if that is another one by the
    time that the model is there."""

    _job: jobs.Job | None = None
    _timer: bpy.types.Timer | None = None
    _portrait: portraits.Handle | None = None
    _failure = ""

    if TYPE_CHECKING:
        execute: Callable[[bpy.types.Context], set[str]]
        poll: Callable[[bpy.types.Context], bool]
        report: Callable[[set[str], str], None]

    def needs_model(self, _context: bpy.types.Context) -> bool:
        """Whether ``execute`` will use the model this time."""
        return True

    @cancels_on_error
    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Begin to wait for the model, if it is needed and not there."""
        if runtime.is_ready(preferences.model_choice()) or not self.needs_model(context):
            return self.execute(context)
        self._portrait, self._job = _subject(context), self._load()
        self._timer = window_timers.start(context, POLL_SECONDS)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def _load(self) -> jobs.Job:
        choice = preferences.model_choice()

        def work(job: jobs.Job) -> str:
            try:
                from ..core import engine  # noqa: F401 - the longest of it is to import PyTorch

                job.report(0.5)
                runtime.engine(choice)
            except jobs.JobCancelled:
                raise
            except Exception as error:
                return describe(error)
            return ""

        def finish(failure: str) -> None:
            self._failure = failure

        return jobs.start(iface_("Loading the portrait model"), work, finish)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Go on when the model is there; all events but Esc go to the window."""
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            return {"CANCELLED"}
        if self._job in jobs.running():
            return {"PASS_THROUGH"}
        window_timers.stop(context, self._timer)
        if self._job.is_cancelled:
            return {"CANCELLED"}
        if self._failure:
            self.report({"ERROR"}, self._failure)
            return {"CANCELLED"}
        if not self.poll(context) or (self.of_portrait and _subject(context) != self._portrait):
            self.report({"WARNING"}, "The model is loaded, but something else is selected now")
            return {"CANCELLED"}
        return self.execute(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Stop waiting. Blender calls this when it closes the file or the window."""
        window_timers.stop(context, self._timer)
        self._job.cancel()


def _subject(context: bpy.types.Context) -> portraits.Handle | None:
    portrait = portraits.active(context)
    return None if portrait is None else portraits.Handle.of(portrait)
