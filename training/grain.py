"""``python -m training grain``: how much grain the skin of renders has, and a model with as much.

Pores and spots have no place that a code could hold, so that a fitted model's skin is wax. What
renders of its people have more than the model shows, in the bands of its fine tiles, is measured
where skin is, away from edges, and compared with what a trial grain adds to the model's pictures.
Of a picture the median counts, as a beard, a wrinkle and a highlight are no grain; of all pictures
the lower quartile, because everybody gets it and nobody's skin should be rougher than it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.engine import embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.parts import part_index
from core.people_mixture import PeopleMixture
from training.data import PortraitSet, read_views
from training.detail import energies, inside_of
from training.model_files import rebuilt, write_model
from training.process import set_up
from training.refine import codes_of_rows, known_views, people_of
from training.warm_start import Batch, Views, render_codes

SAMPLES = 16
_AT_ONCE = 8
_TRIAL = 0.02
"""Grain whose energy in the model's own pictures is what that of renders is compared with."""


def with_grain(model: SSGAN3D, grain: float) -> SSGAN3D:
    """The same model with a grain of such a root mean square on its skin."""
    return rebuilt(model, detail_grain=grain)


@torch.no_grad()
def measured_grain(model: SSGAN3D, views: Views, rows: Tensor, pictures: int) -> float:
    """Root mean square of the grain that three quarters of renders have, as a share of the light.

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
    step = max(len(views.data) // pictures, 1)
    chosen = list(range(0, len(views.data), step))[:pictures]
    models = [with_grain(model, grain) for grain in (0.0, _TRIAL)]
    shares = []
    for start in range(0, len(chosen), _AT_ONCE):
        some = chosen[start : start + _AT_ONCE]
        portraits = views.data.portrait_of[some]
        batch = views.of(portraits, some, torch.Generator().manual_seed(start))
        bare, grained = (_drawn(one, batch, rows[portraits]) for one in models)
        real, without, with_it = (
            _skin_energies(image, batch.mask, model.config)
            for image in (batch.image, bare, grained)
        )
        for missing, tried in zip(real - without, with_it - without, strict=True):
            if not missing.isnan().all():
                shares.append(missing.nanmedian() / tried.nanmedian().clamp_min(1e-9))
    if not shares:
        raise PortraitError("No picture shows skin that is wide enough to be measured.")
    return _TRIAL * float(torch.stack(shares).quantile(0.25).clamp_min(0).sqrt())


def _drawn(model: SSGAN3D, batch: Batch, rows: Tensor) -> Tensor:
    """Pictures of the people of a batch, (B, 3, S, S)."""
    assert isinstance(model.mapping, PeopleMixture)
    codes = codes_of_rows(model.mapping, rows, batch.visible)
    return render_codes(model, codes, batch.rays).image[:, 0].float()


def _skin_energies(image: Tensor, mask: Tensor, config: ModelConfig) -> Tensor:
    """Energies of pictures in the fine band, (B, r, r), NaN at rays without skin around."""
    directions, side = config.detail_directions, config.ray_size
    counted = F.interpolate(inside_of(mask, [part_index("skin")]), image.shape[-2:])
    fine = energies(image, counted, directions, side)[:, directions:].sum(1)
    return fine.where(F.adaptive_avg_pool2d(counted, side)[:, 0] > 0.99, torch.nan)


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
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training grain``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    model, info = load_checkpoint(weights)
    known, rows = known_views(read_views(arguments.data), people_of(info, weights))
    views = Views(PortraitSet(known), model.config, torch.device("cpu"), SAMPLES)
    grain = round(measured_grain(model, views, rows, arguments.pictures), 4)
    write_model(arguments.out, with_grain(model, grain), info)
    print(f"{arguments.out}: a grain of {grain:g}")
    return 0
