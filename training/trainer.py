"""The training loop: warm start by reconstruction, adversarial training, checkpoints, samples."""

from __future__ import annotations

import argparse
import copy
import json
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.camera import Camera
from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.device import choose_device
from core.errors import PortraitError
from core.model import SSGAN3D, PosedFeatures
from core.people_mixture import PeopleMixture
from core.volume import camera_tensors, sample_rays
from training import losses, sheets
from training.adversarial import (
    MASK_TIE,
    Pairs,
    discriminator_step,
    mask_tie,
    random_portraits,
    real_pairs,
    shift_error,
    verdict,
    view_of,
)
from training.augment import AdaptiveAugmentation
from training.averaging import follow
from training.budget import add_options
from training.codes import CodeBasis, Codes, FactorIndex, describe
from training.data import PortraitSet, View, read_views
from training.detail import given_by, misfit, missing_energies
from training.discriminator import Discriminator, read_discriminator
from training.encode import encode, encode_and_refit
from training.fit_mapping import fit_mapping
from training.model_files import taken_off
from training.precision import mixed
from training.process import set_up
from training.state import (
    optimizer_tensors,
    prefixed,
    read_facts,
    read_state,
    restore_optimizer,
    unprefixed,
    write_state,
)
from training.warm_start import (
    WEIGHTS,
    Batch,
    FittedCodes,
    Views,
    batch_codes,
    coarse_losses,
    parameter_groups,
    pose_codes,
    reconstruction_losses,
    render_codes,
)


@dataclass
class TrainOptions:
    """What a run is told; see ``python -m training train --help``."""

    data: list[str]
    out: str
    mode: str = "fit"
    preset: str = "shipped"
    start: str = ""
    start_discriminator: str = ""
    only_known: bool = False
    shuffle_blur: bool = False
    hold_render_net: bool = False
    people: int = 0
    minutes: float = 60.0
    portraits: int = 4
    views: int = 3
    samples: int = 16
    rate: float = 2.5e-3
    code_rate: float = 2e-3
    code_noise: float = 0.1
    discriminator_rate: float = 1e-3
    random_portraits: int = 6
    adversarial_weight: float = 0.08
    matching_weight: float = 0.3
    detail_weight: float = 0.05
    small_parts_weight: float = 0.0
    small_places: float = 1.0
    shift_weight: float = 0.0
    settle_looks: float = 2.0
    reconstruct_first: float = 0.0
    fade: float = 0.0
    ema: float = 0.998
    threads: int = 2
    device: str = "auto"
    checkpoint_minutes: float = 3.0
    sheet_minutes: float = 8.0
    seed: int = 0


FIT_MAPPING_EVERY = 100
SETTLE_RATE = 0.4
MAX_GRADIENT = 2.0
"""Norm to which a step's gradient is clipped."""
MODES = {
    "fit": "warm start: reconstruction only",
    "hybrid": "reconstruction, and adversarial training of reconstructions and random portraits",
    "adversarial": "the paper's: adversarial only",
}
PRESETS = ("shipped", "paper", "tiny")


class Trainer:
    """State of one run; ``run`` trains until its minutes are up."""

    def __init__(self, options: TrainOptions) -> None:
        self.options = options
        self.out = Path(options.out)
        self.device = choose_device(options.device)
        torch.manual_seed(options.seed)
        self.model, self.ancestor = self._first_model()
        self.config = self.model.config
        self.data = PortraitSet(self._chosen_views())
        self.views = Views(self.data, self.config, self.device, options.samples)
        firsts = [self.data.views[group[0]] for group in self.data.identities]
        self.index = FactorIndex.build(firsts)
        self.usual = torch.tensor([view.usual for view in firsts])
        self.identity = torch.tensor([view.identity for view in firsts])
        known = known_codes(self.model, self.ancestor, firsts)
        codes = self._first_codes(known)
        self.book = self.index.average(*codes).to(self.device)
        if known is not None:  # their siblings' are guesses
            self.index.assign(self.book, *known)
        people = options.people or self._saved_facts().get("config", {}).get("people", 0)
        if people and people != self.config.people:
            self._mix_people(people)
        self.step, self.seconds = 0, 0.0
        self.progress = 0.0  # of this call's minutes
        self.model.to(self.device)
        # torch's own types do not know this overload
        self.model.render_net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            parameter_groups(self.model, self.book, options.rate, options.code_rate),
            betas=(0.9, 0.99),
        )
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.discriminator = Discriminator().to(self.device)
        self.discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), options.discriminator_rate, (0.0, 0.99)
        )
        self.augmentation = AdaptiveAugmentation()
        if options.start_discriminator:
            file = Path(options.start_discriminator)
            self.augmentation.strength = read_discriminator(file, self.discriminator)
        if self.state_path.exists():
            self._resume()
        self.model.mapping.requires_grad_(options.mode == "adversarial")
        self.model.render_net.requires_grad_(not options.hold_render_net)

    def _chosen_views(self) -> list[View]:
        """The data's views, or of them those of people whom the model knows that is started from.

        Raises:
            PortraitError: it knows none of them.
        """
        folders = [Path(folder) for folder in self.options.data]
        views = read_views(folders)
        if not self.options.only_known:
            return views
        people = set((self.ancestor or {}).get("people", []))
        known = [view for view in views if view.usual and view.identity in people]
        if not known:
            raise PortraitError(
                f"--only-known leaves nobody: {self.options.start or 'a new model'} mixes "
                f"{len(people)} people, and none is in {', '.join(map(str, folders))}."
            )
        return known

    def _mix_people(self, people: int) -> None:
        """Let a mixture of the data's people take the mapping network's place."""
        self.model = reconfigured(self.model, people=people)
        self.config = self.model.config

    @property
    def state_path(self) -> Path:
        """The run's checkpoint."""
        return self.out / "state.safetensors"

    def _first_model(self) -> tuple[SSGAN3D, dict[str, Any] | None]:
        """The model that training begins with, and the facts of the file that it comes from."""
        options = self.options
        if options.people and options.mode == "adversarial":
            raise PortraitError(
                f"--people {options.people} mixes codes that reconstruction finds, and --mode "
                "adversarial reconstructs nothing: choose --mode hybrid, or leave --people out."
            )
        if not options.start:
            return SSGAN3D(getattr(ModelConfig, options.preset)()), None
        model, facts = load_checkpoint(Path(options.start))
        if options.shuffle_blur and not model.config.shuffle_blur:
            model = reconfigured(model, shuffle_blur=True)
        model = taken_off(model)  # its people will be others, or in another order
        return model.train().requires_grad_(True), facts

    def _first_codes(self, known: tuple[Tensor, Codes] | None) -> Codes:
        """Codes of all portraits: in the model that the run starts from, or from a code basis.

        Args:
            known: as from :func:`known_codes`.
        """
        presence = self.views.presence
        if self.options.start and self._knows_all():
            zeros = torch.zeros(*presence.shape, self.config.code_dim)
            return torch.zeros(len(presence), self.config.base_dim), zeros, zeros
        if known is not None and len(known[0]) == len(presence):
            return known[1]
        descriptors = describe(self.data, self.data.identities, self.config)
        if self.options.start:
            # its own codes follow: new people begin in the old model; or the model is to stay
            if self.state_path.exists() or self.options.hold_render_net:
                return encode(self.model, descriptors, presence)
            return encode_and_refit(self.model, descriptors, presence, known=known)
        path = self.out / "basis.safetensors"
        if not path.exists():
            basis = CodeBasis.fit(descriptors, presence, self.config)
            self.out.mkdir(parents=True, exist_ok=True)
            basis.save(path)
        else:
            basis = CodeBasis.load(path)
        base, shape, texture = basis.encode(descriptors)
        codes = base, shape * presence[..., None], texture * presence[..., None]
        if not self.state_path.exists():  # a run that ended before its first checkpoint, too
            basis.initialise(self.model, descriptors, presence, codes)
        return codes

    def _knows_all(self) -> bool:
        """Whether the run has been saved with codes of all of the data's factors."""
        facts = self._saved_facts()
        return [facts.get("base_names"), facts.get("part_names")] == list(self.index.names)

    def _saved_facts(self) -> dict[str, Any]:
        """What the run's checkpoint says about itself; empty if there is none."""
        return read_facts(self.state_path) if self.state_path.exists() else {}

    def portrait_codes(self) -> Codes:
        """Present codes of all portraits, (P, ·), (P, K, ·), (P, K, ·), on the CPU."""
        with torch.no_grad():
            codes = self.book(
                self.index.base_rows.to(self.device), self.index.part_rows.to(self.device)
            )
        return codes[0].cpu(), codes[1].cpu(), codes[2].cpu()

    def fit_mapping(self) -> None:
        """Fit the mapping network to the present codes, unless adversarial training owns it.

        Trained beside the reconstruction it drifted from the codes within 300 steps: random
        portraits lost their eyes and came to look alike while the fitted ones got better.
        """
        if self.options.mode != "adversarial":
            fit_mapping(self.model, self.portrait_codes(), self.views.presence, self.usual)
            self.ema.mapping.load_state_dict(self.model.mapping.state_dict())

    def settle(self) -> None:
        """Fit codes and part generators to the coarse pictures, masks and depths alone.

        Without render net and discriminator a step costs a few times less, and both need not learn
        from portraits that are still far from their renders. Only the codes settle where the render
        net is held: it reads features that coarse pictures do not hold in place.
        """
        options = self.options
        rates: list[dict[str, Any]] = [
            {"params": list(self.book.parameters()), "lr": options.code_rate * 5}
        ]
        if not options.hold_render_net:
            generators = self.model.generators.parameters()
            rates.append({"params": list(generators), "lr": options.rate * SETTLE_RATE})
        optimizer = torch.optim.Adam(rates, betas=(0.9, 0.99))
        learned = [parameter for group in rates for parameter in group["params"]]
        steps = max(1, round(options.settle_looks * len(self.data.identities) / options.portraits))
        started = time.monotonic()
        for step in range(steps):
            generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
            batch = self.views.batch(options.portraits, options.views, generator)
            codes = batch_codes(self.book, self.index, batch, options.code_noise, generator)
            posed = pose_codes(self.model, codes, batch.rays)
            terms = coarse_losses(posed.features[:, :, :3], posed.mask, posed.depth, batch)
            loss = losses.weighted(terms, WEIGHTS)
            optimizer.zero_grad(set_to_none=True)
            loss.backward(inputs=learned)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT)
            optimizer.step()
            if step % 20 == 0:
                values = {name: round(float(value.detach()), 4) for name, value in terms.items()}
                seconds = round(time.monotonic() - started, 1)
                print(
                    json.dumps({"settling": step, "of": steps, "s": seconds} | values), flush=True
                )
        self.ema.load_state_dict(self.model.state_dict())

    def run(self) -> None:
        """Train until ``minutes`` have passed or a signal asks to stop; checkpoint on the way."""
        started = saved = drawn = reported = time.monotonic()
        sums: dict[str, float] = defaultdict(float)
        steps = 0
        # imported late: the environment of the evaluation has no tensorboard
        from torch.utils.tensorboard import SummaryWriter

        self.board = SummaryWriter(str(self.out / "tensorboard"))
        print(
            f"{len(self.data)} pictures of {len(self.data.identities)} portraits, step {self.step}",
            flush=True,
        )
        options = self.options
        if options.start and self.step == 0 and options.minutes > 0 and options.settle_looks > 0:
            self.settle()
        stopping = threading.Event()
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, lambda *_: stopping.set())
        while time.monotonic() - started < self.options.minutes * 60 and not stopping.is_set():
            before = time.monotonic()
            self.progress = (before - started) / (self.options.minutes * 60)
            for name, value in self.train_step().items():
                sums[name] += value
            steps += 1
            now = time.monotonic()
            self.seconds += now - before
            if now - reported > 60 or self.step in (1, 10):
                self._report(sums, steps, now - reported)
                sums, steps, reported = defaultdict(float), 0, now
            if now - saved > self.options.checkpoint_minutes * 60:
                self.save()
                saved = now
            if now - drawn > self.options.sheet_minutes * 60:
                self.draw()
                drawn = now
        self.save()
        self.draw()

    def train_step(self) -> dict[str, float]:
        """One step; what happens depends on the seed, the step's number and the progress alone."""
        options = self.options
        if self.step % FIT_MAPPING_EVERY == 0:
            self.fit_mapping()
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        batch = self.views.batch(options.portraits, options.views, generator)
        terms: dict[str, Tensor] = {}
        weights: dict[str, float] = {}
        fakes: list[Pairs] = []
        smooth: Pairs | None = None
        if options.mode != "adversarial":
            codes = batch_codes(self.book, self.index, batch, options.code_noise, generator)
            posed = pose_codes(self.model, codes, batch.rays)
            with mixed(self.device.type):
                output = self.model.finish(posed)
            terms |= reconstruction_losses(output, batch)
            weights |= WEIGHTS
            seen = output.smooth.flatten(0, 1).float()
            if options.small_parts_weight:
                terms["small parts"] = losses.small_part_l1(seen, batch.image, batch.mask)
                weights["small parts"] = options.small_parts_weight
            fakes.append(Pairs.of(output))
            if self.config.detail_directions:
                smooth = Pairs(seen, fakes[0].mask)
                terms["detail"] = self._detail_misfit(posed, smooth.image, batch)
                weights["detail"] = options.detail_weight
        is_judged = options.mode == "adversarial" or (
            options.mode == "hybrid" and self.progress >= options.reconstruct_first
        )
        if is_judged:
            count = options.random_portraits
            shift = None
            if options.shift_weight:
                shift = divmod(1 + int(torch.randint(15, (), generator=generator)), 4)
            output = random_portraits(self.model, self.views, count, generator, shift)
            if shift is not None:
                terms["shift"] = shift_error(output, shift)
                weights["shift"] = options.shift_weight
                output = view_of(output, 0)
            fakes.append(Pairs.of(output))
            terms |= verdict(
                self.discriminator, fakes, real_pairs(batch), smooth, options.small_places
            )
            terms["mask tie"] = mask_tie(output)
            weight = options.adversarial_weight if len(fakes) > 1 else 1.0
            weights |= {"matching": options.matching_weight, "G": weight, "mask tie": MASK_TIE}
        loss = losses.weighted(terms, weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT)
        share = min(1.0, (self.step + 1) / 50) * self._fading()
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * share
        self.optimizer.step()
        self._average()
        values = {name: float(value.detach()) for name, value in terms.items()}
        if is_judged:
            fake = fakes[0] if len(fakes) == 1 else fakes[0].join(fakes[1])
            values |= discriminator_step(
                self.discriminator,
                self.discriminator_optimizer,
                self.augmentation,
                real_pairs(batch),
                fake.detach(),
                self.step,
                generator,
                options.small_places,
            )
        self.step += 1
        return values

    def _detail_misfit(self, posed: PosedFeatures, smooth: Tensor, batch: Batch) -> Tensor:
        """What :func:`~training.detail.misfit` says of a batch."""
        config = self.config
        with torch.no_grad():
            wanted, known = missing_energies(
                batch.image, smooth, batch.mask, config.detail_directions, config.ray_size
            )
        return misfit(given_by(self.model, posed), wanted, known)

    def _fading(self) -> float:
        """What is left of the learning rate: it falls to zero in the last share of the minutes."""
        fade = self.options.fade
        return min(1.0, (1 - self.progress) / fade) if fade else 1.0

    def _average(self) -> None:
        follow(self.ema, self.model, self.options.ema, self.step)

    def _report(self, sums: dict[str, float], steps: int, seconds: float) -> None:
        means = {name: round(value / steps, 4) for name, value in sums.items()}
        for name, value in means.items():
            self.board.add_scalar(name, value, self.step)
        speed = steps * self.options.portraits * self.options.views / seconds
        line = {
            "step": self.step,
            "minutes": round(self.seconds / 60, 1),
            "images/s": round(speed, 1),
        }
        print(json.dumps(line | means), flush=True)
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line | means) + "\n")

    def save(self) -> None:
        """Write everything that resuming needs."""
        tensors = prefixed("model", self.model.state_dict().items())
        tensors |= prefixed("ema", self.ema.state_dict().items())
        tensors |= prefixed("book", self.book.state_dict().items())
        rows = {"base_rows": self.index.base_rows, "part_rows": self.index.part_rows}
        rows |= {"presence": self.views.presence, "usual": self.usual}
        rows |= {"identity": self.identity}
        tensors |= prefixed("index", rows.items())
        tensors |= optimizer_tensors("optimizer", self.optimizer)
        tensors |= prefixed("discriminator", self.discriminator.state_dict().items())
        tensors |= optimizer_tensors("discriminator_optimizer", self.discriminator_optimizer)
        facts = {
            "step": self.step,
            "seconds": self.seconds,
            "options": asdict(self.options),
            "config": self.config.to_dict(),
            "base_names": self.index.names[0],
            "part_names": self.index.names[1],
            "generators": sorted({view.generator for view in self.data.views}),
            "ancestor": self.ancestor,
            "portraits": len(self.data.identities),
            "pictures": len(self.data),
            "augmentation": self.augmentation.strength,
        }
        write_state(self.state_path, tensors, facts)

    def _resume(self) -> None:
        tensors, facts = read_state(self.state_path)
        mapped = load_weights(self.model, unprefixed("model", tensors))
        load_weights(self.ema, unprefixed("ema", tensors))
        old = unprefixed("book", tensors)
        if self._knows_all():
            self.book.load_state_dict(old)
        else:  # the data has grown: known factors keep their codes
            self._copy_rows(self.book.base, old["base"], facts["base_names"], self.index.names[0])
            for name in ("shape", "texture"):
                rows = getattr(self.book, name)
                self._copy_rows(rows, old[name], facts["part_names"], self.index.names[1])
        restore_optimizer("optimizer", self.optimizer, tensors)
        self.discriminator.load_state_dict(unprefixed("discriminator", tensors))
        restore_optimizer("discriminator_optimizer", self.discriminator_optimizer, tensors)
        self.augmentation.strength = float(facts["augmentation"])
        self.step, self.seconds = int(facts["step"]), float(facts["seconds"])
        if not mapped:
            self.fit_mapping()

    @staticmethod
    @torch.no_grad()
    def _copy_rows(target: Tensor, source: Tensor, names: list[str], wanted: list[str]) -> None:
        known = {name: row for row, name in enumerate(names)}
        pairs = [(row, known[name]) for row, name in enumerate(wanted) if name in known]
        if pairs:
            rows, old = zip(*pairs, strict=True)
            target[list(rows)] = source[list(old)].to(target)

    @torch.no_grad()
    def draw(self) -> None:
        """Write a sheet: fitted portraits beside their renders, then random ones."""
        size = self.config.image_size
        rows = []
        for portrait in range(0, len(self.data.identities), max(1, len(self.data.identities) // 5)):
            chosen = (self.data.identities[portrait] * 3)[:3]
            generator = torch.Generator().manual_seed(0)
            batch = self.views.of(torch.tensor([portrait]), chosen, generator)
            codes = batch_codes(self.book, self.index, batch, 0.0, generator)
            output = render_codes(self.ema, codes, batch.rays)
            colors = sheets.color_labels(output.mask_logits[0], size)
            tiles = zip(batch.image, output.image[0], colors, strict=True)
            rows.append([tile for tiles_of_view in tiles for tile in tiles_of_view])
        rows += self._random_rows(8)
        sheets.save_sheet(self.out / "sheets" / f"{self.step:07d}.png", rows)

    def _random_rows(self, count: int) -> list[list[Tensor]]:
        z = torch.randn(count, self.config.z_dim, generator=torch.Generator().manual_seed(7))
        base, shape, texture, presence = self.ema.mapping(z.to(self.device) * 0.8)
        yaws = (-0.6, -0.3, 0.0, 0.3, 0.6)
        cameras = camera_tensors([Camera.orbit(yaw) for yaw in yaws], self.config.ray_size)
        origins, directions, centre = (t.to(self.device).expand(count, *t.shape) for t in cameras)
        rays = sample_rays(origins, directions, centre, self.config)
        output = render_codes(self.ema, FittedCodes(base, shape, texture, presence > 0), rays)
        rows = []
        for pictures, logits in zip(output.image, output.mask_logits, strict=True):
            colors = sheets.color_labels(logits, self.config.image_size)
            rows.append([*pictures, *colors[[0, 1, 2, 4]]])
        return rows


def known_codes(
    model: SSGAN3D, facts: dict[str, Any] | None, firsts: Sequence[View]
) -> tuple[Tensor, Codes] | None:
    """Which portraits are people that a model mixes, and their codes; None if nobody is.

    Args:
        facts: of the model's file; "people" are the identities behind the mixture's rows.
        firsts: one view of each portrait.
    """
    rows = {identity: row for row, identity in enumerate((facts or {}).get("people", []))}
    known = [place for place, view in enumerate(firsts) if view.usual and view.identity in rows]
    if not known or not isinstance(model.mapping, PeopleMixture):
        return None
    mixed = [rows[firsts[place].identity] for place in known]
    mixture = model.mapping
    return torch.tensor(known), (mixture.base[mixed], mixture.shape[mixed], mixture.texture[mixed])


def load_weights(model: SSGAN3D, weights: dict[str, Tensor]) -> bool:
    """Load weights, and say whether their mapping is of the model's kind; if not, it is left out.

    :func:`~.fit_mapping.fit_mapping` then sets it from the codes.
    """
    mapping = model.mapping.state_dict(prefix="mapping.")
    own = {key: value.shape for key, value in mapping.items()}
    theirs = {key: value.shape for key, value in weights.items() if key.startswith("mapping.")}
    if own != theirs:
        weights = {key: weights[key] for key in weights if key not in theirs} | mapping
    model.load_state_dict(weights)
    return own == theirs


def reconfigured(model: SSGAN3D, **changes: Any) -> SSGAN3D:
    """A model with the same weights and some fields of the configuration changed."""
    changed = SSGAN3D(replace(model.config, **changes))
    load_weights(changed, model.state_dict())
    return changed.train(model.training)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training train``; defaults are those of :class:`TrainOptions`."""
    defaults = TrainOptions(data=[], out="")
    parser.add_argument("--data", nargs="+", required=True, help="folders of data sets")
    parser.add_argument("--out", required=True, help="folder of the run; an old run is resumed")
    parser.add_argument(
        "--mode",
        choices=list(MODES),
        default=defaults.mode,
        help="; ".join(f"{name}: {text}" for name, text in MODES.items()),
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default=defaults.preset,
        help="the model's configuration (default shipped); a resumed run must be given its own",
    )
    parser.add_argument(
        "--start",
        default=defaults.start,
        help="a model file to go on from, with its configuration; codes of the data's portraits "
        "are found in it",
    )
    parser.add_argument(
        "--start-discriminator",
        default=defaults.start_discriminator,
        help="a discriminator file, as `export --discriminator` writes it, to go on from",
    )
    parser.add_argument(
        "--only-known",
        action="store_true",
        help="with --start: leave out of the data whom that model does not mix, and siblings",
    )
    parser.add_argument(
        "--shuffle-blur",
        action="store_true",
        help="with --start: a blur after each pixel shuffle",
    )
    parser.add_argument(
        "--hold-render-net",
        action="store_true",
        help="leave the render net as it is: what it learnt from a discriminator fades where only "
        "reconstruction teaches it",
    )
    texts = {
        "people": "so many training portraits, at most, that random ones are mixed from; 0: as "
        "the run has it so far, or the model that it starts from; else the paper's mapping network",
        "minutes": "how long to train in this call",
        "portraits": "portraits a step",
        "views": "views of each portrait a step",
        "samples": "samples a ray",
        "rate": "learning rate of the generator",
        "code_rate": "learning rate of the codes",
        "code_noise": "noise on the codes, in their standard deviations",
        "discriminator_rate": "learning rate of the discriminator",
        "random_portraits": "random portraits a step, in the modes that have a discriminator",
        "adversarial_weight": "weight of the discriminator's verdict beside reconstruction",
        "matching_weight": "weight of feature matching",
        "detail_weight": "weight of the energies of fine structure, where the model has some",
        "small_parts_weight": "weight of L1 where eyes, brows, nose, mouth and such are shown",
        "small_places": "how much places of those count in what the discriminator says, beside 1",
        "shift_weight": "weight of what stands still when the picture of a random portrait moves",
        "settle_looks": "with --start: how often each portrait is seen before the render net takes "
        "part",
        "reconstruct_first": "in hybrid mode: first share of the minutes without a discriminator, "
        "in which a step costs a third",
        "fade": "last share of the minutes in which the generator's learning rates fall to zero",
        "ema": "decay of the generator's moving average a step",
        "threads": "CPU threads",
        "device": "cpu, cuda, mps or auto",
        "checkpoint_minutes": "time between checkpoints",
        "sheet_minutes": "time between sheets of samples",
        "seed": "what every random choice depends on",
    }
    add_options(parser, defaults, texts)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training train``."""
    known = TrainOptions.__dataclass_fields__
    options = TrainOptions(**{k: v for k, v in vars(arguments).items() if k in known})
    set_up(options.threads)
    Trainer(options).run()
    return 0
