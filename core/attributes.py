"""What people are like, in words: the attributes by which portraits and parts can be asked for.

The renders that a model learns from are made with every label, so a model file can say what the
people whom it mixes are like (``python -m training traits`` writes it into the file's facts). A
part of a portrait has the attributes of the person whom most of its codes are from.

No PyTorch here: an interface offers the words before a model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import PortraitError

FACTS = "attributes"
"""Under which a model file's facts say it: by attribute its ``values`` and, of each of the
``people``, the index of theirs, or ``UNKNOWN``."""
UNKNOWN = -1
"""Of somebody who has no such thing: the metal of no earrings."""


@dataclass(frozen=True)
class Attribute:
    """One thing that can be asked for.

    Attributes:
        name: identifier used in files, properties and code.
        label: what a person reads.
        part: whose it is; what is the whole person's is the skin's, which the face is one with.
        values: identifier and label of what it can be.
        is_personal: whether it is the whole person's.
    """

    name: str
    label: str
    part: str
    values: tuple[tuple[str, str], ...]
    is_personal: bool = False

    def label_of(self, value: str) -> str:
        """What a person reads for one value.

        Raises:
            KeyError: it has no such value.
        """
        return dict(self.values)[value]


ATTRIBUTES = (
    Attribute("sex", "Sex", "skin", (("female", "Female"), ("male", "Male")), is_personal=True),
    Attribute(
        "age",
        "Age",
        "skin",
        (
            ("child", "Up to 17"),
            ("young", "18 to 35"),
            ("middle", "36 to 55"),
            ("old", "From 56"),
        ),
        is_personal=True,
    ),
    Attribute(
        "tone",
        "Skin Tone",
        "skin",
        (("light", "Light Skin"), ("medium", "Medium Skin"), ("dark", "Dark Skin")),
        is_personal=True,
    ),
    Attribute(
        "beard",
        "Beard",
        "skin",
        (
            ("none", "No Beard"),
            ("stubble", "Stubble"),
            ("short", "Short Beard"),
            ("full", "Full Beard"),
            ("goatee", "Goatee"),
            ("moustache", "Moustache"),
        ),
    ),
    Attribute(
        "iris",
        "Iris",
        "eyes",
        (
            ("dark", "Dark"),
            ("brown", "Brown"),
            ("hazel", "Hazel"),
            ("green", "Green"),
            ("blue", "Blue"),
            ("grey", "Grey"),
        ),
    ),
    Attribute(
        "expression",
        "Expression",
        "mouth",
        (
            ("neutral", "Neutral"),
            ("smile", "Smile"),
            ("broad smile", "Broad Smile"),
            ("open", "Open Mouth"),
            ("frown", "Frown"),
            ("pressed", "Pressed Lips"),
            ("pucker", "Puckered Lips"),
        ),
    ),
    Attribute(
        "hair_style",
        "Hair Style",
        "hair",
        (
            ("long", "Long Hair"),
            ("bob", "Bob"),
            ("pony", "Ponytail"),
            ("short", "Short Hair"),
            ("swept", "Swept Back"),
            ("fringe", "Fringe"),
            ("afro", "Afro"),
            ("crop", "Cropped Hair"),
            ("buzz", "Buzz Cut"),
            ("bald", "Fringe of a Bald Head"),
        ),
    ),
    Attribute(
        "hair_color",
        "Hair Color",
        "hair",
        (
            ("black", "Black"),
            ("dark brown", "Dark Brown"),
            ("brown", "Brown"),
            ("light brown", "Light Brown"),
            ("blond", "Blond"),
            ("platinum", "Platinum"),
            ("ginger", "Ginger"),
            ("auburn", "Auburn"),
            ("grey", "Grey"),
        ),
    ),
    Attribute(
        "collar",
        "Collar",
        "clothes",
        (
            ("crew", "Crew Neck"),
            ("v", "V-Neck"),
            ("turtle", "Turtleneck"),
            ("wide", "Wide Neck"),
            ("shirt", "Shirt Collar"),
        ),
    ),
    Attribute(
        "pattern",
        "Pattern",
        "clothes",
        (
            ("plain", "Plain"),
            ("stripe", "Stripes"),
            ("pinstripe", "Pinstripes"),
            ("check", "Checks"),
            ("dots", "Dots"),
            ("blotch", "Blotches"),
            ("yoke", "Yoke"),
            ("heather", "Heather"),
        ),
    ),
    Attribute(
        "layer",
        "Worn Over It",
        "clothes",
        (("none", "Nothing"), ("jacket", "Jacket"), ("hood", "Hood"), ("scarf", "Scarf")),
    ),
    Attribute("frame", "Rim Shape", "glasses", (("round", "Round"), ("square", "Angular"))),
    Attribute(
        "frame_color",
        "Rim Color",
        "glasses",
        (
            ("black", "Black"),
            ("tortoise", "Tortoiseshell"),
            ("steel", "Steel"),
            ("gold", "Gold"),
            ("navy", "Navy"),
            ("burgundy", "Burgundy"),
        ),
    ),
    Attribute("metal", "Earring Metal", "earrings", (("gold", "Gold"), ("silver", "Silver"))),
)
BY_NAME: Mapping[str, Attribute] = {attribute.name: attribute for attribute in ATTRIBUTES}


def of_part(part: str) -> tuple[Attribute, ...]:
    """What a part can be asked for by; without what is the whole person's."""
    return tuple(a for a in ATTRIBUTES if a.part == part and not a.is_personal)


def check(wanted: Mapping[str, str]) -> None:
    """Raise PortraitError unless these are attributes with values that they can have."""
    for name, value in wanted.items():
        attribute = BY_NAME.get(name)
        if attribute is None:
            raise PortraitError(
                "There is no attribute {0!r}. Attributes are: {1}.", name, ", ".join(BY_NAME)
            )
        values = [known for known, _ in attribute.values]
        if value not in values:
            raise PortraitError(
                "{0} cannot be {1!r}, but: {2}.", attribute.name, value, ", ".join(values)
            )


def facts_of(people: Sequence[Mapping[str, str | None]]) -> dict[str, Any]:
    """What a model file says of people, in the order of its mixture, under ``FACTS``.

    Args:
        people: by attribute the value, or None.
    """
    facts = {}
    for attribute in ATTRIBUTES:
        values = [value for value, _ in attribute.values]
        indices = [
            UNKNOWN if person[attribute.name] is None else values.index(str(person[attribute.name]))
            for person in people
        ]
        facts[attribute.name] = {"values": values, "people": indices}
    return facts


def having(info: Mapping[str, Any], name: str, value: str) -> list[bool] | None:
    """Who of a model's people has one value of an attribute; None where its file does not say.

    Args:
        info: the file's facts, which anybody may have written.
    """
    try:
        facts = info[FACTS][name]
        wanted, people = facts["values"].index(value), facts["people"]
        return [index == wanted for index in people]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
