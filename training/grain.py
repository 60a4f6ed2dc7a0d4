"""``python -m training grain``: how much grain the skin of renders has, and a model with as much.

Pores, spots and patches have no place that a code could hold, so that a fitted model's skin is wax.
What renders of its people have more than the model's pictures is measured where skin is, away from
edges, by band of sizes and axis of colour, and compared with what trial grain adds to the pictures.
Of a picture the median counts, as a beard, a wrinkle and a highlight are no grain, and of all
pictures again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.config import Spectrum
from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.grain import AXES, BANDS, to_axes
from core.model import SSGAN3D
from core.parts import part_index
from core.people_mixture import PeopleMixture
from training.data import PortraitSet, as_stored, read_views
from training.detail import gaussian_blur, inside_of
from training.model_files import put_on, rebuilt, taken_off, write_model
from training.own_pictures import own_pictures, spread
from training.process import set_up
from training.refine import codes_of_rows, known_views, people_of
from training.warm_start import Batch, Views

SAMPLES = 16
_AT_ONCE = 8
_TRIAL = 0.02
"""Root mean square of the trial grain of one band."""
_ROUNDS = 3
"""The encoder drops what is faint, so that what grain adds hangs on how much there is."""
_TRIED = 64
"""Pictures that trial grain is added to."""
_SCALES = (0.7, 1.4, 2.8, 5.6)
"""Standard deviations of Gaussians in pixels, whose differences show the bands apart."""
_PLACES = "face", "forehead"
_BROWS = 0.1
"""How far above the eyes foreheads begin, as a share of the picture."""
_CELL = 4
"""Pixels a side of the squares whose energies the median is of."""
_DARKEST = 0.02
"""Light that counts as such at least, as logarithms grow without bound towards none."""
_STEPS = 1000


def with_grain(model: SSGAN3D, grain: Spectrum, forehead: float = 1.0) -> SSGAN3D:
    """The same model with other grain on its skin, of which foreheads have a share."""
    return rebuilt(model, grain=grain, forehead_grain=forehead)


@torch.no_grad()
def measured_grain(
    model: SSGAN3D, views: Views, rows: Tensor, pictures: int
) -> tuple[Spectrum, float]:
    """The grain that half of the renders have more than a model's pictures without any.

    Below the eyes, and how much of that there is on foreheads; 1 where nobody shows one.

    Args:
        model: has tiles of fine structure.
        views: renders of people whom it mixes.
        rows: (P,) row of each portrait of ``views`` among the model's people.
        pictures: how many of the views, evenly spread, are looked at.

    Raises:
        PortraitError: the model has no tiles, or the views show no skin away from edges.
    """
    if not model.config.detail_tiles:
        raise PortraitError(
            "The model has no fine structure. Run `python -m training detail` first."
        )
    chosen = _spread(len(views.data), pictures)
    gives = _gives(model, views, rows, chosen[:_TRIED])
    face, forehead = (
        _fitted(model, views, rows, chosen, place, gives[place]) for place in range(len(_PLACES))
    )
    if face is None:
        raise PortraitError("No picture shows skin that is wide enough to be measured.")
    share = 1.0
    if forehead is not None and face.any():
        share = min(float((forehead.sum() / face.sum()).sqrt()), 1.0)
    return _spectrum(_without_form(face)), round(share, 2)


def _without_form(squares: Tensor) -> Tensor:
    """The same with as much light in the last band as colours let expect from the one before.

    Folds, smiles and highlights are as large, and have light, but hardly any colour.
    """
    *_, before, last = squares
    grown = last[1] / before[1].clamp_min(1e-12)  # of red against green
    last = last.clone()
    last[0] = torch.minimum(last[0], before[0] * grown)
    return torch.cat([squares[:-1], last[None]])


def _fitted(
    model: SSGAN3D, views: Views, rows: Tensor, chosen: Tensor, place: int, gives: Tensor
) -> Tensor | None:
    """Mean squares of the grain of a place, (bands, axes); None where nobody shows it.

    Args:
        gives: energy that each band of grain gives there, (bands, bands of the grain, axes).
    """
    squares = torch.zeros(len(BANDS), len(AXES))
    for _ in range(_ROUNDS):
        missing = _missing(with_grain(model, _spectrum(squares)), views, rows, chosen)[place]
        if missing.isnan().any() or gives.isnan().any():
            return None
        for axis in range(len(AXES)):
            matrix = gives[..., axis]
            wanted = missing[:, axis] + matrix @ squares[:, axis]
            squares[:, axis] = _non_negative(matrix, wanted)
    return squares


@torch.no_grad()
def compared_skin(
    engine: PortraitEngine, mapping: PeopleMixture, data: PortraitSet, rows: Tensor, pictures: int
) -> tuple[Tensor, Tensor]:
    """Root mean squares on the skin of renders of any size, and of pictures as users get them.

    Below the eyes; medians of as many pictures, by band and axis, (4, 3) each. The bands are of
    pixels: those of larger pictures are finer.
    """
    real: list[Tensor] = []
    made: list[Tensor] = []
    chosen = _spread(len(data), pictures).tolist()
    for view, drawn in zip(chosen, own_pictures(engine, mapping, data, rows, chosen), strict=True):
        mask = data.soft_mask([view], data.size // 2)
        for kept, image in ((real, data.picture([view])), (made, drawn)):
            kept.append(_skin_energies(_axes_of(image), mask)[:, _PLACES.index("face")])
    renders, own = (torch.cat(kept).nanmedian(0).values.sqrt() for kept in (real, made))
    return renders, own


def _gives(model: SSGAN3D, views: Views, rows: Tensor, chosen: Tensor) -> Tensor:
    """Energy that each band of grain gives, (places, bands, bands of the grain, axes)."""
    bare = with_grain(model, ())
    tried = []
    for band in range(len(BANDS)):
        only = torch.zeros(len(BANDS), len(AXES))
        only[band] = _TRIAL**2
        tried.append(with_grain(model, _spectrum(only)))
    given = []
    for batch, own in _batches(views, rows, chosen):
        without = _axes_of(_drawn(bare, batch, own))
        # what is added and no picture with it: a fixed tile agrees by chance with what is there
        added = [_axes_of(_drawn(one, batch, own)) - without for one in tried]
        given.append(torch.stack([_skin_energies(one, batch.mask) for one in added], 3))
    return torch.cat(given).nanmedian(0).values / _TRIAL**2


def _missing(model: SSGAN3D, views: Views, rows: Tensor, chosen: Tensor) -> Tensor:
    """Energies that renders have more than a model's pictures, (places, bands, axes)."""
    missing = []
    for batch, own in _batches(views, rows, chosen):
        pictures = batch.image, as_stored(_drawn(model, batch, own))
        real, made = (_skin_energies(_axes_of(one), batch.mask) for one in pictures)
        missing.append(real - made)
    return torch.cat(missing).nanmedian(0).values


def _batches(views: Views, rows: Tensor, chosen: Tensor) -> Iterator[tuple[Batch, Tensor]]:
    """Some views, a few at a time, and the rows of their people."""
    for number, some in enumerate(chosen.split(_AT_ONCE)):
        portraits = views.data.portrait_of[some]
        generator = torch.Generator().manual_seed(number)
        yield views.of(portraits, some.tolist(), generator), rows[portraits]


def _spectrum(squares: Tensor) -> Spectrum:
    """Roots of mean squares (bands, axes)."""
    return tuple(tuple(round(float(one), 4) for one in band) for band in squares.sqrt())


def _spread(count: int, wanted: int) -> Tensor:
    """Some of ``count`` numbers, evenly spread, in an order of which each part is spread too."""
    chosen = torch.tensor(spread(range(count), wanted))
    return chosen[torch.randperm(len(chosen), generator=torch.Generator().manual_seed(0))]


def _non_negative(matrix: Tensor, wanted: Tensor) -> Tensor:
    """What is not negative and for which |A x - b| is least, by projected gradients."""
    matrix, wanted = matrix.double(), wanted.double()
    square, x = matrix.T @ matrix, torch.zeros_like(wanted)
    rate = 1 / torch.linalg.matrix_norm(square, 2).clamp_min(1e-12)
    for _ in range(_STEPS):
        x = (x - rate * (square @ x - matrix.T @ wanted)).clamp_min(0)
    return x


def _drawn(model: SSGAN3D, batch: Batch, rows: Tensor) -> Tensor:
    """Pictures of the people of a batch, (B, 3, S, S)."""
    assert isinstance(model.mapping, PeopleMixture)
    codes = codes_of_rows(model.mapping, rows, batch.visible)
    # in float32: to round is to add noise, a third of the grain that is looked for
    made = model(codes.base, codes.shape, codes.texture, codes.visible, batch.rays)
    return made.image[:, 0]


def _axes_of(image: Tensor) -> Tensor:
    """Logarithms of the light of pictures, along the axes of colour, (B, 3, S, S)."""
    return to_axes(((image + 1) / 2).clamp_min(_DARKEST).log())


def _skin_energies(axes: Tensor, mask: Tensor) -> Tensor:
    """Medians over the skin of each picture, by place, band and axis: (B, 2, 4, 3).

    NaN where a place shows no skin.
    """
    inside = F.interpolate(inside_of(mask, [part_index("skin")]), axes.shape[-2:])
    blurred = [axes, *(_within(axes, inside, scale) for scale in _SCALES)]
    places = [F.interpolate(place, axes.shape[-2:]) * inside for place in _places(mask)]
    found = []
    for place in places:
        for finer, coarser in pairwise(blurred):
            squared = (finer - coarser).square().where(place > 0, torch.nan)
            cells = squared.unfold(2, _CELL, _CELL).unfold(3, _CELL, _CELL)  # (B, 3, c, c, n, n)
            found.append(cells.mean((4, 5)).flatten(2).nanmedian(2).values)
    return torch.stack(found, 1).unflatten(1, (len(places), -1))


def _places(mask: Tensor) -> tuple[Tensor, Tensor]:
    """What lies below the eyes and what well above, by ``_PLACES``, (B, 1, h, 1) in {0, 1}.

    Neither of a picture without eyes.
    """
    eyes = (mask[:, part_index("eyes")] > 0.5).any(2)  # (B, h)
    shown = eyes.any(1, keepdim=True)
    below = (eyes.flip(1).cumsum(1).flip(1) == 0) & shown
    above = (eyes.cumsum(1) == 0) & shown
    brows = round(_BROWS * eyes.shape[1])
    above = F.pad(above[:, brows:], (0, brows))
    return below[:, None, :, None].float(), above[:, None, :, None].float()


def _within(light: Tensor, inside: Tensor, scale: float) -> Tensor:
    """Blurred by a Gaussian, of what is inside alone."""
    blurred = gaussian_blur(light * inside, scale)
    return blurred / gaussian_blur(inside, scale).clamp_min(1e-3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training grain``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets that show its people"
    )
    parser.add_argument(
        "--pictures", type=int, default=400, help="renders that are looked at (default 400)"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--out", type=Path, help="model file to write")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="print what skin has in renders, of any size, and in the model's pictures, and write "
        "nothing",
    )


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training grain``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    known, rows = known_views(read_views(arguments.data), people_of(info, weights))
    if arguments.compare:
        engine = PortraitEngine(whole, info, device="cpu", precision="float32")
        assert isinstance(whole.mapping, PeopleMixture)
        both = compared_skin(engine, whole.mapping, PortraitSet(known), rows, arguments.pictures)
        for scale, *bands in zip(_SCALES, *both, strict=True):
            for axis, real, made in zip(AXES, *bands, strict=True):
                print(f"{scale:g} pixels, {axis}: renders {real:.4f}, pictures {made:.4f}")
        return 0
    if arguments.out is None:
        raise PortraitError("--out is missing: give the model file to write, or --compare.")
    model = taken_off(whole)
    views = Views(PortraitSet(known), model.config, torch.device("cpu"), SAMPLES)
    grain, forehead = measured_grain(model, views, rows, arguments.pictures)
    write_model(arguments.out, put_on(with_grain(model, grain, forehead), whole), info)
    for (low, high), band in zip(BANDS, grain, strict=True):
        told = ", ".join(f"{axis} {one:g}" for axis, one in zip(AXES, band, strict=True))
        print(f"{low:g} to {high:g} cycles a texel: {told}")
    print(f"{forehead:g} of that on foreheads")
    print(arguments.out)
    return 0
