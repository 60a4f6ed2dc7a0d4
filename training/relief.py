"""``python -m training relief``: the surfaces of a model's people, from the depth of their renders.

What all of a person's renders show of the front of the face is brought onto one map in lifting
coordinates. Beneath eyes, brows, nose and mouth a membrane is spanned between what is skin around
them; how far each rises out of it is the part's own. Both are fitted by what is linear in codes
(:mod:`core.relief`): who knows a person's codes knows the face, and what one render shows of one
person is averaged over all who are like them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.blur import gaussian_means
from core.camera import canonical_camera
from core.checkpoint import load_checkpoint
from core.config import ModelConfig, Window
from core.engine import embedded_weights
from core.errors import PortraitError
from core.lifting import LIFTED, model_to_map, window_coordinates
from core.lookup import lookup
from core.model import SSGAN3D
from core.parts import BACKGROUND, FACE, FACE_BASE, PART_COUNT, PART_NAMES
from core.people_mixture import PeopleMixture
from core.relief import DENSE, SIZES, front_of
from training.data import PortraitSet, read_views
from training.drawn_people import add_people_arguments, places_of
from training.model_files import rebuilt, write_model
from training.process import set_up
from training.refine import known_views, people_of
from training.surface_errors import surface_errors, surface_normals
from training.warm_start import Views

TEXELS = 128, 96
"""Of the maps of surfaces, down and across the window of the skin: a pixel of depth each."""
_EDGE = 7
"""Pixels of a square that has to show the face alone, for its middle to count."""
_FACING = 0.2
"""Cosine between a surface and the ray that sees it from which it counts."""
_SEEN = 0.1
"""Pixels a texel from which it is seen."""
_ALL_SKIN = 0.95
"""Share of skin in a texel from which it belongs to no other part."""
_GROWN = 2
"""Texels by which parts reach beyond what is theirs: their edges are their own."""
_RELAXED = 300
"""Steps in which a membrane is smoothed."""
_BEYOND = 0.2
"""How much what a generator makes counts where nothing is seen."""
_SMOOTH = 2.0
"""Standard deviation of the Gaussian means of that, in texels of the common grid."""
_AT_ONCE = 20
_LEFT_OUT = 8
"""Every how many people are left out of a fit that is checked."""
RIDGE = 1.0
"""Penalty of squared coefficients."""
_OF_CONSTANTS = 1e-3
"""That of constants: nothing where nobody is known, and elsewhere no penalty."""


@dataclass(frozen=True)
class Surfaces:
    """What renders show of the faces of S people, on ``TEXELS``.

    Attributes:
        rows: of the people among the model's, (S,).
        height: z of the surface where it is seen, (S, h, w).
        seen: where it is, (S, h, w) bool.
        shares: of the parts in ``parts.FACE``, (S, 5, h, w); zeros where nothing is seen.
    """

    rows: Tensor
    height: Tensor
    seen: Tensor
    shares: Tensor


@torch.no_grad()
def seen_surfaces(data: PortraitSet, rows: Tensor, config: ModelConfig) -> Surfaces:
    """The surfaces of all who are shown.

    Args:
        data: renders of a model's people.
        rows: of each portrait of ``data`` among them.
    """
    views = Views(data, config, torch.device("cpu"), config.samples)
    height, width = TEXELS
    people, who = rows.unique(return_inverse=True)
    sums = torch.zeros(len(people), 2 + len(FACE), height * width)
    for view, portrait in enumerate(data.portrait_of.tolist()):
        for texels, values in _splats(views, view, config.maps[FACE_BASE].window):
            sums[who[portrait]].index_add_(1, texels, values)
    weight, depth, shares = sums.unflatten(2, TEXELS).split([1, 1, len(FACE)], 1)
    seen = weight > _SEEN
    known = weight.clamp_min(_SEEN)
    return Surfaces(people, (depth / known * seen)[:, 0], seen[:, 0], shares / known * seen)


def _splats(views: Views, view: int, window: Window) -> list[tuple[Tensor, Tensor]]:
    """What a view adds to the texels that its pixels lie between.

    Returns:
        Four times: which texels, (n,); weight, weight times z, and weights of the parts, (7, n).
    """
    data, config = views.data, views.config
    places = places_of(views, view)[0]  # (3, h, w)
    labels = data.labels[view]
    face = torch.isin(labels, torch.tensor(FACE))
    inner = F.max_pool2d(-face[None, None].float(), _EDGE, 1, _EDGE // 2)[0, 0] < 0
    camera = canonical_camera(data.views[view].camera, config)
    facing = _facing(places, torch.from_numpy(camera.position).float())
    sure = inner[::2, ::2] & (facing > _FACING)  # not a number is not greater
    point, trust = places[:, sure].T, facing[sure]
    own = data.soft_mask([view], len(sure))[0, list(FACE)][:, sure]  # (5, n)
    values = torch.cat([torch.ones_like(trust)[None], point[None, :, 2], own]) * trust
    x, y = window_coordinates(model_to_map(point, config), window).T
    height, width = TEXELS
    x, y = (x + 1) * width / 2 - 0.5, (y + 1) * height / 2 - 0.5
    splats = []
    for left in (x.floor(), x.floor() + 1):
        for upper in (y.floor(), y.floor() + 1):
            share = (1 - (x - left).abs()) * (1 - (y - upper).abs())
            within = (left >= 0) & (left < width) & (upper >= 0) & (upper < height)
            texel = (upper * width + left).long()
            splats.append((texel[within], (values * share)[:, within]))
    return splats


def _facing(places: Tensor, position: Tensor) -> Tensor:
    """Cosine between a surface and the rays that see it from ``position``, (h, w).

    Args:
        places: of the pixels' surface, (3, h, w); not numbers where there is none.
    """
    pixels = places.permute(1, 2, 0)
    rays = F.normalize(pixels[1:-1, 1:-1] - position, dim=-1)
    return F.pad((surface_normals(pixels) * rays).sum(-1).abs(), (1, 1, 1, 1))


@dataclass(frozen=True)
class Target:
    """What a part's map should be for S people.

    Attributes:
        rise: in units, (S, h, w).
        known: how far that is known, (S, h, w) in [0, 1].
    """

    rise: Tensor
    known: Tensor


def targets(surfaces: Surfaces, beyond: Target, config: ModelConfig) -> dict[int, Target]:
    """What the maps of the parts in ``parts.FACE`` should be, on ``relief.SIZES``.

    Args:
        beyond: of the skin where nothing is seen, on ``TEXELS``.
    """
    of_part = _grown(surfaces)  # (S, h, w): index in FACE, 0 for the skin
    skin = surfaces.seen & (of_part == 0)
    membrane = spanned(surfaces.height, skin)
    base = Target(
        torch.where(surfaces.seen, membrane, beyond.rise),
        torch.where(surfaces.seen, 1, _BEYOND * beyond.known),
    )
    found = {FACE_BASE: _resized(base, FACE_BASE, config)}
    for row, part in enumerate(FACE[1:], 1):
        own = surfaces.seen & (of_part == row)
        rise = torch.where(own, surfaces.height - membrane, 0)
        there = own.flatten(1).any(1)[:, None, None]
        found[part] = _resized(Target(rise, (surfaces.seen & there).float()), part, config)
    return found


@torch.no_grad()
def generated_surfaces(model: SSGAN3D, rows: Tensor) -> Target:
    """Where the skin of some of a model's people is seen without a relief, on ``TEXELS``.

    Smooth: what is beyond the renders is to be a likely face, and not this one's noise.
    """
    config, people = model.config, model.mapping
    assert isinstance(people, PeopleMixture)
    first, last = LIFTED.index(FACE[0]), LIFTED.index(FACE[-1])
    found = []
    for some in rows.split(_AT_ONCE):
        codes = people.base[some], people.shape[some], people.texture[some]
        geometry = model.geometry(model.part_maps(*codes))
        density = geometry.density[:, first : last + 1].sum(1)
        tau = density * math.sqrt(math.pi / config.shell_alpha)
        surface = geometry.depth[:, first] + front_of(tau, config)
        found.append(torch.stack([surface, (tau > DENSE).float()], 1))
    surface, dense = torch.cat(found).split(1, 1)
    share = gaussian_means(dense, _SMOOTH)
    surface = gaussian_means(surface * dense, _SMOOTH) / share.clamp_min(1e-6)
    window = config.geometry_window
    surface, share = (
        _looked_up(one, window, config.maps[FACE_BASE].window, TEXELS)[:, 0]
        for one in (surface, (share > 0.5).float())
    )
    return Target(surface, share)


def _grown(surfaces: Surfaces) -> Tensor:
    """Which part of the face texels belong to, (S, h, w): 0 for skin that no part is next to."""
    around = 2 * _GROWN + 1
    shares = surfaces.shares[:, 1:]
    reach = F.max_pool2d((shares > 1 - _ALL_SKIN).float(), around, 1, _GROWN)
    near = F.avg_pool2d(shares, around, 1, _GROWN) + 1e-3
    most, which = (near * reach).max(1)
    return torch.where(most > 0, which + 1, 0)


def spanned(height: Tensor, known: Tensor) -> Tensor:
    """Maps (S, h, w) where they are known, and a membrane between.

    It starts from means over ever larger squares, and is then relaxed.
    """
    filled, weight = _pyramid(height * known, known.float())
    made = torch.where(known, height, filled / weight.clamp_min(1e-9))
    for _ in range(_RELAXED):
        padded = F.pad(made[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
        around = padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2] + padded[:, 2:, 1:-1]
        made = torch.where(known, height, (around + padded[:, :-2, 1:-1]) / 4)
    return made


def _pyramid(sums: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sums and weights (S, h, w), with those of coarser maps where there are none."""
    if min(sums.shape[1:]) < 2:
        return sums, weight
    size = sums.shape[1:]
    pooled = [
        F.avg_pool2d(one[:, None], 2, ceil_mode=True, count_include_pad=False)[:, 0]
        for one in (sums, weight)
    ]
    coarse = [
        F.interpolate(one[:, None], size, mode="bilinear", align_corners=False)[:, 0]
        for one in _pyramid(*pooled)
    ]
    mean = coarse[0] / coarse[1].clamp_min(1e-9)
    there = weight > 0
    return torch.where(there, sums, mean), torch.where(there, weight, 1)


def _resized(target: Target, part: int, config: ModelConfig) -> Target:
    """What is on ``TEXELS`` on the map of a part."""
    maps = torch.stack([target.rise * target.known, target.known], 1)
    windows = config.maps[FACE_BASE].window, config.maps[part].window
    found, share = _looked_up(maps, *windows, SIZES[part]).unbind(1)
    return Target(found / share.clamp_min(1e-6), share)


def _looked_up(maps: Tensor, window: Window, other: Window, size: tuple[int, int]) -> Tensor:
    """Maps (S, C, h, w) in ``window`` on a grid of a size in another one."""
    u0, u1, v0, v1 = other
    u = u0 + (torch.arange(size[1]) + 0.5) / size[1] * (u1 - u0)
    v = v1 - (torch.arange(size[0]) + 0.5) / size[0] * (v1 - v0)
    places = torch.stack(torch.meshgrid(u, v, indexing="xy"), -1)  # (h, w, 2)
    return lookup(maps, window_coordinates(places, window).expand(len(maps), -1, -1, -1))


def fitted(target: Target, codes: Tensor) -> Tensor:
    """Coefficients (Z + 1, h, w) of what is linear in codes (S, Z); the last is the constant.

    Each cell by those of whom it is known (ridge regression).
    """
    rows = torch.cat([codes, torch.ones_like(codes[:, :1])], 1).double()  # (S, Z + 1)
    count = rows.shape[1]
    products = (rows[:, :, None] * rows[:, None]).flatten(1)  # (S, (Z + 1)²)
    known = target.known.flatten(1).double()  # (S, cells)
    left = (known.T @ products).unflatten(1, (count, count))  # (cells, Z + 1, Z + 1)
    penalty = torch.full((count,), RIDGE, dtype=torch.float64)
    penalty[-1] = _OF_CONSTANTS
    right = (known * target.rise.flatten(1)).T @ rows  # (cells, Z + 1)
    found = torch.linalg.solve(left + torch.diag(penalty), right)
    return found.T.float().unflatten(1, target.rise.shape[1:])


def with_relief(model: SSGAN3D, wanted: Mapping[int, Target], rows: Tensor) -> SSGAN3D:
    """The same model with faces of one surface.

    Args:
        wanted: as :func:`targets` gives them.
        rows: of whom, among the model's people.
    """
    people = model.mapping
    assert isinstance(people, PeopleMixture)
    made = rebuilt(model, relief=True)
    assert made.relief is not None
    for part, target in wanted.items():
        codes = torch.cat([people.base[rows], people.shape[rows, part]], 1).float()
        made.relief.put(part, fitted(target, codes))
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training relief``."""
    add_people_arguments(parser)
    parser.add_argument(
        "--check", action="store_true", help="print errors of people whom a fit left out"
    )


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training relief``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    model = rebuilt(whole, relief=False)
    if not isinstance(model.mapping, PeopleMixture):
        raise PortraitError(f"{weights} mixes no people, of whom renders could show the surface.")
    views, rows = known_views(read_views(arguments.data), people_of(info, weights))
    data = PortraitSet(views)
    surfaces = seen_surfaces(data, rows, model.config)
    wanted = targets(surfaces, generated_surfaces(model, surfaces.rows), model.config)
    made = with_relief(model, wanted, surfaces.rows)
    write_model(arguments.out, made, info, relief={"pictures": len(views)})
    print(f"{len(views)} pictures of {len(surfaces.rows)} people")
    if arguments.check:
        _check(model, data, rows, wanted, surfaces.rows)
    print(arguments.out)
    return 0


def _check(
    model: SSGAN3D, data: PortraitSet, rows: Tensor, wanted: Mapping[int, Target], people: Tensor
) -> None:
    """Print errors of people whom a relief of the others has not seen."""
    out = torch.arange(len(people)) % _LEFT_OUT == 0
    seen = {part: Target(one.rise[~out], one.known[~out]) for part, one in wanted.items()}
    other = with_relief(model, seen, people[~out])
    views = Views(data, model.config, torch.device("cpu"), model.config.samples)
    theirs = torch.isin(rows[data.portrait_of], people[out]).nonzero()[:, 0].tolist()
    parts = [k for k in range(PART_COUNT) if k != BACKGROUND]
    before, after = (surface_errors(one, views, theirs, rows, parts) for one in (model, other))
    print(
        f"{len(theirs)} pictures of {int(out.sum())} people whom it has not seen: error of depth "
        "in units and of normals in degrees, without and with it"
    )
    for part, old in before.items():
        new = after[part]
        print(
            f"{PART_NAMES[part]:<10}{old.depth:8.4f}{new.depth:8.4f}{old.angle:8.1f}{new.angle:8.1f}"
        )
