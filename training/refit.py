"""``python -m training refit``: a model's parts and its people's codes fitted to renders together.

:mod:`.closeup` fits parts apart, because two cores can afford no more. Where there is a GPU, whole
pictures of all people teach all generators, the render net and the codes at once, so that
neighbours agree. What no render shows is held by a frozen copy, as in :mod:`.refine`: pairs of
random portraits from random sides keep their form, their masks, and the picture where it is
averaged over squares, and change nothing outside of a swapped part.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.device import choose_device
from core.engine import embedded_weights
from core.errors import PortraitError
from core.lifting import opacity
from core.model import SSGAN3D, GeneratorOutput
from core.parts import PART_COUNT, PART_NAMES, part_index
from core.people_mixture import PeopleMixture, mixed_codes
from training import losses
from training.adversarial import data_rays
from training.averaging import follow
from training.budget import Budget, add_options
from training.closeup import STRUCTURED, total_variation
from training.data import PortraitSet, read_views
from training.detail import given_by, misfit, missing_energies
from training.localize import target_of, twice
from training.model_files import put_on, taken_off, write_model
from training.precision import mixed
from training.process import set_up
from training.rates import set_rates, warmed
from training.refine import SAMPLES, keep_terms, known_views, people_of
from training.sharpen import Places, edges_apart
from training.swaps import swapped_pairs
from training.synthetic.numbering import HIDDEN_PARTS
from training.warm_start import (
    LINEAR_RATE,
    RENDER_RATE,
    WEIGHTS,
    Batch,
    FittedCodes,
    Views,
    code_noise,
    pose_codes,
    reconstruction_losses,
    render_codes,
)

ALL_WEIGHTS = WEIGHTS | {
    "gradient": 0.6,  # where hairs cannot be placed to the pixel, it prefers none
    "small parts": 0.4,
    "edges": 1.0,
    "energies": 0.05,
    "amounts": 4.0,
    "outline": 0.1,
    "keep image": 0.4,  # where a render says otherwise, it wins: L1 takes the larger weight's side
    "keep small parts": 0.15,
    "keep mask": 0.3,
    "keep coarse mask": 0.3,
    "keep depth": 2.0,
    "keep outside": 8.0,
}
KEEP = 2
"""Random portraits stay as they are where averaged over so many pixels squared."""
CODE_NOISE = 0.1
"""Noise on the codes, in their standard deviations: neighbours must be portraits too."""
HIDING = tuple(part_index(name) for name in HIDDEN_PARTS.values())
HIDDEN = 0.3
"""Share of random pairs without one of these."""
CLOSED = tuple(
    part for part, name in enumerate(PART_NAMES) if name not in ("background", "skin", "neck")
)
"""Parts whose opacity should have a closed, smooth outline."""
CLOSED_AT_ONCE = 16
"""Portraits whose outlines are looked at together."""
HELD_EVERY = 2
"""Steps of which one looks at random pairs: a GPU waits for Python, not for pictures."""
SELDOM = 4
"""Steps of which one compares amounts of fine structure and looks at outlines."""
MAX_GRADIENT = 2.0
REPORT_EVERY = 50


@dataclass(frozen=True)
class RefitOptions:
    """What a run is told; see ``python -m training refit --help``."""

    minutes: float = 8.0
    steps: int = 0
    portraits: int = 192
    views: int = 1
    pairs: int = 24
    rate: float = 3e-3
    code_rate: float = 5e-3
    ema: float = 0.99
    save_minutes: float = 2.0
    threads: int = 2
    device: str = "auto"
    seed: int = 0


class LearnedPeople(nn.Module):
    """A mixture's people with codes that learn; who is mixed for z stays as it was.

    Attributes:
        shape, texture: codes of all people, (S, K, code_dim).
    """

    def __init__(self, mixture: PeopleMixture) -> None:
        super().__init__()
        self.chooser = mixture
        self.shape = nn.Parameter(mixture.shape.clone())
        self.texture = nn.Parameter(mixture.texture.clone())

    @property
    def base(self) -> Tensor:
        """w_base of all people, (S, base_dim), as it was."""
        return self.chooser.base

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As :meth:`PeopleMixture.forward`."""
        blend, weights, score = self.chooser.choose(z)
        shape, texture = mixed_codes(weights, self.shape, self.texture)
        return self.chooser.mixed_bases(blend, weights), shape, texture, score


class Refit:
    """A student, its frozen teacher and its average; :meth:`run` trains them."""

    def __init__(self, teacher: SSGAN3D, views: Views, rows: Tensor, options: RefitOptions) -> None:
        """
        Args:
            teacher: mixes people, has fine structure, and is left as it is.
            views: renders of these people.
            rows: (P,) row of each portrait of ``views`` among the teacher's people.
        """
        assert isinstance(teacher.mapping, PeopleMixture)
        self.teacher, self.views, self.rows, self.options = teacher, views, rows, options
        self.before = teacher.mapping
        self.average = copy.deepcopy(teacher).eval().requires_grad_(False)
        self.student = copy.deepcopy(teacher).train().requires_grad_(True)
        self.people = LearnedPeople(teacher.mapping)
        self.student.mapping = self.people  # type: ignore[assignment]
        layers: list[nn.Parameter] = []
        linear: list[nn.Parameter] = []
        render = list(self.student.render_net.parameters())
        for name, parameter in self.student.generators.named_parameters():
            (linear if name.endswith("_basis") else layers).append(parameter)
        codes = list(self.people.parameters())
        self.rates = [
            options.rate,
            options.rate * LINEAR_RATE,
            options.rate * RENDER_RATE,
            options.code_rate,
        ]
        groups = [{"params": group} for group in (layers, linear, render, codes)]
        self.learned = [*layers, *linear, *render]
        self.optimizer = torch.optim.Adam(groups, options.rate, betas=(0.9, 0.99))
        self.step = 0

    def run(self, save: Callable[[dict[str, float]], None]) -> None:
        """Train until the time or the steps are over.

        Args:
            save: is told steps and minutes every few minutes and at the end.
        """
        budget = Budget.of(self.options, report_every=REPORT_EVERY, save=save)
        for progress in budget:
            set_rates(self.optimizer, self.rates, warmed(progress, self.step))
            budget.note(self.train_step())

    def train_step(self) -> dict[str, Tensor]:
        """One step; what happens depends on the seed and the step's number."""
        options = self.options
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        even = self.step % 2 == 1  # as pictures are drawn, and not around the rendered surface
        batch = self.views.batch(options.portraits, options.views, generator, even=even)
        seldom = self.step % SELDOM == 0
        terms = self.reconstruction(batch, generator, seldom=seldom)
        weights = ALL_WEIGHTS | {
            name: ALL_WEIGHTS[name] * SELDOM for name in ("amounts", "outline")
        }
        if self.step % HELD_EVERY == 0:
            held = self.held(generator)
            terms |= held
            weights |= {name: ALL_WEIGHTS[name] * HELD_EVERY for name in held}
        loss = losses.weighted(terms, weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learned, MAX_GRADIENT)
        self.optimizer.step()
        for mean, model in (
            (self.average.generators, self.student.generators),
            (self.average.render_net, self.student.render_net),
        ):
            follow(mean, model, options.ema, self.step)
        self.step += 1
        # averaged over all steps by the log
        return {n: v.detach() * (weights[n] / ALL_WEIGHTS[n]) for n, v in terms.items()}

    def reconstruction(
        self, batch: Batch, generator: torch.Generator, *, seldom: bool
    ) -> dict[str, Tensor]:
        """What tells the people of a batch from their renders, unweighted.

        Args:
            seldom: with "amounts" and "outline".
        """
        student, config = self.student, self.student.config
        rows = self.rows[batch.portraits].to(self.before.base.device)
        state = generator.get_state()
        codes = self._codes(self.people, rows, batch, generator)
        posed = pose_codes(student, codes, batch.rays)
        with mixed(self.views.device.type):
            output = student.finish(posed)
        seen = output.smooth.flatten(0, 1).float()
        terms = reconstruction_losses(output, batch)
        terms["small parts"] = losses.small_part_l1(seen, batch.image, batch.mask)
        terms["edges"] = edges_apart(seen, batch.image, Places.of(batch.mask))
        structured = [part_index(name) for name in STRUCTURED]
        with torch.no_grad():
            wanted, known = missing_energies(
                batch.image,
                seen,
                batch.mask,
                config.detail_directions,
                config.ray_size,
                structured,
            )
        terms["energies"] = misfit(given_by(student, posed), wanted, known)
        if not seldom:
            return terms
        with torch.no_grad():
            generator.set_state(state)  # the same noise
            before = self._codes(self.before, rows, batch, generator)
            kept = pose_codes(self.teacher, before, batch.rays).features
        apart = (posed.features - kept)[:, :, config.features :].abs().mean(2)
        elsewhere = batch.coarse_mask[:, structured].sum(1) < 0.05
        terms["amounts"] = (apart.flatten(0, 1) * elsewhere).mean()
        some = slice(0, CLOSED_AT_ONCE)
        made = student.generators(codes.base[some], codes.shape[some], codes.texture[some], CLOSED)
        closed = [total_variation(opacity(made[part].density.float(), config)) for part in CLOSED]
        terms["outline"] = torch.stack(closed).sum()
        return terms

    @staticmethod
    def _codes(
        people: PeopleMixture | LearnedPeople,
        rows: Tensor,
        batch: Batch,
        generator: torch.Generator,
    ) -> FittedCodes:
        """Codes of people ``rows`` (B,), with noise."""
        return FittedCodes(
            people.base[rows],
            code_noise(people.shape[rows], people.shape, CODE_NOISE, generator),
            code_noise(people.texture[rows], people.texture, CODE_NOISE, generator),
            batch.visible,
        )

    def held(self, generator: torch.Generator) -> dict[str, Tensor]:
        """What holds random pairs to the frozen copy, unweighted."""
        count = self.options.pairs
        state = generator.get_state()
        with torch.no_grad():
            before, parts = swapped_pairs(self.teacher, count, generator)
            shown = ~hidden_parts(parts, generator).repeat(2, 1).to(before.visible.device)
            before.visible = before.visible & shown
            rays = twice(data_rays(self.views, count, generator))
            target = target_of(without_detail(render_codes(self.teacher, before, rays)), parts)
            generator.set_state(state)  # the same people
            now, _ = swapped_pairs(self.student, count, generator)
            now.visible = before.visible
        seen = without_detail(render_codes(self.student, now, rays))
        terms = keep_terms(seen, target, KEEP)
        image = seen.image[:, 0].float()
        terms["keep small parts"] = losses.small_part_l1(image, target.image, target.mask)
        return terms

    @torch.no_grad()
    def result(self) -> SSGAN3D:
        """The averaged model with the codes as they are."""
        model = copy.deepcopy(self.average)
        assert isinstance(model.mapping, PeopleMixture)
        model.mapping.shape.copy_(self.people.shape)
        model.mapping.texture.copy_(self.people.texture)
        return model


def without_detail(output: GeneratorOutput) -> GeneratorOutput:
    """The same with smooth pictures."""
    return replace(output, image=output.smooth)


def hidden_parts(swapped: Tensor, generator: torch.Generator) -> Tensor:
    """For each of B pairs perhaps a part, not its swapped one, that hides others: (B, K) bool.

    No picture of somebody who always wears it shows what is beneath.
    """
    which = torch.tensor(HIDING)[torch.randint(len(HIDING), swapped.shape, generator=generator)]
    hides = (torch.rand(swapped.shape, generator=generator) < HIDDEN) & (which != swapped)
    return F.one_hot(which, PART_COUNT).bool() & hides[:, None]


HELP = {
    "minutes": "how long to train",
    "steps": "how many steps instead",
    "portraits": "people whose renders are reconstructed in a step",
    "views": "views of each of them",
    "pairs": "random pairs a step",
    "rate": "learning rate at first; it falls to zero by a half cosine",
    "code_rate": "the same of the codes",
    "ema": "decay of the moving average a step",
    "save_minutes": "time between two writings of the model",
    "threads": "CPU threads",
    "device": "cpu, cuda, mps or auto",
    "seed": "what every random choice depends on",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training refit``; defaults are those of :class:`RefitOptions`."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets that show its people"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    add_options(parser, RefitOptions, HELP)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training refit``."""
    set_up(arguments.threads)
    options = RefitOptions(**{name: getattr(arguments, name) for name in HELP})
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    teacher = taken_off(whole)
    people = people_of(info, weights)
    if not teacher.config.detail_tiles:
        raise PortraitError(
            f"{weights} has no fine structure. Run `python -m training detail` first."
        )
    known, rows = known_views(read_views(arguments.data), people)
    data = PortraitSet(known)
    print(f"{len(data)} pictures of {len(rows.unique())} of {len(people)} people", flush=True)
    refit = Refit(teacher.to(device), Views(data, teacher.config, device, SAMPLES), rows, options)

    def save(spent: dict[str, float]) -> None:
        once = spent | {"pictures": len(data), "portraits a step": options.portraits}
        write_model(arguments.out, put_on(refit.result().cpu(), whole), info, refitted=once)

    refit.run(save)
    print(f"{arguments.out}: {refit.step} steps")
    return 0
