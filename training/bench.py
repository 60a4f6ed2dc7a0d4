"""How fast a training step is beside a plain one of the same network.

Both are whole steps, of generator and discriminator, with the same batch, losses, networks and
optimisers. The plain one renders by the equations on a dense grid, with evenly spaced samples, in
float32; the other is what ``python -m training train`` runs. What is learnt does not matter, so the
pictures are noise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core import reference
from core.camera import Camera
from core.config import ModelConfig
from core.errors import PortraitError
from core.files import write_bytes
from core.model import SSGAN3D, GeneratorOutput
from core.parts import PART_NAMES
from core.volume import RayBatch
from training.adversarial import R1_EVERY
from training.precision import float32_only
from training.process import set_up
from training.trainer import PRESETS, Trainer, TrainOptions
from training.warm_start import Batch, Views

LEVELS = 32
"""Layers of the plain renderer's grid: the paper's."""
PEOPLE = 6
_YAWS = (-0.3, 0.0, 0.3)


class PlainModel(SSGAN3D):
    """The same network, rendered by the equations on the dense grid."""

    @classmethod
    def of(cls, model: SSGAN3D) -> PlainModel:
        """A plain model with the very parameters of ``model``."""
        plain = cls(model.config)
        plain.mapping, plain.generators = model.mapping, model.generators
        plain.render_net = model.render_net
        return plain

    def forward(
        self,
        base: Tensor,
        shape: Tensor,
        texture: Tensor,
        visible: Tensor | None,
        rays: RayBatch,
    ) -> GeneratorOutput:
        """As :meth:`SSGAN3D.forward`."""
        return reference.render(self, base, shape, texture, visible, rays, levels=LEVELS)


class EvenViews(Views):
    """Batches whose rays have evenly spaced samples, as many as a picture's."""

    def of(
        self, rows: Tensor, chosen: list[int], generator: torch.Generator, *, even: bool = True
    ) -> Batch:
        """As :meth:`Views.of`."""
        return super().of(rows, chosen, generator, even=even)


@dataclass(frozen=True)
class Speed:
    """Images a second of whole steps, by the clock and by processor time."""

    images_per_s: float
    images_per_cpu_s: float


def measure(trainer: Trainer, repeats: int) -> Speed:
    """Time steps with and without R1, which comes every ``R1_EVERY`` steps."""
    trainer.train_step()  # the first one fits the mapping and warms up

    def timed(step: int) -> tuple[float, float]:
        trainer.step = step
        start, used = time.perf_counter(), time.process_time()
        trainer.train_step()
        return time.perf_counter() - start, time.process_time() - used

    usual = [timed(R1_EVERY + 1 + i) for i in range(repeats)]
    penalised = [timed(R1_EVERY) for _ in range(max(1, repeats // 4))]
    options = trainer.options
    images = options.portraits * options.views + options.random_portraits
    rates = []
    for column in range(2):  # clock, processor
        plain = statistics.median(row[column] for row in usual)
        with_penalty = statistics.median(row[column] for row in penalised)
        rates.append(images / (plain + (with_penalty - plain) / R1_EVERY))
    return Speed(*rates)


def write_noise(folder: Path, size: int) -> None:
    """A data set of noise in the format of docs/data.md: ``PEOPLE`` people from three sides."""
    for name in ("images", "labels", "depth"):
        (folder / name).mkdir(parents=True)
    header = {"format": 1, "generator": "noise", "size": size, "labels": list(PART_NAMES)}
    (folder / "dataset.json").write_text(json.dumps(header))
    random, rows = np.random.default_rng(0), []
    for number in range(PEOPLE * len(_YAWS)):
        person, view = divmod(number, len(_YAWS))
        name, camera = f"{person:06d}_{view}", Camera.orbit(_YAWS[view])
        image = random.integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{name}.jpg")
        labels = random.integers(0, len(PART_NAMES), (size, size), np.uint8)
        Image.fromarray(labels).save(folder / "labels" / f"{name}.png")
        depth = np.full((size // 2, size // 2), camera.distance * 8000, np.uint16)
        Image.fromarray(depth).save(folder / "depth" / f"{name}.png")
        row = {"name": name, "identity": person, "view": view, "yaw": _YAWS[view], "pitch": 0.0}
        row |= {"distance": camera.distance, "side": 2.0, "light": person, "attributes": {}}
        row |= {"factors": dict.fromkeys(("global", *PART_NAMES), person)}
        rows.append(json.dumps(row | {"present": list(PART_NAMES)}) + "\n")
    (folder / "views.jsonl").write_text("".join(rows))


def compare(options: TrainOptions, repeats: int) -> dict[str, Speed]:
    """Speeds of the trainer's step and of a plain one.

    Args:
        options: of the run; its data and output folders are not used.
        repeats: steps of each kind that are timed.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_noise(data, getattr(ModelConfig, options.preset)().image_size)
        for name in ("trainer", "plain"):
            own = replace(options, data=[str(data)], out=str(Path(folder) / name))
            with float32_only() if name == "plain" else nullcontext():
                trainer = Trainer(own)
                if name == "plain":
                    config = trainer.config
                    trainer.model = PlainModel.of(trainer.model)
                    trainer.views = EvenViews(trainer.data, config, trainer.device, config.samples)
                found[name] = measure(trainer, repeats)
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training bench``."""
    parser.add_argument("--portraits", type=int, default=2, help="portraits a step (2)")
    parser.add_argument("--views", type=int, default=3, help="views of each (3)")
    parser.add_argument("--random-portraits", type=int, default=3, help="random portraits (3)")
    parser.add_argument("--preset", default="shipped", choices=PRESETS, help="(shipped)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (2)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (auto)")
    parser.add_argument("--repeats", type=int, default=4, help="steps that are timed (4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training bench``."""
    if arguments.repeats < 1:
        raise PortraitError("A benchmark needs at least one step.")
    set_up(arguments.threads)
    options = TrainOptions(
        data=[],
        out="",
        mode="hybrid",
        preset=arguments.preset,
        portraits=arguments.portraits,
        views=arguments.views,
        random_portraits=arguments.random_portraits,
        threads=arguments.threads,
        device=arguments.device,
    )
    found = compare(options, arguments.repeats)
    print(f"{'step':10s} {'images/s':>9s} {'images/CPU s':>13s}")
    for name, speed in found.items():
        print(f"{name:10s} {speed.images_per_s:9.2f} {speed.images_per_cpu_s:13.2f}")
    ratio = found["trainer"].images_per_s / found["plain"].images_per_s
    busy = found["trainer"].images_per_cpu_s / found["plain"].images_per_cpu_s
    print(f"{'times':10s} {ratio:9.1f} {busy:13.1f}    (target 10)")
    if arguments.json is not None:
        numbers = {name: asdict(speed) for name, speed in found.items()}
        write_bytes(arguments.json, json.dumps(numbers | {"times": ratio}, indent=1).encode())
    return 0
