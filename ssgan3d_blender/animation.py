"""What of a datablock is animated, by which curves, and a warning to whoever changes it by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_

from . import properties


def animated_paths(owner: bpy.types.ID) -> set[str]:
    """The paths of a datablock's own properties that keyframes, NLA strips or drivers set."""
    data = owner.animation_data
    if data is None:
        return set()
    strips = (strip for track in data.nla_tracks if not track.mute for strip in track.strips)
    actions = [(strip.action, strip.action_slot) for strip in strips if not strip.mute]
    actions.append((data.action, data.action_slot))
    found = list(data.drivers)
    for action, slot in actions:
        if action is not None and slot is not None:
            found += curves(action, slot)
    return {curve.data_path for curve in found if not curve.mute}


def curves(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> list[bpy.types.FCurve]:
    """The F-curves of an action that animate the user of a slot."""
    strips = (strip for layer in action.layers for strip in layer.strips)
    bags = (strip.channelbag(slot) for strip in strips)
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


@contextmanager
def warned(operator: bpy.types.Operator, portrait: bpy.types.Object) -> Iterator[None]:
    """Change a portrait's look inside this block.

    The operator warns of what was changed but is animated, because the next frame undoes it.
    """
    before = _animated_values(portrait)
    yield
    after = _animated_values(portrait)
    changed = {_label(portrait, path) for path in before if before[path] != after[path]}
    if changed:
        operator.report(
            {"WARNING"},
            rpt_(
                "Animated, so the next frame undoes the change: {0}. Insert keyframes here "
                "to keep it, or delete the animation"
            ).format(", ".join(sorted(changed))),
        )


def _animated_values(portrait: bpy.types.Object) -> dict[str, Any]:
    """What of a portrait's look is animated: data path → present value."""
    values = {}
    for path in animated_paths(portrait):
        if path.startswith("ssgan3d."):
            try:
                values[path] = portrait.path_resolve(path)
            except ValueError:  # of a part that is gone
                continue
    return values


def _label(portrait: bpy.types.Object, path: str) -> str:
    """What a person calls an animated setting of a portrait: "Seed", "Shape Seed of Hair"."""
    owner, _, name = path.rpartition(".")
    group = portrait.path_resolve(owner)
    setting = iface_(group.bl_rna.properties[name].name)
    is_part = isinstance(group, properties.SSGAN3D_PG_part)
    if not is_part:
        return setting
    return rpt_("{0} of {1}").format(setting, properties.part_label(group.name))
