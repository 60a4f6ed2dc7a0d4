"""What operators need whose work goes on after they have returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from . import jobs, runtime
from .messages import show


def run_job(
    operator: bpy.types.Operator,
    label: str,
    work: Callable[[jobs.Job], Any],
    finish: Callable[[Any], str],
) -> None:
    """Start a job for an operator; see ``jobs.start``.

    Args:
        finish: returns a sentence on what came of it. It is the operator's report where the job is
            done before the operator returns (``blender -b``), and a notice at the mouse otherwise.
    """
    waiting = [operator]

    def tell(result: Any) -> None:
        said = finish(result)
        if waiting:
            waiting[0].report({"INFO"}, said)
        elif not bpy.app.background:
            bpy.ops.ed.undo_push(message=label)  # the operator's own step came before the result
            show(label, said, icon="INFO")

    jobs.start(label, work, tell)
    waiting.clear()


class EngineByTurns:
    """A stand-in for the engine that takes it for one call at a time.

    A job that meshes for seconds needs the engine for a tenth of that. Between its calls the 3D
    view and F12 get their turn.
    """

    def __init__(self, choice: runtime.ModelChoice) -> None:
        self._choice = choice

    def __getattr__(self, name: str) -> Any:
        with runtime.session(self._choice) as engine:
            found = getattr(engine, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            with runtime.session(self._choice) as engine:
                return getattr(engine, name)(*arguments, **options)

        return call
