"""The loaded model: imported on first use, kept while its file stays the same, freed on request.

PyTorch takes seconds to import, so nothing here touches it before a picture is asked for. Blender
calls render engines from a worker thread, views and jobs have threads of their own: they all get
the same engine, which serves one call at a time (``shared_engine``).
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..core.errors import PortraitError
from . import areas
from .messages import describe
from .shared_engine import SharedEngine

if TYPE_CHECKING:
    from ..core.engine import PortraitEngine


class ModelChoice(NamedTuple):
    """Which model, and how to run it. ``path`` None stands for the embedded model; finished parts
    and views are kept up to ``memory_limit`` MiB.
    """

    path: Path | None
    device: str
    precision: str
    memory_limit: int = 128


class _Loaded(NamedTuple):
    choice: ModelChoice
    stamp: tuple[int, int]
    engine: SharedEngine


_lock = threading.RLock()
_loaded: _Loaded | None = None
_loader: threading.Thread | None = None
_failed: dict[ModelChoice, str] = {}


def _stamp(path: Path | None) -> tuple[int, int]:
    """Size and time of a model file; a file that was replaced is loaded anew."""
    if path is None:
        return (0, 0)
    try:
        facts = path.stat()
    except OSError as error:
        raise PortraitError(
            "There is no model file at {0}: choose another one in the preferences "
            "(Add-ons > 3D-SSGAN Portraits), or empty the field for the model that "
            "comes along.",
            path,
        ) from error
    return (facts.st_size, facts.st_mtime_ns)


def engine(choice: ModelChoice) -> PortraitEngine:
    """The engine for ``choice``, loaded if it is not there yet; any thread may call it.

    Raises:
        PortraitError: the model cannot be had; the message says what to do.
        ImportError: PyTorch, or what else core needs, is not installed.
    """
    global _loaded
    with _lock:
        stamp = _stamp(choice.path)
        if _loaded is None or (_loaded.choice, _loaded.stamp) != (choice, stamp):
            release()
            from ..core.engine import PortraitEngine

            model = PortraitEngine.load(
                choice.path, device=choice.device, precision=choice.precision
            )
            model.limit_memory(choice.memory_limit)
            _loaded = _Loaded(choice, stamp, SharedEngine(model))
        return cast("PortraitEngine", _loaded.engine)


def is_ready(choice: ModelChoice) -> bool:
    """Whether :func:`engine` would answer at once."""
    loaded = _loaded
    return loaded is not None and loaded.choice == choice


def load_in_background(choice: ModelChoice) -> None:
    """Load the model without holding up the window; the 3D views are redrawn when it is there."""
    global _loader
    if _loader is None:
        _loader = threading.Thread(target=_try_engine, args=(choice,), daemon=True)
        _loader.start()
        bpy.app.timers.register(_finish_loading, first_interval=0.1, persistent=True)


def _try_engine(choice: ModelChoice) -> None:
    try:
        engine(choice)
    except Exception as error:
        _failed[choice] = describe(error)


def failure(choice: ModelChoice) -> str | None:
    """Why the last load of ``choice`` in the background failed, if it did."""
    return _failed.get(choice)


def _finish_loading() -> float | None:
    """Timer: look whether the loader thread is done, then redraw the views that wait for it."""
    global _loader
    if _loader is not None and _loader.is_alive():
        return 0.1
    _loader = None
    areas.redraw("VIEW_3D")
    return None


def release(*, wait: bool = False) -> bool:
    """Free the model's memory; the next picture loads it again.

    Args:
        wait: until a model that is being loaded is there.

    Returns:
        Whether that was done: not while one is being loaded, for whoever asked for it needs it.
    """
    global _loaded
    _failed.clear()
    if not _lock.acquire(blocking=wait):
        return False
    try:
        if _loaded is not None:
            _loaded.engine.release()
            _loaded = None
    finally:
        _lock.release()
    return True


def detach() -> None:
    """Free everything and stop waiting for a load. For unregistering."""
    global _loader
    if bpy.app.timers.is_registered(_finish_loading):
        bpy.app.timers.unregister(_finish_loading)
    _loader = None
    release(wait=True)


def status() -> str:
    """What is loaded, in a few words."""
    loaded = _loaded
    if loaded is None:
        return iface_("No model in memory")
    name = loaded.choice.path.name if loaded.choice.path else iface_("embedded model")
    return iface_("In memory: {0} on {1}, {2}").format(
        name, loaded.engine.device, loaded.engine.precision
    )
