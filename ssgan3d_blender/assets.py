"""Portraits as assets: in Blender's asset browser with their own picture."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..core.errors import PortraitError
from . import background, jobs, portraits, preferences, runtime, snapshot
from .messages import cancels_on_error

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 256  # pixels of an asset's preview


class SSGAN3D_OT_mark_asset(bpy.types.Operator):
    """Make an asset of the active portrait, or give its asset a new picture."""

    bl_idname = "ssgan3d.mark_asset"
    bl_label = "Mark as Portrait Asset"
    bl_description = (
        "Show this portrait in the asset browser, with its picture. Marking it again brings the "
        "picture up to date. Save the file in an asset library to drag the person into any scene"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait of this file."""
        return portraits.editable(cls, context)

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Mark it; the picture follows when it is rendered."""
        portrait = portraits.active(context)
        if portrait.override_library is not None:
            raise PortraitError(
                "An override of another file's portrait can be no asset: mark it there."
            )
        look = snapshot.take(portrait.ssgan3d)
        snapshot.check(look)
        choice, handle = preferences.model_choice(), portraits.Handle.of(portrait)

        def work(_job: jobs.Job) -> Tensor:
            from ..core.camera import Camera
            from ..core.compositing import display_picture
            from ..core.recipe import PortraitRecipe

            engine = runtime.engine(choice)
            latents = PortraitRecipe.from_dict(look).resolve(engine)
            rendering = engine.render(latents, Camera.orbit(0.0), size=(SIDE, SIDE))
            return display_picture(rendering, transparent=True)

        portrait.asset_mark()

        def finish(picture: Tensor) -> Generator[None, None, str]:
            found = handle.get()
            if found.asset_data is None:
                raise PortraitError("It is no asset any more: mark it again.")
            _show(found, picture)
            yield
            return found.name

        background.run_job(self, iface_("Picture of the Asset"), work, finish)
        return {"FINISHED"}


def _show(portrait: bpy.types.Object, picture: Tensor) -> None:
    """Make a picture (SIDE, SIDE, 4), straight alpha, the preview of an asset."""
    from .images import flat

    preview = portrait.preview_ensure()
    preview.image_size = (SIDE, SIDE)
    preview.image_pixels_float.foreach_set(flat(picture))


CLASSES = (SSGAN3D_OT_mark_asset,)
