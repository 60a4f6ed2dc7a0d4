"""Online Manual, on anything of ours: leads to a page that says what it is."""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.blender.helpers import Addon


@pytest.fixture
def look_up(bpy: Any) -> Any:
    """What Blender's own Online Manual opens for something."""
    from bl_operators.wm import WM_OT_doc_view_manual, _wm_doc_get_id

    return lambda item: WM_OT_doc_view_manual._lookup_rna_url(
        _wm_doc_get_id(item, do_url=False), verbose=False
    )


def test_every_operator_and_setting_has_a_place_in_the_reference(
    addon: Addon, look_up: Any
) -> None:
    from pathlib import Path

    manual, modules = addon("ssgan3d_blender.manual"), addon("ssgan3d_blender").MODULES
    import bpy

    classes = [cls for module in modules for cls in module.CLASSES]
    items = [cls.bl_idname for cls in classes if issubclass(cls, bpy.types.Operator)]
    kinds: tuple[type, ...] = (bpy.types.PropertyGroup, bpy.types.AddonPreferences)
    if bpy.app.version < (5, 0):  # it does not find preferences of add-ons, whoever asks
        kinds = kinds[:1]
    for cls in classes:
        if issubclass(cls, kinds):
            items += [f"{cls.__name__}.{item.identifier}" for item in manual._settings(cls)]
    assert {"ssgan3d.randomise", "SSGAN3D_PG_part.shape_mix"} <= set(items)
    assert ("SSGAN3D_AP_preferences.device" in items) == (bpy.app.version >= (5, 0))
    items += ["Scene.ssgan3d_show_range", "Scene.ssgan3d_source"]
    page = ""
    for item in (*items, "Object.ssgan3d"):
        url = look_up(item)
        assert url and url.startswith("file:"), item
        path, anchor = unquote(urlsplit(url).path), urlsplit(url).fragment
        page = page or Path(path).read_text(encoding="utf-8")
        assert re.search(f'id="?{re.escape(anchor)}[" >]', page), (item, anchor)
    assert "Gives this part the shape it has in the portrait of that seed" in page
    assert "0 … 1" in page, "the ranges of the sliders"
    # settings that two operators share, and such as Blender's own types have from us
    for item in (
        "bpy.ops.ssgan3d.extract_meshes.smoothing",
        "bpy.ops.ssgan3d.export_meshes.max_faces",
        "bpy.types.scene.ssgan3d_show_range",
    ):
        assert f'id="{item}"' in page, item
    assert urlsplit(look_up("Scene.ssgan3d_source")).fragment == "bpy.types.scene.ssgan3d_source"


def test_blenders_own_settings_still_lead_to_blenders_manual(look_up: Any) -> None:
    assert "docs.blender.org" in look_up("Object.location")
