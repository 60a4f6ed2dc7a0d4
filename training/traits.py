"""``python -m training traits``: what the makers of its renders know of a model's people.

Where a line of a print or a mole lies is each person's own, and what a generator learns of it is a
mean. But the renders are made here, with every label: what a garment is printed with, how finely,
and in which colours, how many freckles a face has. They become prints (:mod:`core.prints`) and
spots (:mod:`core.spots`). And what people are like in words (:mod:`core.attributes`) goes into the
file's facts, so that they can be asked for.
"""

from __future__ import annotations

import argparse
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core import spots
from core.attributes import ATTRIBUTES, FACTS, facts_of
from core.checkpoint import load_checkpoint
from core.engine import embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.people_mixture import PeopleMixture
from training.model_files import rebuilt, write_model
from training.refine import people_of
from training.synthetic.complexion import skin_albedo
from training.synthetic.identity import Identity, sample_identity
from training.synthetic.maths import smoothstep
from training.synthetic.numbering import GLOBAL, stream
from training.synthetic.sampling import sample_person, sample_skin
from training.synthetic.traits import Person, Skin

_AGES, _TONES = (18, 36, 56), (0.3, 0.6)
"""Where the next one of ``core.attributes`` begins."""
_GREY = 0.5
"""Share of grey hair above which it counts as grey."""
_SQUARE = 2.7
"""Exponent of a rim (a superellipse) from which it has corners."""
_AGE_SPOTS = 0.3
"""Of those who are old and have moles."""


def spots_of_skin(skin: Skin, person: Person, number: int) -> Tensor:
    """The spots of a skin, (``spots.SPOTS``,).

    Args:
        number: of the person; where spots lie is chance.
    """
    old = float(smoothstep(50, 75, np.array(person.years)))
    folded = float(np.clip((person.years - 40) / 40, 0, 1))
    pores = skin.pores - spots.USUAL_PORES
    spotted = [skin.spots, skin.freckles, _AGE_SPOTS * old * skin.moles, skin.moles, folded, pores]
    amounts = torch.tensor(spotted)
    albedo = torch.from_numpy(skin_albedo(person)).float()
    return torch.cat([amounts, albedo, _chance(number, "skin")])


def _chance(number: int, factor: str) -> Tensor:
    """Two numbers in [0, 1) of a person's own."""
    return torch.from_numpy(stream(number, factor, "places").random(2)).float()


def with_traits(model: SSGAN3D, people: Sequence[int]) -> SSGAN3D:
    """The same model with the prints and the spots of its people.

    Args:
        people: numbers of their identities, in the order of the model's mixture.

    Raises:
        PortraitError: it has no grain, in which spots are drawn.
    """
    if not model.config.grain:
        raise PortraitError("The model has no grain. Run `python -m training grain` first.")
    made = rebuilt(model, spots=True)
    assert isinstance(made.mapping, PeopleMixture)
    for row, number in enumerate(people):
        person = sample_person(stream(number, GLOBAL, "traits"))
        skin = sample_skin(stream(number, "skin", "traits"), person)
        made.mapping.spots[row] = spots_of_skin(skin, person, number)
    return made


def attributes_of(person: Identity) -> dict[str, str | None]:
    """What somebody is like, by :mod:`core.attributes`; None of what they have not."""
    years, tone = person.person.years, person.person.tone
    hair, glasses, earrings = person.hair, person.glasses, person.earrings
    color = "grey" if hair.grey > _GREY else hair.color_name
    return {
        "sex": "female" if person.person.female else "male",
        "age": ("child", "young", "middle", "old")[bisect(_AGES, years)],
        "tone": ("light", "medium", "dark")[bisect(_TONES, tone)],
        "beard": person.skin.beard,
        "iris": person.eyes.iris,
        "expression": person.mouth.expression,
        "hair_style": hair.style if hair.present else None,
        "hair_color": color if hair.present else None,
        "collar": person.clothes.collar,
        "pattern": person.clothes.pattern,
        "layer": person.clothes.layer,
        "frame": ("round" if glasses.exponent < _SQUARE else "square") if glasses.present else None,
        "frame_color": glasses.material if glasses.present else None,
        "metal": ("gold" if earrings.gold else "silver") if earrings.present else None,
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training traits``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training traits``."""
    weights = arguments.weights or embedded_weights()
    model, info = load_checkpoint(weights)
    people = people_of(info, weights)
    made = with_traits(model, people)
    facts = facts_of([attributes_of(sample_identity(number, ())) for number in people])
    write_model(arguments.out, made, {**info, FACTS: facts})
    assert isinstance(made.mapping, PeopleMixture)
    for kind, amount in zip(spots.KINDS, made.mapping.spots.T, strict=False):
        print(f"{kind:12s} {int((amount > 0).sum()):4d} of {len(people)} people")
    for attribute in ATTRIBUTES:
        counts = Counter(facts[attribute.name]["people"])
        told = [f"{value} {counts[n]}" for n, (value, _) in enumerate(attribute.values)]
        print(f"{attribute.name:12s} {', '.join(told)}")
    print(arguments.out)
    return 0
