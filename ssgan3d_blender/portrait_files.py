"""Portraits as small files: File > Export, File > Import, and dropping one into the 3D view.

A ``.ssgan3d`` file is JSON: the seeds and weights of one portrait, and the hash of the model that
they mean this person to. Nothing in it is run, and it is read without the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import CollectionProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, poll_file_object_drop

from ..core.errors import PortraitError
from ..core.files import write_bytes
from . import portraits, preferences, snapshot
from .messages import cancels_on_error

SUFFIX = ".ssgan3d"
FORMAT = "ssgan3d-recipe"
VERSION = 1
SPACING = 0.5  # metres between portraits that come in together
_MAX_BYTES = 1 << 20


def write(portrait: bpy.types.Object, path: Path) -> None:
    """Write a portrait's look to a file, at once or not at all.

    Raises:
        PortraitError: a value of the portrait is not a number, or the model file is missing.
        OSError: the file cannot be written.
    """
    look = snapshot.take(portrait.ssgan3d)
    snapshot.check(look)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "model": preferences.model_card().sha256,
        "name": portrait.name,
        "portrait": look,
    }
    write_bytes(path, (json.dumps(document, indent=1) + "\n").encode())


def read(path: Path) -> dict[str, Any]:
    """What :func:`write` wrote, checked: "name", "model" and "portrait".

    Raises:
        PortraitError: one sentence on what is wrong with which file.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PortraitError("{0} is too large for a portrait: choose another file.", path.name)
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise PortraitError(
            "The portrait {0} cannot be read ({1}).", path, error.strerror or error
        ) from error
    except (ValueError, RecursionError) as error:
        raise PortraitError(
            "{0} is not a portrait, or is damaged: {1}.", path.name, error
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PortraitError(
            "{0} is not a portrait: choose a file that was exported here.", path.name
        )
    if document.get("version") != VERSION:
        raise PortraitError(
            "{0} has version {1!r} of the format, and this extension reads version "
            "{2}: get a newer one.",
            path.name,
            document.get("version"),
            VERSION,
        )
    try:
        snapshot.check(document.get("portrait"))
    except PortraitError as error:
        raise PortraitError("{0} is damaged: {1}", path.name, error) from error
    return {
        "name": _checked_name(document.get("name"), path)
        or path.stem.encode(errors="replace").decode(),
        "model": document.get("model"),
        "portrait": document["portrait"],
    }


def _checked_name(name: object, path: Path) -> str:
    """A portrait's name in a file; empty if there is none.

    Raises:
        PortraitError: it is no text that Blender can hold.
    """
    if name is None:
        return ""
    if not isinstance(name, str) or "\0" in name or name.encode(errors="ignore").decode() != name:
        raise PortraitError(
            "{0} is damaged: its portrait is called {1:.60}, which is no valid text. "
            'Correct "name" in the file.',
            path.name,
            ascii(name),
        )
    return name


class SSGAN3D_OT_export_portrait(ExportHelper, bpy.types.Operator):
    """Write the active portrait to a file."""

    bl_idname = "ssgan3d.export_portrait"
    bl_label = "Export Portrait"
    bl_description = (
        "Write this portrait's seeds and weights to a small file, to import into another scene or "
        "give to somebody else. Animation stays here"
    )

    if TYPE_CHECKING:
        filepath: str
    filename_ext = SUFFIX
    filter_glob: StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait."""
        return portraits.needed(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file, named after the portrait."""
        if not self.filepath:
            self.filepath = portraits.suggested_file(context, SUFFIX)
        return ExportHelper.invoke(self, context, event)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it."""
        path = Path(bpy.path.ensure_ext(bpy.path.abspath(self.filepath), SUFFIX))
        write(portraits.chosen(context), path)
        self.report({"INFO"}, rpt_("Wrote {0}").format(path.name))
        return {"FINISHED"}


class SSGAN3D_OT_import_portrait(bpy.types.Operator):
    """Add the portraits that files describe."""

    bl_idname = "ssgan3d.import_portrait"
    bl_label = "Import Portrait"
    bl_description = "Add the person that a portrait file describes at the 3D cursor"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )
    filter_glob: StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Objects are added in object mode, into a collection that can be changed."""
        return portraits.addable(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Take the files that were dropped, or ask for them."""
        if self.filepath or len(self.files):
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read all files first, so that a broken one leaves the scene as it is."""
        folder = Path(bpy.path.abspath(self.directory))
        paths = [folder / file.name for file in self.files if file.name]
        if not paths and self.filepath:
            paths = [Path(bpy.path.abspath(self.filepath))]
        if not paths:
            raise PortraitError("No file is chosen: choose one that ends in {0}.", SUFFIX)
        documents = [read(path) for path in paths]
        for number, document in enumerate(documents):
            portrait = portraits.create(context, document["name"])
            portrait.location.x += number * SPACING
            snapshot.put(portrait.ssgan3d, document["portrait"])
        limit = bpy.types.ID.bl_rna.properties["name"].length_max  # bytes, with the zero at the end
        for name in [doc["name"] for doc in documents if len(doc["name"].encode()) >= limit]:
            self.report(
                {"WARNING"},
                rpt_("The name {0:.30}… is too long for Blender: shortened").format(name),
            )
        strangers = [doc["name"] for doc in documents if doc["model"] != _model_in_use()]
        if strangers:
            self.report(
                {"WARNING"},
                rpt_("{0}: made with another model, and looks different with this").format(
                    ", ".join(strangers)
                ),
            )
        return {"FINISHED"}


def _model_in_use() -> str | None:
    """Hash of the model; None if its file is not there, which a render will say."""
    try:
        return preferences.model_card().sha256
    except PortraitError:
        return None


class SSGAN3D_FH_portrait(bpy.types.FileHandler):
    """What happens to a portrait file that is dropped into a window."""

    bl_idname = "SSGAN3D_FH_portrait"
    bl_label = "Portrait"
    bl_import_operator = "ssgan3d.import_portrait"
    bl_file_extensions = SUFFIX

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Where objects can be dropped."""
        return poll_file_object_drop(context)


def _entry() -> str:
    return iface_("Portrait ({})").format(SUFFIX)


def draw_import(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Entry of File > Import."""
    self.layout.operator("ssgan3d.import_portrait", text=_entry(), icon="USER", translate=False)


def draw_export(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Entry of File > Export."""
    self.layout.operator("ssgan3d.export_portrait", text=_entry(), icon="USER", translate=False)


def attach() -> None:
    """Add the entries to File > Import and File > Export."""
    bpy.types.TOPBAR_MT_file_import.append(draw_import)
    bpy.types.TOPBAR_MT_file_export.append(draw_export)


def detach() -> None:
    """Undo :func:`attach`."""
    bpy.types.TOPBAR_MT_file_export.remove(draw_export)
    bpy.types.TOPBAR_MT_file_import.remove(draw_import)


CLASSES = (SSGAN3D_OT_export_portrait, SSGAN3D_OT_import_portrait, SSGAN3D_FH_portrait)
