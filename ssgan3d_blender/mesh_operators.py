"""What an artist takes away as meshes: objects in the scene, or a file."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..core.errors import PackageError, PortraitError
from ..core.parts import BACKGROUND
from . import areas, background, jobs, portraits, preferences, runtime, torch_setup
from .messages import cancels_on_error
from .operators import PART_ITEMS

if TYPE_CHECKING:
    import trimesh

    from ..core.recipe import PortraitRecipe
    from ..core.texturing import Texture

MESH_PARTS = tuple(item for index, item in enumerate(PART_ITEMS) if index != BACKGROUND)
COUNTED_AT = 128  # resolution that triangles are estimated for

_counted: tuple[str, dict[str, int] | None] | None = None
"""Whose triangles were estimated last, and how many each part has at ``COUNTED_AT``; None where
counting failed."""
_dialog: bpy.types.Region | None = None
"""The open dialog, which does not draw itself anew when the triangles are counted."""


class MeshOptions:
    """What both ways of taking meshes ask for, and the number of triangles to expect."""

    if TYPE_CHECKING:
        layout: bpy.types.UILayout

    parts: EnumProperty(
        name="Parts",
        description="Which parts",
        items=MESH_PARTS,
        options={"ENUM_FLAG"},
        default={name for name, *_ in MESH_PARTS},
    )
    resolution: IntProperty(
        name="Resolution",
        description="Cells of the grid along each side: higher shows finer shapes and takes longer",
        default=128,
        min=16,
        max=512,
        soft_max=256,
    )
    smoothing: IntProperty(
        name="Smoothing",
        description="Rounds of smoothing that take away the steps of the grid",
        default=0,
        min=0,
        soft_max=20,
        max=100,
    )
    max_faces: IntProperty(
        name="Face Limit",
        description="Parts with more triangles are brought down to this number: objects by a "
        "Decimate modifier that can be taken away again, files for good. 0: no limit",
        default=0,
        min=0,
        soft_max=100_000,
    )
    colours: EnumProperty(
        name="Colours",
        description="How the meshes get the portrait's colours",
        items=(
            (
                "VERTEX",
                "Vertex Colours",
                "Mixed from all sides that show a point: no seams, as fine as the mesh",
            ),
            (
                "TEXTURE",
                "Texture",
                "An image with UVs, as sharp as the portrait's pictures whatever the mesh; objects "
                "have vertex colours as well",
            ),
        ),
        default="VERTEX",
    )

    def _count(self, context: bpy.types.Context) -> None:
        """Begin to estimate the triangles of the active portrait; the dialog shows them."""
        global _counted
        if torch_setup.origin() is None:  # told now, not after the options are chosen
            raise ImportError(name="torch")
        if torch_setup.lacks_surfaces():
            raise PackageError("A mesh", "PyMCubes")
        recipe, choice = _recipe(context), preferences.model_choice()
        key = repr((recipe, choice))
        if _counted is not None and _counted[0] == key and _counted[1] is not None:
            return
        _counted = None  # one that failed is tried again

        def work(_job: jobs.Job) -> dict[str, int]:
            global _counted
            try:
                from ..core.meshing import estimate_triangles

                engine = runtime.engine(choice)
                return estimate_triangles(engine, recipe.resolve(engine), resolution=COUNTED_AT)
            except Exception:
                _counted = key, None  # the dialog waits no longer; the job tells why
                raise

        def finish(counts: dict[str, int]) -> None:
            global _counted
            _counted = key, counts
            if _dialog is not None:
                _dialog.tag_refresh_ui()
            areas.redraw("FILE_BROWSER")

        jobs.start(iface_("Counting triangles"), work, finish)

    def _expected(self, counts: dict[str, int]) -> int:
        """About how many triangles these options give, from those at ``COUNTED_AT``."""
        growth = (self.resolution / COUNTED_AT) ** 2
        grown = [round(count * growth) for part, count in counts.items() if part in self.parts]
        return sum(min(count, self.max_faces) if self.max_faces else count for count in grown)

    def _draw_options(self, context: bpy.types.Context) -> bpy.types.UILayout:
        """Draw the common options and what they lead to; returns a column for more of them."""
        grid = self.layout.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
        for name, label, _ in MESH_PARTS:
            grid.prop_enum(self, "parts", name, text=label)
        column = self.layout.column()
        column.use_property_split = True
        for name in ("resolution", "smoothing", "max_faces"):
            column.prop(self, name)
        column.label(text=self._outlook(context), icon="MESH_DATA", translate=False)
        return column

    def _outlook(self, context: bpy.types.Context) -> str:
        """What these options lead to, in words."""
        if portraits.active(context) is None:  # a file browser leaves the 3D view to the mouse
            return iface_("No portrait is selected")
        key = repr((_recipe(context), preferences.model_choice()))
        if _counted is None or _counted[0] != key:  # or another portrait's
            return iface_("Counting triangles …")
        if _counted[1] is None:
            return iface_("No estimate of triangles")
        count = self._expected(_counted[1])
        return iface_("About {} triangles").format(f"{float(f'{count:.2g}'):,.0f}")

    def _work(
        self, context: bpy.types.Context, *, textured: bool, max_faces: int | None
    ) -> Callable[[jobs.Job], Any]:
        """The half that meshes in a thread, with all that it reads from Blender read now."""
        if not self.parts:
            raise PortraitError("No part is chosen: choose at least one.")
        recipe, choice, parts = _recipe(context), preferences.model_choice(), set(self.parts)
        resolution, smoothing = self.resolution, self.smoothing

        def work(
            job: jobs.Job,
        ) -> tuple[dict[str, trimesh.Trimesh], Texture | None, float]:
            from ..core.meshing import extract_meshes
            from ..core.texturing import project_texture

            engine = runtime.engine(choice)
            latents = recipe.resolve(engine)
            there = [name for name in latents.visible_names if name in parts]
            if not there:
                raise PortraitError(
                    "None of these parts is there in this portrait: show them, or choose others."
                )
            extracted = extract_meshes(
                engine,
                latents,
                parts=there,
                resolution=resolution,
                smoothing=smoothing,
                max_faces=max_faces,
                progress=job.report,
            )
            if not extracted:
                raise PortraitError("These parts have no surface in this portrait: choose others.")
            texture = None
            if textured:
                texture = project_texture(
                    engine, latents, extracted, progress=lambda _: job.report(1.0)
                )
            return extracted, texture, engine.config.unit_metres

        return work


class SSGAN3D_OT_extract_meshes(MeshOptions, bpy.types.Operator):
    """Extract the active portrait's parts as mesh objects."""

    bl_idname = "ssgan3d.extract_meshes"
    bl_label = "Extract Part Meshes"
    bl_description = (
        "Make one mesh object for each part, in the portrait's colours, in its place and of life "
        "size. Extracting again replaces them"
    )
    bl_options = {"REGISTER"}  # the step to undo comes with the result: background.run_job

    layout_kind: EnumProperty(
        name="Objects",
        description="What becomes an object",
        items=(
            ("APART", "One a Part", "An object for each part"),
            ("JOINED", "One for All", "One object, with a vertex group for each part"),
        ),
        default="APART",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait, and objects can only be added in object mode."""
        return portraits.in_object_mode(cls, context) and portraits.needed(cls, context)

    @cancels_on_error
    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the options."""
        self._count(context)
        return context.window_manager.invoke_props_dialog(self, width=360)

    def cancel(self, _context: bpy.types.Context) -> None:
        """The dialog was closed."""
        _forget_dialog()

    def draw(self, context: bpy.types.Context) -> None:
        """The dialog."""
        global _dialog
        _dialog = context.region_popup
        column = self._draw_options(context)
        column.prop(self, "layout_kind")
        column.prop(self, "colours")

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Extract, then replace what an earlier call made."""
        _forget_dialog()
        handle = portraits.Handle.of(portraits.active(context))
        scene, parts = context.scene.session_uid, set(self.parts)
        limit, joined = self.max_faces or None, self.layout_kind == "JOINED"
        textured = self.colours == "TEXTURE"

        def finish(
            result: tuple[dict[str, trimesh.Trimesh], Texture | None, float],
        ) -> Generator[None, None, str]:
            from . import meshes

            extracted, texture, unit = result
            _scene(scene)  # raises before anything is removed
            meshes.remove(handle.get(), parts)
            material = meshes.material(handle.get(), texture)
            faces = 0
            for names in [tuple(extracted)] if joined else [(name,) for name in extracted]:
                yield
                item = meshes.add(
                    _scene(scene),
                    handle.get(),
                    {name: extracted[name] for name in names},
                    unit,
                    material=material,
                    max_faces=limit,
                    texture=texture,
                )
                faces += len(item.data.polygons)
            meshes.show_colors(textured=textured)
            said = rpt_("{0} parts, {1} triangles").format(len(extracted), f"{faces:,}")
            if meshes.are_seen(_scene(scene)):
                return said
            return rpt_("{0}. Solid or Material Preview shows them").format(said)

        work = self._work(context, textured=textured, max_faces=None)
        background.run_job(self, iface_("Extract Part Meshes"), work, finish)
        return {"FINISHED"}


class SSGAN3D_OT_export_meshes(MeshOptions, ExportHelper, bpy.types.Operator):
    """Write the active portrait's part meshes to a file."""

    bl_idname = "ssgan3d.export_meshes"
    bl_label = "Export Part Meshes"
    bl_description = (
        "Mesh this portrait's parts and write them to a GLB, OBJ, PLY or STL file, in metres, in "
        "the portrait's colours: one mesh a part in GLB, one mesh in the other formats. The scene "
        "stays as it is"
    )
    bl_options = {"REGISTER"}

    file_format: EnumProperty(
        name="Format",
        description="What kind of file",
        items=(
            (
                ".glb",
                "glTF Binary (.glb)",
                "Parts apart and named, with vertex colours or a texture inside of the file",
            ),
            (
                ".obj",
                "Wavefront (.obj)",
                "One mesh with vertex colours, or with a texture: a .mtl and a .png file beside it",
            ),
            (".ply", "Stanford (.ply)", "One mesh with vertex colours, never with a texture"),
            (".stl", "STL (.stl)", "One mesh without colours, for printing"),
        ),
        default=".glb",
    )
    if TYPE_CHECKING:
        filepath: str
    filter_glob: StringProperty(default="*.glb;*.obj;*.ply;*.stl", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait."""
        return portraits.needed(cls, context)

    @property
    def filename_ext(self) -> str:
        """The suffix that the file browser puts on the name."""
        return self.file_format

    @cancels_on_error
    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file, named after the portrait."""
        self._count(context)
        if not self.filepath:
            self.filepath = portraits.suggested_file(context, self.file_format)
        return ExportHelper.invoke(self, context, event)

    def draw(self, context: bpy.types.Context) -> None:
        """The file browser's side panel."""
        from ..core.mesh_files import TEXTURED

        self.layout.prop(self, "file_format")
        column = self._draw_options(context)
        choice = column.row()
        choice.enabled = self.file_format in TEXTURED
        choice.prop(self, "colours")
        if self.file_format == ".ply":
            column.label(text="PLY files hold vertex colours, no texture", icon="INFO")
        elif self.file_format == ".stl":
            column.label(text="STL files hold no colours", icon="INFO")

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Mesh and write."""
        from ..core.mesh_files import FORMATS, check_format, export_meshes, texture_lost

        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix.lower() not in FORMATS:
            path = path.with_name(path.name + self.file_format)
        lost = texture_lost(path) if self.colours == "TEXTURE" else None
        textured = self.colours == "TEXTURE" and lost is None
        check_format(path, textured=textured)  # before the work
        mesh = self._work(context, textured=textured, max_faces=self.max_faces or None)

        def work(job: jobs.Job) -> int:
            extracted, texture, unit = mesh(job)
            export_meshes(extracted, path, unit_metres=unit, texture=texture)
            return sum(len(part.faces) for part in extracted.values())

        def finish(faces: int) -> Generator[None, None, str]:
            yield
            said = rpt_("{0}: {1} triangles").format(path, f"{faces:,}")
            return said if lost is None else f"{said}. {lost}"

        background.run_job(self, iface_("Export Part Meshes"), work, finish)
        return {"FINISHED"}


def _forget_dialog() -> None:
    global _dialog
    _dialog = None


def _scene(session_uid: int) -> bpy.types.Scene:
    """The scene that meshes were asked for in, whatever it is called by now."""
    for candidate in bpy.data.scenes:
        if candidate.session_uid == session_uid:
            return candidate
    raise PortraitError("The scene was deleted in the meantime: extract the meshes in another.")


def _recipe(context: bpy.types.Context) -> PortraitRecipe:
    """The active portrait as it is at this frame."""
    portrait = portraits.chosen(context)
    return portraits.recipe(portrait.evaluated_get(context.evaluated_depsgraph_get()))


CLASSES = (SSGAN3D_OT_extract_meshes, SSGAN3D_OT_export_meshes)
