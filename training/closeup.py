"""``python -m training closeup``: one part of portraits fitted to renders, and nothing else.

Eyes are looked at first, cover a fiftieth of a picture, and take many steps until an iris has an
edge. Here everything but one part is frozen, so whatever it gives to a crop around the part is
worked out once and kept: densities at the samples of the rays, features where the rays meet the
other parts. What is left of a step is one small generator, a sum along a few hundred rays and the
render net of a quarter of the picture. Parts that are larger than a crop are seen through several.

The part's generator and its codes of all people learn from renders of these people. All else of the
model stays as it is, and so do portraits outside of the part. A discriminator that a training has
left behind may say what looks alike: it is not trained. (Trained beside the part it drew blue
fringes into corners of eyes within 600 to 3,400 steps, at each of three weights.)
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.detail import DETAILED
from core.engine import embedded_weights
from core.errors import PortraitError
from core.generators import PartGenerators, PartMap
from core.lifting import LIFTED, Geometry, part_geometry
from core.model import SSGAN3D
from core.parts import BACKGROUND, PART_COUNT, part_index
from core.people_mixture import PeopleMixture
from core.volume import (
    FETCH_THRESHOLD,
    ray_densities,
    split_weights,
)
from training import losses
from training.adversarial import Pairs, feature_matching
from training.averaging import follow
from training.budget import Budget
from training.crops import SAMPLES, STRUCTURED, Crops, Frame, cut, looked_up
from training.data import PortraitSet, View, read_views
from training.detail import distance, given_energies, misfit
from training.discriminator import Discriminator, read_discriminator
from training.export import LICENCE
from training.heap import keep_heap
from training.precision import mixed
from training.rates import set_rates, warmed
from training.refine import known_views, people_of, train_only
from training.warm_start import LINEAR_RATE, Views

PARTS = ("skin", "brows", "eyes", "nose", "mouth", "hair", "clothes")
"""Parts that renders of whole portraits leave soft."""
STRUCTURE_ONLY = ("skin",)
"""Those that learn their fine structure and nothing else: the others lie on their form, and look
otherwise beside other colours."""
WITHOUT_EDGES = ("hair",)
"""Parts whose edges are not compared: no code can place strands.

Compared at half size, hair took on a weave within 1,400 steps, at a quarter bumps: the same on
every head, and of as many edges as the renders have.
"""
SPARSE = ("skin",)
"""Parts of whose fine structure medians are learnt: only some of the people have any."""
PRESSED_BY = {"hair": "hat"}
"""Parts that look otherwise beneath another one: they do not learn from who wears it."""
SURROUNDINGS = 0.02
"""How much a pixel beside the part counts, beside one of the part."""
CODE_NOISE = 0.1
"""Noise on the part's codes, in their standard deviations: neighbours must be portraits too."""
WEIGHTS = {
    "image": 1.0,
    "gradient": 0.5,
    "edges": 2.0,
    "mask": 0.3,
    "coarse mask": 0.3,
    "depth": 0.5,
    "outline": 0.2,
    "amounts": 4.0,
    "energies": 0.05,
}
MAX_GRADIENT = 2.0
REPORT_EVERY = 200
_AROUND = 5
"""Side of the squares of pixels within which an edge may be moved."""
_LEAST_EDGE = 0.02


@dataclass(frozen=True)
class CloseupOptions:
    """What a run is told; see ``python -m training closeup --help``."""

    part: str = "eyes"
    minutes: float = 30.0
    steps: int = 0
    pictures: int = 8
    crops: int = 1
    rate: float = 2.5e-3
    code_rate: float = 4e-3
    matching_weight: float = 1.0
    ema: float = 0.998
    save_minutes: float = 5.0
    threads: int = 2
    seed: int = 0


@dataclass
class Shown:
    """Crops as the model makes them, without their margins.

    Attributes:
        smooth: pictures without fine structure, (n, 3, h, w).
        mask_logits: (n, K, h / 2, w / 2).
        mask, depth: of all rays, (n, K, R) and (n, R).
        opacity: how much the part's shell of each of P people hides of what is behind it, on the
            part's own map, (P, H, W) in [0, 1].
        amounts: of fine structure, on the part's own map, (P, H, W, T).
        given: energies of the part's fine structure, by filter, (n, 2 D, R).
    """

    smooth: Tensor
    mask_logits: Tensor
    mask: Tensor
    depth: Tensor
    opacity: Tensor
    amounts: Tensor
    given: Tensor

    def labels(self) -> Tensor:
        """Final masks, (n, K, h / 2, w / 2), which sum to 1."""
        return F.softmax(self.mask_logits, 1)


def showing(part: str, views: Sequence[View]) -> list[View]:
    """Views of people who have the part, as it is by itself."""
    return [
        view for view in views if part in view.present and PRESSED_BY.get(part) not in view.present
    ]


def alone(image: Tensor, mask: Tensor, part: int) -> Pairs:
    """A part and what is next to it, on grey: what the discriminator is shown.

    All else of a crop is frozen.

    Args:
        image: (n, 3, h, w).
        mask: (n, K, h / 2, w / 2), sums to 1.
    """
    own = mask[:, part, None]
    near = F.max_pool2d(own.detach(), 5, 1, 2)  # nothing is won by hiding
    near = F.interpolate(near, size=image.shape[-2:], mode="bilinear", align_corners=False)
    labels = torch.zeros_like(mask)
    labels[:, part], labels[:, BACKGROUND] = own[:, 0], 1 - own[:, 0]
    return Pairs(image * near, labels)


class Closeup:
    """A part's generator and codes; :meth:`run` trains them."""

    def __init__(
        self,
        model: SSGAN3D,
        crops: Crops,
        options: CloseupOptions,
        discriminator: Discriminator | None = None,
    ) -> None:
        """
        Args:
            model: mixes people; its part is trained in place, its people's codes are not.
            crops: of views of these people.
            discriminator: whose activations tell pictures apart; None for none.
        """
        assert isinstance(model.mapping, PeopleMixture)
        self.model, self.crops, self.options = model, crops, options
        self.frame, self.part = Frame.of(model.config), part_index(options.part)
        self.people = model.mapping
        train_only(model, [options.part])
        self.is_structure_only = options.part in STRUCTURE_ONLY
        if self.is_structure_only:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(parameter.requires_grad and ".detail_" in name)
        codes = (self.people.shape[:, self.part], self.people.texture[:, self.part])
        learns = not self.is_structure_only
        self.codes = [one.clone().requires_grad_(learns) for one in codes]  # twice (S, Z)
        self.spread = [one.std(0, correction=0) for one in codes]
        layers: list[nn.Parameter] = []
        linear: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                (linear if name.endswith("_basis") else layers).append(parameter)
        self.learned = layers + linear
        groups: list[dict[str, Any]] = [
            {"params": layers},
            {"params": linear},
            {"params": [codes for codes in self.codes if codes.requires_grad]},
        ]
        self.rates = [options.rate, options.rate * LINEAR_RATE, options.code_rate]
        self.optimizer = torch.optim.Adam(groups, options.rate, betas=(0.9, 0.99))
        self.average = copy.deepcopy(model).requires_grad_(False)
        self.is_detailed = self.part in DETAILED and model.config.detail_tiles > 0
        self.before = copy.deepcopy(model.generators).requires_grad_(False)
        self.discriminator = None
        if discriminator is not None:
            self.discriminator = discriminator.eval().requires_grad_(False)
        self.step = 0
        shown, which = crops.people()
        self.crops_of = [(which == person).nonzero()[:, 0] for person in range(len(shown))]
        self.order: list[int] = []

    def run(self, save: Callable[[dict[str, float]], None]) -> None:
        """Train until the time or the steps are over.

        Args:
            save: is told steps and minutes every few minutes and at the end.
        """
        options = self.options
        budget = Budget(
            options.minutes,
            options.steps,
            report_every=REPORT_EVERY,
            save=save,
            save_minutes=options.save_minutes,
        )
        for progress in budget:
            set_rates(self.optimizer, self.rates, warmed(progress, self.step))
            budget.note(self.train_step())

    def train_step(self) -> dict[str, float]:
        """One step; what happens depends on the seed and the step's number."""
        options = self.options
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        crops = self.crops.of(self._chosen(generator))
        rows, _ = crops.people()
        noise = [
            CODE_NOISE * torch.randn(len(rows), len(spread), generator=generator) * spread
            for spread in self.spread
        ]
        own = [codes[rows] + by for codes, by in zip(self.codes, noise, strict=True)]
        shown = self.show(crops, own)
        terms = {} if self.is_structure_only else self.reconstruction(shown, crops)
        if self.is_detailed and options.part in STRUCTURED:
            compare = distance if options.part in SPARSE else misfit
            terms["energies"] = compare(shown.given, crops.energy, crops.structured[:, None])
        elif self.is_detailed:  # it hangs on the layers that learn
            before = self.amounts_before(rows, noise)
            terms["amounts"] = F.l1_loss(shown.amounts, before)
        weights = dict(WEIGHTS)
        if self.discriminator is not None:
            terms["matching"] = self.mismatch(self.discriminator, shown, crops)
            weights["matching"] = self.options.matching_weight
        loss = losses.weighted(terms, weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learned, MAX_GRADIENT)
        self.optimizer.step()
        follow(self.average, self.model, options.ema, self.step)
        self.step += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _chosen(self, generator: torch.Generator) -> Tensor:
        """Crops of the next people: all of one's, as they share a map."""
        chosen: list[Tensor] = []
        while sum(map(len, chosen)) < self.options.pictures:
            if not self.order:
                self.order = torch.randperm(len(self.crops_of), generator=generator).tolist()
            chosen.append(self.crops_of[self.order.pop()])
        return torch.cat(chosen)

    def mismatch(self, discriminator: Discriminator, shown: Shown, crops: Crops) -> Tensor:
        """How far a discriminator's activations of the part are from those of the render."""
        frame = self.frame
        wanted = alone(
            frame.inner(_floats(crops.image)), frame.inner(crops.mask.float()), self.part
        )
        mine = alone(shown.smooth, shown.labels(), self.part)
        with mixed("cpu"):
            with torch.no_grad():
                target = discriminator.features(wanted.image, wanted.mask)
            return feature_matching(discriminator.features(mine.image, mine.mask), target)

    def show(self, crops: Crops, codes: Sequence[Tensor]) -> Shown:
        """What the model makes of crops.

        Args:
            codes: of the part, of the :meth:`Crops.people`, (P, Z) twice.
        """
        model, frame = self.model, self.frame
        config = model.config
        number = LIFTED.index(self.part)
        rays = crops.rays()
        rows, which = crops.people()
        with mixed("cpu"):
            made = self._made(model.generators, rows, codes)
            densities = crops.density.float()
            if not self.is_structure_only:
                relative, density = (one[which] for one in part_geometry(self.part, made, config))
                own = Geometry((relative + crops.base)[:, None], density[:, None])
                densities = torch.cat(
                    [
                        densities[:, :number],
                        ray_densities(own, rays, config).float(),
                        densities[:, number + 1 :],
                    ],
                    1,
                )
            weights = split_weights(densities, rays)
            mask = weights.mask[:, 0]  # (n, K, R)
            share = mask.masked_fill(mask <= FETCH_THRESHOLD, 0)
            others = share.masked_fill((torch.arange(PART_COUNT) == self.part)[:, None], 0)
            features = (crops.features.float() * others[:, :, None]).sum(1)
            where = weights.uv[:, 0, number]
            found = looked_up(made.features[which], where, config.maps[self.part].window)
            found = found * share[:, self.part, None]
            features = features + found[:, : config.features]
            features = frame.grid(features).contiguous(memory_format=torch.channels_last)
            net, coarse = model.render_net, frame.grid(mask)
            x = net.trunk(features, coarse)
            smooth, logits = net.picture(x, features), net.mask_logits(x, coarse)
        return Shown(
            frame.inner(smooth.float()),
            frame.inner(logits.float()),
            mask,
            weights.depth[:, 0],
            opacity(made.density.float(), config),
            made.features[..., config.features :].float(),
            self._given(found[:, config.features :], crops),
        )

    def _given(self, amount: Tensor, crops: Crops) -> Tensor:
        """Energies of amounts (n, T, R) of tiles, by filter, (n, 2 D, R)."""
        if not self.is_detailed:
            return amount
        resolved = self.frame.grid(crops.resolved)[:, None]
        return given_energies(self.frame.grid(amount), resolved, self.model.config).flatten(2)

    @torch.no_grad()
    def amounts_before(self, rows: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Amounts of fine structure of people ``rows`` (n,) before the training, (n, H, W, T).

        Args:
            noise: on their codes, (n, Z) twice.
        """
        old = (self.people.shape[rows, self.part], self.people.texture[rows, self.part])
        codes = [own + by for own, by in zip(old, noise, strict=True)]
        with mixed("cpu"):
            made = self._made(self.before, rows, codes)
        return made.features[..., self.model.config.features :].float()

    def _made(self, generators: PartGenerators, rows: Tensor, codes: Sequence[Tensor]) -> PartMap:
        """The part's map of people ``rows`` (n,) with such codes of the part, (n, Z) twice."""
        people = self.people
        base, shape, texture = (
            t[rows].clone() for t in (people.base, people.shape, people.texture)
        )
        shape[:, self.part], texture[:, self.part] = codes
        return generators(base, shape, texture, [self.part])[self.part]

    def reconstruction(self, shown: Shown, crops: Crops) -> dict[str, Tensor]:
        """What tells crops from their renders, unweighted; the part counts most."""
        frame = self.frame
        wanted, labels = frame.inner(_floats(crops.image)), crops.mask.float()
        part = frame.inner(labels)[:, self.part, None]
        # a part's edge lies on both sides
        weight = torch.maximum(part, F.max_pool2d(part, 5, 1, 2) * 0.5).clamp_min(SURROUNDINGS)
        weight = F.interpolate(weight, scale_factor=2.0)
        weight = weight / weight.sum()
        error = shown.smooth - wanted
        across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
        coarse = F.avg_pool2d(labels, labels.shape[-1] // frame.width)
        log_mask = F.log_softmax(shown.mask_logits, 1)
        log_coarse = frame.grid(shown.mask).clamp_min(1e-5).log()
        of_part = coarse[:, self.part].flatten(1) > 0.5
        terms = {
            "image": (error.abs() * weight).sum() / 3,
            "gradient": (across.sum() + down.sum()) / 3,
            "mask": losses.mask_cross_entropy(log_mask, frame.inner(labels)),
            "coarse mask": losses.mask_cross_entropy(log_coarse, coarse),
            "depth": losses.depth_l1(shown.depth, crops.surface, crops.foreground & of_part),
            "outline": total_variation(shown.opacity),
        }
        if self.options.part not in WITHOUT_EDGES:
            apart = (edge_strength(shown.smooth) - edge_strength(wanted)).abs()
            terms["edges"] = (apart * weight[..., 1:, 1:]).sum()
        return terms

    @torch.no_grad()
    def result(self) -> SSGAN3D:
        """The averaged model with the codes as they are."""
        model = copy.deepcopy(self.average)
        assert isinstance(model.mapping, PeopleMixture)
        model.mapping.shape[:, self.part], model.mapping.texture[:, self.part] = self.codes
        return model


def opacity(density: Tensor, config: ModelConfig) -> Tensor:
    """How much of what is behind it a shell of such a raw density hides, seen from in front.

    ∫ ψ dz = √(π / α) for ψ = exp(-α (d̂ - z)²).
    """
    thickness = math.sqrt(math.pi / config.shell_alpha)
    return 1 - torch.exp(-density * config.density_scale * thickness)


def total_variation(maps: Tensor) -> Tensor:
    """Mean over texels of the differences of neighbours in (n, H, W), across and down.

    Crops say nothing of most of a map, where specks grow that some camera or a mesh shows; of a
    given area, closed forms with a smooth outline vary least (Rudin, Osher and Fatemi 1992).
    """
    across = (maps[..., 1:] - maps[..., :-1]).abs().sum()
    down = (maps[..., 1:, :] - maps[..., :-1, :]).abs().sum()
    return (across + down) / maps.numel()


def edge_strength(image: Tensor) -> Tensor:
    """Root mean square of the differences of neighbours around every place, (N, 1, h - 1, w - 1).

    Comparing differences themselves prefers no edge to one that is a pixel off: eyes had the form
    and gaze of their renders, and no outline. Squares tell a sharp edge from a soft one.
    """
    across = image[..., 1:, 1:] - image[..., 1:, :-1]
    down = image[..., 1:, 1:] - image[..., :-1, 1:]
    energy = (across.square() + down.square()).mean(1, keepdim=True)
    return (F.avg_pool2d(energy, _AROUND, 1, _AROUND // 2) + _LEAST_EDGE**2).sqrt()


def _floats(image: Tensor) -> Tensor:
    return image.float() / 127.5 - 1


HELP = {
    "part": "the part that learns",
    "minutes": "how long to train",
    "steps": "how many steps instead",
    "pictures": "crops a step, at least: those of one person are taken together",
    "crops": "crops of a render; parts that are larger than one are seen around random rays",
    "rate": "learning rate at first; it falls to zero by a half cosine",
    "code_rate": "the same of the codes",
    "matching_weight": "weight of feature matching",
    "ema": "decay of the moving average a step",
    "save_minutes": "time between two writings of the model",
    "threads": "CPU threads; several parts at once take one each",
    "seed": "what every random choice depends on",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training closeup``; defaults as in :class:`CloseupOptions`."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets that show its people"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    parser.add_argument(
        "--discriminator", type=Path, help="discriminator file whose activations are matched, too"
    )
    for name, text in HELP.items():
        default = getattr(CloseupOptions, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            choices=PARTS if name == "part" else None,
            help=f"{text} (default {default})",
        )


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training closeup``."""
    keep_heap()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)  # the tails of the shells are denormal, and ten times slower
    options = CloseupOptions(**{name: getattr(arguments, name) for name in HELP})
    torch.manual_seed(options.seed)
    weights = arguments.weights or embedded_weights()
    model, info = load_checkpoint(weights)
    if options.part in STRUCTURE_ONLY and not model.config.detail_tiles:
        raise PortraitError(
            f"{weights} has no fine structure, and the {options.part} learns nothing else here. "
            "Run `python -m training detail` first."
        )
    people = people_of(info, weights)
    known, rows = known_views(showing(options.part, read_views(arguments.data)), people)
    views = Views(PortraitSet(known), model.config, torch.device("cpu"), SAMPLES)
    crops = cut(model, views, rows, part_index(options.part), options.crops)
    del views
    print(f"{len(crops.rows)} crops of {len(rows.unique())} of {len(people)} people", flush=True)
    discriminator = None
    if arguments.discriminator:
        discriminator = Discriminator()
        read_discriminator(arguments.discriminator, discriminator)
    closeup = Closeup(model, crops, options, discriminator)
    before = info.get("close-ups", [])

    def save(spent: dict[str, float]) -> None:
        once = {"part": options.part} | spent | {"crops": len(crops.rows)}
        facts = info | {"close-ups": [*before, once]}
        save_checkpoint(arguments.out, closeup.result(), facts, half=True, licence=LICENCE)

    closeup.run(save)
    print(f"{arguments.out}: {closeup.step} steps")
    return 0
