"""Errors as one sentence for the person at the screen."""

from __future__ import annotations

import errno
import functools
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from bpy.app.translations import pgettext_rpt as rpt_

from ..core.errors import PackageError, PortraitError

if TYPE_CHECKING:
    import bpy


def describe(error: BaseException) -> str:
    """What went wrong and what to do; the trace of a surprise goes to the console."""
    if isinstance(error, PackageError):
        return _missing(error.package)
    if isinstance(error, PortraitError):
        return _translated(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return rpt_("There is not enough memory: choose a lower resolution or another device.")
    if isinstance(error, ImportError) and error.name:
        return _missing({"torch": "PyTorch"}.get(error.name, repr(error.name)))
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        if error.errno == errno.ENOSPC:
            return rpt_("The disk is full{0}: nothing was written.").format(where)
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return rpt_("This place cannot be written{0}: choose another folder.").format(where)
        return f"{error.strerror or error}{where}"
    traceback.print_exception(error)
    return rpt_("Unexpected {0}: {1} (details are in the console)").format(
        type(error).__name__, error
    )


def _missing(package: str) -> str:
    """What to do where a package is not there; nothing may be put into Blender's own Python."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return rpt_(
        "Blender's Python {0} ({1}) has not got {2}, which portraits need. Preferences > "
        "Add-ons > 3D-SSGAN Portraits installs it, with or without a network."
    ).format(version, sys.prefix, package)


def _translated(error: PortraitError) -> str:
    """The message in the language of Blender's reports, with the errors that it quotes."""
    text = rpt_(error.text)
    if not error.values:
        return text
    values = (_translated(v) if isinstance(v, PortraitError) else v for v in error.values)
    return text.format(*values)


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
