"""The buttons that install PyTorch and remove it again."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from . import areas, jobs, runtime, torch_install, torch_setup
from .messages import cancels_on_error

LABEL = "PyTorch:"


def _finish(packages: list[str]) -> None:
    torch_setup.attach()
    runtime.release()  # forgets that loading failed for want of PyTorch
    print(f"ssgan3d: installed {', '.join(packages)} in {torch_setup.folder()}")
    areas.redraw()


def _start(wheel_folder: Path | None) -> None:
    """Begin an install; it goes on while files are opened and closed."""
    jobs.start(
        LABEL, lambda job: torch_install.install(job, wheel_folder), _finish, ends_with_file=False
    )


def _can_change(cls: type[bpy.types.Operator]) -> bool:
    """For ``poll``: whether the folder may be replaced now; tells why not."""
    if any(job.label == LABEL for job in jobs.running()):
        cls.poll_message_set("PyTorch is being installed")
    elif (
        torch_setup.is_loaded()
        and (found := torch_setup.origin()) is not None
        and found.kind == "installed"
    ):
        cls.poll_message_set("PyTorch is in use: restart Blender first")
    else:
        return True
    return False


class SSGAN3D_OT_install_torch(bpy.types.Operator):
    """Download PyTorch into the extension's folder"""

    bl_idname = "ssgan3d.install_torch"
    bl_label = "Install PyTorch"
    bl_description = (
        "Download PyTorch (about 200 MB) from pytorch.org into this extension's own folder, so "
        "that portraits can be drawn. Blender's own packages stay as they are"
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only with leave to use the network."""
        if not bpy.app.online_access:
            cls.poll_message_set(
                "Switch on Preferences > System > Network > Allow Online Access, or install from "
                "a folder"
            )
            return False
        return _can_change(cls)

    @cancels_on_error
    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Start it."""
        _start(None)
        return {"FINISHED"}


class SSGAN3D_OT_install_torch_from_folder(bpy.types.Operator):
    """Install PyTorch from a folder of wheels"""

    bl_idname = "ssgan3d.install_torch_from_folder"
    bl_label = "Install from Folder"
    bl_description = (
        "Install PyTorch without a network, from a folder with the wheels of torch and of what it "
        "needs, so that portraits can be drawn"
    )

    directory: StringProperty(
        name="Folder", description="Where the wheels (.whl) lie", subtype="DIR_PATH"
    )
    filter_glob: StringProperty(default="*.whl", options={"HIDDEN"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """One install at a time."""
        return _can_change(cls)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @cancels_on_error
    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Start it."""
        place = Path(bpy.path.abspath(self.directory)).absolute()
        torch_install.wheels_of(place)  # the wrong folder is told at once
        _start(place)
        return {"FINISHED"}


class SSGAN3D_OT_remove_torch(bpy.types.Operator):
    """Remove the PyTorch that this extension installed"""

    bl_idname = "ssgan3d.remove_torch"
    bl_label = "Remove"
    bl_description = (
        "Delete the PyTorch that this extension installed; portraits cannot be drawn without one"
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Not while it is in use."""
        return _can_change(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: it cannot be undone."""
        return context.window_manager.invoke_confirm(self, event)

    @cancels_on_error
    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Delete the folder."""
        torch_install.remove()
        torch_setup.detach()
        return {"FINISHED"}


CLASSES = (
    SSGAN3D_OT_install_torch,
    SSGAN3D_OT_install_torch_from_folder,
    SSGAN3D_OT_remove_torch,
)
