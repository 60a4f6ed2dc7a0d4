"""Live cards: they turn to the camera and get a new picture whenever something changed.

Camera, portrait and frame are followed. Renders wait for it; a window is never held up for a model
that is still being loaded.
"""

from __future__ import annotations

import sys

import bpy
from bpy.app.handlers import persistent

from . import card_picture, card_plane, cards, jobs, portraits, preferences, runtime
from .messages import describe

CATCH_UP_SECONDS = 0.1

_withheld: list[tuple[bpy.types.bpy_struct, str, bpy.types.Object]] = []
"""Pointers to deleted portraits that a file does not get: owner, property, portrait."""
_problems: dict[int, str] = {}
"""What went wrong with cards that nobody asked to refresh, by session_uid."""


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
        said = describe(error)
        if problem(card) != said:
            print(f"{card.name}: {said}", file=sys.stderr)
        _problems[card.session_uid] = said
    else:
        _problems.pop(card.session_uid, None)


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
    """Timer: refresh the cards that no longer show what they should; later if the model is busy."""
    if bpy.app.is_job_running("RENDER") or jobs.running():
        return CATCH_UP_SECONDS
    for window in bpy.context.window_manager.windows:
        depsgraph = window.view_layer.depsgraph
        stale = [
            card
            for card in _live(window.scene)
            if not card_picture.is_fresh(card, window.scene, depsgraph)
        ]
        if not stale:
            continue
        choice = preferences.model_choice()
        if not runtime.is_ready(choice) and runtime.failure(choice) is None:
            runtime.load_in_background(choice)
            return CATCH_UP_SECONDS
        for card in stale:
            _refresh_live(card, window.scene, depsgraph)
    return None


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
    """Undo :func:`attach`."""
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
    _problems.clear()
