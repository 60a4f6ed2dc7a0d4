"""The pie menu and its key."""

from typing import Any

import pytest

from tests.blender.helpers import Addon


@pytest.fixture
def keymap(bpy: Any, addon: Addon, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The room, as if there were a window."""
    module = addon("ssgan3d_blender.keymap")
    monkeypatch.setattr(module, "_has_keys", lambda: True)
    return module


def bound(bpy: Any) -> list[Any]:
    return [
        item
        for keys in bpy.context.window_manager.keyconfigs.addon.keymaps
        for item in keys.keymap_items
        if getattr(item.properties, "name", "") == "SSGAN3D_MT_pie"
    ]


def test_the_key_opens_the_pie_and_is_taken_back(bpy: Any, keymap: Any) -> None:
    assert not bound(bpy), "there are no keys without a window"
    for _ in range(3):
        keymap.attach()
        (item,) = bound(bpy)
        assert (item.idname, item.type, item.shift, item.alt) == ("wm.call_menu_pie", "P", 1, 1)
        keymap.detach()
        assert not bound(bpy)


def test_nothing_of_blenders_own_is_on_the_key(bpy: Any, keymap: Any) -> None:
    clashes = [
        (keys.name, item.idname)
        for keys in bpy.context.window_manager.keyconfigs.default.keymaps
        if keys.name in {"Window", "Screen", "3D View", "3D View Generic", "Object Mode", "Frames"}
        for item in keys.keymap_items
        if item.type == "P" and item.shift and item.alt and not item.ctrl
    ]
    assert not clashes


def test_all_that_the_pie_offers_can_be_done(bpy: Any, keymap: Any, portrait: Any) -> None:
    asked: list[tuple[str, Any]] = []

    class Pie:
        def menu_pie(self) -> "Pie":
            return self

        def operator(self, name: str, **_looks: Any) -> Any:
            group, _, operator = name.partition(".")
            call = getattr(getattr(bpy.ops, group), operator)
            settings = type("Settings", (), {})()
            asked.append((name, settings))
            call.get_rna_type()  # raises when there is no such operator
            return settings

    class Shown:
        layout = Pie()

    keymap.SSGAN3D_MT_pie.draw(Shown(), bpy.context)
    assert len(asked) == 8, "a pie has eight slices"
    for name, settings in asked:
        group, _, operator = name.partition(".")
        rna = getattr(getattr(bpy.ops, group), operator).get_rna_type()
        for setting, value in vars(settings).items():
            item = rna.properties[setting]
            assert item.type != "ENUM" or value in item.enum_items.keys(), (name, setting)
    bpy.context.view_layer.objects.active = None
    assert not keymap.SSGAN3D_MT_pie.poll(bpy.context)
