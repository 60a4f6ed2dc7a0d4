"""The head as a morphable mesh: template, targets, and the subdivided pieces that are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from training.synthetic.anny import HeadData
from training.synthetic.maths import smoothstep
from training.synthetic.regions import Regions
from training.synthetic.subdivision import catmull_clark

# Vertex ranges of the eyeballs; the wearer's left is at positive x.
LEFT_EYE = slice(14598, 14670)
RIGHT_EYE = slice(14670, 14742)
_UPPER_TEETH_FROM = 15060
EYE_DISTANCE = 0.62
EYE_MIDPOINT = np.array([0.0, 7.284, 1.245])


@dataclass(frozen=True)
class Piece:
    """A part of the template that is rendered as one mesh.

    Attributes:
        sources: (S,) template vertices that it depends on.
        subdivide: (V, S) sparse matrix from those to the piece's vertices.
        quads: (F, 4) faces of the subdivided piece.
        rest: (V, 3) its vertices in the template, the coordinates that patterns stick to.
    """

    sources: np.ndarray
    subdivide: sp.csr_matrix
    quads: np.ndarray
    rest: np.ndarray

    def of(self, template_values: np.ndarray) -> np.ndarray:
        """Positions or values at the piece's vertices from those at the template's."""
        return np.asarray(self.subdivide @ template_values[self.sources], np.float64)


class HeadModel:
    """Shapes heads from target weights and cuts them into the pieces that are rendered."""

    def __init__(self, data: HeadData):
        self.data = data
        center = data.vertices[data.quads].mean(1)
        bust = (center[:, 1] > 4.2) & (np.abs(center[:, 0]) < 2.9)
        group = data.groups
        self.body = self._piece((group == "body") & bust)
        self.cloth = self._piece((group == "helper-tights") & bust, levels=2)
        self.teeth = self._piece(np.isin(group, ["helper-upper-teeth", "helper-lower-teeth"]))
        self.tongue = self._piece(group == "helper-tongue")
        self.lashes = self._piece(np.char.find(group, "eyelashes") >= 0, levels=0)
        upper = np.arange(len(data.vertices)) >= _UPPER_TEETH_FROM
        self.upper_teeth = self.teeth.of(upper.astype(float)) > 0.5

    @cached_property
    def regions(self) -> Regions:
        """Labels of the body's surface, the same for every identity."""
        masks = {name: np.clip(self.body.of(mask), 0, 1) for name, mask in self.data.masks.items()}
        support = np.clip(self.body.of(self._support("nose", _NOSE_SUPPORT)), 0, 1)
        return Regions(self.body.rest, masks, support)

    def shape(self, weights: Mapping[str, float]) -> np.ndarray:
        """Template vertices plus the weighted targets, (V, 3).

        Raises:
            KeyError: a weight names no target.
        """
        vertices = self.data.vertices.astype(np.float64)
        for name, weight in weights.items():
            if weight:
                indices, offsets = self.data.targets[name]
                vertices[indices] += weight * offsets
        return vertices

    def normalized(self, vertices: np.ndarray) -> np.ndarray:
        """Template vertices moved and scaled so that the eyes are where everyone has them."""
        left, right = self.eye_centers(vertices)
        scale = EYE_DISTANCE / np.linalg.norm(left - right)
        return (vertices - (left + right) / 2) * scale + EYE_MIDPOINT

    @cached_property
    def region_masks(self) -> dict[str, np.ndarray]:
        """Soft share of every template vertex in the regions that are blended, (V,) each."""
        rest = self.data.vertices.astype(np.float64)
        rest = np.stack([np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]], 1)
        masks = {
            name: smoothstep(1.0, 0.5, np.linalg.norm((rest - center) / radii, axis=1))
            for name, (center, radii) in _BLOBS.items()
        }
        left = 1 - np.clip(sum(masks.values()), 0, 1)
        head = left * smoothstep(6.05, 6.45, rest[:, 1])
        low = smoothstep(6.95, 6.7, rest[:, 1])
        masks |= {"jaw": head * low, "skull": head * (1 - low)}
        total = np.maximum(sum(masks.values()), 1)
        return {name: mask / total for name, mask in masks.items()}

    def eye_centers(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean vertex of the left and of the right eyeball, (3,) each."""
        return vertices[LEFT_EYE].mean(0), vertices[RIGHT_EYE].mean(0)

    def _piece(self, faces: np.ndarray, levels: int = 1) -> Piece:
        sources, quads = np.unique(self.data.quads[faces], return_inverse=True)
        quads = quads.reshape(-1, 4)
        subdivide = sp.eye(len(sources)).tocsr()
        for _ in range(levels):
            level, quads = catmull_clark(quads, subdivide.shape[0])
            subdivide = (level @ subdivide).tocsr()
        rest = np.asarray(subdivide @ self.data.vertices[sources], np.float64)
        return Piece(sources, subdivide, quads, rest)

    def _support(self, folder: str, names: Iterable[str]) -> np.ndarray:
        """How far the targets move every template vertex, each target scaled to 1 at most."""
        support = np.zeros(len(self.data.vertices))
        for name in names:
            indices, offsets = self.data.targets[f"{folder}/{name}"]
            length = np.linalg.norm(offsets, axis=1)
            support[indices] = np.maximum(support[indices], length / length.max())
        return support


# Centre and radii of the regions round the features, on the side of positive x.
_BLOBS = {
    "eyes": ((0.31, 7.28, 1.15), (0.30, 0.17, 0.45)),
    "brows": ((0.32, 7.50, 1.15), (0.42, 0.16, 0.45)),
    "nose": ((0.0, 7.06, 1.45), (0.30, 0.38, 0.50)),
    "mouth": ((0.0, 6.66, 1.35), (0.46, 0.22, 0.50)),
    "ears": ((0.78, 7.08, 0.40), (0.28, 0.48, 0.40)),
}
_NOSE_SUPPORT = (
    "nose-volume-incr",
    "nose-scale-horiz-incr",
    "nose-scale-vert-incr",
    "nose-flaring-incr",
    "nose-hump-incr",
    "nose-point-width-incr",
    "nose-nostrils-width-incr",
)
