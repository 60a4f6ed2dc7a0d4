"""The render engine ``SSGAN3D``: F12, animation, command line and the rendered 3D view.

It draws portraits and nothing else. Passes: Combined, Depth, Part Index, one soft mask a part, and
the parts as a Cryptomatte.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_

from ..core.errors import PortraitError
from ..core.parts import PARTS
from . import preferences, runtime, scene_picture, viewport
from .messages import describe
from .operators import ENGINE_ID, check_size
from .painter import Request
from .scene_picture import Shot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    from torch import Tensor

    from ..core.compositing import Picture

INDEX_PASS = "Part Index"
CRYPTO_LAYER = "CryptoObject"
FILE_KEY = "ssgan3d_passes"
"""Marks a scene that is there for one render, straight into a file."""
BREAK_SECONDS = 0.02  # how soon Esc is noticed
# What draws something, in Blender's own engines.
SOLID_TYPES = frozenset(
    {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME", "GREASEPENCIL"}
)
# Settings of light, shading and effects that this engine does not have.
FOREIGN_PANELS = (
    "DATA_PT_camera_dof",
    "DATA_PT_camera_stereoscopy",
    "DATA_PT_light",
    "DATA_PT_preview",
    "DATA_PT_spot",
    "MATERIAL_PT_freestyle",
    "NODE_DATA_PT_",
    "OBJECT_PT_visibility",
    "PARTICLE_PT_",
    "PHYSICS_PT_",
    "RENDER_PT_freestyle",
    "RENDER_PT_gpencil",
    "RENDER_PT_grease_pencil",
    "RENDER_PT_simplify",
    "RENDER_PT_stereoscopy",
    "TEXTURE_PT_",
    "VIEWLAYER_PT_freestyle",
)


def mask_pass(label: str) -> str:
    """Name of the pass that holds a part's soft mask."""
    return f"Part {label}"


def own_passes(view_layer: bpy.types.ViewLayer) -> Iterator[tuple[str, int, str, str]]:
    """(name, channels, channel letters, kind) of the passes besides Combined and Depth."""
    if view_layer.ssgan3d.use_pass_part_index:
        yield INDEX_PASS, 1, "X", "VALUE"
    if view_layer.ssgan3d.use_pass_part_masks:
        for part in PARTS:
            yield mask_pass(part.label), 1, "X", "VALUE"
    for name in crypto_passes(view_layer):
        yield name, 4, "RGBA", "COLOR"


def crypto_passes(view_layer: bpy.types.ViewLayer) -> list[str]:
    """Names of the passes that hold the parts as a Cryptomatte.

    They bear the name of Cryptomatte's objects, for the compositor looks for that name.
    """
    if not view_layer.use_pass_cryptomatte_object:
        return []
    count = (min(view_layer.pass_cryptomatte_depth, len(PARTS)) + 1) // 2
    return [f"{CRYPTO_LAYER}{index:02d}" for index in range(count)]


def pass_pixels(picture: Picture | scene_picture.Blank, wanted: list[str]) -> dict[str, np.ndarray]:
    """The passes of these names as Blender's flat runs; nothing else is computed."""
    from . import images

    made: dict[str, Tensor] = {"Combined": picture.color}
    if "Depth" in wanted:
        made["Depth"] = picture.depth
    if INDEX_PASS in wanted:
        made[INDEX_PASS] = picture.labels
    if mask_pass(PARTS[0].label) in wanted:
        made |= {mask_pass(p.label): m for p, m in zip(PARTS, picture.masks, strict=True)}
    crypto = [name for name in wanted if name.startswith(CRYPTO_LAYER)]
    if crypto:
        from ..core import cryptomatte

        names = [part.label for part in PARTS]
        ranks = cryptomatte.ranks(picture.masks, names, 2 * len(crypto))
        made |= dict(zip(crypto, ranks, strict=True))
    return {name: images.flat(made[name]) for name in wanted}


def left_out(depsgraph: bpy.types.Depsgraph, space: bpy.types.SpaceView3D | None = None) -> int:
    """How many objects there are that other engines would draw and this one does not.

    Args:
        space: the 3D view that is drawn; None for a render.
    """
    return sum(
        instance.object.type in SOLID_TYPES
        and not scene_picture.source_of(instance).ssgan3d.is_portrait
        for instance in depsgraph.object_instances
        # A text or surface comes a second time, as its mesh.
        if scene_picture.source_of(instance) != instance.parent
        and scene_picture.is_shown(instance, space)
    )


class SSGAN3D_RE_engine(bpy.types.RenderEngine):
    """Blender makes one for each render and one for each rendered 3D view."""

    bl_idname = ENGINE_ID
    bl_label = "Portrait"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_eevee_viewport = True
    bl_use_shading_nodes_custom = False

    # Blender's constructor differs between its versions: these are set when they are needed.
    _canvas: viewport.Canvas | None = None
    _people: tuple[scene_picture.Sitter, ...] | None = None  # None: the scene has changed
    _left_out = 0

    def update_render_passes(
        self, scene: bpy.types.Scene, renderlayer: bpy.types.ViewLayer
    ) -> None:
        """Tell the compositor which passes there will be."""
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        if renderlayer.use_pass_z:
            self.register_pass(scene, renderlayer, "Depth", 1, "Z", "VALUE")
        for name, channels, letters, kind in own_passes(renderlayer):
            self.register_pass(scene, renderlayer, name, channels, letters, kind)

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Render one view layer of one frame.

        Blender swallows exceptions from here and writes a blank picture. An error report makes the
        render fail; ``error_set`` does so only once there is a result that can hold its message.
        """
        global _failure
        try:
            self._render(depsgraph)
        except Exception as error:
            _failure = describe(error)
            if current_thread() is not main_thread():
                _begun.wait()
            self.report({"ERROR"}, _failure)

    def _render(self, depsgraph: bpy.types.Depsgraph) -> None:
        scene, render, layer = depsgraph.scene, depsgraph.scene.render, depsgraph.view_layer
        people = scene_picture.sitters(depsgraph)
        if not people and not scene_picture.are_in(scene):
            raise PortraitError("No portrait is in this scene: add one (Add > Portrait).")
        if people and scene.camera is None:
            raise PortraitError("This scene has no camera: add one and make it active.")
        if render.use_multiview:
            raise PortraitError("Portraits have no stereo view: switch Stereoscopy off.")
        frame = (
            render.resolution_x * render.resolution_percentage // 100,
            render.resolution_y * render.resolution_percentage // 100,
        )
        check_size(*frame)
        from . import camera_bridge, images

        size, border = frame, (0.0, 1.0, 0.0, 1.0)
        if render.use_border:
            size, border = _border(render, frame)
            check_size(*size)
        passes = list(own_passes(layer))
        if self.is_animation:
            images.check_space(
                Path(bpy.path.abspath(render.filepath)),
                size,
                5 + sum(channels for _, channels, *_ in passes),
            )
        wanted = [
            "Combined",
            *(["Depth"] if layer.use_pass_z else []),
            *(name for name, *_ in passes),
        ]
        if not people:  # all are hidden in this frame or layer
            self._write(layer, size, pass_pixels(scene_picture.blank(size), wanted))
            return
        view = camera_bridge.view_of_camera(
            scene.camera,
            depsgraph,
            frame,
            (render.pixel_aspect_x, render.pixel_aspect_y),
            border,
        )
        shot = Shot(people, view, size, render.film_transparent, preferences.get().outside)
        pixels = self._pixels(shot, wanted)
        if pixels is not None:
            self._write(layer, size, pixels)
            self._warn(shot)
        elif FILE_KEY in scene:
            # Where undo or another file stops a render, Blender still writes what there is of it,
            # and crashes if that is an EXR file without layers (5.2.2). Errors keep it from that.
            raise PortraitError("The render was stopped: nothing was written.")

    def _write(
        self, layer: bpy.types.ViewLayer, size: tuple[int, int], pixels: dict[str, np.ndarray]
    ) -> None:
        """Hand a view layer's passes to Blender."""
        for name, channels, letters, _ in own_passes(layer):
            self.add_pass(name, channels, letters, layer=layer.name)
        result = self.begin_result(0, 0, *size, layer=layer.name)
        written = result.layers[0].passes
        for name, values in pixels.items():
            written[name].rect.foreach_set(values)
        self.end_result(result)
        if crypto_passes(layer):
            from ..core import cryptomatte

            final = self.get_result()  # the other one's fields are dropped
            names = [part.label for part in PARTS]
            for key, value in cryptomatte.metadata(f"{layer.name}.{CRYPTO_LAYER}", names).items():
                final.stamp_data_add_field(key, value)
        self.update_progress(1.0)

    def _warn(self, shot: Shot) -> None:
        """Say that a picture is not what was asked for, once for a still or a whole animation."""
        global _warning
        if _warning is not None:
            return
        unknown = scene_picture.side_unknown(shot)
        if unknown is not None:
            _warning = rpt_("{0} The picture shows the nearest view.").format(unknown)
            self.report({"WARNING"}, _warning)

    def _pixels(self, shot: Shot, wanted: list[str]) -> dict[str, np.ndarray] | None:
        """Render the passes ``wanted`` in a thread, so that Esc is noticed at once; None if it was.

        What the thread is at is then finished there, and its result is dropped.
        """
        from concurrent.futures import wait  # 5 ms that enabling can do without

        choice, stopped = preferences.model_choice(), Event()
        done, ready = 0, runtime.is_ready(choice)
        self.update_stats("", iface_("Rendering" if ready else "Loading the portrait model"))

        def go_on(portraits: int) -> bool:
            nonlocal done, ready
            done, ready = portraits, True
            return not stopped.is_set()

        def work() -> dict[str, np.ndarray] | None:
            picture = scene_picture.take(runtime.engine(choice), shot, go_on=go_on)
            return None if picture is None else pass_pixels(picture, wanted)

        shown = None
        result = _renderer().submit(work)
        while not wait([result], BREAK_SECONDS).done:
            if self.test_break():
                stopped.set()
                return None
            if ready and done != shown:
                shown = done
                counted = iface_("Portrait {0} of {1}").format(done + 1, len(shot.sitters))
                self.update_stats("", counted)
                self.update_progress(done / len(shot.sitters))
        return None if self.test_break() else result.result()

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Called when the scene has changed, before the next :meth:`view_draw`.

        Blender counts local view, local collections and visibility of types as such changes.
        """
        self._people = None

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the rendered 3D view; what has changed is computed elsewhere and drawn later."""
        choice = preferences.model_choice()
        if not runtime.is_ready(choice):
            failure = runtime.failure(choice)
            self.update_stats(iface_("Portrait"), failure or iface_("loading the model …"))
            if failure is None:
                runtime.load_in_background(choice)
            return
        try:
            message = self._view_draw(context, depsgraph, choice)
        except Exception as error:
            message = describe(error)
        self.update_stats(iface_("Portrait") if message else "", message)

    def _view_draw(
        self,
        context: bpy.types.Context,
        depsgraph: bpy.types.Depsgraph,
        choice: runtime.ModelChoice,
    ) -> str:
        """Ask for the picture and draw what there is; answers with what the user should know."""
        from . import camera_bridge

        if self._people is None:
            self._people = scene_picture.sitters(depsgraph, context.space_data)
            self._left_out = left_out(depsgraph, context.space_data)
        if self._canvas is None:
            self._canvas = viewport.Canvas(_redraw_of(self))
        region, scene = context.region, depsgraph.scene
        size = (region.width, region.height)
        border = camera_bridge.border_of_region(
            context.region_data, context.space_data, scene, size
        )
        if not self._people or border is None:
            self._canvas.ask(None)
            nobody = iface_("no portrait is to be seen here (Add > Portrait)")
            return "" if self._people else nobody
        shot = Shot(
            self._people,
            camera_bridge.view_of_region(context.region_data, border),
            (
                round((border[1] - border[0]) * size[0]),
                round((border[3] - border[2]) * size[1]),
            ),
            scene.render.film_transparent,
            preferences.get(context).outside,
        )
        self._canvas.ask(Request(shot, choice))
        self._canvas.draw(shot, region, context.region_data)
        if self._canvas.error:
            return self._canvas.error
        unknown = scene_picture.side_unknown(shot)
        if unknown is not None:
            return iface_("shows the nearest view: {}").format(unknown)
        if self._left_out == 1:
            return iface_("draws portraits only: 1 other object is left out")
        if self._left_out:
            others = iface_("draws portraits only: {} others are left out")
            return others.format(self._left_out)
        return ""


def _redraw_of(engine: SSGAN3D_RE_engine) -> Callable[[], None]:
    """A function that redraws an engine's view as long as Blender keeps the view."""
    known = weakref.ref(engine)

    def redraw() -> None:
        engine = known()
        if engine is not None:
            with suppress(ReferenceError):  # Blender has freed its half
                engine.tag_redraw()

    return redraw


_begun = Event()
_begun.set()


@contextmanager
def beginning() -> Iterator[None]:
    """For a script that begins a render without waiting for it: no failure is reported meanwhile.

    When its operator returns to the script, Blender makes an exception of the errors so far and
    forgets them: it would go on to write the picture that there is not.
    """
    _begun.clear()
    try:
        yield
    finally:
        _begun.set()


_warning: str | None = None
_failure: str | None = None


def last_warning() -> str | None:
    """What the last still or animation warned of: it shows another view than was asked for."""
    return _warning


def last_failure() -> str | None:
    """Why the last still or animation failed; Blender tells scripts that only if they wait."""
    return _failure


@persistent
def _forget(*_: object) -> None:
    """Handler: a still or an animation begins. Blender makes an engine for each of its frames."""
    global _warning, _failure
    _warning = _failure = None


_executor: ThreadPoolExecutor | None = None


def _renderer() -> ThreadPoolExecutor:
    """The thread that renders for F12; one for all frames, for torch starts helpers for each."""
    global _executor
    if _executor is None:
        from concurrent.futures import ThreadPoolExecutor

        _executor = ThreadPoolExecutor(1, "portrait")
    return _executor


def _border(
    render: bpy.types.RenderSettings, frame: tuple[int, int]
) -> tuple[tuple[int, int], tuple[float, float, float, float]]:
    """Size in pixels of the render border and the part of the frame that it covers.

    Blender cuts the border's ends down to whole pixels.
    """
    left, right = int(render.border_min_x * frame[0]), int(render.border_max_x * frame[0])
    bottom, top = int(render.border_min_y * frame[1]), int(render.border_max_y * frame[1])
    covered = (left / frame[0], right / frame[0], bottom / frame[1], top / frame[1])
    return (right - left, top - bottom), covered


_joined: list[type[bpy.types.Panel]] = []


def attach() -> None:
    """Show Blender's own panels for camera, output, colours and objects with this engine."""
    bpy.app.handlers.render_init.append(_forget)
    for panel in bpy.types.Panel.__subclasses__():
        engines = getattr(panel, "COMPAT_ENGINES", ())
        if "BLENDER_RENDER" in engines and not panel.__name__.startswith(FOREIGN_PANELS):
            engines.add(ENGINE_ID)
            _joined.append(panel)


def detach() -> None:
    """Stop all that renders in the background, and leave Blender's panels."""
    global _executor
    for panel in _joined:
        panel.COMPAT_ENGINES.discard(ENGINE_ID)
    _joined.clear()
    bpy.app.handlers.render_init.remove(_forget)
    viewport.detach()
    if _executor is not None:
        _executor.shutdown()
        _executor = None


CLASSES = (SSGAN3D_RE_engine,)
