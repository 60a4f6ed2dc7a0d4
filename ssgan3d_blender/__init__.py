"""The Blender side: a portrait as an object, its panel, operators, render engine and commands.

The rooms, from the outside in:

* ``panel``, ``operators``, ``part_operators``, ``wishes``, ``transplant``, ``history``,
  ``mesh_operators``, ``image_operators``, ``card_operators``, ``camera_paths``,
  ``range_overlay``, ``render_engine``, ``cli``, ``preferences``: what Blender calls.
* ``portraits``: finding, making and reading portrait objects. ``properties``: what they store.
  ``snapshot``: the same as plain values. ``bust``: the lines that stand for one. ``bust_place``:
  keeping them where the picture is.
* ``cards``: finding a portrait's planes in Cycles scenes, and what they store. ``card_plane``: what
  they are made of. ``card_picture``: what they show. ``card_updates``: following what changes.
* ``camera_bridge``, ``images``, ``meshes``: the three bridges between Blender's data and core's.
  ``passes``: a frame's passes as a file.
* ``scene_picture``: a scene's picture from plain values. ``viewport`` and ``painter``: the rendered
  3D view, and the thread that paints for it.
* ``runtime``: the one place that loads the model. ``shared_engine``: turns for those who use it.
  ``torch_setup``: where PyTorch comes from. ``torch_install``: getting it. ``jobs``,
  ``background``, ``notices``: long work off the main thread, and what it tells. ``model_wait``:
  buttons that need the model at once. ``window_timers``: what wakes waiting operators.

Everything numeric is core's. Rooms that need numpy or torch are imported by the function that uses
them, so that enabling the extension takes milliseconds.
"""

from __future__ import annotations

import bpy

from . import (
    assets,
    bust_place,
    camera_paths,
    card_operators,
    card_picture,
    card_updates,
    cards,
    cli,
    history,
    image_operators,
    jobs,
    keymap,
    manual,
    measurement,
    mesh_operators,
    notices,
    operators,
    panel,
    part_operators,
    passes,
    portrait_files,
    portrait_presets,
    preferences,
    properties,
    range_overlay,
    render_engine,
    runtime,
    suggestions,
    torch_operators,
    torch_setup,
    translations,
    transplant,
    window_timers,
    wishes,
)

MODULES = (
    properties,
    preferences,
    torch_operators,
    measurement,
    notices,
    jobs,
    operators,
    history,
    part_operators,
    wishes,
    portrait_presets,
    assets,
    portrait_files,
    mesh_operators,
    image_operators,
    camera_paths,
    render_engine,
    panel,
    suggestions,
    transplant,
    range_overlay,
    cards,
    card_operators,
    keymap,
)

ROOMS = (
    *(runtime, torch_setup, *MODULES),
    *(bust_place, card_picture, card_updates, cli, manual, passes, translations, window_timers),
)
"""All that hang something on Blender (``attach``) or hold something (``detach``), in this order."""


def register() -> None:
    """Make the extension's classes, properties, menus, engine and command known to Blender."""
    for module in MODULES:
        for cls in module.CLASSES:
            bpy.utils.register_class(cls)
    for room in ROOMS:
        if hasattr(room, "attach"):
            room.attach()


def unregister() -> None:
    """Take everything back that :func:`register` made known, and free the model's memory."""
    for room in reversed(ROOMS):
        if hasattr(room, "detach"):
            room.detach()
    for module in reversed(MODULES):
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)
