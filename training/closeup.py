"""``python -m training closeup``: single parts of portraits fitted to renders, and nothing else.

Eyes are looked at first, cover a fiftieth of a picture, and take many steps until an iris has an
edge. Here everything but some parts is frozen, so whatever it gives to a crop around them is
worked out once and kept: densities at the samples of the rays, features where the rays meet the
other parts. What is left of a step are small generators, a sum along a few hundred rays and the
render net of a quarter of the picture. Parts that are larger than a crop are seen through several.

The parts' generators and their codes of all people learn from renders of these people. All else of
the model stays as it is, and so do portraits elsewhere. Parts that lie within each other should
learn together: the render net mixes neighbours, and eyes that had been fitted beside the old skin
were blurred beside a new one. A discriminator that a training has left behind may say what looks
alike: it is not trained. (Trained beside the part it drew blue fringes into corners of eyes within
600 to 3,400 steps, at each of three weights.)
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.detail import DETAILED
from core.engine import embedded_weights
from core.errors import PortraitError
from core.generators import PartGenerators, PartGroup, PartMap
from core.lifting import LIFTED, Geometry, opacity, part_geometry
from core.model import SSGAN3D
from core.paint import face_atlas
from core.parts import BACKGROUND, PART_COUNT, PART_NAMES, part_index
from core.people_mixture import PeopleMixture
from core.volume import (
    FETCH_THRESHOLD,
    ray_densities,
    split_weights,
)
from training import losses
from training.adversarial import Pairs, feature_matching
from training.averaging import follow
from training.budget import Budget, add_options
from training.crops import SAMPLES, Crops, Frame, cut, looked_up, paint_on_crops
from training.data import PortraitSet, View, read_views
from training.detail import distance, given_energies, misfit
from training.discriminator import Discriminator, read_discriminator
from training.model_files import put_on, taken_off, write_model
from training.precision import mixed
from training.process import set_up
from training.rates import set_rates, warmed
from training.refine import LAYERED, known_views, people_of, train_only
from training.synthetic.numbering import HIDDEN_PARTS
from training.warm_start import LINEAR_RATE, Views

PARTS = (
    *("skin", "brows", "eyes", "nose", "mouth", "ears"),
    *("hair", "clothes", "glasses", "hat"),
)
"""Parts that renders of whole portraits leave soft."""
FORM_STAYS = ("skin",)
"""Parts that learn their colours alone, because the others lie on their form."""
STRUCTURED = ("hair", "clothes")
"""Parts whose fine structure learns as well: layers that never see it tell no direction.

That of the others stays, but where nothing else learns.
"""
WITHOUT_EDGES = ("hair", "skin", "hat")
"""Parts whose edges are not compared: no code can place strands, freckles or stitches.

Compared at half size, hair took on a weave within 1,400 steps, at a quarter bumps: the same on
every head, and of as many edges as the renders have. Skin became blotchy, ribbed hats lumpy.
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

    parts: tuple[str, ...] = ("eyes",)
    structure_only: bool = False
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
        opacity: how much each part's shell of each of P people hides of what is behind it, on the
            part's own map, (P, H, W) in [0, 1]; of parts whose form learns.
        amounts: of fine structure, on the part's own map, (P, H, W, T); of all that learn.
        given: energies of the fine structure that learns, by filter, (n, 2 D, R).
    """

    smooth: Tensor
    mask_logits: Tensor
    mask: Tensor
    depth: Tensor
    opacity: dict[int, Tensor]
    amounts: dict[int, Tensor]
    given: Tensor

    def labels(self) -> Tensor:
        """Final masks, (n, K, h / 2, w / 2), which sum to 1."""
        return F.softmax(self.mask_logits, 1)


def learn_structure(options: CloseupOptions) -> list[int]:
    """Those of a run's parts whose fine structure learns."""
    learn = options.parts if options.structure_only else STRUCTURED
    return [part_index(name) for name in options.parts if name in learn]


def showing(parts: Sequence[str], views: Sequence[View]) -> list[View]:
    """Views of people who have the parts, as they are by themselves."""
    others = {PRESSED_BY[part] for part in parts if part in PRESSED_BY}
    return [view for view in views if view.present >= set(parts) and not view.present & others]


def lacking(part: str, views: Sequence[View]) -> list[View]:
    """Views of siblings that only lack a part, which these people have otherwise."""
    return [view for view in views if part in view.changed - view.present]


def alone(image: Tensor, mask: Tensor, parts: Sequence[int]) -> Pairs:
    """Parts and what is next to them, on grey: what the discriminator is shown.

    All else of a crop is frozen.

    Args:
        image: (n, 3, h, w).
        mask: (n, K, h / 2, w / 2), sums to 1.
    """
    own = mask[:, list(parts)].sum(1, keepdim=True)
    near = F.max_pool2d(own.detach(), 5, 1, 2)  # nothing is won by hiding
    near = F.interpolate(near, size=image.shape[-2:], mode="bilinear", align_corners=False)
    labels = torch.zeros_like(mask)
    labels[:, list(parts)] = mask[:, list(parts)]
    labels[:, BACKGROUND] = 1 - own[:, 0]
    return Pairs(image * near, labels)


class Closeup:
    """Some parts' generators and codes; :meth:`run` trains them."""

    def __init__(
        self,
        model: SSGAN3D,
        crops: Crops,
        options: CloseupOptions,
        discriminator: Discriminator | None = None,
    ) -> None:
        """
        Args:
            model: mixes people; its parts are trained in place, its people's codes are not.
            crops: of views of these people.
            discriminator: whose activations tell pictures apart; None for none.
        """
        assert isinstance(model.mapping, PeopleMixture)
        self.model, self.crops, self.options = model, crops, options
        self.frame, self.people = Frame.of(model.config), model.mapping
        self.parts = [part_index(name) for name in options.parts]
        only = options.structure_only
        stays = [part_index(name) for name in FORM_STAYS]
        self.formed = [] if only else [part for part in self.parts if part not in stays]
        has_structure = model.config.detail_tiles > 0
        self.detailed = [part for part in self.parts if part in DETAILED and has_structure]
        self.structured = [part for part in self.detailed if part in learn_structure(options)]
        self.kept = [part for part in self.detailed if part not in self.structured]
        train_only(model, options.parts)
        if only:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(parameter.requires_grad and ".detail_" in name)
        keep_form(model, stays)
        self.codes: dict[int, list[Tensor]] = {}
        self.spread: dict[int, list[Tensor]] = {}
        for part in self.parts:
            own = (self.people.shape[:, part], self.people.texture[:, part])
            learns = (part in self.formed, not only)
            self.spread[part] = [codes.std(0, correction=0) for codes in own]
            self.codes[part] = [
                codes.clone().requires_grad_(does) for codes, does in zip(own, learns, strict=True)
            ]  # twice (S, Z)
        layers: list[nn.Parameter] = []
        linear: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                (linear if name.endswith("_basis") else layers).append(parameter)
        self.learned = layers + linear
        groups: list[dict[str, Any]] = [
            {"params": layers},
            {"params": linear},
            {"params": [c for own in self.codes.values() for c in own if c.requires_grad]},
        ]
        self.rates = [options.rate, options.rate * LINEAR_RATE, options.code_rate]
        self.optimizer = torch.optim.Adam(groups, options.rate, betas=(0.9, 0.99))
        self.average = copy.deepcopy(model).requires_grad_(False)
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
        budget = Budget.of(self.options, report_every=REPORT_EVERY, save=save)
        for progress in budget:
            set_rates(self.optimizer, self.rates, warmed(progress, self.step))
            budget.note(self.train_step())

    def train_step(self) -> dict[str, float]:
        """One step; what happens depends on the seed and the step's number."""
        options = self.options
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        crops = self.crops.of(self._chosen(generator))
        rows, _ = crops.people()
        noise = {
            part: [
                CODE_NOISE * torch.randn(len(rows), len(one), generator=generator) * one
                for one in spread
            ]
            for part, spread in self.spread.items()
        }
        shown = self.show(crops, self.own_codes(rows, noise))
        terms = {} if options.structure_only else self.reconstruction(shown, crops)
        if self.structured:
            sparse = {PART_NAMES[part] for part in self.structured} <= set(SPARSE)
            compare = distance if sparse else misfit
            terms["energies"] = compare(shown.given, crops.energy, crops.structured[:, None])
        if self.kept:  # it hangs on the layers that learn
            before = self.amounts_before(rows, noise)
            apart = [F.l1_loss(shown.amounts[part], before[part]) for part in self.kept]
            terms["amounts"] = torch.stack(apart).sum()
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

    def own_codes(
        self, rows: Tensor, noise: dict[int, list[Tensor]] | None = None
    ) -> dict[int, list[Tensor]]:
        """Codes of the parts of people ``rows`` (n,), (n, Z) twice each, with noise."""
        own = {part: [codes[rows] for codes in both] for part, both in self.codes.items()}
        return own if noise is None else _sums(own, noise)

    def _chosen(self, generator: torch.Generator) -> Tensor:
        """Crops of the next people: all of one's, as they share a map."""
        chosen: list[Tensor] = []
        while sum(map(len, chosen)) < self.options.pictures:
            if not self.order:
                self.order = torch.randperm(len(self.crops_of), generator=generator).tolist()
            chosen.append(self.crops_of[self.order.pop()])
        return torch.cat(chosen)

    def mismatch(self, discriminator: Discriminator, shown: Shown, crops: Crops) -> Tensor:
        """How far a discriminator's activations of the parts are from those of the render."""
        frame = self.frame
        wanted = alone(
            frame.inner(_floats(crops.image)), frame.inner(crops.mask.float()), self.parts
        )
        mine = alone(shown.smooth, shown.labels(), self.parts)
        with mixed("cpu"):
            with torch.no_grad():
                target = discriminator.features(wanted.image, wanted.mask)
            return feature_matching(discriminator.features(mine.image, mine.mask), target)

    def show(self, crops: Crops, codes: dict[int, list[Tensor]]) -> Shown:
        """What the model makes of crops.

        Args:
            codes: of the parts, of the :meth:`Crops.people`, (P, Z) twice each.
        """
        model, frame = self.model, self.frame
        config = model.config
        rays = crops.rays()
        rows, which = crops.people()
        with mixed("cpu"):
            made = self._made(model.generators, rows, codes)
            densities = list(crops.density.float().unbind(1))
            for part in self.formed:
                placed = part_geometry(part, made[part], config)
                depth, density = placed.depth[which] + crops.base, placed.density[which]
                own = Geometry(depth[:, None], density[:, None])
                densities[LIFTED.index(part)] = ray_densities(own, rays, config).float()[:, 0]
            weights = split_weights(torch.stack(densities, 1), rays)
            mask = weights.mask[:, 0]  # (n, K, R)
            share = mask.masked_fill(mask <= FETCH_THRESHOLD, 0)
            learn = torch.isin(torch.arange(PART_COUNT), torch.tensor(self.parts))
            others = share.masked_fill(learn[:, None], 0)
            features = (crops.features.float() * others[:, :, None]).sum(1)
            amounts = features.new_zeros(len(features), config.detail_tiles, mask.shape[-1])
            for part in self.parts:
                where = weights.uv[:, 0, LIFTED.index(part)]
                found = looked_up(made[part].features[which], where, config.maps[part].window)
                found = found * share[:, part, None]
                features = features + found[:, : config.features]
                if part in self.structured:
                    amounts = amounts + found[:, config.features :]
            features = frame.grid(features).contiguous(memory_format=torch.channels_last)
            net, coarse = model.render_net, frame.grid(mask)
            x = net.trunk(features, coarse)
            smooth, logits = net.picture(x, features), net.mask_logits(x, coarse)
        if crops.paint.numel():
            smooth = smooth + crops.paint.float()
        atlas = face_atlas(made, None, config)
        if atlas is not None:
            smooth = smooth + paint_on_crops(atlas[which], weights, config)
        return Shown(
            frame.inner(smooth.float()),
            frame.inner(logits.float()),
            mask,
            weights.depth[:, 0],
            {part: opacity(made[part].density.float(), config) for part in self.formed},
            {part: made[part].features[..., config.features :].float() for part in self.parts},
            self._given(amounts, crops),
        )

    def _given(self, amount: Tensor, crops: Crops) -> Tensor:
        """Energies of amounts (n, T, R) of tiles, by filter, (n, 2 D, R)."""
        if not self.structured:
            return amount
        resolved = self.frame.grid(crops.resolved)[:, None]
        return given_energies(self.frame.grid(amount), resolved, self.model.config).flatten(2)

    @torch.no_grad()
    def amounts_before(self, rows: Tensor, noise: dict[int, list[Tensor]]) -> dict[int, Tensor]:
        """Amounts of fine structure of people ``rows`` (n,) before the training, (n, H, W, T).

        Args:
            noise: on their codes, (n, Z) twice for each part.

        Returns:
            Those of parts whose structure stays.
        """
        people = self.people
        old = {p: [people.shape[rows, p], people.texture[rows, p]] for p in self.kept}
        with mixed("cpu"):
            made = self._made(self.before, rows, _sums(old, noise))
        return {
            part: one.features[..., self.model.config.features :].float()
            for part, one in made.items()
        }

    def _made(
        self, generators: PartGenerators, rows: Tensor, codes: dict[int, list[Tensor]]
    ) -> dict[int, PartMap]:
        """Maps of people ``rows`` (n,) with such codes of these parts, (n, Z) twice each."""
        people = self.people
        base, shape, texture = (
            t[rows].clone() for t in (people.base, people.shape, people.texture)
        )
        for part, own in codes.items():
            shape[:, part], texture[:, part] = own
        return generators(base, shape, texture, list(codes))

    def reconstruction(self, shown: Shown, crops: Crops) -> dict[str, Tensor]:
        """What tells crops from their renders, unweighted; each of the parts counts as much."""
        frame = self.frame
        wanted, labels = frame.inner(_floats(crops.image)), crops.mask.float()
        shares = [_attention(frame.inner(labels)[:, part, None]) for part in self.parts]
        weight = torch.stack(shares).mean(0)
        error = shown.smooth - wanted
        coarse = F.avg_pool2d(labels, labels.shape[-1] // frame.width)
        log_mask = F.log_softmax(shown.mask_logits, 1)
        log_coarse = frame.grid(shown.mask).clamp_min(1e-5).log()
        terms = {
            "image": (error.abs() * weight).sum() / 3,
            "gradient": losses.gradient_sum(error, weight) / 3,
        }
        if self.formed:
            of_parts = coarse[:, self.formed].sum(1).flatten(1) > 0.5
            known = crops.foreground & of_parts
            terms |= {
                "mask": losses.mask_cross_entropy(log_mask, frame.inner(labels)),
                "coarse mask": losses.mask_cross_entropy(log_coarse, coarse),
                "depth": losses.depth_l1(shown.depth, crops.surface, known),
                "outline": torch.stack([total_variation(o) for o in shown.opacity.values()]).mean(),
            }
        sharp = [
            share
            for part, share in zip(self.parts, shares, strict=True)
            if PART_NAMES[part] not in WITHOUT_EDGES
        ]
        if sharp:
            apart = (edge_strength(shown.smooth) - edge_strength(wanted)).abs()
            terms["edges"] = (apart * torch.stack(sharp).mean(0)[..., 1:, 1:]).sum()
        return terms

    @torch.no_grad()
    def result(self) -> SSGAN3D:
        """The averaged model with the codes as they are."""
        model = copy.deepcopy(self.average)
        assert isinstance(model.mapping, PeopleMixture)
        for part, own in self.codes.items():
            model.mapping.shape[:, part], model.mapping.texture[:, part] = own
        return model


def lend_only(model: SSGAN3D, rows: Tensor, parts: Sequence[int]) -> None:
    """Let people in these ``rows`` of the mixture, and nobody else, lend their parts.

    The codes of the others are made for what the parts' generators were before.
    """
    assert isinstance(model.mapping, PeopleMixture)
    others = torch.ones(len(model.mapping.presence), dtype=torch.bool)
    others[rows] = False
    for part in parts:
        model.mapping.presence[others, part] = 0


def keep_form(model: SSGAN3D, parts: Sequence[int]) -> None:
    """Let nothing learn that depth and density of these parts come from."""
    config = model.config
    upper = config.base_layers + config.shape_layers
    for group in model.generators.groups:
        assert isinstance(group, PartGroup)
        stays = torch.tensor([part in parts for part in group.parts])
        if not stays.any():
            continue
        for name, parameter in group.named_parameters():
            if not parameter.requires_grad or name.startswith(("detail_", "feature_", "color_")):
                continue
            learns = torch.ones_like(parameter)
            if name in LAYERED:  # (layers, Kg, …); the codes' styles begin above w_base's
                first = {"base_style": config.base_layers, "code_style": config.shape_layers}
                learns[: first.get(name, upper), stays] = 0
            else:
                learns[stays] = 0
            parameter.register_hook(partial(torch.mul, learns))


def _attention(part: Tensor) -> Tensor:
    """How much pixels count for a part, (n, 1, h, w), from its labels (n, 1, h / 2, w / 2)."""
    # a part's edge lies on both sides
    weight = torch.maximum(part, F.max_pool2d(part, 5, 1, 2) * 0.5).clamp_min(SURROUNDINGS)
    weight = F.interpolate(weight, scale_factor=2.0)
    return weight / weight.sum()


def _sums(
    first: dict[int, list[Tensor]], second: dict[int, list[Tensor]]
) -> dict[int, list[Tensor]]:
    return {
        part: [a + b for a, b in zip(both, second[part], strict=True)]
        for part, both in first.items()
    }


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
    "minutes": "how long to train",
    "steps": "how many steps instead",
    "pictures": "crops a step, at least: those of one person are taken together",
    "crops": "crops of a render, around the parts in turn; one that is larger is seen around a "
    "random ray of it",
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
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=["eyes"], help="parts that learn (eyes)"
    )
    parser.add_argument(
        "--lacking",
        choices=tuple(HIDDEN_PARTS.values()),
        help="learn only from siblings that lack this part (`synthesize --without`): glasses leave "
        "lines on the skin of people who never take them off",
    )
    parser.add_argument(
        "--structure-only", action="store_true", help="all but their fine structure stays"
    )
    parser.add_argument(
        "--only-seen",
        action="store_true",
        help="random portraits get these parts of people whom the data shows, and of no others",
    )
    add_options(parser, CloseupOptions, HELP)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training closeup``."""
    set_up(arguments.threads)
    options = CloseupOptions(
        tuple(arguments.parts),
        arguments.structure_only,
        **{name: getattr(arguments, name) for name in HELP},
    )
    torch.manual_seed(options.seed)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    model = taken_off(whole)
    if options.structure_only and not model.config.detail_tiles:
        raise PortraitError(
            f"{weights} has no fine structure that could learn. "
            "Run `python -m training detail` first."
        )
    plain = [name for name in options.parts if part_index(name) not in DETAILED]
    if options.structure_only and plain:
        raise PortraitError(f"No fine structure lies on {', '.join(plain)}.")
    people = people_of(info, weights)
    seen = read_views(arguments.data)
    if arguments.lacking:
        seen = lacking(arguments.lacking, seen)
    known, rows = known_views(showing(options.parts, seen), people)
    views = Views(PortraitSet(known), model.config, torch.device("cpu"), SAMPLES)
    numbers = [part_index(name) for name in options.parts]
    crops = cut(model, views, rows, numbers, options.crops, learn_structure(options))
    del views
    print(f"{len(crops.rows)} crops of {len(rows.unique())} of {len(people)} people", flush=True)
    discriminator = None
    if arguments.discriminator:
        discriminator = Discriminator()
        read_discriminator(arguments.discriminator, discriminator)
    closeup = Closeup(model, crops, options, discriminator)

    def save(spent: dict[str, float]) -> None:
        once = {"parts": list(options.parts)} | spent | {"crops": len(crops.rows)}
        made = closeup.result()
        if arguments.only_seen:
            lend_only(made, rows, numbers)
        write_model(arguments.out, put_on(made, whole), info, **{"close-ups": once})

    closeup.run(save)
    print(f"{arguments.out}: {closeup.step} steps")
    return 0
