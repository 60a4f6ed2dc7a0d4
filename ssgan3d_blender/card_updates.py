"""Live cards: they turn to the camera and get a new picture whenever something changed.

Camera, portrait and frame are followed. Renders wait for it. A window is held up neither for a
model that is still being loaded nor for a picture: what changes under the mouse is rendered in a
thread, and a frame that is played back at once.
"""

from __future__ import annotations

import sys
import threading

import bpy
from bpy.app.handlers import persistent

from ..core.errors import PortraitError
from . import card_picture, card_plane, cards, jobs, portraits, preferences, runtime
from .messages import describe

CATCH_UP_SECONDS = 0.1

_withheld: list[tuple[bpy.types.bpy_struct, str, bpy.types.Object]] = []
"""Pointers to deleted portraits that a file does not get: owner, property, portrait."""
_problems: dict[int, str] = {}
"""What went wrong with cards that nobody asked to refresh, by session_uid."""


_refused: dict[int, str] = {}
"""Keys of the orders that failed last, by session_uid: they are not tried again by themselves."""


class _Rendering:
    """Pictures of cards that are being made in a thread."""

    def __init__(self, orders: dict[portraits.Handle, card_picture.Order]) -> None:
        self._orders = orders
        self._made: list[card_picture.Pictures | Exception] = []
        self._thread = threading.Thread(target=self._run, name="cards", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for order in self._orders.values():
            try:
                self._made.append(card_picture.make(order))
            except Exception as error:
                self._made.append(error)

    def is_done(self) -> bool:
        """Whether all are made."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait for that."""
        self._thread.join()

    def deliver(self) -> None:
        """Show them; cards that are gone by now get nothing."""
        for (handle, order), made in zip(self._orders.items(), self._made, strict=True):
            try:
                card = handle.get()
            except PortraitError:
                continue
            if card.ssgan3d_card.image is None:
                continue  # the next look says it
            if isinstance(made, Exception):
                _refused[card.session_uid] = order.key
                _note(card, describe(made))
            else:
                card_picture.show(card, made)
                _note(card, "")


_rendering: _Rendering | None = None


def problem(card: bpy.types.Object) -> str | None:
    """What went wrong when a card was refreshed last; None if nothing did."""
    return _problems.get(card.session_uid)


def update(card: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Draw a card anew because somebody asks for it, and pack it into the file.

    Raises:
        PortraitError: there is no picture to make; the message says why.
    """
    card_picture.refresh(card, scene, depsgraph, force=True)
    _problems.pop(card.session_uid, None)
    card_plane.pack(card)


def _refresh_live(
    card: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph
) -> None:
    """Refresh a card from where nobody could catch an error: it is kept for the panel."""
    try:
        card_picture.refresh(card, scene, depsgraph)
    except Exception as error:
        _note(card, describe(error))
    else:
        _note(card, "")


def _note(card: bpy.types.Object, said: str) -> None:
    """Keep for the panel what went wrong with a card; empty: nothing did."""
    if not said:
        _problems.pop(card.session_uid, None)
    elif problem(card) != said:
        print(f"{card.name}: {said}", file=sys.stderr)
        _problems[card.session_uid] = said


def _live(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The cards of a scene that are to follow it; linked ones cannot."""
    return [card for card in cards.in_scene(scene) if card.ssgan3d_card.live and card.is_editable]


@persistent
def _frame_changed(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Refresh all live cards: at once, for Blender renders the frame as it is left here.

    Blender evaluates the scene again after this, so that renders see the card turned.
    """
    scene = scene.original
    waits = depsgraph.mode == "VIEWPORT" and not bpy.app.background
    if waits and not runtime.is_ready(preferences.model_choice()):
        _catch_up_soon()  # playback is not held up until the model is there; a render is
        return
    for card in _live(scene):
        _refresh_live(card, scene, depsgraph)


@persistent
def _scene_changed(*_: object) -> None:
    """Something changed in the scene: look soon whether it changes a card."""
    if not bpy.app.background and cards.are_there():
        _refused.clear()
        _catch_up_soon()


@persistent
def _undone(*_: object) -> None:
    """Undo brings objects back, but nobody knows which pixels the images hold then."""
    card_picture.distrust()


@persistent
def _saving(*_: object) -> None:
    card_plane.pack_all()
    _withhold_deleted()


@persistent
def _saved(*_: object) -> None:
    """Give back what was withheld: undo does not restore a pointer that was cleared for good."""
    while _withheld:
        owner, name, portrait = _withheld.pop()
        setattr(owner, name, portrait)


def _withhold_deleted() -> None:
    """Clear all pointers that would have deleted portraits saved."""
    settings = [item.ssgan3d_card for item in bpy.data.objects if item.ssgan3d_card.portrait]
    pointers = [(card, "portrait") for card in settings]
    pointers += [(scene, "ssgan3d_source") for scene in bpy.data.scenes if scene.ssgan3d_source]
    for owner, name in pointers:
        portrait = getattr(owner, name)
        if owner.id_data.is_editable and portraits.is_gone(portrait):
            _withheld.append((owner, name, portrait))
            setattr(owner, name, None)


def _catch_up_soon() -> None:
    if not bpy.app.timers.is_registered(_catch_up):
        bpy.app.timers.register(_catch_up, first_interval=CATCH_UP_SECONDS)


def _catch_up() -> float | None:
    """Timer: make the pictures that cards should show and do not; later if the model is busy."""
    global _rendering
    if _rendering is not None:
        if not _rendering.is_done():
            return CATCH_UP_SECONDS
        done, _rendering = _rendering, None
        done.deliver()
    if bpy.app.is_job_running("RENDER") or jobs.running():
        return CATCH_UP_SECONDS
    wanted = {}
    for window in bpy.context.window_manager.windows:
        for card in _live(window.scene):
            try:
                order = card_picture.stale(card, window.scene, window.view_layer.depsgraph)
            except PortraitError as error:
                _note(card, describe(error))
                continue
            if order is not None:
                wanted[portraits.Handle.of(card)] = order
    if not wanted:
        return None
    choice = preferences.model_choice()
    if not runtime.is_ready(choice) and runtime.failure(choice) is None:
        runtime.load_in_background(choice)
        return CATCH_UP_SECONDS
    orders = {}
    for handle, order in wanted.items():
        try:
            made = order()
        except Exception as error:
            _note(handle.get(), describe(error))
            continue
        if _refused.get(handle.session_uid) != made.key:
            orders[handle] = made
    if not orders:
        return None
    _rendering = _Rendering(orders)
    return CATCH_UP_SECONDS


def attach() -> None:
    """Follow frames, changes, undo and saving."""
    handlers = bpy.app.handlers
    handlers.frame_change_post.append(_frame_changed)
    handlers.depsgraph_update_post.append(_scene_changed)
    handlers.undo_post.append(_undone)
    handlers.redo_post.append(_undone)
    handlers.save_pre.append(_saving)
    handlers.save_post.append(_saved)
    handlers.save_post_fail.append(_saved)


def detach() -> None:
    """Undo :func:`attach`, and wait for what is being rendered."""
    global _rendering
    handlers = bpy.app.handlers
    handlers.save_post_fail.remove(_saved)
    handlers.save_post.remove(_saved)
    handlers.save_pre.remove(_saving)
    handlers.redo_post.remove(_undone)
    handlers.undo_post.remove(_undone)
    handlers.depsgraph_update_post.remove(_scene_changed)
    handlers.frame_change_post.remove(_frame_changed)
    if bpy.app.timers.is_registered(_catch_up):
        bpy.app.timers.unregister(_catch_up)
    if _rendering is not None:
        _rendering.join()
        _rendering = None
    _problems.clear()
    _refused.clear()
