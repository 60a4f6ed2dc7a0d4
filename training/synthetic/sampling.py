"""Traits from a random stream: how often what occurs, and what goes with what."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping

import numpy as np

from training.synthetic.maths import linear_from_srgb, pick
from training.synthetic.numbering import base_of
from training.synthetic.traits import (
    COLLARS,
    GLASSES_MATERIALS,
    HAIR_STYLES,
    LAYERS,
    PATTERNS,
    PIGMENTS,
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


def sample_person(rng: np.random.Generator) -> Person:
    """Age, sex, ancestry, tone and mood, which go together."""
    female = bool(rng.random() < 0.5)
    gender = rng.normal(0.1, 0.12) if female else rng.normal(0.9, 0.12)
    gender = float(np.clip(gender, 0, 0.4) if female else np.clip(gender, 0.6, 1))
    spans = [(9, 17), (18, 40), (40, 60), (60, 80)]
    years = float(rng.uniform(*spans[rng.choice(4, p=[0.1, 0.5, 0.25, 0.15])]))
    african, asian, caucasian = (float(share) for share in rng.dirichlet([0.35, 0.35, 0.35]))
    tone = african * rng.uniform(0.6, 1.0) + asian * rng.uniform(0.18, 0.5)
    tone = float(np.clip(tone + caucasian * rng.uniform(0, 0.36), 0, 1))
    fair = {
        "black": 0.08,
        "dark brown": 0.20,
        "brown": 0.22,
        "light brown": 0.16,
        "blond": 0.16,
        "platinum": 0.05,
        "ginger": 0.08,
        "auburn": 0.05,
    }
    dark = {"black": 0.55, "dark brown": 0.33, "brown": 0.10, "auburn": 0.02}
    pigment = pick(rng, fair if caucasian > 0.55 else dark)
    grey = float(np.clip((years - 40) / 34 + rng.normal(0, 0.22), 0, 1)) if years > 32 else 0.0
    makeup = float(rng.uniform(0.2, 1)) if female and years > 17 and rng.random() < 0.6 else 0.0
    moods = {"neutral": 0.36, "happy": 0.46, "surprised": 0.06, "angry": 0.06, "sad": 0.06}
    return Person(
        years=years,
        female=female,
        gender=gender,
        ancestry=(african, asian, caucasian),
        muscle=float(rng.uniform(0.3, 0.8)),
        weight=float(np.clip(rng.normal(0.5, 0.2), 0.1, 1)),
        tone=tone,
        tint=rng.normal(0, 0.045) * np.array([0.4, 1, 1.5]) + rng.normal(0, 0.015, 3),
        pigment=pigment,
        pigment_shift=rng.normal(0, 0.12, 3),
        grey=grey,
        makeup=makeup,
        mood=pick(rng, moods),
        shoulder_turn=float(np.clip(rng.normal(0, 0.16), -0.4, 0.4)),
    )


def _spotty(person: Person) -> float:
    return 0.6 if person.years < 24 else 0.25


def sample_skin(rng: np.random.Generator, person: Person) -> Skin:
    """The surface of the face, and the beard of those who grow one."""
    beards = {"none": 0.42, "stubble": 0.2, "short": 0.14, "full": 0.1, "goatee": 0.08}
    beard = pick(rng, {**beards, "moustache": 0.06})
    freckled = rng.random() < 0.25
    freckles = rng.uniform(0.3, 0.7)
    return Skin(
        blush=float(rng.uniform(0.4, 1.4)),
        freckles=float(freckles) if freckled and person.tone < 0.3 else 0.0,
        moles=float(rng.choice([0, 0.5, 1], p=[0.5, 0.3, 0.2])),
        roughness=float(rng.normal(0.46, 0.06)),
        under_eye=float(rng.uniform(0.3, 1.5)),
        pores=float(rng.uniform(0.3, 1.3) * (1 - 0.4 * (person.makeup > 0.4))),
        spots=float(rng.uniform(0.2, 1)) if rng.random() < _spotty(person) else 0.0,
        oil=float(np.clip(rng.normal(0.5, 0.35), 0, 1.2)),
        beard=beard if not person.female and person.years > 20 else "none",
        field_strength=float(rng.uniform(0.3, 1.0)),
    )


def sample_brows(rng: np.random.Generator, person: Person) -> Brows:
    """The form of the brows."""
    return Brows(
        arch=float(rng.uniform(-0.02, 0.04)),
        thickness=float(rng.uniform(0.022, 0.038) * (0.75 if person.female else 1)),
        inner=float(rng.uniform(0.09, 0.13)),
        outer=float(rng.uniform(0.50, 0.56)),
        height=float(rng.uniform(7.43, 7.47)),
        density=float(rng.uniform(0.6, 1.25)),
        shade=float(rng.uniform(0.55, 1.25)),
        unruly=float(rng.uniform(0.12, 0.3)),
    )


def sample_eyes(rng: np.random.Generator, person: Person) -> Eyes:
    """Irises, gaze, lashes and make-up of the eyes."""
    fair = {"brown": 0.3, "dark": 0.15, "hazel": 0.15, "green": 0.1, "blue": 0.2, "grey": 0.1}
    iris = pick(rng, fair if person.ancestry[2] > 0.5 else {"brown": 0.5, "dark": 0.5})
    gaze = (float(rng.normal(0, 0.10)), float(rng.normal(0, 0.05)))
    return Eyes(
        iris=iris,
        iris_shift=rng.normal(0, 0.15, 3),
        gaze=gaze,
        pupil=float(rng.uniform(0.14, 0.22)),
        lashes=1.0 if person.female else 0.75,
        shadow=rng.uniform(0.15, 0.5, 3),
        shadow_strength=float(person.makeup * rng.uniform(0.3, 1.1)),
    )


def sample_mouth(rng: np.random.Generator, person: Person, expression: str) -> Mouth:
    """Lips and teeth; ``rng`` is the stream that chose the expression."""
    lip_depth, red, green, blue = rng.uniform([0.7, 0.55, 0.08, 0.12], [1.3, 0.8, 0.35, 0.4])
    teeth = float(rng.uniform(0.85, 1.1))
    lipstick = np.array([red, green, blue]) if person.makeup > 0.45 else None
    old = np.clip((person.years - 30) / 40, 0, 1)
    return Mouth(
        expression=expression,
        lip_depth=float(lip_depth),
        lipstick=lipstick,
        teeth=teeth,
        teeth_warmth=float(rng.uniform(0, 0.5) + 0.5 * old * rng.random()),
        tooth_gap=float(rng.uniform(0.05, 0.14)),
        middle_gap=float(rng.uniform(0.1, 0.25)) if rng.random() < 0.15 else 0.0,
    )


def sample_hair(rng: np.random.Generator, person: Person) -> Hair:
    """A hair style and colour that agree with age, sex and ancestry."""
    african, _, caucasian = person.ancestry
    if person.female:
        share = np.array([0.30, 0.18, 0.13, 0.05, 0.05, 0.14, 0.07, 0.02, 0, 0.06])
    else:
        share = np.array([0.05, 0.03, 0.02, 0.22, 0.16, 0.10, 0.07, 0.13, 0.08, 0.14])
    if african > 0.55:
        share += np.array([0, 0, 0, 0, 0, 0, 0.25, 0 if person.female else 0.1, 0, 0])
    if person.years > 50:
        # Old heads wear their hair shorter, and men's thins.
        share *= np.array([0.5, 1, 1, 1.3, 1, 0.7, 1, 1, 1, 1])
        share[HAIR_STYLES.index("bald")] += 0 if person.female else 0.12
    elif person.years < 18:
        share[HAIR_STYLES.index("bald")] = 0
    style = pick(rng, dict(zip(HAIR_STYLES, share, strict=True)))

    color_name, grey = person.pigment, person.grey
    dyed = rng.random() < (0.3 if person.female and person.years > 15 else 0.05)
    dyes = {"blond": 0.3, "auburn": 0.25, "ginger": 0.15, "brown": 0.15, "platinum": 0.15}
    dye = pick(rng, dyes)
    if dyed:
        color_name, grey = dye, 0.0
    shift = rng.normal(0, 0.25, 3) * np.array([1, 0.6, 0.6]) + rng.normal(0, 0.2)
    color = np.array(PIGMENTS[color_name]) * np.exp(person.pigment_shift + shift)
    recession, thinning = rng.uniform(0, 0.05), rng.uniform(0, 0.3)
    if not person.female:
        recession += max(0, (person.years - 35) / 45) * thinning
    curly, curl, coil = rng.random() < 0.45, rng.uniform(0.2, 1), rng.uniform(0.5, 1.2)
    horseshoe = bool(rng.random() < 0.6)
    return Hair(
        style=style,
        color_name=color_name,
        color=np.clip(color, 0, 0.8),
        grey=float(np.clip(grey + rng.normal(0, 0.05), 0, 1)) if grey > 0 else 0.0,
        grey_color=rng.uniform(0.4, 0.68) * np.array([1, 0.985, 0.96]),
        recession=float(recession),
        front=float(rng.uniform(-0.08, 0.06)),
        side=float(rng.uniform(-0.05, 0.05)),
        curl=float(coil if african > 0.55 else curl if curly else 0),
        horseshoe=horseshoe,
        present=style != "bald" or horseshoe,
    )


def sample_clothes(rng: np.random.Generator) -> Clothes:
    """What is worn, in colours of any kind."""
    collars = dict(zip(COLLARS, (0.36, 0.24, 0.12, 0.10, 0.18), strict=True))
    shares = (0.40, 0.12, 0.10, 0.10, 0.07, 0.07, 0.06, 0.08)
    patterns = dict(zip(PATTERNS, shares, strict=True))
    layers = dict(zip(LAYERS, (0.60, 0.18, 0.10, 0.12), strict=True))
    hue, saturation, value = rng.random(3)
    first = colorsys.hsv_to_rgb(hue, saturation**1.5 * 0.85, 0.12 + 0.83 * value)
    second = colorsys.hsv_to_rgb(rng.random(), rng.random() * 0.7, rng.uniform(0.1, 0.95))
    third = colorsys.hsv_to_rgb(rng.random(), rng.random() ** 2 * 0.8, rng.uniform(0.08, 0.9))
    return Clothes(
        collar=pick(rng, collars),
        pattern=pick(rng, patterns),
        pattern_scale=float(rng.uniform(2, 6)),
        colors=(linear_from_srgb(first), linear_from_srgb(second)),
        trim=int(rng.random() > 0.6),
        offset=float(rng.uniform(0.03, 0.07)),
        plunge=float(rng.uniform(0, 1)),
        hem=float(rng.uniform(0.012, 0.04)),
        layer=pick(rng, layers),
        layer_color=linear_from_srgb(third),
    )


def _odds(seed: int, usual: float) -> float:
    """Siblings wear optional things far more often, so that pairs with and without are common."""
    return usual if base_of(seed) == seed else max(usual, 0.6)


def sample_glasses(rng: np.random.Generator, person: Person, seed: int) -> Glasses:
    """Glasses, worn or not; ``seed`` says whose."""
    worn = rng.random() < _odds(seed, 0.14 + 0.10 * (person.years > 45))
    tinted = rng.random() < 0.25
    tint = 1 - rng.uniform(0.05, 0.42) * rng.uniform(0.4, 1, 3) if tinted else np.full(3, 0.97)
    return Glasses(
        present=bool(worn),
        half_size=(float(rng.uniform(0.22, 0.27)), float(rng.uniform(0.15, 0.22))),
        exponent=float(rng.uniform(2, 4)),
        radius=float(rng.uniform(0.009, 0.022)),
        material=str(rng.choice(GLASSES_MATERIALS)),
        tint=tint,
    )


def sample_hat(rng: np.random.Generator, person: Person, seed: int) -> Hat:
    """A beanie, worn or not; ``seed`` says whose."""
    worn = rng.random() < _odds(seed, 0.06)
    color = colorsys.hsv_to_rgb(rng.random(), rng.random() * 0.7, rng.uniform(0.1, 0.95))
    return Hat(
        present=bool(worn),
        rim=float(7.80 + rng.uniform(-0.08, 0.08)),
        slope=float(0.42 * rng.uniform(0.7, 1)),
        color=linear_from_srgb(color),
    )


def sample_earrings(rng: np.random.Generator, person: Person, seed: int) -> Earrings:
    """Earrings, worn or not; ``seed`` says whose."""
    worn = rng.random() < _odds(seed, 0.3 if person.female else 0.04)
    return Earrings(
        present=bool(worn),
        radius=float(rng.uniform(0.022, 0.045)),
        drop=float(rng.uniform(0.8, 1.6)),
        gold=bool(rng.random() < 0.6),
    )


OPTIONAL: Mapping[str, Callable[[np.random.Generator, Person, int], Glasses | Hat | Earrings]] = {
    "glasses": sample_glasses,
    "hat": sample_hat,
    "earrings": sample_earrings,
}
