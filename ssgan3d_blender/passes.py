"""One frame with all its passes in one EXR file, rendered while the window goes on answering.

Blender shows a scene as a render sees it, and writes a multilayer EXR, inside a render only. So
this is no job of ``jobs``, whose thread may not touch Blender's data, but Blender's own render job:
it shows how far it is, and Esc stops it. What has to be set for it is set in a copy of the scene,
which shares the scene's objects and is gone when the render has ended. The compositor is left out:
in a copy it would ask for renders of the scene that it was made for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..core.errors import PortraitError
from ..core.files import replacing
from . import render_engine
from .messages import describe
from .notices import tell
from .operators import ENGINE_ID

LABEL = "Save All Passes"
POLL_SECONDS = 0.1

Steps = Generator[None, None, str]


class _Stopped(PortraitError):  # noqa: N818 - it is no error
    """Somebody pressed Esc, or Blender has said already what went wrong."""

    def __init__(self) -> None:
        super().__init__("The render was stopped: nothing was written.")


_steps: Steps | None = None
"""The render that is under way while the window goes on answering."""


def save(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, path: Path) -> str:
    """Write a view layer of the scene's frame, and wait for it; says what was written.

    Raises:
        PortraitError: it cannot be rendered or written.
        OSError: the folder cannot be made.
    """
    _check_free()
    steps = _saving(scene, layer, path, "EXEC_DEFAULT")
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return str(end.value)


def begin(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, path: Path) -> None:
    """Start to write a view layer of the scene's frame; a notice says what came of it.

    Raises:
        PortraitError: Blender renders already, or it cannot be begun.
        OSError: the folder cannot be made.
    """
    global _steps
    _check_free()
    _steps = _saving(scene, layer, path, "INVOKE_DEFAULT")
    try:
        next(_steps)
    except BaseException:
        _steps = None
        raise
    bpy.app.timers.register(_go_on, first_interval=POLL_SECONDS, persistent=True)


def _check_free() -> None:
    if _steps is not None or bpy.app.is_job_running("RENDER"):
        raise PortraitError("Blender is rendering: wait until it is done, or stop it with Esc.")


def _go_on() -> float | None:
    """Timer: finish when the render has ended."""
    global _steps
    if _steps is None:
        return None
    try:
        next(_steps)
    except _Stopped:
        pass
    except StopIteration as end:
        tell("INFO", f"{LABEL}: {end.value}")
    except Exception as error:
        tell("WARNING", f"{LABEL}: {describe(error)}")
    else:
        return POLL_SECONDS
    _steps = None
    return None


def _saving(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, path: Path, how: str) -> Steps:
    """Render; yields while Blender does.

    Args:
        how: the context of Blender's operator.
    """
    from .images import check_space

    with _copied(scene, layer) as copy, replacing(path) as temporary:
        staged = copy.view_layers[layer.name]
        sides = copy.render.resolution_x, copy.render.resolution_y
        width, height = (side * copy.render.resolution_percentage // 100 for side in sides)
        channels = sum(channels for _, channels, *_ in render_engine.own_passes(staged))
        check_space(path, (width, height), 5 + channels)  # with picture and depth
        copy.render.filepath = str(temporary)
        course, result, refused = _Course(copy.session_uid), {"CANCELLED"}, None
        with course.watched():
            try:
                with _no_render_window(), render_engine.beginning():
                    result = bpy.ops.render.render(
                        how, write_still=True, scene=copy.name, layer=staged.name
                    )
            except RuntimeError as error:
                refused = error
            yield
            is_later = result == {"RUNNING_MODAL"}
            while bpy.app.is_job_running("RENDER") or (is_later and course.is_awaited()):
                yield
        if refused is not None:
            raise PortraitError(render_engine.last_failure() or str(refused)) from refused
        if not course.complete or render_engine.last_failure() is not None:
            raise _Stopped
        if not temporary.exists():
            raise PortraitError("Blender could not render into {0}.", path.parent)
        _forget_pixels(course.session_uid)
    return f"{path}: {path.stat().st_size / 1e6:.1f} MB"


def _forget_pixels(session_uid: int) -> None:
    """Have the copy's last render be a small one: Blender keeps it when the scene has gone, which
    are 100 MB for a picture of 1024 × 1024.
    """
    for scene in bpy.data.scenes:
        if scene.session_uid == session_uid:
            render = scene.render
            render.resolution_x = render.resolution_y = 4
            render.resolution_percentage, render.use_border = 100, False
            with suppress(RuntimeError):  # the file is there, whatever has changed meanwhile
                bpy.ops.render.render(scene=scene.name)


class _Course:
    """How far the render of one scene is, as Blender's handlers tell."""

    def __init__(self, session_uid: int) -> None:
        self.begun = self.complete = False
        self.session_uid = session_uid

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Listen while the block runs."""

        @persistent
        def begin(scene: bpy.types.Scene, *_: object) -> None:
            self.begun = self.begun or scene.session_uid == self.session_uid

        @persistent
        def complete(scene: bpy.types.Scene, *_: object) -> None:
            self.complete = self.complete or scene.session_uid == self.session_uid

        handlers = bpy.app.handlers
        handlers.render_init.append(begin)
        handlers.render_complete.append(complete)
        try:
            yield
        finally:
            handlers.render_complete.remove(complete)
            handlers.render_init.remove(begin)

    def is_awaited(self) -> bool:
        """Whether Blender has yet to begin: a render waits while another job of its kind, as one
        that draws previews, comes to its end. Undo and opening a file drop it together with the
        scene.
        """
        return not self.begun and any(
            scene.session_uid == self.session_uid for scene in bpy.data.scenes
        )


@contextmanager
def _copied(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> Iterator[bpy.types.Scene]:
    """A copy of the scene that is set to write all passes of that layer."""
    copy = scene.copy()
    copy[render_engine.FILE_KEY] = True
    is_left = False
    try:
        copy.name = f"{scene.name} Passes"
        copy.render.engine = ENGINE_ID
        copy.render.use_compositing = copy.render.use_sequencer = False
        staged = copy.view_layers[layer.name]
        staged.use_pass_z = staged.use_pass_cryptomatte_object = True
        staged.ssgan3d.use_pass_part_index = staged.ssgan3d.use_pass_part_masks = True
        settings = copy.render.image_settings
        if hasattr(settings, "media_type"):  # from Blender 5.0
            settings.media_type = "MULTI_LAYER_IMAGE"
        settings.file_format = "OPEN_EXR_MULTILAYER"
        settings.color_mode, settings.color_depth = "RGBA", "32"
        yield copy
    except GeneratorExit:
        is_left = True  # Blender may still render it
        raise
    finally:
        if not is_left:
            _tidy()


@contextmanager
def _no_render_window() -> Iterator[None]:
    """Have Blender show no render while the block begins one: who wants the passes wants a file."""
    view = bpy.context.preferences.view
    kept = view.render_display_type
    view.render_display_type = "NONE"
    try:
        yield
    finally:
        view.render_display_type = kept


def _tidy() -> None:
    """Remove copies of scenes, unless one is being rendered."""
    if bpy.app.is_job_running("RENDER"):
        return
    for scene in list(bpy.data.scenes):
        if scene.get(render_engine.FILE_KEY) and len(bpy.data.scenes) > 1:
            bpy.data.scenes.remove(scene)


@persistent
def _came_back(*_: object) -> None:
    """Handler: undo and files bring back copies that were there when the step or file was made."""
    if _steps is None and not bpy.app.timers.is_registered(_tidy):
        bpy.app.timers.register(_tidy, first_interval=0.0)


def attach() -> None:
    """Watch for copies that come back, and remove one that disabling has left to a render."""
    for handlers in _returns():
        handlers.append(_came_back)
    _came_back()


def detach() -> None:
    """Undo :func:`attach`; a render that is under way is left to Blender, and its file not kept."""
    global _steps
    for handlers in _returns():
        handlers.remove(_came_back)
    for timer in (_go_on, _tidy):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    if _steps is not None:
        _steps.close()
        _steps = None


def _returns() -> tuple[list[Callable[..., None]], ...]:
    handlers = bpy.app.handlers
    return handlers.undo_post, handlers.redo_post, handlers.load_post
