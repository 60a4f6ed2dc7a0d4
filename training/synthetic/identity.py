"""Who is in the picture: every attribute of an identity, sampled without any rendering library.

An identity is made from independent random streams, one a factor: "global" (age, sex presentation,
ancestry, skin tone, mood) and one for each part. A sibling takes one part's stream from its own
number and all else from its base, so the two differ in exactly that part. Traits that several parts
agree on (a smile narrows the eyes, hair and brows share a pigment) hang on "global".

Numbers:
    0 ... 99,999             identities to train on
    100,000 ... 899,999      their siblings: 100,000 + 8 · identity + k, k in 0..7
    900,000 ... 909,999      held-out identities
    910,000 ... 989,999      their siblings: 910,000 + 8 · (identity - 900,000) + k

Siblings 0 to 3 have one part from their own stream; 4 to 7 lack hair, glasses, hat or earrings, and
exist where the identity has them: only so is the scalp beneath hair ever seen.
"""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from core.parts import PART_NAMES
from training.synthetic.maths import linear_from_srgb

HELD_OUT_FIRST = 900_000
SIBLINGS_MAX = 8
RESAMPLED_SIBLINGS = 4
HIDDEN_PARTS: Mapping[int, str] = {4: "hair", 5: "glasses", 6: "hat", 7: "earrings"}
"""Index of a sibling to the part that it lacks."""
_TRAIN_COUNT, _TRAIN_SIBLINGS = 100_000, 100_000
_HELD_OUT_COUNT, _HELD_OUT_SIBLINGS = 10_000, 910_000
_LAST = _HELD_OUT_SIBLINGS + SIBLINGS_MAX * _HELD_OUT_COUNT - 1

GLOBAL = "global"
FACTORS = (GLOBAL, *PART_NAMES)
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

HAIR_STYLES = (
    "long",
    "bob",
    "pony",
    "short",
    "swept",
    "fringe",
    "afro",
    "buzz",
    "bald",
    "crop",
)
PIGMENTS: Mapping[str, tuple[float, float, float]] = {
    "black": (0.006, 0.005, 0.0045),
    "dark brown": (0.026, 0.014, 0.008),
    "brown": (0.075, 0.038, 0.018),
    "light brown": (0.16, 0.085, 0.04),
    "blond": (0.42, 0.27, 0.13),
    "platinum": (0.62, 0.50, 0.33),
    "ginger": (0.30, 0.085, 0.022),
    "auburn": (0.12, 0.030, 0.014),
}
IRISES: Mapping[str, tuple[float, float, float]] = {
    "brown": (0.10, 0.045, 0.018),
    "dark": (0.035, 0.016, 0.008),
    "hazel": (0.16, 0.11, 0.035),
    "green": (0.10, 0.16, 0.07),
    "blue": (0.12, 0.24, 0.38),
    "grey": (0.20, 0.25, 0.28),
}
GLASSES_MATERIALS = ("black", "tortoise", "steel", "gold", "navy", "burgundy")
COLLARS = ("crew", "v", "turtle", "wide", "shirt")
PATTERNS = ("plain", "stripe", "check", "blotch", "yoke", "pinstripe", "dots", "heather")
LAYERS = ("none", "jacket", "hood", "scarf")

# Template targets of each part: folder, then the spread of a signed pair of targets.
_SHAPE_FOLDERS: Mapping[str, tuple[tuple[str, float], ...]] = {
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


@dataclass(frozen=True)
class Person:
    """What all parts share. ``ancestry`` is (african, asian, caucasian), summing to 1."""

    years: float
    female: bool
    gender: float
    ancestry: tuple[float, float, float]
    muscle: float
    weight: float
    tone: float
    tint: np.ndarray
    pigment: str
    pigment_shift: np.ndarray
    grey: float
    makeup: float
    mood: str
    shoulder_turn: float

    @property
    def macro_age(self) -> float:
        """Age on the targets' scale: 0.1875 a child of 12, 0.5 at 25, 1 at 90."""
        return float(np.interp(self.years, [1, 12, 25, 90], [0, 0.1875, 0.5, 1.0]))


@dataclass(frozen=True)
class Skin:
    """Surface of the face; ``beard`` is "none" or a zone of ``Regions.beard_zones``."""

    blush: float
    freckles: float
    moles: float
    roughness: float
    under_eye: float
    pores: float
    spots: float
    oil: float
    beard: str
    field_strength: float


@dataclass(frozen=True)
class Brows:
    """An arc in template space; lengths in decimetres."""

    arch: float
    thickness: float
    inner: float
    outer: float
    height: float
    density: float
    shade: float
    unruly: float


@dataclass(frozen=True)
class Eyes:
    """``gaze`` is (yaw, pitch) in radians; ``pupil`` relative to the eyeball's radius."""

    iris: str
    iris_shift: np.ndarray
    gaze: tuple[float, float]
    pupil: float
    lashes: float
    shadow: np.ndarray
    shadow_strength: float


@dataclass(frozen=True)
class Mouth:
    """``expression`` names what the weights in ``Identity.weights`` do; gaps are in teeth."""

    expression: str
    lip_depth: float
    lipstick: np.ndarray | None
    teeth: float
    teeth_warmth: float
    tooth_gap: float
    middle_gap: float


@dataclass(frozen=True)
class Hair:
    """``style`` is one of ``HAIR_STYLES``; ``color`` is that of strands not grey, linear RGB."""

    style: str
    color_name: str
    color: np.ndarray
    grey: float
    grey_color: np.ndarray
    recession: float
    front: float
    side: float
    curl: float
    horseshoe: bool
    present: bool


@dataclass(frozen=True)
class Clothes:
    """Colours are linear RGB; ``hem`` is the collar's thickness in decimetres.

    ``layer`` is what is worn over it, one of ``LAYERS``, in a colour of its own.
    """

    collar: str
    pattern: str
    pattern_scale: float
    colors: tuple[np.ndarray, np.ndarray]
    trim: int
    offset: float
    plunge: float
    hem: float
    layer: str
    layer_color: np.ndarray


@dataclass(frozen=True)
class Glasses:
    """Superellipse rims: half sizes in decimetres, exponent, tube radius.

    ``tint`` is what the lenses let through, linear RGB above 0.5: the eyes stay to be seen.
    """

    present: bool
    half_size: tuple[float, float]
    exponent: float
    radius: float
    material: str
    tint: np.ndarray


@dataclass(frozen=True)
class Hat:
    """A beanie: the height and slope of its rim in template space."""

    present: bool
    rim: float
    slope: float
    color: np.ndarray


@dataclass(frozen=True)
class Earrings:
    """Beads: radius and drop below the lobe in decimetres, drop in radii."""

    present: bool
    radius: float
    drop: float
    gold: bool


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
        absent = {
            name
            for name, part in (
                ("hair", self.hair),
                ("glasses", self.glasses),
                ("hat", self.hat),
                ("earrings", self.earrings),
            )
            if not part.present
        }
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


def base_of(number: int) -> int:
    """The identity whose sibling ``number`` is, or ``number`` itself.

    Raises:
        ValueError: there is no such identity.
    """
    if not 0 <= number <= _LAST:
        raise ValueError(f"Identity numbers go from 0 to {_LAST}, not {number}.")
    if number >= _HELD_OUT_SIBLINGS:
        return HELD_OUT_FIRST + (number - _HELD_OUT_SIBLINGS) // SIBLINGS_MAX
    if _TRAIN_SIBLINGS <= number < HELD_OUT_FIRST:
        return (number - _TRAIN_SIBLINGS) // SIBLINGS_MAX
    return number


def sibling_number(identity: int, index: int) -> int:
    """Number of the ``index``-th sibling (0..7) of ``identity``.

    Raises:
        ValueError: ``identity`` is itself a sibling, or ``index`` is out of range.
    """
    if base_of(identity) != identity:
        raise ValueError(f"Identity {identity} is a sibling and has none of its own.")
    if not 0 <= index < SIBLINGS_MAX:
        raise ValueError(f"A sibling's index goes from 0 to {SIBLINGS_MAX - 1}, not {index}.")
    if identity >= HELD_OUT_FIRST:
        return _HELD_OUT_SIBLINGS + SIBLINGS_MAX * (identity - HELD_OUT_FIRST) + index
    return _TRAIN_SIBLINGS + SIBLINGS_MAX * identity + index


def sibling_index(number: int) -> int | None:
    """Which sibling of its identity ``number`` is (0..7), or None where it is no sibling."""
    base = base_of(number)
    if base == number:
        return None
    return number - sibling_number(base, 0)


def hiding_siblings(identity: int) -> list[int]:
    """Numbers of the siblings of ``identity`` that lack a part which it has."""
    present = sample_identity(identity, ()).present
    return [sibling_number(identity, k) for k, part in HIDDEN_PARTS.items() if part in present]


def check_range(first: int, count: int, *, held_out: bool) -> None:
    """Refuse numbers that are not plain identities of the wished kind.

    Raises:
        ValueError: with what to ask for instead.
    """
    start, size = (HELD_OUT_FIRST, _HELD_OUT_COUNT) if held_out else (0, _TRAIN_COUNT)
    if count < 1:
        raise ValueError(f"At least one identity is needed, not {count}.")
    if first >= HELD_OUT_FIRST and not held_out:
        raise ValueError(
            f"Identities from {HELD_OUT_FIRST} are held out and never trained on. "
            "Give --held-out to render them for evaluation."
        )
    if not start <= first <= first + count <= start + size:
        kind = "Held-out identities" if held_out else "Identities to train on"
        raise ValueError(
            f"{kind} go from {start} to {start + size - 1}; {first} to {first + count - 1} do not "
            "lie within."
        )


def stream(seed: int, factor: str, purpose: str) -> np.random.Generator:
    """An independent random stream for every (seed, factor, purpose)."""
    return np.random.default_rng([seed, zlib.crc32(f"{factor}/{purpose}".encode())])


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
    person = _sample_person(stream(base, GLOBAL, "traits"))
    while True:
        part = str(rng.choice(parts, p=share / share.sum()))
        sample = _OPTIONAL.get(part)
        if sample is None:
            return part
        pair = [sample(stream(seed, part, "traits"), person, seed) for seed in (base, number)]
        if pair[0].present or pair[1].present:
            return part


def _compose(number: int, factors: dict[str, int], names: frozenset[str]) -> Identity:
    def traits(factor: str) -> np.random.Generator:
        return stream(factors[factor], factor, "traits")

    person = _sample_person(traits(GLOBAL))
    weights = {GLOBAL: macro_weights(person)}
    for part in _SHAPE_FOLDERS:
        shape = _sample_shape(stream(factors[part], part, "shape"), part, names)
        weights[part] = {**shape, **_age_weights(part, person)}
    mouth, mouth_weights = _sample_mouth(traits("mouth"), person)
    _add(weights["mouth"], mouth_weights)
    _add(weights["brows"], _brow_expression(traits("brows"), person))
    _add(weights["eyes"], _eye_expression(stream(factors["eyes"], "eyes", "expression"), person))
    if person.mood == "angry":
        rng = stream(factors["nose"], "nose", "expression")
        _add(weights["nose"], _both(rng, "noseSneer", rng.uniform(0.1, 0.4)))
    return Identity(
        number=number,
        factors=factors,
        person=person,
        skin=_sample_skin(traits("skin"), person),
        brows=_sample_brows(stream(factors["brows"], "brows", "arc"), person),
        eyes=_sample_eyes(traits("eyes"), person),
        mouth=mouth,
        hair=_sample_hair(traits("hair"), person),
        clothes=_sample_clothes(traits("clothes")),
        glasses=_sample_glasses(traits("glasses"), person, factors["glasses"]),
        hat=_sample_hat(traits("hat"), person, factors["hat"]),
        earrings=_sample_earrings(traits("earrings"), person, factors["earrings"]),
        weights=weights,
        blends={
            region: macro_weights(_relative(stream(factors[part], part, f"blend {region}"), person))
            for region, part in BLENDED_REGIONS.items()
        },
    )


def _relative(rng: np.random.Generator, person: Person) -> Person:
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


def _add(weights: dict[str, float], more: Mapping[str, float]) -> None:
    for name, weight in more.items():
        weights[name] = weights.get(name, 0) + weight


def _pick(rng: np.random.Generator, table: Mapping[str, float]) -> str:
    share = np.array(list(table.values()), float)
    return str(rng.choice(list(table), p=share / share.sum()))


def _sample_person(rng: np.random.Generator) -> Person:
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
    pigment = _pick(rng, fair if caucasian > 0.55 else dark)
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
        mood=_pick(rng, moods),
        shoulder_turn=float(np.clip(rng.normal(0, 0.16), -0.4, 0.4)),
    )


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


def _sample_shape(rng: np.random.Generator, part: str, names: frozenset[str]) -> dict[str, float]:
    weights: dict[str, float] = {}
    shift = _EYE_SHIFT_SPREAD if part == "eyes" else _SHIFT_SPREAD
    for folder, spread in _SHAPE_FOLDERS[part]:
        for name, opposite in _pairs(folder, names):
            left = "/l-" in name
            sigma = shift if "-trans-" in name else spread
            value = float(np.clip(rng.normal(0, sigma), -0.8, 0.8))
            _add(weights, {name if value > 0 else opposite: abs(value)})
            if left:
                value += rng.normal(0, 0.04)
                right = (name if value > 0 else opposite).replace("/l-", "/r-")
                _add(weights, {right: abs(value)})
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
        _add(weights, {f"head/head-{_pick(rng, forms)}": float(rng.uniform(0, 0.6))})
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


def _age_weights(part: str, person: Person) -> dict[str, float]:
    """The sag of old faces."""
    if part != "skin" or person.years <= 50:
        return {}
    return {"head/head-age-incr": 0.45 * (person.years - 45) / 35}


def _both(
    rng: np.random.Generator, unit: str, value: float, spread: float = 0.06
) -> dict[str, float]:
    """A face unit on both sides, not quite evenly."""
    return {
        f"faceunits/{unit}{side}": float(np.clip(value + rng.normal(0, spread), 0, 1))
        for side in ("Left", "Right")
    }


_ANY_EXPRESSION = {
    "neutral": 0.25,
    "smile": 0.25,
    "broad smile": 0.2,
    "open": 0.15,
    "frown": 0.07,
    "pucker": 0.04,
    "pressed": 0.04,
}


def _sample_mouth(rng: np.random.Generator, person: Person) -> tuple[Mouth, dict[str, float]]:
    choices = {
        "neutral": {"neutral": 0.70, "open": 0.14, "pucker": 0.06, "smile": 0.10},
        "happy": {"smile": 0.58, "broad smile": 0.42},
        "surprised": {"open": 1.0},
        "angry": {"pressed": 0.5, "frown": 0.5},
        "sad": {"frown": 0.8, "neutral": 0.2},
    }
    # Some do as they like, or a sibling's mouth would often be the same again.
    table = choices[person.mood] if rng.random() < 0.75 else _ANY_EXPRESSION
    expression = _pick(rng, table)
    weights: dict[str, float] = {}
    if expression == "smile":
        _add(weights, _both(rng, "mouthSmile", rng.uniform(0.25, 0.7)))
        _add(weights, _both(rng, "cheekSquint", rng.uniform(0.1, 0.4)))
        _add(weights, _both(rng, "mouthDimple", rng.uniform(0, 0.3)))
    elif expression == "broad smile":
        _add(weights, _both(rng, "mouthSmile", rng.uniform(0.55, 0.9)))
        _add(weights, _both(rng, "cheekSquint", rng.uniform(0.2, 0.6)))
        _add(weights, _both(rng, "mouthUpperUp", rng.uniform(0.15, 0.45)))
        _add(weights, _both(rng, "mouthLowerDown", rng.uniform(0.1, 0.35)))
        weights["faceunits/jawOpen"] = float(rng.uniform(0.03, 0.22))
    elif expression == "open":
        weights["faceunits/jawOpen"] = float(rng.uniform(0.1, 0.45))
    elif expression == "pucker":
        weights["faceunits/mouthPucker"] = float(rng.uniform(0.2, 0.6))
    elif expression == "frown":
        _add(weights, _both(rng, "mouthFrown", rng.uniform(0.2, 0.6)))
    elif expression == "pressed":
        _add(weights, _both(rng, "mouthPress", rng.uniform(0.1, 0.4)))
    lip_depth, red, green, blue = rng.uniform([0.7, 0.55, 0.08, 0.12], [1.3, 0.8, 0.35, 0.4])
    teeth = float(rng.uniform(0.85, 1.1))
    lipstick = np.array([red, green, blue]) if person.makeup > 0.45 else None
    old = np.clip((person.years - 30) / 40, 0, 1)
    mouth = Mouth(
        expression=expression,
        lip_depth=float(lip_depth),
        lipstick=lipstick,
        teeth=teeth,
        teeth_warmth=float(rng.uniform(0, 0.5) + 0.5 * old * rng.random()),
        tooth_gap=float(rng.uniform(0.05, 0.14)),
        middle_gap=float(rng.uniform(0.1, 0.25)) if rng.random() < 0.15 else 0.0,
    )
    return mouth, weights


def _brow_expression(rng: np.random.Generator, person: Person) -> dict[str, float]:
    weights: dict[str, float] = {}
    if person.mood == "angry":
        _add(weights, _both(rng, "browDown", rng.uniform(0.1, 0.6)))
    elif person.mood == "surprised":
        _add(weights, _both(rng, "browOuterUp", rng.uniform(0.3, 0.8)))
        weights["faceunits/browInnerUp"] = float(rng.uniform(0.4, 0.9))
    elif person.mood == "sad":
        weights["faceunits/browInnerUp"] = float(rng.uniform(0.3, 0.7))
    if rng.random() < 0.3:
        _add(weights, {"faceunits/browInnerUp": float(rng.uniform(0, 0.3))})
    return weights


def _eye_expression(rng: np.random.Generator, person: Person) -> dict[str, float]:
    # Without some widening everyone looks sleepy: the template's lids hang low.
    wide = rng.uniform(0.1, 0.45) + (rng.uniform(0.2, 0.6) if person.mood == "surprised" else 0)
    blink = 0.95 if rng.random() < 0.03 else abs(rng.normal(0, 0.05))
    weights = _both(rng, "eyeWide", wide, 0.02)
    weights.update(_both(rng, "eyeBlink", blink, 0.01))
    if person.mood == "happy":
        weights.update(_both(rng, "eyeSquint", rng.uniform(0, 0.35)))
    return weights


def _spotty(person: Person) -> float:
    return 0.6 if person.years < 24 else 0.25


def _sample_skin(rng: np.random.Generator, person: Person) -> Skin:
    beards = {"none": 0.42, "stubble": 0.2, "short": 0.14, "full": 0.1, "goatee": 0.08}
    beard = _pick(rng, {**beards, "moustache": 0.06})
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


def _sample_brows(rng: np.random.Generator, person: Person) -> Brows:
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


def _sample_eyes(rng: np.random.Generator, person: Person) -> Eyes:
    fair = {"brown": 0.3, "dark": 0.15, "hazel": 0.15, "green": 0.1, "blue": 0.2, "grey": 0.1}
    iris = _pick(rng, fair if person.ancestry[2] > 0.5 else {"brown": 0.5, "dark": 0.5})
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


def _sample_hair(rng: np.random.Generator, person: Person) -> Hair:
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
    style = _pick(rng, dict(zip(HAIR_STYLES, share, strict=True)))

    color_name, grey = person.pigment, person.grey
    dyed = rng.random() < (0.3 if person.female and person.years > 15 else 0.05)
    dyes = {"blond": 0.3, "auburn": 0.25, "ginger": 0.15, "brown": 0.15, "platinum": 0.15}
    dye = _pick(rng, dyes)
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


def _sample_clothes(rng: np.random.Generator) -> Clothes:
    collars = dict(zip(COLLARS, (0.36, 0.24, 0.12, 0.10, 0.18), strict=True))
    shares = (0.40, 0.12, 0.10, 0.10, 0.07, 0.07, 0.06, 0.08)
    patterns = dict(zip(PATTERNS, shares, strict=True))
    layers = dict(zip(LAYERS, (0.60, 0.18, 0.10, 0.12), strict=True))
    hue, saturation, value = rng.random(3)
    first = colorsys.hsv_to_rgb(hue, saturation**1.5 * 0.85, 0.12 + 0.83 * value)
    second = colorsys.hsv_to_rgb(rng.random(), rng.random() * 0.7, rng.uniform(0.1, 0.95))
    third = colorsys.hsv_to_rgb(rng.random(), rng.random() ** 2 * 0.8, rng.uniform(0.08, 0.9))
    return Clothes(
        collar=_pick(rng, collars),
        pattern=_pick(rng, patterns),
        pattern_scale=float(rng.uniform(2, 6)),
        colors=(linear_from_srgb(first), linear_from_srgb(second)),
        trim=int(rng.random() > 0.6),
        offset=float(rng.uniform(0.03, 0.07)),
        plunge=float(rng.uniform(0, 1)),
        hem=float(rng.uniform(0.012, 0.04)),
        layer=_pick(rng, layers),
        layer_color=linear_from_srgb(third),
    )


def _odds(seed: int, usual: float) -> float:
    """Siblings wear optional things far more often, so that pairs with and without are common."""
    return usual if base_of(seed) == seed else max(usual, 0.6)


def _sample_glasses(rng: np.random.Generator, person: Person, seed: int) -> Glasses:
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


def _sample_hat(rng: np.random.Generator, person: Person, seed: int) -> Hat:
    worn = rng.random() < _odds(seed, 0.06)
    color = colorsys.hsv_to_rgb(rng.random(), rng.random() * 0.7, rng.uniform(0.1, 0.95))
    return Hat(
        present=bool(worn),
        rim=float(7.80 + rng.uniform(-0.08, 0.08)),
        slope=float(0.42 * rng.uniform(0.7, 1)),
        color=linear_from_srgb(color),
    )


def _sample_earrings(rng: np.random.Generator, person: Person, seed: int) -> Earrings:
    worn = rng.random() < _odds(seed, 0.3 if person.female else 0.04)
    return Earrings(
        present=bool(worn),
        radius=float(rng.uniform(0.022, 0.045)),
        drop=float(rng.uniform(0.8, 1.6)),
        gold=bool(rng.random() < 0.6),
    )


_OPTIONAL: Mapping[str, Callable[[np.random.Generator, Person, int], Glasses | Hat | Earrings]] = {
    "glasses": _sample_glasses,
    "hat": _sample_hat,
    "earrings": _sample_earrings,
}
