"""What a card should show, and showing it: the portrait's picture, turned to the scene's camera.

A card stands square to the line of sight, through the portrait's origin. What the camera sees on it
is what the portrait engine would show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from mathutils import Matrix, Vector

from ..core.config import ModelConfig
from ..core.errors import PortraitError
from ..core.parts import PARTS
from . import cameras, card_plane, portraits, preferences, runtime, snapshot

if TYPE_CHECKING:
    from torch import Tensor

    from ..core.camera import Camera
    from ..core.recipe import PortraitRecipe

SAME = 1e-5

# What the images are known to show in this session, by session_uid.
_shown: dict[int, str] = {}


class _Sight(NamedTuple):
    """What a card should show: the evaluated portrait, its place, the camera, and their digest."""

    portrait: bpy.types.Object
    matrix: Matrix
    camera: Camera
    key: str


class Order(NamedTuple):
    """A card's picture to be made, in plain values that any thread may read.

    Attributes:
        key: digest of all that the picture depends on.
    """

    recipe: PortraitRecipe
    camera: Camera
    side: int
    with_masks: bool
    outside: str
    choice: runtime.ModelChoice
    key: str


class Pictures(NamedTuple):
    """What came of an order: (S, S, 4) with straight alpha, and the masks (K, S, S)."""

    picture: Tensor
    masks: Tensor | None
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
        show(card, make(_order(card, sight)))


def stale(
    card: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph
) -> Callable[[], Order] | None:
    """What gives the order of the picture that a card should show; None if it shows that.

    The card is turned to the camera in any case. A file that was opened is trusted, so that opening
    it does not load the model. The order itself needs PyTorch.

    Raises:
        PortraitError: there is no picture to make; the message says why.
    """
    sight = _sight(card, scene, depsgraph)
    _turn(card, sight, depsgraph)
    settings = card.ssgan3d_card
    if _shown.get(settings.image.session_uid, settings.shown) == sight.key:
        return None
    return lambda: _order(card, sight)


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


def _order(card: bpy.types.Object, sight: _Sight) -> Order:
    from ..core.camera import canonical_camera

    settings = card.ssgan3d_card
    return Order(
        portraits.recipe(sight.portrait),
        canonical_camera(sight.camera, ModelConfig()),
        settings.resolution,
        settings.use_masks,
        preferences.get().outside,
        preferences.model_choice(),
        sight.key,
    )


def make(order: Order) -> Pictures:
    """Render what was ordered; any thread may.

    Raises:
        PortraitError: it cannot be rendered; the message says why.
    """
    from ..core.compositing import display_picture

    engine = runtime.engine(order.choice)
    rendering = engine.render(
        order.recipe.resolve(engine),
        order.camera,
        size=(order.side, order.side),
        outside=order.outside,
    )
    masks = rendering.mask[0] if order.with_masks else None
    return Pictures(display_picture(rendering, transparent=True), masks, order.key)


def show(card: bpy.types.Object, pictures: Pictures) -> None:
    """Write a card's picture and masks into its images."""
    from ..core.compositing import grey_picture

    masks = None
    if pictures.masks is not None:
        masks = (
            (part.name, grey_picture(mask))
            for part, mask in zip(PARTS, pictures.masks, strict=True)
        )
    card_plane.put_pixels(card, pictures.picture, masks)
    settings = card.ssgan3d_card
    settings.shown = _shown[settings.image.session_uid] = pictures.key


def detach() -> None:
    """Forget what images show: another session of the extension cannot know."""
    _shown.clear()
