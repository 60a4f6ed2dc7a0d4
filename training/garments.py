"""``python -m training garments``: what the makers of its renders know of a model's clothes.

Which colours are where on a garment (:mod:`core.garment`) is told by the labels of the renders, in
places of the body's template. Where those are on a *model's* clothes is measured: they lie up to a
tenth of a unit before or behind the renders'. So the places at which the model's pictures of its
people show their clothes are compared with those that the renders show there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.engine import embedded_weights
from core.errors import PortraitError
from core.garment import (
    KINDS,
    NECK_AXIS,
    TRIM,
    WAVES,
    WORN,
    Garment,
    polynomial,
    series,
    terms,
)
from core.lifting import places_in
from core.model import SSGAN3D
from core.people_mixture import PeopleMixture
from core.prints import CLOTHES, cloth_places
from training.data import PortraitSet, read_views
from training.drawn_people import DrawnView, add_people_arguments, drawn_people
from training.model_files import rebuilt, write_model
from training.process import set_up
from training.refine import known_views, people_of
from training.synthetic.anny import load_head_data
from training.synthetic.clothes import (
    BLOTCHES,
    FOLDS,
    RING_POINTS,
    collar_shape,
    jacket_opening,
    make_garment,
    trim_color,
)
from training.synthetic.clothes import Garment as Worn
from training.synthetic.head import HeadModel, Piece
from training.synthetic.identity import Identity, sample_identity
from training.synthetic.lighting import FOCUS
from training.synthetic.maths import random_waves, srgb_from_linear, vertex_normals
from training.synthetic.portrait import PortraitBuilder
from training.synthetic.strands import Surface

_KINDS = {
    "stripe": "stripes",
    "pinstripe": "pinstripes",
    "check": "checks",
    "dots": "dots",
    "blotch": "blotches",
    "yoke": "yoke",
}
_LEVEL = {  # axes of the waves, and radians a decimetre for a ``pattern_scale`` of 1
    "stripe": ((1, 2 * np.pi),),
    "pinstripe": ((0, 5.0),),
    "check": ((0, 4.0), (1, 4.0)),
    "dots": ((0, 5.0), (1, 5.0)),
}
_SHADE = 0.8
"""Light on the cloth."""
_SHEEN = 0.12
"""What any cloth shines: with that, the colours of prints differ in 103 renders as much as said."""
_FRAME = 1.4, -1.45
"""Farthest from the middle, and lowest, in model units, that places of a garment count."""
_FACING = -0.2
"""The least z of their normals."""
_SURE = 0.95
"""Share of clothes in a pixel from which it counts."""
_UNSEEN = 0.1
"""How much places of the garment that no view shows weigh beside those that one does."""
_ROUNDS, _FAR = 3, 0.04
"""Rounds of trusting places less that lie far off, in units of the least distance that is far:
where a collar or a scarf ends, depth leaps."""
_ABOVE = 0.1
"""Model units by which a scarf is taken to go up farther: no garment is seen above it."""
_FEW = 200
"""Of fewer pixels nothing is measured."""


def garment_of(identity: Identity, builder: PortraitBuilder, unit: float) -> tuple[Tensor, Tensor]:
    """What somebody wears: its numbers (WORN,), and places all over it in model units, (n, 3).

    Zeros and no place for bare shoulders.

    Args:
        identity: who it is, with the targets of the builder's head.
        builder: of portraits.
        unit: decimetres in a model unit.
    """
    numbers, clothes = torch.zeros(WORN), identity.clothes
    if not clothes.present:
        return numbers, torch.zeros(0, 3)
    made = Garment.of(numbers)
    head, vertices = builder.head, builder.head_vertices(identity)
    body = head.body.of(vertices)
    surface = Surface(body, head.body.quads, head.regions)
    worn = make_garment(identity, head.cloth, vertices, surface)
    made.shown.fill_(1)
    if clothes.pattern in _KINDS:
        made.kinds[KINDS.index(_KINDS[clothes.pattern])] = 1
    made.waves.copy_(_waves(identity).flatten())
    ground, second = (_seen(color) for color in clothes.colors)
    others = second, _seen(trim_color(clothes)), _seen(clothes.layer_color)
    made.colors.copy_(torch.from_numpy(np.log(np.stack(others) / ground)).flatten())
    counts = _in_front(worn, head.cloth, unit)
    places = torch.from_numpy((worn.vertices[counts] - FOCUS) / unit).float()
    made.moved.copy_(fitted(places, places).flatten())
    made.place.copy_(fitted(places, torch.from_numpy(head.cloth.rest[counts])).flatten())
    made.collar.copy_(torch.tensor(collar_shape(clothes)))
    made.jacket.copy_(torch.tensor([float(worn.jacket is not None), jacket_opening(clothes)]))
    if worn.ring is not None:
        around = _around((worn.ring - FOCUS) / unit)
        if clothes.layer == "scarf":
            around[1, 0] += _ABOVE
        made.around.copy_(around.flatten())
    return numbers, places


def fitted(places: Tensor, values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Polynomials that are values (n, 3) at places (n, 3), by least squares: (3, TERMS)."""
    rows, values = terms(places.T[None].double())[0].T, values.double()  # (n, TERMS), (n, 3)
    if weights is not None:
        trust = weights.double().sqrt()[:, None]
        rows, values = rows * trust, values * trust
    return torch.linalg.lstsq(rows, values).solution.T.float()


def _seen(color: np.ndarray) -> np.ndarray:
    """What a picture shows of a linear colour."""
    return srgb_from_linear(color * _SHADE) + _SHEEN


def _waves(identity: Identity) -> Tensor:
    """Radians a decimetre, and phases, of the waves of a print, (WAVES, 4)."""
    clothes, waves = identity.clothes, torch.zeros(WAVES, 4)
    if clothes.pattern == "blotch":
        rng = identity.stream("clothes", "noise")
        fine = BLOTCHES * clothes.pattern_scale
        drawn = [*random_waves(rng, FOLDS), *random_waves(rng, fine, octaves=2)]
        for row, (wave, phase, _) in zip(waves, drawn[-WAVES:], strict=True):
            row.copy_(torch.from_numpy(np.concatenate([wave[:, 0], phase])))
    for row, (axis, fineness) in zip(waves, _LEVEL.get(clothes.pattern, ()), strict=False):
        row[axis] = fineness * clothes.pattern_scale
    return waves


def _in_front(worn: Worn, piece: Piece, unit: float) -> np.ndarray:
    """Which vertices of a garment pictures show, (V,) bool."""
    side, lowest = _FRAME
    x, y, _ = ((worn.vertices - FOCUS) / unit).T
    facing = vertex_normals(worn.vertices, piece.quads)[:, 2]
    inside: np.ndarray = worn.inside > -TRIM
    return inside & (facing > _FACING) & (np.abs(x) < side) & (y > lowest)


def _around(ring: np.ndarray) -> Tensor:
    """Fourier series of a ring's lower and upper edge, and reach, (3, 2 ORDER + 1)."""
    sides = ring.reshape(RING_POINTS, -1, 3)
    middle = sides.mean(1)
    angle = np.arctan2(middle[:, 0], middle[:, 2] - NECK_AXIS)
    radius = np.hypot(sides[..., 0], sides[..., 2] - NECK_AXIS)
    ends = np.stack([sides[..., 1].min(1), sides[..., 1].max(1), radius.max(1)], 1)  # (P, 3)
    rows = series(torch.from_numpy(angle)[None])[0].T
    return torch.linalg.lstsq(rows, torch.from_numpy(ends)).solution.T.float()


def shown_places(view: DrawnView) -> tuple[Tensor, Tensor]:
    """Where a model has the clothes that a render shows, and where the render has them, (n, 3)."""
    config, size = view.model.config, view.places.shape[-2:]
    surface = F.interpolate(view.surface((CLOTHES,)), size=size, mode="bilinear")
    grid = places_in(surface, config.maps[CLOTHES].window)
    own = F.grid_sample(cloth_places(view.geometry, config), grid, align_corners=False)
    labelled = F.avg_pool2d((view.labels == CLOTHES)[None, None].float(), 2)
    counts = (labelled > _SURE) & (surface[:, 2:] > _SURE) & (grid.abs().amax(-1) < 1)[:, None]
    counts = (counts & view.places.isfinite().all(1, keepdim=True))[0, 0]
    return own[0][:, counts].T, view.places[0][:, counts].T


def moved(own: Tensor, shown: Tensor, everywhere: Tensor) -> Tensor:
    """The places of a render's garment as polynomials of a model's, (3, TERMS).

    Args:
        own, shown: of :func:`shown_places`, of all views, (n, 3).
        everywhere: places of the garment, (m, 3). Where no view shows it, the model is taken to be
            wrong by as much as it is on average.
    """
    places = torch.cat([own, everywhere + (own - shown).mean(0)])
    wanted = torch.cat([shown, everywhere])
    usual = torch.ones(len(places))
    usual[len(own) :] = _UNSEEN * len(own) / len(everywhere)
    weights = usual
    for _ in range(_ROUNDS):
        move = fitted(places, wanted, weights)
        left = polynomial(move.flatten()[None], places.T[None])[0].T - wanted
        weights = usual / (1 + left.square().sum(1) / _FAR**2)
    return fitted(places, wanted, weights)


def with_garments(
    model: SSGAN3D, people: Sequence[int], seen: Iterable[tuple[int, list[DrawnView]]]
) -> tuple[SSGAN3D, Tensor]:
    """The same model with what its people wear, and how far its clothes are from the renders'.

    Args:
        people: numbers of their identities, in the order of the model's mixture.
        seen: what data show of them, as :func:`.drawn_people.drawn_people` gives it.

    Returns:
        The model, and root mean squares of the distance across, up and in depth, in model units, as
        they are and with those polynomials, (2, 3).
    """
    data = load_head_data()
    builder, targets = PortraitBuilder(HeadModel(data)), frozenset(data.targets)
    made, unit = rebuilt(model, garments=True), 10 * model.config.unit_metres
    assert isinstance(made.mapping, PeopleMixture)
    garments, everywhere = made.mapping.garments, []
    for row, number in enumerate(people):
        garments[row], places = garment_of(sample_identity(number, targets), builder, unit)
        everywhere.append(places)
    apart = []
    for row, views in seen:
        pairs = [shown_places(view) for view in views]
        own, shown = (torch.cat(places) for places in zip(*pairs, strict=True))
        if len(own) < _FEW or not len(everywhere[row]):
            continue
        move = moved(own, shown, everywhere[row])
        Garment.of(garments[row]).moved.copy_(move.flatten())
        after = polynomial(move.flatten()[None], own.T[None])[0].T
        apart.append(torch.stack([(p - shown).square().mean(0) for p in (own, after)]))
    if not apart:
        raise PortraitError("No render shows what the model's people wear.")
    return made, torch.stack(apart).mean(0).sqrt()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training garments``."""
    add_people_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training garments``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    if not whole.config.detail_directions:
        raise PortraitError(
            f"{weights} has no fine structure. Run `python -m training detail` first."
        )
    model, people = rebuilt(whole, garments=False), people_of(info, weights)
    views, rows = known_views(read_views(arguments.data), people)
    seen = drawn_people(model, PortraitSet(views), rows, torch.device("cpu"))
    made, (before, after) = with_garments(model, people, seen)
    write_model(arguments.out, made, info)
    worn = Garment.of(made.mapping.get_buffer("garments"))
    for kind, wearers in zip(KINDS, worn.kinds.T, strict=True):
        print(f"{kind:12s} {int(wearers.sum()):4d} of {len(people)} people")
    told = ((f"{x:.3f}" for x in row.tolist()) for row in (before, after))
    print("Clothes lie {}, {} and {} from the renders', then {}, {} and {}.".format(*chain(*told)))
    print(arguments.out)
    return 0
