"""The render engine ``SSGAN3D``: F12, animation, command line and the rendered 3D view.

It draws portraits and nothing else. Passes: Combined, Depth, Part Index, and one soft mask a part.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bpy
from mathutils import Matrix

from ..core.errors import PortraitError
from ..core.parts import PARTS
from . import portraits, preferences, runtime
from .messages import describe
from .operators import ENGINE_ID, check_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.compositing import Picture
    from ..core.latents import PortraitRecipe
    from .camera_bridge import View

INDEX_PASS = "Part Index"
VIEWPORT_SIDE = 512  # pixels of the longer side that the 3D view computes; the card enlarges them
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


class Sitter(NamedTuple):
    """A portrait as the renderer sees it: plain values that outlive the object."""

    recipe: PortraitRecipe
    matrix: Matrix


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


def sitters(depsgraph: bpy.types.Depsgraph) -> list[Sitter]:
    """All portraits that are to be drawn, instances of collections among them."""
    return [
        Sitter(portraits.recipe(instance.object), instance.matrix_world.copy())
        for instance in depsgraph.object_instances
        if instance.object.ssgan3d.is_portrait and instance.show_self
    ]


class SSGAN3D_RE_engine(bpy.types.RenderEngine):
    """Blender makes one for each render and one for each rendered 3D view."""

    bl_idname = ENGINE_ID
    bl_label = "Portrait"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_eevee_viewport = True
    bl_use_shading_nodes_custom = False

    _drawn: object = None  # what the texture shows
    _texture: object = None  # gpu.types.GPUTexture

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
        try:
            self._render(depsgraph)
        except Exception as error:
            self.report({"ERROR"}, describe(error))

    def _render(self, depsgraph: bpy.types.Depsgraph) -> None:
        scene, render = depsgraph.scene, depsgraph.scene.render
        people = sitters(depsgraph)
        if not people:
            raise PortraitError("No portrait is in this view layer: add one (Add > Portrait).")
        if scene.camera is None:
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
        view = camera_bridge.view_of_camera(
            scene.camera,
            depsgraph,
            frame,
            (render.pixel_aspect_x, render.pixel_aspect_y),
            border,
        )
        layer = depsgraph.view_layer
        passes = list(own_passes(layer))
        if self.is_animation:
            images.check_space(Path(bpy.path.abspath(render.filepath)), size, 5 + len(passes))
        picture = self._picture(people, view, size, render.film_transparent)
        if picture is None:
            return
        for name, channels, letters, _ in passes:
            self.add_pass(name, channels, letters, layer=layer.name)
        result = self.begin_result(0, 0, *size, layer=layer.name)
        written = result.layers[0].passes
        written["Combined"].rect.foreach_set(images.flat(picture.color))
        if layer.use_pass_z:
            written["Depth"].rect.foreach_set(images.flat(picture.depth))
        if layer.ssgan3d.use_pass_part_index:
            written[INDEX_PASS].rect.foreach_set(images.flat(picture.labels))
        if layer.ssgan3d.use_pass_part_masks:
            for part, mask in zip(PARTS, picture.masks, strict=True):
                written[mask_pass(part.label)].rect.foreach_set(images.flat(mask))
        self.end_result(result)
        self.update_progress(1.0)

    def _picture(
        self, people: list[Sitter], view: View, size: tuple[int, int], transparent: bool
    ) -> Picture | None:
        """Render and lay over each other all that stands before the camera; None if cancelled."""
        choice = preferences.model_choice()
        if not runtime.is_ready(choice):
            self.update_stats("", "Loading the portrait model")
        with runtime.session(choice) as engine:
            from ..core.compositing import Picture
            from . import camera_bridge

            unit, outside = engine.config.unit_metres, preferences.get().outside
            people = sorted(people, key=lambda sitter: -camera_bridge.depth_of(view, sitter.matrix))
            layers = []
            for number, sitter in enumerate(people):
                if self.test_break():
                    return None
                self.update_stats("", f"Portrait {number + 1} of {len(people)}")
                self.update_progress(number / len(people))
                rendering = engine.render(
                    sitter.recipe.resolve(engine),
                    camera_bridge.to_core(view, sitter.matrix, unit),
                    size=(size[1], size[0]),
                    outside=outside,
                )
                scale = unit * camera_bridge.object_scale(sitter.matrix)
                layers.append((rendering, scale))
            return None if self.test_break() else Picture(layers, transparent=transparent)

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Called after changes, and must be there; ``view_draw`` sees by itself what changed."""

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the rendered 3D view; the picture is computed again when something in it changed."""
        import gpu
        from gpu_extras.presets import draw_texture_2d

        from . import camera_bridge

        choice = preferences.model_choice()
        if not runtime.is_ready(choice):
            failure = runtime.failure(choice)
            self.update_stats("Portrait", failure or "loading the model …")
            if failure is None:
                runtime.load_in_background(choice)
            return
        region = context.region
        view = camera_bridge.view_of_region(context.region_data)
        try:
            self._draw_into_texture(depsgraph, view, (region.width, region.height))
        except Exception as error:
            self._drawn = None  # so that the message goes once the cause has gone
            self.update_stats("Portrait", describe(error))
        if self._texture is not None:
            gpu.state.blend_set("ALPHA_PREMULT")
            self.bind_display_space_shader(depsgraph.scene)
            draw_texture_2d(self._texture, (0, 0), region.width, region.height)
            self.unbind_display_space_shader()
            gpu.state.blend_set("NONE")

    def _draw_into_texture(
        self, depsgraph: bpy.types.Depsgraph, view: View, region: tuple[int, int]
    ) -> None:
        import gpu

        from . import images

        people = sitters(depsgraph)
        transparent = depsgraph.scene.render.film_transparent
        wanted = (people, view, region, transparent, preferences.get().outside)
        if wanted == self._drawn:
            return
        picture = None
        if people:
            shrink = min(1.0, VIEWPORT_SIDE / max(region))
            size = (max(1, round(region[0] * shrink)), max(1, round(region[1] * shrink)))
            picture = self._picture(people, view, size, transparent)
        self._drawn, self._texture = wanted, None
        if picture is not None:
            pixels = images.flat(picture.color)
            self._texture = gpu.types.GPUTexture(
                size, format="RGBA16F", data=gpu.types.Buffer("FLOAT", len(pixels), pixels)
            )
        self.update_stats("", "")


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


def join_stock_panels() -> None:
    """Show Blender's own panels for camera, output, colours and objects with this engine."""
    for panel in bpy.types.Panel.__subclasses__():
        engines = getattr(panel, "COMPAT_ENGINES", ())
        if "BLENDER_RENDER" in engines and not panel.__name__.startswith(FOREIGN_PANELS):
            engines.add(ENGINE_ID)
            _joined.append(panel)


def leave_stock_panels() -> None:
    """Undo :func:`join_stock_panels`."""
    for panel in _joined:
        panel.COMPAT_ENGINES.discard(ENGINE_ID)
    _joined.clear()


CLASSES = (SSGAN3D_RE_engine,)
