"""What of a datablock is animated, and by which curves."""

from __future__ import annotations

import bpy


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
