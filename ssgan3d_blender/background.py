"""What operators need whose work goes on after they have returned."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import bpy

from . import jobs
from .notices import tell


def run_job(
    operator: bpy.types.Operator,
    label: str,
    work: Callable[[jobs.Job], Any],
    finish: Callable[[Any], Generator[None, None, str]],
) -> None:
    """Start a job for an operator; see ``jobs.start``.

    Args:
        finish: ends with a sentence on what came of it. It is the operator's report where the job
            is done before the operator returns (``blender -b``), and a notice otherwise.
    """
    waiting = [operator]

    def steps(result: Any) -> jobs.Steps:
        said = yield from finish(result)
        if waiting:
            waiting[0].report({"INFO"}, said)
        elif not bpy.app.background:
            bpy.ops.ed.undo_push(message=label)  # the operator's own step came before the result
            tell("INFO", f"{label}: {said}")

    jobs.start(label, work, steps)
    waiting.clear()
