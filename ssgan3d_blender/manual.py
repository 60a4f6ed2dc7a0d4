"""Right-click > Online Manual on anything of ours: a reference page, written on this machine.

The page is made from what Blender knows about our operators and settings, in the language of the
interface, so it is there without a network and never disagrees with the version that is installed.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_tip as tip_

from .torch_setup import PACKAGE

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#222}"
    "h3{margin:1.6em 0 0}dt{margin-top:.5em;font-weight:bold}dd{margin-left:1.5em}"
    "small{color:#666}:target{background:#fff3bf}"
)
_SECTIONS = (
    ("Operators", (bpy.types.Operator,)),
    ("Settings", (bpy.types.PropertyGroup, bpy.types.AddonPreferences)),
)
_OWNERS = ("Object", "Scene", "ViewLayer", "WindowManager")
_written: set[Path] = set()


def _ours(kinds: tuple[type, ...]) -> Iterator[type[bpy.types.bpy_struct]]:
    """The classes of these kinds that the extension registers."""
    for module in sys.modules[__package__].MODULES:
        yield from (cls for cls in module.CLASSES if issubclass(cls, kinds))


def _rna_id(cls: type[bpy.types.bpy_struct]) -> str:
    """How a class is called where manuals are looked up; in small letters, as Blender asks."""
    if issubclass(cls, bpy.types.Operator):
        return f"bpy.ops.{cls.bl_idname}"
    return f"bpy.types.{cls.__name__.lower()}"


def rna_of(cls: type[bpy.types.bpy_struct]) -> bpy.types.Struct:
    """What Blender knows about a class; of an operator's own settings, too."""
    if issubclass(cls, bpy.types.Operator):
        group, _, name = cls.bl_idname.partition(".")
        return getattr(getattr(bpy.ops, group), name).get_rna_type()
    return cls.bl_rna


def _settings(cls: type[bpy.types.bpy_struct]) -> Iterator[bpy.types.Property]:
    """A class's properties, without those that Blender gives to all of its kind."""
    package = __package__ or ""
    own = {
        name
        for base in cls.__mro__
        if base.__module__.startswith(package)
        for name in vars(base).get("__annotations__", {})
    }
    for name, setting in rna_of(cls).properties.items():
        if name in own and not setting.is_hidden:
            yield setting


def _added() -> Iterator[tuple[str, bpy.types.Property]]:
    """Settings that we gave to Blender's own types, and where manuals look them up."""
    for owner in _OWNERS:
        for name, setting in getattr(bpy.types, owner).bl_rna.properties.items():
            if name.startswith("ssgan3d") and setting.description and not setting.is_hidden:
                yield f"bpy.types.{owner.lower()}.{name}", setting


def mapping() -> tuple[str, tuple[tuple[str, str], ...]]:
    """The page's address, and what of it belongs to which operator or setting.

    Raises:
        OSError: the extension's folder cannot be written; Blender says so and asks other manuals.
    """
    anchors = []
    for _, kinds in _SECTIONS:
        for cls in _ours(kinds):
            name = _rna_id(cls)
            anchors += [
                (f"{name}.{item.identifier}", f"{name}.{item.identifier}")
                for item in _settings(cls)
            ]
            anchors.append((f"{name}*", name))
    anchors += [(name, name) for name, _ in _added()]
    for owner in _OWNERS:
        anchors.append((f"bpy.types.{owner.lower()}.ssgan3d*", "settings"))
    return _page().as_uri(), tuple((pattern, f"#{anchor}") for pattern, anchor in anchors)


def _page() -> Path:
    """The page in the interface's language; written once a session."""
    from ..core.files import write_bytes

    folder = Path(bpy.utils.extension_path_user(PACKAGE, path="manual", create=True))
    path = folder / f"reference-{bpy.app.translations.locale or 'en_US'}.html"
    if path not in _written:
        write_bytes(path, "".join(_html()).encode())
        _written.add(path)
    return path


def _html() -> Iterator[str]:
    title = iface_("3D-SSGAN Portraits")
    yield f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    yield f"<h1>{title}</h1>"
    for section, kinds in _SECTIONS:
        yield f"<h2 id={section.lower()}>{html.escape(iface_(section))}</h2>"
        for cls in _ours(kinds):
            rna, name = rna_of(cls), _rna_id(cls)
            context = "Operator" if issubclass(cls, bpy.types.Operator) else "*"
            label = html.escape(iface_(rna.name, context))
            text = html.escape(tip_(rna.description).rstrip("."))
            yield f'<h3 id="{name}">{label}</h3><p>{text}.</p><dl>'
            for item in _settings(cls):
                yield from _entry(f"{name}.{item.identifier}", item)
            yield "</dl>"
    yield "<dl>"
    for name, item in _added():
        yield from _entry(name, item)
    yield "</dl>"


def _entry(anchor: str, item: bpy.types.Property) -> Iterator[str]:
    """One setting with its range and what it does."""
    yield f'<dt id="{anchor}">{html.escape(iface_(item.name))}'
    yield f" <small>{item.identifier}{_range(item)}</small></dt>"
    yield f"<dd>{html.escape(tip_(item.description))}{_choices(item)}</dd>"


def _range(item: bpy.types.Property) -> str:
    """Default and range of a number."""
    if item.type not in {"INT", "FLOAT"} or getattr(item, "is_array", False):
        return ""
    low, high = item.hard_min, item.hard_max
    limits = f", {low:g} … {high:g}" if max(abs(low), abs(high)) < 2**31 - 1 else ""
    return f"{limits}, {html.escape(iface_('Default'))} {item.default:g}"


def _choices(item: bpy.types.Property) -> str:
    """What can be chosen, with what each means."""
    if item.type != "ENUM":
        return ""
    rows = "".join(
        f"<li><b>{html.escape(iface_(choice.name))}</b>: "
        f"{html.escape(tip_(choice.description))}</li>"
        for choice in item.enum_items_static
        if choice.identifier
    )
    return f"<ul>{rows}</ul>"


def attach() -> None:
    """Let Blender ask us when somebody wants the manual of a button."""
    bpy.utils.register_manual_map(mapping)


def detach() -> None:
    """Undo :func:`attach`."""
    bpy.utils.unregister_manual_map(mapping)
    _written.clear()
