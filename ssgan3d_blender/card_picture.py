"""What a card should show, and showing it: the portrait's picture, turned to the scene's camera.

A card stands square to the line of sight, through the portrait's origin. What the camera sees on it
is what the portrait engine would show.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from mathutils import Matrix, Vector

from ..core.config import ModelConfig
from ..core.errors import PortraitError
from ..core.parts import PARTS
from . import cameras, card_plane, portraits, preferences, runtime, snapshot

if TYPE_CHECKING:
    from ..core.camera import Camera

SAME = 1e-5

# What the images are known to show in this session, by session_uid.
_shown: dict[int, str] = {}


class _Sight(NamedTuple):
    """What a card should show: the evaluated portrait, its place, the camera, and their digest."""

    portrait: bpy.types.Object
    matrix: Matrix
    camera: Camera
    key: str


def refresh(
    card: bpy.types.Object,
    scene: bpy.types.Scene,
    depsgraph: bpy.types.Depsgraph,
    *,
    force: bool = False,
) -> None:
    """Turn a card to the scene's camera, and render its picture if that is not what it shows.

    Args:
        depsgraph: where camera and portrait are looked up; in a render the render's own.
        force: render in any case.

    Raises:
        PortraitError: there is no picture to make; the message says why.
    """
    sight = _sight(card, scene, depsgraph)
    _turn(card, sight, depsgraph)
    if force or _shown.get(card.ssgan3d_card.image.session_uid) != sight.key:
        _fill_card(card, sight)


def is_fresh(
    card: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph
) -> bool:
    """Whether a card's picture is right; it is turned to the camera in any case.

    A file that was opened is trusted, so that opening it does not load the model.
    """
    try:
        sight = _sight(card, scene, depsgraph)
    except PortraitError:
        return False  # the refresh says it
    _turn(card, sight, depsgraph)
    settings = card.ssgan3d_card
    return _shown.get(settings.image.session_uid, settings.shown) == sight.key


def distrust() -> None:
    """Take it that no image shows what it did: all that were filled are filled again."""
    _shown.update(dict.fromkeys(_shown, ""))


def _sight(
    card: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph
) -> _Sight:
    settings = card.ssgan3d_card
    if portraits.is_gone(settings.portrait):
        raise PortraitError("The portrait of {0!r} is gone: delete the card as well.", card.name)
    if settings.image is None:
        raise PortraitError(
            "The image of {0!r} is gone: delete the card and add it anew.", card.name
        )
    if scene.camera is None:
        raise PortraitError("This scene has no camera that a card could face: add one.")
    portrait = settings.portrait.evaluated_get(depsgraph)
    matrix = portrait.matrix_world.copy()
    camera = cameras.seen_by(scene.camera.evaluated_get(depsgraph), matrix)
    if not camera.orthographic and camera.distance < SAME:
        raise PortraitError("The camera stands inside the portrait: move it away.")
    facts = (
        snapshot.take(portrait.ssgan3d),  # without torch, which portraits.recipe would import
        portrait.ssgan3d.solo,
        [round(float(value), 6) + 0.0 for value in _standpoint(camera)],
        (settings.resolution, settings.use_masks),
        (str(preferences.model_choice().path), preferences.get().outside),
    )
    return _Sight(portrait, matrix, camera, hashlib.sha256(repr(facts).encode()).hexdigest())


def _standpoint(camera: Camera) -> Any:
    """All of a camera that a card's picture depends on."""
    return camera.direction if camera.orthographic else camera.position


def _turn(card: bpy.types.Object, sight: _Sight, depsgraph: bpy.types.Depsgraph) -> None:
    """Put a card into the portrait's picture plane, whatever it hangs on."""
    from ..core.camera import canonical_camera
    from .camera_bridge import AXES, object_scale

    plane = canonical_camera(sight.camera, ModelConfig()).pose[:3, :3].tolist()
    turn = (sight.matrix @ AXES).to_3x3().normalized() @ Matrix(plane)
    scale = Vector.Fill(3, object_scale(sight.matrix))
    world = Matrix.LocRotScale(sight.matrix.translation, turn.to_quaternion(), scale)
    now = card.evaluated_get(depsgraph)
    hung_on = now.matrix_world @ now.matrix_basis.inverted_safe()
    basis = hung_on.inverted_safe() @ world
    apart = basis - card.matrix_basis
    if (
        max(abs(value) for row in apart for value in row) > SAME
    ):  # each change makes Blender evaluate the scene again
        card.matrix_basis = basis


def _fill_card(card: bpy.types.Object, sight: _Sight) -> None:
    """Render a card's picture and masks into its images."""
    from ..core.camera import canonical_camera
    from ..core.compositing import display_picture, grey_picture

    settings = card.ssgan3d_card
    engine = runtime.engine(preferences.model_choice())
    rendering = engine.render(
        portraits.recipe(sight.portrait).resolve(engine),
        canonical_camera(sight.camera, ModelConfig()),
        size=(settings.resolution, settings.resolution),
        outside=preferences.get().outside,
    )
    masks = (
        (part.name, grey_picture(mask)) for part, mask in zip(PARTS, rendering.mask[0], strict=True)
    )
    card_plane.put_pixels(
        card,
        display_picture(rendering, transparent=True),
        masks if settings.use_masks else None,
    )
    settings.shown = _shown[settings.image.session_uid] = sight.key


def detach() -> None:
    """Forget what images show: another session of the extension cannot know."""
    _shown.clear()
