"""A portrait's look as plain values: what history, presets, files and copies of parts hold.

The values have the layout of ``core.latents.PortraitRecipe.to_dict`` with all defaults left out.
They are made and read here without core.latents, because that room needs torch, and an artist's
clicks must not wait for it.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

from ..core.errors import PortraitError
from ..core.parts import PART_NAMES

if TYPE_CHECKING:
    from .properties import SSGAN3D_PG_part, SSGAN3D_PG_portrait

SEEDS = ("shape_seed", "texture_seed", "mix_seed")
MIXES = ("shape_mix", "texture_mix")
_VISIBLE = {"SHOW": True, "HIDE": False}


def take_part(part: SSGAN3D_PG_part) -> dict[str, Any]:
    """What is set on one part; empty if it is as the portrait's seed has it."""
    values: dict[str, Any] = {}
    if part.visibility in _VISIBLE:
        values["visible"] = _VISIBLE[part.visibility]
    for name in (*SEEDS, *MIXES):
        if getattr(part, name) != _default(part, name):
            values[name] = _short(getattr(part, name))
    return values


def put_part(part: SSGAN3D_PG_part, values: dict[str, Any]) -> None:
    """Make one part look as ``values`` say; what they leave out goes back to its default."""
    visible = values.get("visible")
    part.visibility = {True: "SHOW", False: "HIDE", None: "AUTO"}[visible]
    for name in (*SEEDS, *MIXES):
        value = values.get(name)
        setattr(part, name, _default(part, name) if value is None else value)


def take(settings: SSGAN3D_PG_portrait) -> dict[str, Any]:
    """The look of a portrait. What is for working on it (lock, solo) is left out."""
    parts = {part.name: take_part(part) for part in settings.parts if part.name in PART_NAMES}
    return {
        "seed": settings.seed,
        "truncation": _short(settings.truncation),
        "parts": {name: values for name, values in parts.items() if values},
    }


def put(settings: SSGAN3D_PG_portrait, values: dict[str, Any]) -> None:
    """Give a portrait the look that ``values`` describe.

    Raises:
        PortraitError: a value is missing, unknown, of the wrong kind or out of its range; nothing
            was changed.
    """
    from .properties import fill_parts

    check(values)
    fill_parts(settings)
    settings.seed = values["seed"]
    default = settings.bl_rna.properties["truncation"].default
    settings.truncation = values.get("truncation", default)
    for part in settings.parts:
        if part.name in PART_NAMES:
            put_part(part, values.get("parts", {}).get(part.name, {}))


def as_text(settings: SSGAN3D_PG_portrait) -> str:
    """:func:`take` as one line of JSON."""
    return json.dumps(take(settings), separators=(",", ":"))


def put_text(settings: SSGAN3D_PG_portrait, text: str) -> None:
    """Inverse of :func:`as_text`.

    Raises:
        PortraitError: it is no description of a portrait; nothing was changed.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PortraitError("This is no description of a portrait: {0}.", error) from error
    put(settings, values)


def check(values: Any) -> None:
    """Raise PortraitError unless ``values`` describe a portrait that this version can show."""
    from .properties import MAX_SEED

    def seed(label: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEED:
            raise PortraitError(
                "{0} must be a whole number up to {1}, not {2!r}.", label, MAX_SEED, value
            )

    def unit(label: str, value: Any) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            raise PortraitError("{0} must be a number from 0 to 1, not {1!r}.", label, value)

    if not isinstance(values, dict) or set(values) - {"seed", "truncation", "parts"}:
        raise PortraitError("A portrait is described by seed, truncation and parts.")
    seed("The seed", values.get("seed"))
    unit("The truncation", values.get("truncation", 0.0))
    if not isinstance(values.get("parts", {}), dict):
        raise PortraitError("The parts of a portrait must have names.")
    for name, part in values.get("parts", {}).items():
        if name not in PART_NAMES:
            raise PortraitError("There is no part {0!r}: it was made with another version.", name)
        unknown = not isinstance(part, dict) or set(part) - {"visible", *SEEDS, *MIXES}
        if unknown or not (part.get("visible") is None or isinstance(part["visible"], bool)):
            raise PortraitError(
                "The part {0!r} is described in a way that is not understood.", name
            )
        for key in SEEDS:
            if part.get(key) is not None:
                seed(f"The {key} of {name}", part[key])
        for key in MIXES:
            if part.get(key) is not None:
                unit(f"The {key} of {name}", part[key])


def _default(part: SSGAN3D_PG_part, name: str) -> Any:
    return part.bl_rna.properties[name].default


def _short(value: float) -> float:
    """The shortest number that Blender stores as the same: its 0.699999988 is an artist's 0.7."""
    if isinstance(value, int) or not math.isfinite(value):
        return value
    stored = struct.pack("f", value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return next(short for short in candidates if struct.pack("f", short) == stored)
