"""What a picture of a scene depends on, as plain values, and the picture itself.

The values are gathered on the thread that Blender calls; the picture may be made on any other.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import bpy

from ..core.config import ModelConfig
from ..core.memo import Memo, MemoLimit
from . import portraits
from .messages import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from mathutils import Matrix
    from torch import Tensor

    from ..core.camera import Camera
    from ..core.compositing import Picture
    from ..core.engine import PortraitEngine
    from ..core.latents import PortraitLatents
    from ..core.picture import Rendering
    from ..core.recipe import PortraitRecipe
    from .camera_bridge import View


# Types of objects whose switch in a 3D view is not named as they are.
_SWITCHES = {"SURFACE": "surf", "GREASEPENCIL": "grease_pencil"}


class Sitter(NamedTuple):
    """A portrait as the renderer sees it: plain values that outlive the object."""

    recipe: PortraitRecipe
    matrix: Matrix


class Shot(NamedTuple):
    """All that a picture depends on.

    Attributes:
        size: (width, height) in pixels.
        transparent: leave the background of the farthest portrait out.
        outside: what to do about cameras outside the trained range (``PortraitEngine.render``).
    """

    sitters: tuple[Sitter, ...]
    view: View
    size: tuple[int, int]
    transparent: bool
    outside: str


class Blank(NamedTuple):
    """What a ``Picture`` holds, where nobody is to be seen."""

    color: Tensor
    depth: Tensor
    masks: Tensor
    labels: Tensor


_known: WeakKeyDictionary[PortraitEngine, Memo[PortraitLatents]] = WeakKeyDictionary()


def _latents(engine: PortraitEngine, recipe: PortraitRecipe) -> PortraitLatents:
    """The codes of a recipe. A view that turns asks for the same ones again and again, and every
    seed of every part costs a run of the mapping network.
    """
    memo = _known.setdefault(engine, Memo(MemoLimit(32)))
    return memo.get(repr(recipe), lambda: recipe.resolve(engine))


def sitters(
    depsgraph: bpy.types.Depsgraph, space: bpy.types.SpaceView3D | None = None
) -> tuple[Sitter, ...]:
    """All portraits that are to be drawn, instances of collections among them.

    Args:
        space: the 3D view that they are drawn in; None for a render.

    Raises:
        PortraitError: a value of a portrait is not a number.
    """
    return tuple(
        Sitter(portraits.recipe(source_of(instance)), instance.matrix_world.copy())
        for instance in depsgraph.object_instances
        if source_of(instance).ssgan3d.is_portrait and is_shown(instance, space)
    )


def source_of(instance: bpy.types.DepsgraphObjectInstance) -> bpy.types.Object:
    """The object that holds the settings. Blender forgets to free those that are asked of an
    instance's own, passing object.
    """
    return instance.instance_object if instance.is_instance else instance.object


def is_shown(
    instance: bpy.types.DepsgraphObjectInstance, space: bpy.types.SpaceView3D | None
) -> bool:
    """Whether an object is drawn: in a 3D view its local view, its local collections and its
    visibility of types count as well.

    Args:
        space: the 3D view; None for a render.
    """
    if space is None or not instance.show_self:
        return instance.show_self
    # The object of an instance is asked for its type alone: in Python it does not know of local
    # views where it was put.
    owner = instance.parent if instance.is_instance else instance.object
    if not _shows_type(space, instance.object.type):
        return False
    if _shows_type(space, owner.type):
        return owner.visible_in_viewport_get(space)
    # Hiding empties leaves what is instanced at them.
    return space.local_view is None or owner.local_view_get(space)


def _shows_type(space: bpy.types.SpaceView3D, kind: str) -> bool:
    return getattr(space, f"show_object_viewport_{_SWITCHES.get(kind, kind.lower())}")


def are_in(scene: bpy.types.Scene) -> bool:
    """Whether a scene has a portrait, hidden or not: among its objects, or where they instance it,
    as collections or by geometry nodes.

    Takes milliseconds in large files: for when none is to be seen.
    """
    on_stage = set(scene.original.objects)
    found: list[bpy.types.ID] = [item for item in bpy.data.objects if item.ssgan3d.is_portrait]
    known = set(found)
    kinds = {"COLLECTION", "NODETREE", "OBJECT"}
    users = bpy.data.user_map(key_types=kinds, value_types=kinds)
    while found:
        item = found.pop()
        if item in on_stage:
            return True
        for user in users.get(item, set()) - known:
            # Its card, and what else hangs on a portrait, does not bring it in.
            if not isinstance(user, bpy.types.Object) or _may_instance(user):
                known.add(user)
                found.append(user)
    return False


def _may_instance(candidate: bpy.types.Object) -> bool:
    return candidate.instance_collection is not None or any(
        modifier.type == "NODES" for modifier in candidate.modifiers
    )


def side_unknown(shot: Shot) -> str | None:
    """One sentence with the angle if a portrait in the picture is seen from farther to the side,
    above or below than the model knows.
    """
    from ..core.camera import side_unknown as unknown
    from . import camera_bridge

    config = ModelConfig()
    for sitter in shot.sitters:
        camera = camera_bridge.to_core(shot.view, sitter.matrix, config.unit_metres)
        reason = unknown(camera, config)
        if reason is not None and _may_show(camera):
            return describe(reason)
    return None


def _may_show(camera: Camera) -> bool:
    """Whether something of the head, which fits in [-1, 1]³, may be in the camera's picture."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        places, depths = camera.project(np.array(list(product((-1.0, 1.0), repeat=3))))
    ahead = places[depths > 0]
    return len(ahead) > 0 and bool((ahead.min(0) < 1).all() and (ahead.max(0) > -1).all())


def blank(size: tuple[int, int]) -> Blank:
    """The picture of nobody: clear, infinitely far, all background.

    Args:
        size: (width, height) in pixels.
    """
    import torch

    from ..core.compositing import FAR
    from ..core.parts import BACKGROUND, PART_COUNT

    shape = (size[1], size[0])
    masks = torch.zeros(PART_COUNT, *shape)
    masks[BACKGROUND] = 1
    return Blank(
        color=torch.zeros(*shape, 4),
        depth=torch.full(shape, FAR),
        masks=masks,
        labels=torch.full(shape, BACKGROUND, dtype=torch.uint8),
    )


def take(
    engine: PortraitEngine,
    shot: Shot,
    *,
    draft: bool = False,
    go_on: Callable[[int], bool] = lambda _: True,
) -> Picture | None:
    """Render all portraits and lay them over each other.

    Args:
        draft: coarse and quick (``PortraitEngine.render``).
        go_on: asked with the number of portraits that are done before each of them and at the end;
            when it says no, the answer is None.

    Raises:
        PortraitError: a portrait cannot be rendered; the message says why.
    """
    from ..core.compositing import Picture
    from . import camera_bridge

    unit = engine.config.unit_metres
    farthest_first = sorted(
        shot.sitters, key=lambda sitter: -camera_bridge.depth_of(shot.view, sitter.matrix)
    )
    layers: list[tuple[Rendering, float]] = []
    for sitter in farthest_first:
        if not go_on(len(layers)):
            return None
        rendering = engine.render(
            _latents(engine, sitter.recipe),
            camera_bridge.to_core(shot.view, sitter.matrix, unit),
            size=(shot.size[1], shot.size[0]),
            outside=shot.outside,
            draft=draft,
        )
        layers.append((rendering, unit * camera_bridge.object_scale(sitter.matrix)))
    return Picture(layers, transparent=shot.transparent) if go_on(len(layers)) else None
