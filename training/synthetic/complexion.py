"""Colour, roughness and labels of the body's surface, one value a vertex."""

from __future__ import annotations

import numpy as np

from core.parts import PART_NAMES
from training.synthetic.facial_hair import beard_mask, brow_mask
from training.synthetic.hair import scalp_mask
from training.synthetic.identity import Identity
from training.synthetic.maths import gaussian, linear_from_srgb, smooth_noise, smoothstep
from training.synthetic.regions import Regions
from training.synthetic.traits import PIGMENTS, Person

_SKIN_TONES = linear_from_srgb(
    np.array(
        [
            [242, 208, 190],
            [232, 190, 166],
            [220, 172, 143],
            [200, 145, 110],
            [160, 106, 76],
            [112, 72, 52],
            [74, 47, 37],
        ]
    )
    / 255
)
_GREY = np.array([0.48, 0.47, 0.455])
_BLOOD = np.array([0.10, -0.22, -0.20])  # what blush does to the log albedo
_BEARD_SHADE = {
    "none": 0,
    "stubble": 0.25,
    "short": 0.4,
    "full": 0.55,
    "goatee": 0.4,
    "moustache": 0.35,
}
_BODY_LABELS = ("skin", "brows", "nose", "mouth", "ears", "hair", "neck")


def skin_albedo(person: Person) -> np.ndarray:
    """Linear RGB of the bare skin: a ramp of seven tones, interpolated in log albedo."""
    position = person.tone * (len(_SKIN_TONES) - 1)
    index = min(int(position), len(_SKIN_TONES) - 2)
    low, high = _SKIN_TONES[index : index + 2]
    return low * (high / low) ** (position - index) * np.exp(person.tint)


def strand_mean(color: np.ndarray, grey_color: np.ndarray, grey: float) -> np.ndarray:
    """Mean linear RGB of hair of which the share ``grey`` has lost its pigment."""
    return color * (1 - grey) + grey_color * grey


def natural_color(person: Person) -> np.ndarray:
    """Linear RGB of the person's own pigment."""
    return np.array(PIGMENTS[person.pigment]) * np.exp(person.pigment_shift)


def brow_color(identity: Identity) -> np.ndarray:
    """Linear RGB of the brows: often darker than the hair, and late to turn grey."""
    person = identity.person
    color = np.minimum(natural_color(person) * 0.75, [0.16, 0.095, 0.05]) * identity.brows.shade
    return strand_mean(color, _GREY * 0.6, person.grey**2 * 0.8)


def beard_color(person: Person) -> np.ndarray:
    """Linear RGB of the beard's pigmented strands; grey ones are ``_GREY``."""
    color = natural_color(person)
    return color * (0.45 if person.pigment in ("blond", "platinum") else 0.85)


def beard_grey() -> np.ndarray:
    """Linear RGB of grey strands in beards."""
    return _GREY


def body_colors(identity: Identity, regions: Regions) -> np.ndarray:
    """Albedo of the body, (V, 3) linear RGB."""
    person, skin, eyes = identity.person, identity.skin, identity.eyes
    y, z, side = regions.y, regions.z, regions.side
    base = skin_albedo(person)

    nose_tip = np.exp(-(regions.x**2 + (y - 6.95) ** 2) / 0.15**2) * (z > 1.3)
    blush = 0.55 * regions.gaussian(0.42, 6.95, 0.2) + 0.45 * nose_tip
    blush = (blush + 0.25 * regions.gaussian(0.0, 6.35, 0.15)) * skin.blush
    blush = blush + 0.35 * regions.ears
    blotches = identity.stream("skin", "tint")
    blush = blush + smooth_noise(blotches, regions.rest, 6)[:, 0] * 0.10
    blush = blush + smooth_noise(blotches, regions.rest, 14)[:, 0] * 0.12
    blush = blush + person.makeup * 0.5 * regions.gaussian(0.46, 6.98, 0.18)
    color = base * np.exp(_BLOOD * blush[:, None])

    hollow = np.exp(-(((side - 0.30) / 0.2) ** 2 + ((y - 7.13) / 0.07) ** 2)) * (z > 1)
    dark = 0.35 * regions.lids + 0.22 * hollow * skin.under_eye
    color = color * np.exp(-dark[:, None] * np.array([0.6, 0.9, 0.8]))
    if eyes.shadow_strength > 0:
        above = np.exp(-(((side - 0.31) / 0.16) ** 2 + ((y - 7.37) / 0.05) ** 2))
        cover = eyes.shadow_strength * (0.8 * regions.lids * (y > 7.29) + 0.35 * above)
        cover = (np.clip(cover, 0, 0.85) * (z > 1))[:, None]
        color = color * (1 - cover) + (0.3 * base + 0.12 * linear_from_srgb(eyes.shadow)) * cover

    lips = _lip_color(identity, base)
    cover = np.clip(regions.lips, 0, 1)[:, None]
    color = color * (1 - cover) + lips * cover
    inside = (regions.mouth_inside > 0.5) & (regions.lips < 0.5)
    color = np.where(inside[:, None], [0.22, 0.05, 0.045], color)

    hair = identity.hair
    scalp_share = 0.45 if hair.style in ("buzz", "bald") else 0.8
    layers = (
        (scalp_mask(identity, regions) * scalp_share, hair_mean(identity) * 0.8),
        (_brow_shadow(identity, regions), brow_color(identity)),
        (
            beard_mask(identity, regions) * _BEARD_SHADE[skin.beard],
            strand_mean(beard_color(person), _GREY, person.grey) * 0.9,
        ),
    )
    for mask, tint in layers:
        color = color * (1 - mask[:, None]) + tint * mask[:, None]
    return color


def _brow_shadow(identity: Identity, regions: Regions) -> np.ndarray:
    """How far the skin beneath the brows takes their colour, (V,): hairs make them, not paint."""
    flecks = smooth_noise(identity.stream("brows", "shadow"), regions.rest, 30, octaves=2)[:, 0]
    mask = brow_mask(identity, regions) * identity.brows.density
    return np.clip(mask * (0.14 + 0.08 * flecks), 0, 0.3)


def hair_mean(identity: Identity) -> np.ndarray:
    """Mean linear RGB of the hair on the scalp."""
    hair = identity.hair
    return strand_mean(hair.color, hair.grey_color, hair.grey)


def _lip_color(identity: Identity, base: np.ndarray) -> np.ndarray:
    mouth = identity.mouth
    if mouth.lipstick is None:
        return base * np.array([0.82, 0.48, 0.46]) ** mouth.lip_depth
    return linear_from_srgb(mouth.lipstick) * (1 - 0.45 * identity.person.tone)


def body_surface(identity: Identity, regions: Regions) -> np.ndarray:
    """Freckles and moles, roughness, wrinkle depth at every vertex, (V, 3).

    The first is freckles in 0..1 plus, from 2 on, moles: one attribute less to hand over.
    """
    skin, y, z = identity.skin, regions.y, regions.z
    spots = skin.freckles * np.clip(regions.gaussian(0.25, 7.0, 0.35), 0, 1)
    age_spots = 0.3 * smoothstep(50, 75, identity.person.years) * skin.moles
    spots = np.maximum(spots, age_spots * (1 - regions.neck) * (1 - regions.lips))
    noise = smooth_noise(identity.stream("skin", "roughness"), regions.rest, 4)[:, 0]
    oily = gaussian(regions.side, 0, 0.25) * (z > 1.1) + regions.gaussian(0.42, 7.0, 0.16)
    oily = 0.17 * skin.oil * np.clip(oily, 0, 1)
    rough = np.clip(skin.roughness + 0.07 * noise - oily - 0.12 * regions.lips, 0.22, 0.7)
    old = np.clip((identity.person.years - 40) / 40, 0, 1)
    folds = smoothstep(7.5, 7.62, y) * (z > 0.9) + 0.6 * regions.gaussian(0.50, 7.22, 0.12)
    folds = np.clip(folds + 0.4 * regions.gaussian(0.30, 7.12, 0.1), 0, 1)
    wrinkles = 0.002 + 0.03 * old * (1 - regions.lips) * folds
    return np.stack([spots, rough, wrinkles], 1)


def body_detail(identity: Identity, regions: Regions) -> np.ndarray:
    """Depth of pores and share of blemished places at every vertex, (V, 3); the third is unused."""
    skin, z = identity.skin, regions.z
    zone = 0.5 + 0.8 * np.clip(
        gaussian(regions.side, 0, 0.3) * (z > 1.0) + regions.gaussian(0.38, 6.98, 0.28), 0, 1
    )
    bare = (1 - regions.lips) * (1 - 0.7 * regions.lids)
    pores = skin.pores * zone * bare
    cheeks = regions.gaussian(0.45, 6.85, 0.35) + 0.7 * gaussian(regions.y, 7.75, 0.25) * (z > 0.7)
    blemished = skin.spots * np.clip(cheeks + 0.5 * gaussian(regions.y, 6.35, 0.2), 0, 1) * bare
    return np.stack([pores, blemished, np.zeros_like(pores)], 1)


def body_labels(identity: Identity, regions: Regions) -> dict[str, np.ndarray]:
    """Share of every part at every vertex, part name to (V,); they sum to 1."""
    outside_mouth = 1 - regions.mouth
    shares = {
        "mouth": regions.mouth,
        "nose": regions.nose * outside_mouth,
        "neck": regions.neck * outside_mouth,
        "ears": regions.ears,
        "hair": scalp_mask(identity, regions) * (1 - regions.ears),
        "brows": brow_mask(identity, regions),
    }
    shares["skin"] = np.clip(1 - sum(shares.values()), 0, 1)
    total = sum(shares.values())
    return {name: shares[name] / total for name in PART_NAMES if name in _BODY_LABELS}
