"""From an identity to everything that is rendered: positions, colours, labels and strands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synthetic import complexion, eyes
from training.synthetic.accessories import Beanie, WornHat, make_earrings, make_glasses, make_lenses
from training.synthetic.clothes import Garment, make_garment
from training.synthetic.facial_hair import grow_beard, grow_brows
from training.synthetic.hair import grow_hair
from training.synthetic.head import (
    EYE_DISTANCE,
    EYE_MIDPOINT,
    LEFT_EYE,
    RIGHT_EYE,
    HeadModel,
)
from training.synthetic.identity import Identity
from training.synthetic.maths import smooth_noise, smoothstep
from training.synthetic.numbering import GLOBAL
from training.synthetic.shapes import BLENDED_REGIONS
from training.synthetic.strands import Strands, Surface

_FIELD_FREQUENCY, _FIELD_AMPLITUDE, _UNEVEN_AMPLITUDE = 1.9, 0.040, 0.015
# How much of a region's shift as a whole is taken back.
_SHIFT_UNDONE = dict.fromkeys(BLENDED_REGIONS, 0.7) | {"eyes": 1.0, "brows": 1.0}
_NECK_AXIS_Z = 0.25


@dataclass(frozen=True)
class Portrait:
    """One identity in template space, ready to be handed to a renderer.

    Absent parts are None. Vertex colours are linear RGB; ``body_labels`` maps part names to shares.
    """

    identity: Identity
    body: np.ndarray
    body_colors: np.ndarray
    body_surface: np.ndarray
    body_detail: np.ndarray
    body_labels: dict[str, np.ndarray]
    eyes: np.ndarray
    eye_colors: np.ndarray
    lashes: np.ndarray
    lash_opacity: np.ndarray
    teeth: np.ndarray
    tooth_marks: np.ndarray
    tongue: np.ndarray
    garment: Garment
    glasses: np.ndarray | None
    lenses: np.ndarray | None
    hat: WornHat | None
    earrings: np.ndarray | None
    hair: Strands | None
    brows: Strands
    beard: Strands | None


class PortraitBuilder:
    """Builds portraits from one head model; keeps what all of them share."""

    def __init__(self, head: HeadModel):
        self.head = head
        self.ball = eyes.Eyeball()
        self.beanie = Beanie.of(head.regions, head.body.quads)

    def head_vertices(self, identity: Identity) -> np.ndarray:
        """Template vertices in the identity's shape and place, (V, 3).

        The eyes' distance and midpoint are normalised by the head's own shape and the neck that
        carries it: another nose or other eyes must not shift or scale all the rest.
        """
        weights = identity.weights
        bare = self.head.shape({**weights[GLOBAL], **weights["skin"], **weights["neck"]})
        left, right = self.head.eye_centers(bare)
        scale = EYE_DISTANCE / np.linalg.norm(left - right)
        every: dict[str, float] = {}
        for part in weights.values():
            for name, weight in part.items():
                every[name] = every.get(name, 0) + weight
        shaped = (self.head.shape(every) - (left + right) / 2) * scale + EYE_MIDPOINT
        shaped += self._inherited(identity) + self._field(identity)
        return _turn_shoulders(shaped, self.head.data.vertices, identity.person.shoulder_turn)

    def _inherited(self, identity: Identity) -> np.ndarray:
        """What regions of other ages, genders and ancestries add, (V, 3).

        No one is a mean of averages: a nose may come from one side of the family, a jaw from the
        other.
        """
        own = self.head.normalized(self.head.shape(identity.weights[GLOBAL]))
        total = np.zeros_like(own)
        for region, mask in self.head.region_masks.items():
            other = self.head.normalized(self.head.shape(identity.blends[region])) - own
            # The region's form counts, not that it sits higher on another head.
            middle = (mask @ other) / mask.sum()
            total += mask[:, None] * (other - middle * _SHIFT_UNDONE[region])
        return total

    def _field(self, identity: Identity) -> np.ndarray:
        """Smooth random displacement out of the family of faces that the targets span, (V, 3)."""
        rest = self.head.data.vertices.astype(np.float64)
        # Mirrored about the middle, which it crosses smoothly, and a little that is not mirrored.
        folded = np.stack([np.hypot(rest[:, 0], 0.15), rest[:, 1], rest[:, 2]], 1)
        field = smooth_noise(identity.stream("skin", "field"), folded, _FIELD_FREQUENCY, 3, 2)
        field[:, 0] *= np.tanh(rest[:, 0] / 0.25)
        uneven = smooth_noise(identity.stream("skin", "asymmetry"), rest, _FIELD_FREQUENCY, 3)
        field = _FIELD_AMPLITUDE * field + _UNEVEN_AMPLITUDE * uneven
        left, right = field[LEFT_EYE].mean(0), field[RIGHT_EYE].mean(0)
        field -= (left + right) / 2
        field[:, 0] -= (left - right)[0] / 2 * np.clip(rest[:, 0] / (EYE_DISTANCE / 2), -1, 1)
        reach = smoothstep(6.0, 6.4, rest[:, 1])[:, None]
        return identity.skin.field_strength * field * reach

    def build(self, identity: Identity, strand_count: int) -> Portrait:
        """The whole portrait; ``strand_count`` hairs for an ordinary style."""
        head = self.head
        vertices = self.head_vertices(identity)
        body = head.body.of(vertices)
        surface = Surface(body, head.body.quads, head.regions)

        hat = self.beanie.fit(identity.hat, surface) if identity.hat.present else None
        glasses = lenses = earrings = None
        if identity.glasses.present:
            glasses, _ = make_glasses(identity.glasses, surface)
            lenses, _ = make_lenses(identity.glasses, surface)
        if identity.earrings.present:
            earrings = make_earrings(identity.earrings, surface, self.ball)
        return Portrait(
            identity=identity,
            body=body,
            body_colors=complexion.body_colors(identity, head.regions),
            body_surface=complexion.body_surface(identity, head.regions),
            body_detail=complexion.body_detail(identity, head.regions),
            body_labels=complexion.body_labels(identity, head.regions),
            eyes=eyes.eye_vertices(identity, vertices, self.ball),
            eye_colors=eyes.eye_colors(identity, self.ball),
            lashes=head.lashes.of(vertices),
            lash_opacity=eyes.lash_opacity(identity, head),
            teeth=eyes.teeth_vertices(head, vertices),
            tooth_marks=eyes.tooth_marks(identity, head),
            tongue=head.tongue.of(vertices),
            garment=make_garment(identity, head.cloth, vertices, surface),
            glasses=glasses,
            lenses=lenses,
            hat=hat,
            earrings=earrings,
            hair=grow_hair(identity, surface, strand_count, hat.height if hat else None),
            brows=grow_brows(identity, surface),
            beard=grow_beard(identity, surface),
        )


def _turn_shoulders(vertices: np.ndarray, rest: np.ndarray, angle: float) -> np.ndarray:
    """Turn what is below the jaw about the neck's axis."""
    turn = angle * smoothstep(6.15, 5.5, rest[:, 1])
    x, z = vertices[:, 0], vertices[:, 2] - _NECK_AXIS_Z
    turned = vertices.copy()
    turned[:, 0] = np.cos(turn) * x + np.sin(turn) * z
    turned[:, 2] = np.cos(turn) * z - np.sin(turn) * x + _NECK_AXIS_Z
    return turned
