"""``python -m training polish``: fit the textures of a face's parts to renders, and nothing else.

Eyes are looked at first, are a fiftieth of a picture and need many looks until an iris has an edge.
So where the rays meet what is worked out once: geometry stays as it is, and with it the masks. The
texture codes of the people, the layers behind them and the fine colours of the chosen parts learn
from crops of the face, through the render net, which stays too. A look costs a fiftieth of one of
the whole training. (Features that hang on frozen stages are kept in memory: what a texture needs is
a lookup and the render net of a quarter of the picture.)
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.engine import embedded_weights
from core.errors import PortraitError
from core.fine_color import FINE, fine_color
from core.lifting import LIFTED, window_coordinates
from core.model import SSGAN3D, textures_of
from core.parts import PART_NAMES, part_index
from core.people_mixture import PeopleMixture
from core.volume import FETCH_THRESHOLD, FeatureTable, RayWeights, ray_weights, sample_rays
from training.data import PortraitSet, read_views
from training.export import LICENCE
from training.heap import keep_heap
from training.precision import mixed
from training.rates import half_cosine, set_rate
from training.refine import codes_of_rows, known_views
from training.trainer import reconfigured
from training.warm_start import Views

POLISHED = ("brows", "eyes", "nose", "mouth")
CROP_SHARE = 2
"""The picture is so many times as wide as a crop."""
LOOKED_AT = {"eyes": 5.0, "brows": 2.0, "mouth": 2.0}
"""How much a part's pixels count; the others' parts count 1."""
SURROUNDINGS = 0.1
"""How much pixels of parts count that do not learn: they hold the render net's surroundings."""
CODE_NOISE = 0.1
"""Noise on the texture codes, in their standard deviations: neighbours must be portraits too."""
FINE_TEXELS = 2
REPORT_EVERY = 200
_CUT_AT_ONCE = 8


@dataclass
class Crops:
    """What of N views does not change while textures learn; h × h rays, S × S pixels, S = 4 h.

    Attributes:
        rows: (N,) rows of their people in the mixture.
        rest: features of all parts that do not learn, times their share, (N, C + T, h, h).
        mask: (N, K, h, h).
        uv: mean lifting coordinates where rays meet the P parts that learn, (N, P, h, h, 2).
        surface, places: as in :class:`~core.model.PosedFeatures`; of places those of parts that
            learn, the others are zero, (N, 3, h, h) and (N, F, 3, h, h).
        fine: fine colours of the others, (N, 3, S, S).
        image: the renders, (N, 3, S, S) uint8.
        weight: how much each pixel counts, (N, 1, S, S).
    """

    rows: Tensor
    rest: Tensor
    mask: Tensor
    uv: Tensor
    surface: Tensor
    places: Tensor
    fine: Tensor
    image: Tensor
    weight: Tensor

    def of(self, chosen: Tensor) -> Crops:
        """Some of them, (n,)."""
        return Crops(*(getattr(self, field.name)[chosen] for field in fields(self)))


def crop_config(config: ModelConfig) -> ModelConfig:
    """The configuration whose whole picture is a crop."""
    size, side = config.image_size // CROP_SHARE, config.ray_size // CROP_SHARE
    return replace(config, image_size=size, ray_size=side)


@torch.no_grad()
def cut(model: SSGAN3D, views: Views, rows: Tensor, parts: Sequence[int]) -> Crops:
    """Crops around the parts that learn, of all views.

    Args:
        model: mixes the people.
        views: renders of people whom the model mixes.
        rows: (P,) row of each portrait of ``views`` among the model's people.
        parts: that learn.
    """
    portrait = {view: p for p, group in enumerate(views.data.identities) for view in group}
    crops = []
    for start in range(0, len(views.data), _CUT_AT_ONCE):
        chosen = list(range(start, min(start + _CUT_AT_ONCE, len(views.data))))
        portraits = torch.tensor([portrait[view] for view in chosen])
        crops.append(_cut(model, views, chosen, portraits, rows[portraits], parts))
    return Crops(*(torch.cat([getattr(c, field.name) for c in crops]) for field in fields(Crops)))


def _cut(
    model: SSGAN3D,
    views: Views,
    chosen: list[int],
    portraits: Tensor,
    rows: Tensor,
    parts: Sequence[int],
) -> Crops:
    config, people = model.config, model.mapping
    assert isinstance(people, PeopleMixture)
    codes = codes_of_rows(people, rows, views.presence[portraits])
    rays = sample_rays(
        *(t[chosen][:, None] for t in (views.origins, views.directions, views.centre)), config
    )
    maps = model.part_maps(codes.base, codes.shape, codes.texture)
    weights = ray_weights(model.geometry(maps, codes.visible), rays, config)
    learns = torch.zeros(len(PART_NAMES), dtype=torch.bool)
    learns[list(parts)] = True
    others = RayWeights(
        weights.mask.masked_fill(learns[:, None], 0), weights.uv, weights.depth
    )  # (B, 1, K, R)
    rest = FeatureTable(maps, config).composite(others, config)[:, 0]
    side = (config.ray_size, config.ray_size)
    mask = weights.mask[:, 0].unflatten(-1, side)
    uv = weights.uv[:, 0, [LIFTED.index(part) for part in parts]].unflatten(2, side)
    places = weights.places().unflatten(-1, side)
    fine = torch.zeros(len(chosen), 3, config.image_size, config.image_size)
    own = torch.tensor([part in parts for part in FINE])[:, None, None, None]
    if textures := textures_of(maps):
        fine = fine_color(textures, places.masked_fill(own, 0), config)[:, 0]
    weight = _pixel_weights(views.data.soft_mask(chosen, config.image_size // 2), parts)
    whole = (
        rest,
        mask,
        uv,
        weights.surface()[:, 0].unflatten(-1, side),
        places[:, 0].masked_fill(~own, 0),
        fine,
        views.data.images[chosen],
        F.interpolate(weight, scale_factor=2.0),
    )
    corners = _corners(mask[:, list(parts)].sum(1), config.ray_size // CROP_SHARE)
    return Crops(rows, *(_cropped(t, corners, config.ray_size) for t in whole))


def _pixel_weights(mask: Tensor, parts: Sequence[int]) -> Tensor:
    """How much pixels count, (N, 1, s, s), by their soft labels (N, K, s, s)."""
    per_part = torch.full((len(PART_NAMES),), SURROUNDINGS)
    for part in parts:
        per_part[part] = LOOKED_AT.get(PART_NAMES[part], 1.0)
    weight = (mask * per_part[:, None, None]).sum(1, keepdim=True)
    # a part's edge lies on both sides
    return torch.maximum(weight, F.max_pool2d(weight, 3, 1, 1) * 0.5)


def _corners(share: Tensor, side: int) -> list[tuple[int, int]]:
    """Upper left rays of crops of ``side`` rays around what (N, r, r) covers."""
    most = share.shape[-1] - side
    corners = []
    for one in share:
        rows, columns = ((one > 0.1).any(axis).nonzero()[:, 0] for axis in (1, 0))
        middle = [
            int(line[0] + line[-1] + 1) // 2 if len(line) else share.shape[-1] // 2
            for line in (rows, columns)
        ]
        corners.append(tuple(min(max(at - side // 2, 0), most) for at in middle))
    return corners  # type: ignore[return-value]


def _cropped(whole: Tensor, corners: Sequence[tuple[int, int]], rays: int) -> Tensor:
    """The crops (N, …, s, s) of (N, …, S, S), or with two more axes behind."""
    behind = 1 if whole.shape[-1] == 2 else 0  # coordinates
    step = whole.shape[-1 - behind] // rays
    size = rays // CROP_SHARE * step
    crops = []
    for one, (top, left) in zip(whole, corners, strict=True):
        rows, columns = (slice(at * step, at * step + size) for at in (top, left))
        crops.append(one[..., rows, columns, :] if behind else one[..., rows, columns])
    stacked = torch.stack(crops)
    return stacked if stacked.dtype == torch.uint8 else stacked.half()


class Polish:
    """Teaches textures of some parts."""

    def __init__(self, model: SSGAN3D, crops: Crops, parts: Sequence[int], seed: int = 0) -> None:
        """
        Args:
            model: has fine colours, mixes people, and is trained in place.
            crops: of views of these people.
            parts: that learn.
        """
        assert isinstance(model.mapping, PeopleMixture)
        self.model, self.crops, self.parts, self.seed = model, crops, list(parts), seed
        self.config = crop_config(model.config)
        self.people = model.mapping
        model.requires_grad_(False)
        self.texture = self.people.texture[:, self.parts].clone().requires_grad_(True)  # (P, p, Z)
        self.spread = self.people.texture[:, self.parts].std(0, correction=0)  # (p, Z)
        self.learned = [
            parameter.requires_grad_(True)
            for group in model.generators.groups
            for name, parameter in group.named_parameters()
            if set(group.parts) & set(self.parts) and _learns(name)
        ]
        config = model.config
        below = config.base_layers + config.shape_layers
        self.frozen_layers = {"weight": below, "bias": below, "style_bias": below}
        self.frozen_layers["code_style"] = config.shape_layers

    def run(self, minutes: float, pictures: int, rate: float, steps: int = 0) -> int:
        """Train for so long, or so many steps; rates fall to zero by a half cosine.

        Returns:
            The number of steps.
        """
        code_rate = rate * 2
        optimizer = torch.optim.Adam(self.learned, rate, betas=(0.9, 0.99))
        codes = torch.optim.Adam([self.texture], code_rate, betas=(0.9, 0.99))
        started, step = time.monotonic(), 0
        order: list[int] = []
        sums: dict[str, float] = {}
        while (
            progress := step / steps if steps else (time.monotonic() - started) / (minutes * 60)
        ) < 1:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
            if len(order) < pictures:
                order += torch.randperm(len(self.crops.rows), generator=generator).tolist()
            chosen, order = torch.tensor(order[:pictures]), order[pictures:]
            terms = self.terms(self.crops.of(chosen), generator)
            loss = torch.stack(list(terms.values())).sum()
            for one, most in ((optimizer, rate), (codes, code_rate)):
                one.zero_grad(set_to_none=True)
                set_rate(one, most * half_cosine(progress) * min(1.0, (step + 1) / 50))
            loss.backward()
            self._hold_geometry()
            optimizer.step()
            codes.step()
            step += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if step % REPORT_EVERY == 0:
                means = {name: round(value / REPORT_EVERY, 5) for name, value in sums.items()}
                spent = round((time.monotonic() - started) / 60, 1)
                print(json.dumps({"step": step, "minutes": spent} | means), flush=True)
                sums = {}
        with torch.no_grad():
            self.people.texture[:, self.parts] = self.texture
        return step

    def _hold_geometry(self) -> None:
        """Forget the gradients of the layers that depth and density hang on."""
        for group in self.model.generators.groups:
            for name, below in self.frozen_layers.items():
                gradient = getattr(group, name).grad
                if gradient is not None:
                    gradient[:below] = 0

    def terms(self, crops: Crops, generator: torch.Generator) -> dict[str, Tensor]:
        """Weighted L1 of colours and of their differences."""
        picture = self.picture(crops, generator)
        target = crops.image.float() / 127.5 - 1
        weight = crops.weight.float()
        weight = weight / weight.sum()
        error = picture - target
        across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
        return {
            "image": (error.abs() * weight).sum() / 3,
            "gradient": (across.sum() + down.sum()) / 3,
        }

    def picture(self, crops: Crops, generator: torch.Generator | None = None) -> Tensor:
        """Smooth pictures of crops, (n, 3, S, S).

        Args:
            generator: of noise on the codes; None for none.
        """
        texture = self.people.texture[crops.rows].clone()
        own = self.texture[crops.rows]
        if generator is not None:
            noise = torch.randn(own.shape, generator=generator)
            own = own + CODE_NOISE * noise * self.spread
        texture[:, self.parts] = own
        base, shape = self.people.base[crops.rows], self.people.shape[crops.rows]
        with mixed("cpu"):
            maps = self.model.part_maps(base, shape, texture, self.parts)
            features = crops.rest.float()
            for number, part in enumerate(self.parts):
                where = window_coordinates(
                    crops.uv[:, number].float(), self.config.maps[part].window
                )
                found = F.grid_sample(
                    maps[part].features.float().permute(0, 3, 1, 2),
                    where,
                    padding_mode="border",
                    align_corners=False,
                )
                share = crops.mask[:, part, None].float()
                features = features + found * share.masked_fill(share <= FETCH_THRESHOLD, 0)
            blank = features.new_zeros(len(features), 3, 1, 1)
            textures = {part: blank for part in FINE}
            for part in self.parts:
                fine = maps[part].fine
                if fine is not None:
                    textures[part] = fine
            fine = fine_color(textures, crops.places.float()[:, None], self.config)[:, 0]
            smooth, _, _ = self.model.render_net.layers(
                features.contiguous(memory_format=torch.channels_last),
                crops.mask.float(),
                crops.surface.float(),
                fine + crops.fine,
            )
        return smooth.float()


def _learns(name: str) -> bool:
    """Whether a parameter of a part generator has to do with its texture."""
    return name.startswith(("fine_", "feature_")) or name in {
        "weight",
        "bias",
        "style_bias",
        "code_style",
        "color_basis",
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training polish``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets that show its people"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=[name for name in PART_NAMES if part_index(name) in LIFTED],
        default=list(POLISHED),
        help=f"parts that learn ({' '.join(POLISHED)})",
    )
    for name, default, text in (
        ("minutes", 20.0, "how long to train"),
        ("steps", 0, "how many steps instead"),
        ("pictures", 16, "renders a step"),
        ("rate", 2e-3, "learning rate at first; it falls to zero by a half cosine"),
        ("threads", 2, "CPU threads"),
        ("seed", 0, "what every random choice depends on"),
    ):
        parser.add_argument(
            f"--{name}", type=type(default), default=default, help=f"{text} (default {default})"
        )


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training polish``."""
    keep_heap()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    weights = arguments.weights or embedded_weights()
    model, info = load_checkpoint(weights)
    people = info.get("people")
    if not people:
        raise PortraitError(
            f"{weights} does not say which portraits it mixes. Train on from it with "
            "`python -m training train --start`, and export with this version."
        )
    if not model.config.fine_texels:
        model = reconfigured(model, fine_texels=FINE_TEXELS)
    known, rows = known_views(read_views(arguments.data), people)
    data = PortraitSet(known)
    print(f"{len(data)} pictures of {len(rows.unique())} of {len(people)} people", flush=True)
    parts = [part_index(name) for name in arguments.parts]
    views = Views(data, model.config, torch.device("cpu"), model.config.samples)
    polish = Polish(copy.deepcopy(model), cut(model, views, rows, parts), parts, arguments.seed)
    started = time.monotonic()
    steps = polish.run(arguments.minutes, arguments.pictures, arguments.rate, arguments.steps)
    minutes = round((time.monotonic() - started) / 60, 1)
    once = {"steps": steps, "minutes": minutes, "pictures": len(data), "parts": arguments.parts}
    facts = info | {"polished": [*info.get("polished", []), once]}
    save_checkpoint(arguments.out, polish.model, facts, half=True, licence=LICENCE)
    print(f"{arguments.out}: {steps} steps")
    return 0
