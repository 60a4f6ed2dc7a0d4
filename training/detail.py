"""``python -m training detail``: how much fine structure lies where, measured in renders.

Where a strand lies is chance, and nothing that compares pixels can teach it: the picture that errs
least is a smooth one. What can be learnt is how strong the structure of a place is, in which
direction and how fine (Heeger and Bergen 1995: textures as the energies of oriented filters). A
render and the model's smooth picture of the same person are filtered; what energy the render has
more is what the tiles of :mod:`core.detail` must give. All else of the model stays as it is.
"""

from __future__ import annotations

import argparse
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.detail import COARSE, DETAILED, FALLOFF, MOST, oriented_filters
from core.engine import embedded_weights
from core.generators import PartGroup
from core.model import SSGAN3D, PosedFeatures
from core.parts import part_index
from core.people_mixture import PeopleMixture
from training.budget import Budget, add_run_arguments, dealt
from training.data import PortraitSet, read_views
from training.model_files import put_on, rebuilt, taken_off, write_model
from training.process import set_up
from training.rates import half_cosine, set_rate
from training.refine import codes_of_rows, known_views, people_of
from training.warm_start import Views

DIRECTIONS = 6
_START = 0.02
"""Amount of every tile at first: at none, nothing would be learnt."""
_NEAR = 13
"""Side of the squares of pixels whose mean light a pixel's structure is compared with."""
_DARKEST = 0.06
"""Least such light, of 2: in the dark, noise of the renders is no structure."""
_MARGIN = 5
"""Side, in pixels of the masks, of squares that must lie in one part: edges are no structure."""
_SPREAD = 6.0
"""Standard deviation, in pixels, of the places over which energies are averaged."""
_FLOOR = 3.0e-5
"""Energy, of squares of shares of a place's light, that nobody sees."""
UNSEEN = {"skin": 1e-3, "nose": 1e-3, "neck": 1e-3}
"""Energies, of all filters together, that parts are not given, but for a ``_TRACE``.

Pores and spots have less, and noise of all directions is no pores but canvas. A beard has two to
twenty times as much.
"""
_TRACE = 1.0e-5
"""Nobody sees it; of nothing there are no logarithms."""
_LARGEST = 0.05
"""Of such energies: more is a highlight, or an edge that the mask does not know."""
REPORT_EVERY = 50
SAMPLES = 16


def with_detail(model: SSGAN3D, directions: int) -> SSGAN3D:
    """The same model with tiles of fine structure, of which a little shows, unless it has some.

    Their texels, and their bound on skin, are those of a new model.
    """
    has = model.config.detail_directions
    grown = rebuilt(
        model,
        detail_directions=has or directions,
        detail_density=ModelConfig.detail_density,
        detail_on_skin=ModelConfig.detail_on_skin,
    )
    if grown.config == model.config:
        return model
    if not has:
        _show_a_little(grown)
    return grown


@torch.no_grad()
def _show_a_little(model: SSGAN3D) -> None:
    """Start all tiles; squared, what starts at zero stays there."""
    for group in model.generators.groups:
        assert isinstance(group, PartGroup)
        for row, part in enumerate(group.parts):
            if part in DETAILED:
                first = 0 if part in COARSE else model.config.detail_directions
                group.detail_head_bias[row, first:] = (_START / (1 - _START / MOST)) ** 0.5


@functools.cache
def filters_on(device: torch.device, directions: int, side: int) -> Tensor:
    """The filters that energies are measured with, (2 D, side, side)."""
    return oriented_filters(directions, side).to(device)


@functools.cache
def response(directions: int, side: int) -> Tensor:
    """Energy that each tile of variance 1 gives in each filter, (2 D filters, 2 D tiles)."""
    tiles = oriented_filters(directions, side, FALLOFF).square()
    tiles = tiles / tiles.sum((1, 2), keepdim=True)
    return torch.einsum("fxy,txy->ft", oriented_filters(directions, side).square(), tiles)


def energies(image: Tensor, inside: Tensor, directions: int, side: int) -> Tensor:
    """Energy of the light's structure around each ray, by filter: (B, 2 D, r, r).

    Args:
        image: (B, 3, S, S) in [-1, 1].
        inside: (B, 1, S, S), 1 where it counts, else 0.
        side: r.
    """
    light = image.mean(1, keepdim=True) + 1
    near = F.pad(light, [_NEAR // 2] * 4, mode="replicate")
    light = light / F.avg_pool2d(near, _NEAR, 1).clamp_min(_DARKEST)
    size = image.shape[-1]
    filters = filters_on(image.device, directions, size)[..., : size // 2 + 1]
    found = torch.fft.irfft2(torch.fft.rfft2(light) * filters, s=(size, size))  # (B, 2 D, S, S)
    step = size // side
    total, counted = (F.avg_pool2d(t, step) for t in (found.square() * inside, inside))
    spread = _SPREAD / step
    return gaussian_blur(total, spread) / gaussian_blur(counted, spread).clamp_min(1e-3)


def gaussian_blur(x: Tensor, spread: float) -> Tensor:
    """(B, C, H, W) blurred by a Gaussian of such a standard deviation."""
    reach = math.ceil(3 * spread)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / spread) ** 2)
    line = (line / line.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(x, line, padding=(0, reach), groups=x.shape[1])
    return F.conv2d(x, line.transpose(2, 3), padding=(reach, 0), groups=x.shape[1])


def missing_energies(
    image: Tensor,
    smooth: Tensor,
    mask: Tensor,
    directions: int,
    side: int,
    parts: Sequence[int] = DETAILED,
) -> tuple[Tensor, Tensor]:
    """What a render's structure has more than the model's smooth picture, on the ray grid.

    Less what is ``UNSEEN`` of the parts that show there.

    Args:
        image, smooth: (B, 3, S, S) in [-1, 1].
        mask: soft masks of the render, (B, K, S / 2, S / 2).
        side: r.
        parts: where it counts.

    Returns:
        Energies (B, 2 D, r, r) and where they count, (B, 1, r, r) in {0, 1}.
    """
    counted = F.interpolate(inside_of(mask, parts), image.shape[-2:])
    own, given = (energies(shown, counted, directions, side) for shown in (image, smooth))
    energy = (own - given).clamp_min(0)
    known = F.adaptive_avg_pool2d(counted, side) > 0.99
    labels = F.adaptive_avg_pool2d(mask, side)
    unseen = sum(labels[:, part_index(name), None] * least for name, least in UNSEEN.items())
    total = energy.sum(1, keepdim=True)
    wanted = torch.minimum((total - unseen).clamp_min(_TRACE), total)
    return energy * wanted / total.clamp_min(1e-9), known.to(image)


def inside_of(mask: Tensor, parts: Sequence[int]) -> Tensor:
    """Where one of the parts and no edge of it is near, from (B, K, h, w): (B, 1, h, w), 0 or 1."""
    outside = F.max_pool2d(1 - mask[:, list(parts)], _MARGIN, 1, _MARGIN // 2)
    return (outside < 0.05).any(1, keepdim=True).to(mask)


def misfit(given: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Whittle's likelihood of missing energies, negative.

    It is least where the energy that is given is the mean of what is wanted.

    Args:
        given: as from :func:`given_energies`.
        wanted, known: as from :func:`missing_energies`.
    """
    total = given + _FLOOR
    return _mean_of(total.log() + (wanted.float().clamp_max(_LARGEST) + _FLOOR) / total, known)


def distance(given: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Mean difference of logarithms, as for :func:`misfit`; least where the median is given.

    A mean gives all cheeks a little of the stubble that few have.
    """
    return _mean_of(((given + _FLOOR).log() - (wanted.float() + _FLOOR).log()).abs(), known)


def _mean_of(apart: Tensor, known: Tensor) -> Tensor:
    """Mean over filters and the places that are known."""
    return (apart * known).sum() / (known.sum().clamp_min(1) * apart.shape[1])


def given_energies(amount: Tensor, resolved: Tensor, config: ModelConfig) -> Tensor:
    """Energies that the tiles give in the filters, (B, 2 D, h, w).

    Args:
        amount: of each tile, on rays (B, 2 D, h, w).
        resolved: how much of the tiles pixels can show, (B, 1, H, W).
    """
    gives = response(config.detail_directions, config.detail_side).to(amount.device)
    energy = torch.einsum("ft,bthw->bfhw", gives, amount.float().square())
    height, width = amount.shape[-2:]
    return energy * F.adaptive_avg_pool2d(resolved.square(), (height, width))


def given_by(model: SSGAN3D, posed: PosedFeatures) -> Tensor:
    """Energies that a model's tiles give, from all B views of it: (B, 2 D, r, r)."""
    config, detail = model.config, model.render_net.detail
    assert detail is not None
    amount = posed.features[:, :, config.features :].flatten(0, 1)
    resolved = detail.resolved(posed.layers.surface, config.image_size)
    return given_energies(amount, resolved, config)


class DetailTraining:
    """Teaches a model's detail branches what energies its people's renders have."""

    def __init__(self, model: SSGAN3D, views: Views, rows: Tensor, seed: int = 0) -> None:
        """
        Args:
            model: has tiles and is trained in place.
            views: renders of people whom it mixes.
            rows: (P,) row of each portrait of ``views`` among the model's people.
        """
        assert isinstance(model.mapping, PeopleMixture)
        self.people = model.mapping
        self.model, self.views, self.rows, self.seed = model, views, rows, seed
        self.config = model.config
        self.learned = [
            parameter.requires_grad_(True)
            for name, parameter in model.named_parameters()
            if ".detail_" in name
        ]
        self.known: dict[int, tuple[Tensor, Tensor]] = {}

    def run(self, minutes: float, pictures: int, rate: float, steps: int = 0) -> dict[str, float]:
        """Train for so long, or so many steps; the learning rate falls to zero by a half cosine.

        Returns:
            Steps and minutes.
        """
        optimizer = torch.optim.Adam(self.learned, rate, betas=(0.9, 0.99))
        budget = Budget(minutes, steps, report_every=REPORT_EVERY)
        order: list[int] = []
        for progress in budget:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + budget.step)
            chosen = dealt(order, pictures, len(self.views.data), generator)
            set_rate(optimizer, rate * half_cosine(progress))
            loss, share = self.loss(chosen, generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            budget.note({"loss": loss.detach(), "share of energy": share.detach()})
        return budget.spent()

    def loss(self, chosen: list[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What :func:`misfit` says of some views; share of the missing energies that is given."""
        portraits = self.views.data.portrait_of[chosen]
        batch = self.views.of(portraits, chosen, generator)
        codes = codes_of_rows(self.people, self.rows[portraits], batch.visible)
        posed = self.model.posed(codes.base, codes.shape, codes.texture, codes.visible, batch.rays)
        missing = [row for row, view in enumerate(chosen) if view not in self.known]
        if missing:
            with torch.no_grad():
                smooth = self.model.finish(posed).smooth[missing, 0].float()
                found = missing_energies(
                    batch.image[missing],
                    smooth,
                    batch.mask[missing],
                    self.config.detail_directions,
                    self.config.ray_size,
                )
            for row, energy, known in zip(missing, *found, strict=True):
                self.known[chosen[row]] = energy.half(), known
        energy, known = (torch.stack(t) for t in zip(*(self.known[v] for v in chosen), strict=True))
        wanted = energy.float()
        given = given_by(self.model, posed)
        share = (given * known).sum() / (wanted.clamp_max(_LARGEST) * known).sum().clamp_min(1e-9)
        return misfit(given, wanted, known), share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training detail``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, required=True, help="data set that shows people of the model"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    parser.add_argument(
        "--directions",
        type=int,
        default=DIRECTIONS,
        help=f"directions of strands, where the model has none (default {DIRECTIONS})",
    )
    add_run_arguments(parser, minutes=15.0, pictures=6, rate=3e-3)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training detail``."""
    set_up(arguments.threads)
    torch.manual_seed(arguments.seed)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    model = taken_off(whole)
    people = people_of(info, weights)
    known, rows = known_views(read_views([arguments.data]), people)
    data = PortraitSet(known)
    print(f"{len(data)} pictures of {len(rows.unique())} of {len(people)} people", flush=True)
    model = with_detail(model, arguments.directions)
    views = Views(data, model.config, torch.device("cpu"), SAMPLES)
    training = DetailTraining(model, views, rows, arguments.seed)
    spent = training.run(arguments.minutes, arguments.pictures, arguments.rate, arguments.steps)
    once = spent | {"pictures": len(data)}
    write_model(arguments.out, put_on(model, whole), info, detail=once)
    print(f"{arguments.out}: {spent['steps']} steps")
    return 0
