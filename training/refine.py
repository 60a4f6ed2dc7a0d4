"""``python -m training refine``: finer detail for a trained model that forgets nobody.

A run that goes on with few portraits teaches the discriminator's taste to all and lets fade whoever
is not rendered again. Here every step holds three things together:

* people of the model whose renders are at hand are reconstructed with the codes that they have;
* pairs of random portraits that differ in one part stay what a frozen copy makes of them (form,
  masks, and the picture where it is averaged over squares), and the second the same as the first
  outside of the part, as in :mod:`.localize`;
* the discriminator judges both for what is finer than that.

Codes, mapping and linear models are left alone.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.device import choose_device
from core.engine import embedded_weights
from core.errors import PortraitError
from core.generators import PartGroup
from core.model import SSGAN3D, GeneratorOutput
from core.parts import PART_NAMES
from core.people_mixture import PeopleMixture
from training import losses
from training.adversarial import (
    MASK_TIE,
    Pairs,
    data_rays,
    discriminator_step,
    mask_tie,
    real_pairs,
    verdict,
)
from training.augment import AdaptiveAugmentation
from training.averaging import follow
from training.budget import Budget, add_options
from training.data import DatasetError, PortraitSet, View, read_views
from training.discriminator import Discriminator, read_discriminator, write_discriminator
from training.graft import LAYERED
from training.localize import Target, held_terms, target_of, twice
from training.model_files import put_on, taken_off, write_model
from training.process import set_up
from training.rates import set_rate, set_rates, warmed
from training.swaps import swapped_pairs
from training.warm_start import (
    RENDER_RATE,
    WEIGHTS,
    FittedCodes,
    Views,
    reconstruction_losses,
    render_codes,
)

KEEP_WEIGHTS = {"keep image": 1.0, "keep mask": 0.3, "keep coarse mask": 0.3, "keep depth": 2.0}
"""Of the random pairs, beside the frozen copy."""
SMALL_PARTS_WEIGHT = 0.2
"""Of reconstructions: eyes and mouths are looked at first, and are a twentieth of the picture."""
SAMPLES = 16
MAX_GRADIENT = 2.0
REPORT_EVERY = 20


@dataclass(frozen=True)
class RefineOptions:
    """What a run is told; see ``python -m training refine --help``."""

    minutes: float = 60.0
    steps: int = 0
    portraits: int = 3
    views: int = 2
    pairs: int = 3
    rate: float = 1.5e-3
    discriminator_rate: float = 3e-4
    adversarial_weight: float = 0.08
    matching_weight: float = 0.3
    gradient_weight: float = 0.6
    outside: float = 8.0
    keep: int = 8
    parts: tuple[str, ...] = ()
    ema: float = 0.997
    save_minutes: float = 5.0
    threads: int = 2
    device: str = "auto"
    seed: int = 0


def known_views(views: Sequence[View], people: Sequence[int]) -> tuple[list[View], Tensor]:
    """Views of people that the model mixes, and their portraits' rows among its people.

    A sibling that only lacks a part is the same person with that part hidden: nothing else shows
    what is beneath hair and clothes.

    Args:
        views: as :func:`~.data.read_views` gives them.
        people: identity number behind each row of the model's mixture.

    Raises:
        DatasetError: nobody is known.
    """
    rows: dict[int | None, int] = {identity: row for row, identity in enumerate(people)}
    known = [view for view in views if _shown(view) in rows]
    if not known:
        raise DatasetError(
            f"The data show none of the {len(rows)} people that the model mixes (identities "
            f"{min(people)} to {max(people)}). Render them: `python -m training synthesize "
            f"--first {min(people)}`."
        )
    shown = {view.person: _shown(view) for view in known}
    return known, torch.tensor([rows[identity] for identity in shown.values()])


def people_of(info: dict[str, Any], weights: Path) -> list[int]:
    """Identity numbers behind the rows of a model file's mixture.

    Args:
        info: facts of the file ``weights``.

    Raises:
        PortraitError: it does not say them.
    """
    people = info.get("people")
    if not people:
        raise PortraitError(
            f"{weights} does not say which portraits it mixes. Train on from it with "
            "`python -m training train --start`, and export with this version."
        )
    return list(people)


def _shown(view: View) -> int | None:
    """Number of the identity whose codes make a picture; None of a sibling with other parts."""
    return None if view.changed & view.present else view.factors["global"]


def codes_of_rows(mixture: PeopleMixture, rows: Tensor, visible: Tensor) -> FittedCodes:
    """Codes of the mixture's people.

    Args:
        rows: (B,) rows of the mixture.
        visible: (B, K) bool.
    """
    return FittedCodes(mixture.base[rows], mixture.shape[rows], mixture.texture[rows], visible)


def keep_terms(student: GeneratorOutput, target: Target, keep: int) -> dict[str, Tensor]:
    """What holds random pairs to the frozen copy, unweighted; see :func:`.localize.target_of`.

    Args:
        keep: pictures stay as they are where averaged over so many pixels squared.
    """
    image, kept = (F.avg_pool2d(t.float(), keep) for t in (student.image[:, 0], target.image))
    held = {f"keep {name}": value for name, value in held_terms(student, target).items()}
    return {"keep image": F.l1_loss(image, kept)} | held


def train_only(model: SSGAN3D, parts: Collection[str]) -> None:
    """Let only the generators of these parts learn: all else of the model stays."""
    model.requires_grad_(False)
    for group in model.generators.groups:
        assert isinstance(group, PartGroup)
        chosen = torch.tensor([PART_NAMES[part] in parts for part in group.parts])
        for name, parameter in group.named_parameters():
            axis = 1 if name in LAYERED else 0
            mask = chosen.view([-1 if a == axis else 1 for a in range(parameter.ndim)])
            parameter.requires_grad_(bool(chosen.any()))
            if parameter.requires_grad:  # parts of a group share their tensors
                parameter.register_hook(partial(torch.mul, mask.to(parameter)))


class Refinement:
    """A student, its frozen teacher, its average and its judge; :meth:`run` trains them."""

    def __init__(
        self,
        teacher: SSGAN3D,
        views: Views,
        rows: Tensor,
        discriminator: Discriminator,
        augmentation: AdaptiveAugmentation,
        options: RefineOptions,
    ) -> None:
        """
        Args:
            teacher: is left as it is.
            views: renders of people that the teacher mixes.
            rows: (P,) row of each portrait of ``views`` among the teacher's people.
            discriminator: is trained in place.
            augmentation: its strength goes on from where it is.

        Raises:
            TypeError: the teacher mixes nobody.
        """
        if not isinstance(teacher.mapping, PeopleMixture):
            raise TypeError(f"A {type(teacher.mapping).__name__} does not mix people.")
        self.people = teacher.mapping
        self.teacher, self.views, self.rows, self.options = teacher, views, rows, options
        self.average = copy.deepcopy(teacher).eval().requires_grad_(False)
        self.student = copy.deepcopy(teacher).train().requires_grad_(True)
        self.student.mapping.requires_grad_(False)
        if options.parts:
            train_only(self.student, options.parts)
        self.discriminator, self.augmentation = discriminator, augmentation
        self.is_judged = options.adversarial_weight > 0 or options.matching_weight > 0
        self.step = 0
        layers: list[nn.Parameter] = []
        render: list[nn.Parameter] = []
        for name, parameter in self.student.named_parameters():
            if name.endswith("_basis"):
                parameter.requires_grad_(False)
            elif parameter.requires_grad:
                (render if name.startswith("render_net.") else layers).append(parameter)
        self.rates = [options.rate, options.rate * RENDER_RATE]
        groups = [{"params": layers}, {"params": render}]
        self.optimizer = torch.optim.Adam(groups, options.rate, betas=(0.9, 0.99))
        self.judge_optimizer = torch.optim.Adam(
            discriminator.parameters(), options.discriminator_rate, (0.0, 0.99)
        )
        self.weights = WEIGHTS | KEEP_WEIGHTS | {"small parts": SMALL_PARTS_WEIGHT}
        self.weights |= {
            "gradient": options.gradient_weight,
            "keep outside": options.outside,
            "matching": options.matching_weight,
        }
        self.weights |= {"G": options.adversarial_weight, "mask tie": MASK_TIE}

    def run(self, save: Callable[[dict[str, float]], None]) -> None:
        """Train until the time or the steps are over.

        Args:
            save: is told steps and minutes every few minutes and at the end.
        """
        options = self.options
        budget = Budget.of(options, report_every=REPORT_EVERY, save=save)
        for progress in budget:
            share = warmed(progress, self.step)
            set_rates(self.optimizer, self.rates, share)
            set_rate(self.judge_optimizer, options.discriminator_rate * share)
            budget.note(self.train_step())

    def train_step(self) -> dict[str, float]:
        """One step of both players; what happens depends on the seed and the step's number."""
        options = self.options
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        batch = self.views.batch(options.portraits, options.views, generator)
        fitted = codes_of_rows(self.people, self.rows[batch.portraits], batch.visible)
        real = real_pairs(batch)
        with torch.no_grad():
            codes, parts = swapped_pairs(self.teacher, options.pairs, generator)
            rays = twice(data_rays(self.views, options.pairs, generator))
            target = target_of(render_codes(self.teacher, codes, rays), parts)
        rebuilt = render_codes(self.student, fitted, batch.rays)
        pairs = render_codes(self.student, codes, rays)
        terms = reconstruction_losses(rebuilt, batch) | keep_terms(pairs, target, options.keep)
        shown = rebuilt.image.flatten(0, 1).float()
        terms["small parts"] = losses.small_part_l1(shown, batch.image, batch.mask)
        terms["mask tie"] = mask_tie(pairs)
        fakes = [Pairs.of(rebuilt), Pairs.of(pairs)]
        if self.is_judged:
            terms |= verdict(self.discriminator, fakes, real)
        loss = losses.weighted(terms, self.weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        follow(self.average, self.student, options.ema, self.step)
        values = {name: float(value.detach()) for name, value in terms.items()}
        if self.is_judged:
            values |= discriminator_step(
                self.discriminator,
                self.judge_optimizer,
                self.augmentation,
                real,
                fakes[0].join(fakes[1]).detach(),
                self.step,
                generator,
            )
        self.step += 1
        return values


HELP = {
    "minutes": "how long to train",
    "steps": "how many steps instead",
    "portraits": "people whose renders are reconstructed in a step",
    "views": "views of each of them",
    "pairs": "random pairs a step",
    "rate": "learning rate at first; it falls to zero by a half cosine",
    "discriminator_rate": "the same of the discriminator",
    "adversarial_weight": "weight of the discriminator's verdict",
    "matching_weight": "weight of feature matching; both 0: without a discriminator",
    "gradient_weight": "weight of L1 of gradients; where hairs cannot be placed to the pixel, it "
    "prefers none",
    "outside": "weight of what changes outside of a swapped part",
    "keep": "random portraits stay as they are where averaged over so many pixels squared",
    "parts": "parts whose generators learn; none: all, and the render net",
    "ema": "decay of the moving average a step",
    "save_minutes": "time between two writings of the model",
    "threads": "CPU threads",
    "device": "cpu, cuda, mps or auto",
    "seed": "what every random choice depends on",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training refine``; defaults are those of :class:`RefineOptions`."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, required=True, help="data set that shows people of the model"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    parser.add_argument(
        "--start-discriminator", type=Path, help="discriminator file of the model's training"
    )
    parser.add_argument(
        "--discriminator", type=Path, help="where to write the discriminator, as it is at the end"
    )
    parser.add_argument("--parts", nargs="+", choices=PART_NAMES, default=(), help=HELP["parts"])
    texts = {name: text for name, text in HELP.items() if name != "parts"}
    add_options(parser, RefineOptions, texts)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training refine``."""
    set_up(arguments.threads)
    chosen = {name: getattr(arguments, name) for name in HELP}
    options = RefineOptions(**chosen | {"parts": tuple(arguments.parts)})
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    teacher = taken_off(whole)
    people = people_of(info, weights)
    known, rows = known_views(read_views([arguments.data]), people)
    data = PortraitSet(known)
    print(f"{len(data)} pictures of {len(rows.unique())} of {len(people)} people", flush=True)
    discriminator, augmentation = Discriminator(), AdaptiveAugmentation()
    if arguments.start_discriminator:
        strength = read_discriminator(arguments.start_discriminator, discriminator)
        augmentation.strength = strength
    refinement = Refinement(
        teacher.to(device),
        Views(data, teacher.config, device, SAMPLES),
        rows,
        discriminator.to(device),
        augmentation,
        options,
    )

    def save(spent: dict[str, float]) -> None:
        once = spent | {
            "pictures": len(data),
            "options": {k: v for k, v in asdict(options).items() if v != getattr(RefineOptions, k)},
        }
        write_model(arguments.out, put_on(refinement.average, whole), info, refined=once)
        if arguments.discriminator:
            judge = refinement.discriminator.state_dict()
            write_discriminator(arguments.discriminator, judge, refinement.augmentation.strength)

    refinement.run(save)
    print(f"{arguments.out}: {refinement.step} steps")
    return 0
