"""What a person and each part can be like: plain values, and the words that they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

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

    ``layer`` is what is worn over it, one of ``LAYERS``, in a colour of its own. Only siblings lack
    clothes: shoulders are bare then.
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
    present: bool = True


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
