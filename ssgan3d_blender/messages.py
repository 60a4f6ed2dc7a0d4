"""Errors as one sentence for the person at the screen."""

from __future__ import annotations

import errno
import functools
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.errors import PortraitError

if TYPE_CHECKING:
    import bpy


def describe(error: BaseException) -> str:
    """What went wrong and what to do; the trace of a surprise goes to the console."""
    if isinstance(error, PortraitError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "There is not enough memory: choose a lower resolution or another device."
    if isinstance(error, ImportError) and error.name:
        package = {"torch": "PyTorch"}.get(error.name, f"the package {error.name!r}")
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (
            f"Blender's Python {version} ({sys.prefix}) has not got {package}, which portraits "
            "need. Preferences > Add-ons > 3D-SSGAN Portraits installs it, with or without a "
            "network."
        )
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        if error.errno == errno.ENOSPC:
            return f"The disk is full{where}: nothing was written."
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return f"This place cannot be written{where}: choose another folder."
        return f"{error.strerror or error}{where}"
    traceback.print_exception(error)
    return f"Unexpected {type(error).__name__}: {error} (details are in the console)"


def cancels_on_error(method: Callable[..., set[str]]) -> Callable[..., set[str]]:
    """Decorate an operator's ``execute`` or ``invoke``: an error is reported and cancels it."""

    def attempt(self: bpy.types.Operator, *arguments: object) -> set[str]:
        try:
            return method(self, *arguments)
        except Exception as error:
            self.report({"ERROR"}, describe(error))
            return {"CANCELLED"}

    # Blender counts the arguments that are written here.
    def execute(self: bpy.types.Operator, context: bpy.types.Context) -> set[str]:
        return attempt(self, context)

    def invoke(
        self: bpy.types.Operator, context: bpy.types.Context, event: bpy.types.Event
    ) -> set[str]:
        return attempt(self, context, event)

    return functools.wraps(method)(invoke if method.__name__ == "invoke" else execute)
