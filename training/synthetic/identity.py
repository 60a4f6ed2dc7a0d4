"""Who is in the picture: every attribute of an identity, sampled without any rendering library.

An identity is made from independent random streams, one a factor: "global" (age, sex presentation,
ancestry, skin tone, mood) and one for each part. A sibling takes one part's stream from its own
number and all else from its base, so the two differ in exactly that part. Traits that several parts
agree on (a smile narrows the eyes, hair and brows share a pigment) hang on "global".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from core.parts import PART_NAMES
from training.synthetic.expressions import (
    brow_expression,
    eye_expression,
    mouth_expression,
    nose_expression,
)
from training.synthetic.numbering import (
    FACTORS,
    GLOBAL,
    HIDDEN_PARTS,
    base_of,
    sibling_index,
    sibling_number,
    stream,
)
from training.synthetic.sampling import (
    OPTIONAL,
    sample_brows,
    sample_clothes,
    sample_earrings,
    sample_eyes,
    sample_glasses,
    sample_hair,
    sample_hat,
    sample_mouth,
    sample_person,
    sample_skin,
)
from training.synthetic.shapes import (
    BLENDED_REGIONS,
    SHAPE_FOLDERS,
    add_weights,
    age_weights,
    macro_weights,
    sample_relative,
    sample_shape,
)
from training.synthetic.traits import (
    Brows,
    Clothes,
    Earrings,
    Eyes,
    Glasses,
    Hair,
    Hat,
    Mouth,
    Person,
    Skin,
)

# How often a sibling resamples the part: those that change visibly come first.
_SIBLING_SHARE = {
    "hair": 0.20,
    "eyes": 0.12,
    "nose": 0.12,
    "mouth": 0.14,
    "brows": 0.08,
    "skin": 0.10,
    "clothes": 0.10,
    "glasses": 0.06,
    "hat": 0.03,
    "ears": 0.02,
    "neck": 0.01,
    "earrings": 0.01,
    "background": 0.01,
}


@dataclass(frozen=True)
class Identity:
    """Everything about one identity but its camera, light and pixels.

    Attributes:
        number: its identity number.
        factors: factor to the number whose stream made it.
        weights: part (or "global") to target weights.
        blends: region of ``BLENDED_REGIONS`` to the macro weights that shape it.
    """

    number: int
    factors: Mapping[str, int]
    person: Person
    skin: Skin
    brows: Brows
    eyes: Eyes
    mouth: Mouth
    hair: Hair
    clothes: Clothes
    glasses: Glasses
    hat: Hat
    earrings: Earrings
    weights: Mapping[str, Mapping[str, float]] = field(repr=False)
    blends: Mapping[str, Mapping[str, float]] = field(repr=False)

    @property
    def light(self) -> int:
        """The number whose stream lights it and places its cameras: siblings share their base's."""
        return base_of(self.number)

    def stream(self, factor: str, purpose: str) -> np.random.Generator:
        """The random numbers for one purpose of one factor, e.g. ("hair", "strands")."""
        return stream(self.factors[factor], factor, purpose)

    @property
    def present(self) -> list[str]:
        """Parts that the portrait has, in the order of ``core.parts``."""
        absent = {name for name in HIDDEN_PARTS.values() if not getattr(self, name).present}
        return [name for name in PART_NAMES if name not in absent]

    @property
    def at_rest(self) -> Identity:
        """The same identity without its expression: for measuring shapes."""
        weights = {
            part: {k: w for k, w in own.items() if not k.startswith("faceunits/")}
            for part, own in self.weights.items()
        }
        return replace(self, weights=weights)

    @property
    def attributes(self) -> dict[str, object]:
        """What a person would say about the identity, JSON-ready."""
        person = self.person
        african, asian, caucasian = person.ancestry
        return {
            "age": round(person.years, 1),
            "female": person.female,
            "tone": round(person.tone, 3),
            "african": round(african, 3),
            "asian": round(asian, 3),
            "caucasian": round(caucasian, 3),
            "mood": person.mood,
            "expression": self.mouth.expression,
            "makeup": round(person.makeup, 3),
            "beard": self.skin.beard,
            "iris": self.eyes.iris,
            "hair_style": self.hair.style,
            "hair_color": self.hair.color_name,
            "grey": round(self.hair.grey, 3),
            "collar": self.clothes.collar,
            "pattern": self.clothes.pattern,
            "layer": self.clothes.layer,
        }


def hiding_siblings(identity: int, parts: Collection[str]) -> list[int]:
    """Numbers of the siblings of ``identity`` that lack one of ``parts`` which it has."""
    present = sample_identity(identity, ()).present
    return [
        sibling_number(identity, index)
        for index, part in HIDDEN_PARTS.items()
        if part in parts and part in present
    ]


def sample_identity(number: int, target_names: Iterable[str]) -> Identity:
    """The identity of that number, always the same one.

    Args:
        number: see the module's table.
        target_names: names of the shape targets, as in ``HeadData.targets``.

    Raises:
        ValueError: there is no such identity.
    """
    names = frozenset(target_names)
    base = base_of(number)
    factors = dict.fromkeys(FACTORS, base)
    index = sibling_index(number)
    if index is None:
        return _compose(number, factors, names)
    if index not in HIDDEN_PARTS:
        factors[_resampled_part(number, base)] = number
        return _compose(number, factors, names)
    whole, part = _compose(number, factors, names), HIDDEN_PARTS[index]
    worn = getattr(whole, part)
    if not worn.present:
        raise ValueError(f"Identity {base} has no {part}, so it has no sibling without.")
    bare = {"style": "bald", "horseshoe": False} if part == "hair" else {}
    hidden = replace(worn, present=False, **bare)
    return replace(whole, factors={**factors, part: number}, **{part: hidden})


def _resampled_part(number: int, base: int) -> str:
    rng = stream(number, "sibling", "part")
    parts = list(_SIBLING_SHARE)
    share = np.array(list(_SIBLING_SHARE.values()))
    person = sample_person(stream(base, GLOBAL, "traits"))
    while True:
        part = str(rng.choice(parts, p=share / share.sum()))
        sample = OPTIONAL.get(part)
        if sample is None:
            return part
        pair = [sample(stream(seed, part, "traits"), person, seed) for seed in (base, number)]
        if pair[0].present or pair[1].present:
            return part


def _compose(number: int, factors: dict[str, int], names: frozenset[str]) -> Identity:
    def own(factor: str, purpose: str) -> np.random.Generator:
        return stream(factors[factor], factor, purpose)

    person = sample_person(own(GLOBAL, "traits"))
    weights = {GLOBAL: macro_weights(person)}
    for part in SHAPE_FOLDERS:
        shape = sample_shape(own(part, "shape"), part, names)
        weights[part] = {**shape, **age_weights(part, person)}
    mouth_stream = own("mouth", "traits")
    expression, mouth_weights = mouth_expression(mouth_stream, person)
    add_weights(weights["mouth"], mouth_weights)
    add_weights(weights["brows"], brow_expression(own("brows", "traits"), person))
    add_weights(weights["eyes"], eye_expression(own("eyes", "expression"), person))
    add_weights(weights["nose"], nose_expression(own("nose", "expression"), person))
    return Identity(
        number=number,
        factors=factors,
        person=person,
        skin=sample_skin(own("skin", "traits"), person),
        brows=sample_brows(own("brows", "arc"), person),
        eyes=sample_eyes(own("eyes", "traits"), person),
        mouth=sample_mouth(mouth_stream, person, expression),
        hair=sample_hair(own("hair", "traits"), person),
        clothes=sample_clothes(own("clothes", "traits")),
        glasses=sample_glasses(own("glasses", "traits"), person, factors["glasses"]),
        hat=sample_hat(own("hat", "traits"), person, factors["hat"]),
        earrings=sample_earrings(own("earrings", "traits"), person, factors["earrings"]),
        weights=weights,
        blends={
            region: macro_weights(sample_relative(own(part, f"blend {region}"), person))
            for region, part in BLENDED_REGIONS.items()
        },
    )
