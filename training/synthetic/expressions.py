"""Weights of the template's face units: what a mood does to mouth, brows, eyes and nose."""

from __future__ import annotations

import numpy as np

from training.synthetic.maths import pick
from training.synthetic.shapes import add_weights
from training.synthetic.traits import Person


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


def mouth_expression(rng: np.random.Generator, person: Person) -> tuple[str, dict[str, float]]:
    """What the mouth does, in a word and in weights."""
    choices = {
        "neutral": {"neutral": 0.70, "open": 0.14, "pucker": 0.06, "smile": 0.10},
        "happy": {"smile": 0.58, "broad smile": 0.42},
        "surprised": {"open": 1.0},
        "angry": {"pressed": 0.5, "frown": 0.5},
        "sad": {"frown": 0.8, "neutral": 0.2},
    }
    # Some do as they like, or a sibling's mouth would often be the same again.
    table = choices[person.mood] if rng.random() < 0.75 else _ANY_EXPRESSION
    expression = pick(rng, table)
    weights: dict[str, float] = {}
    if expression == "smile":
        add_weights(weights, _both(rng, "mouthSmile", rng.uniform(0.25, 0.7)))
        add_weights(weights, _both(rng, "cheekSquint", rng.uniform(0.1, 0.4)))
        add_weights(weights, _both(rng, "mouthDimple", rng.uniform(0, 0.3)))
    elif expression == "broad smile":
        add_weights(weights, _both(rng, "mouthSmile", rng.uniform(0.55, 0.9)))
        add_weights(weights, _both(rng, "cheekSquint", rng.uniform(0.2, 0.6)))
        add_weights(weights, _both(rng, "mouthUpperUp", rng.uniform(0.15, 0.45)))
        add_weights(weights, _both(rng, "mouthLowerDown", rng.uniform(0.1, 0.35)))
        weights["faceunits/jawOpen"] = float(rng.uniform(0.03, 0.22))
    elif expression == "open":
        weights["faceunits/jawOpen"] = float(rng.uniform(0.1, 0.45))
    elif expression == "pucker":
        weights["faceunits/mouthPucker"] = float(rng.uniform(0.2, 0.6))
    elif expression == "frown":
        add_weights(weights, _both(rng, "mouthFrown", rng.uniform(0.2, 0.6)))
    elif expression == "pressed":
        add_weights(weights, _both(rng, "mouthPress", rng.uniform(0.1, 0.4)))
    return expression, weights


def brow_expression(rng: np.random.Generator, person: Person) -> dict[str, float]:
    """What the mood does to the brows."""
    weights: dict[str, float] = {}
    if person.mood == "angry":
        add_weights(weights, _both(rng, "browDown", rng.uniform(0.1, 0.6)))
    elif person.mood == "surprised":
        add_weights(weights, _both(rng, "browOuterUp", rng.uniform(0.3, 0.8)))
        weights["faceunits/browInnerUp"] = float(rng.uniform(0.4, 0.9))
    elif person.mood == "sad":
        weights["faceunits/browInnerUp"] = float(rng.uniform(0.3, 0.7))
    if rng.random() < 0.3:
        add_weights(weights, {"faceunits/browInnerUp": float(rng.uniform(0, 0.3))})
    return weights


def eye_expression(rng: np.random.Generator, person: Person) -> dict[str, float]:
    """What mood and chance do to the lids."""
    # Without some widening everyone looks sleepy: the template's lids hang low.
    wide = rng.uniform(0.1, 0.45) + (rng.uniform(0.2, 0.6) if person.mood == "surprised" else 0)
    blink = 0.95 if rng.random() < 0.03 else abs(rng.normal(0, 0.05))
    weights = _both(rng, "eyeWide", wide, 0.02)
    weights.update(_both(rng, "eyeBlink", blink, 0.01))
    if person.mood == "happy":
        weights.update(_both(rng, "eyeSquint", rng.uniform(0, 0.35)))
    return weights


def nose_expression(rng: np.random.Generator, person: Person) -> dict[str, float]:
    """The sneer of the angry."""
    if person.mood != "angry":
        return {}
    return _both(rng, "noseSneer", rng.uniform(0.1, 0.4))
