"""Weights of the template's targets: a head's proportions, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from training.synthetic.maths import pick
from training.synthetic.traits import Person

# Template targets of each part: folder, then the spread of a signed pair of targets.
SHAPE_FOLDERS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "skin": (("head", 0.19), ("cheek", 0.24), ("chin", 0.24), ("forehead", 0.24)),
    "brows": (("eyebrows", 0.30),),
    "eyes": (("eyes", 0.28),),
    "nose": (("nose", 0.30),),
    "mouth": (("mouth", 0.26),),
    "ears": (("ears", 0.30),),
    "neck": (("neck", 0.12),),
}
_SHIFT_SPREAD = 0.15  # of targets that move a part as a whole
_EYE_SHIFT_SPREAD = 0.07  # brows and glasses do not follow the eyes
_OPPOSITES = (
    ("-incr", "-decr"),
    ("-up", "-down"),
    ("-in", "-out"),
    ("-forward", "-backward"),
    ("-concave", "-convex"),
    ("-compress", "-uncompress"),
)
# Regions whose age, gender and ancestry differ from the person's own, and the part that says so.
BLENDED_REGIONS: Mapping[str, str] = {
    "jaw": "skin",
    "skull": "skin",
    "brows": "brows",
    "eyes": "eyes",
    "nose": "nose",
    "mouth": "mouth",
    "ears": "ears",
}
_ASYMMETRY_PART = {
    "brown": "brows",
    "cheek": "skin",
    "ear": "ears",
    "eye": "eyes",
    "jaw": "skin",
    "mouth": "mouth",
    "nose": "nose",
    "temple": "skin",
    "top": "skin",
}


def sample_relative(rng: np.random.Generator, person: Person) -> Person:
    """Someone who might have handed a part of the face down to ``person``."""
    own = rng.uniform(0.2, 0.8)
    fresh = rng.dirichlet([0.5, 0.5, 0.5])
    mixed = own * np.array(person.ancestry) + (1 - own) * fresh
    gender = person.gender + rng.normal(0, 0.18)
    years = person.years + rng.normal(0, 7) if person.years > 20 else person.years
    return replace(
        person,
        ancestry=(float(mixed[0]), float(mixed[1]), float(mixed[2])),
        gender=float(np.clip(gender, 0, 1)),
        years=float(np.clip(years, 9, 85)),
        muscle=float(np.clip(person.muscle + rng.normal(0, 0.15), 0.1, 0.9)),
        weight=float(np.clip(person.weight + rng.normal(0, 0.15), 0.05, 1)),
    )


def add_weights(weights: dict[str, float], more: Mapping[str, float]) -> None:
    """Add ``more`` to ``weights``, target by target."""
    for name, weight in more.items():
        weights[name] = weights.get(name, 0) + weight


def macro_weights(person: Person) -> dict[str, float]:
    """Target weights of age, gender, ancestry, muscle and weight, interpolated multilinearly."""
    age = person.macro_age
    if age < 0.1875:
        ages = {"baby": 1 - age / 0.1875, "child": age / 0.1875}
    elif age < 0.5:
        ages = {"child": 1 - (age - 0.1875) / 0.3125, "young": (age - 0.1875) / 0.3125}
    else:
        ages = {"young": 2 - 2 * age, "old": 2 * age - 1}
    genders = {"female": 1 - person.gender, "male": person.gender}
    races = dict(zip(("african", "asian", "caucasian"), person.ancestry, strict=True))

    def steps(value: float, name: str) -> dict[str, float]:
        return {
            f"min{name}": max(0.0, 1 - 2 * value),
            f"average{name}": 1 - abs(2 * value - 1),
            f"max{name}": max(0.0, 2 * value - 1),
        }

    weights = {}
    for gender, gender_share in genders.items():
        for age_name, age_share in ages.items():
            share = gender_share * age_share
            for race, race_share in races.items():
                weights[f"macrodetails/{race}-{gender}-{age_name}"] = share * race_share
            for muscle, muscle_share in steps(person.muscle, "muscle").items():
                for weight, weight_share in steps(person.weight, "weight").items():
                    name = f"macrodetails/universal-{gender}-{age_name}-{muscle}-{weight}"
                    weights[name] = share * muscle_share * weight_share
    return {name: weight for name, weight in weights.items() if weight > 1e-6}


def sample_shape(rng: np.random.Generator, part: str, names: frozenset[str]) -> dict[str, float]:
    """Target weights of one part's proportions.

    Args:
        rng: the part's stream.
        part: a key of ``SHAPE_FOLDERS``.
        names: names of the shape targets, as in ``HeadData.targets``.
    """
    weights: dict[str, float] = {}
    shift = _EYE_SHIFT_SPREAD if part == "eyes" else _SHIFT_SPREAD
    for folder, spread in SHAPE_FOLDERS[part]:
        for name, opposite in _pairs(folder, names):
            left = "/l-" in name
            sigma = shift if "-trans-" in name else spread
            value = float(np.clip(rng.normal(0, sigma), -0.8, 0.8))
            add_weights(weights, {name if value > 0 else opposite: abs(value)})
            if left:
                value += rng.normal(0, 0.04)
                right = (name if value > 0 else opposite).replace("/l-", "/r-")
                add_weights(weights, {right: abs(value)})
    if part == "skin":
        forms = {
            "oval": 0.36,
            "round": 0.14,
            "rectangular": 0.10,
            "square": 0.06,
            "triangular": 0.08,
            "invertedtriangular": 0.16,
            "diamond": 0.10,
        }
        add_weights(weights, {f"head/head-{pick(rng, forms)}": float(rng.uniform(0, 0.6))})
    for name in sorted(names):
        if name.startswith("asym/asym-") and _ASYMMETRY_PART[name.split("-")[1]] == part:
            strength = float(rng.uniform(0, 0.4))
            if rng.random() < 0.3:
                weights[name] = strength
    return weights


def _pairs(folder: str, names: frozenset[str]) -> list[tuple[str, str]]:
    """Opposite targets of a folder; of left and right ones the left only."""
    pairs = []
    for name in names:
        if not name.startswith(folder + "/") or "/r-" in name:
            continue
        for plus, minus in _OPPOSITES:
            if name.endswith(plus) and name[: -len(plus)] + minus in names:
                pairs.append((name, name[: -len(plus)] + minus))
    return sorted(pairs)


def age_weights(part: str, person: Person) -> dict[str, float]:
    """The sag of old faces."""
    if part != "skin" or person.years <= 50:
        return {}
    return {"head/head-age-incr": 0.45 * (person.years - 45) / 35}
