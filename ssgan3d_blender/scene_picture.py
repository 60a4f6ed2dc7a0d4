"""What a picture of a scene depends on, as plain values, and the picture itself.

The values are gathered on the thread that Blender calls; the picture may be made on any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from ..core.config import ModelConfig
from ..core.memo import Memo
from . import portraits

if TYPE_CHECKING:
    from collections.abc import Callable

    import bpy
    from mathutils import Matrix

    from ..core.compositing import Picture
    from ..core.engine import PortraitEngine
    from ..core.latents import PortraitLatents, PortraitRecipe
    from ..core.picture import Rendering
    from .camera_bridge import View


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


_known: WeakKeyDictionary[PortraitEngine, Memo[PortraitLatents]] = WeakKeyDictionary()


def _latents(engine: PortraitEngine, recipe: PortraitRecipe) -> PortraitLatents:
    """The codes of a recipe. A view that turns asks for the same ones again and again, and every
    seed of every part costs a run of the mapping network.
    """
    memo = _known.setdefault(engine, Memo(32))
    return memo.get(repr(recipe), lambda: recipe.resolve(engine))


def sitters(depsgraph: bpy.types.Depsgraph) -> tuple[Sitter, ...]:
    """All portraits that are to be drawn, instances of collections among them.

    Raises:
        PortraitError: a value of a portrait is not a number.
    """
    return tuple(
        Sitter(portraits.recipe(instance.object), instance.matrix_world.copy())
        for instance in depsgraph.object_instances
        if instance.object.ssgan3d.is_portrait and instance.show_self
    )


def is_beyond(shot: Shot) -> bool:
    """Whether a portrait is seen from farther to the side, above or below than the model knows."""
    from ..core.camera import side_unknown
    from . import camera_bridge

    config = ModelConfig()
    cameras = (
        camera_bridge.to_core(shot.view, sitter.matrix, config.unit_metres)
        for sitter in shot.sitters
    )
    return any(side_unknown(camera, config) is not None for camera in cameras)


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
