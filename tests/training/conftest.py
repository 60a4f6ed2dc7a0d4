"""A data set without a renderer: a ball with painted parts, seen from any side, exactly."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.camera import Camera
from core.model import SSGAN3D
from core.part_runner import PartRunner
from core.parts import PART_NAMES, part_index
from training.__main__ import main
from training.trainer import Trainer, TrainOptions
from training.warm_start import WEIGHTS

SIZE = 64
RADIUS = 0.7
DEPTH_SCALE = 8000
YAWS = (-0.35, 0.0, 0.3)


@dataclass
class Person:
    """Identity ``number``; parts whose stream is not named have its own."""

    number: int
    streams: dict[str, int] = field(default_factory=dict)
    whole: int | None = None
    present: tuple[str, ...] = ("skin", "brows", "eyes", "nose", "mouth", "hair")

    @property
    def factors(self) -> dict[str, int]:
        whole = self.number if self.whole is None else self.whole
        return {"global": whole} | {name: self.streams.get(name, whole) for name in PART_NAMES}


def ball_labels(points: np.ndarray, person: Person) -> np.ndarray:
    """Parts of surface points (..., 3): bands and spots that depend on the person's streams."""
    x, y, z = np.moveaxis(points / RADIUS, -1, 0)
    line = 0.45 + 0.1 * np.random.default_rng(person.factors["hair"]).random()
    labels = np.full(x.shape, part_index("skin"))
    spots = {
        "brows": (np.abs(np.abs(x) - 0.3) < 0.15) & (np.abs(y - 0.32) < 0.05),
        "eyes": (np.abs(np.abs(x) - 0.3) < 0.12) & (np.abs(y - 0.17) < 0.07),
        "nose": (np.abs(x) < 0.1) & (np.abs(y + 0.05) < 0.15),
        "mouth": (np.abs(x) < 0.22) & (np.abs(y + 0.38) < 0.08),
    }
    for name, spot in spots.items():
        labels[spot & (z > 0)] = part_index(name)
    labels[(y > line) | (z < -0.1)] = part_index("hair")
    return labels


def ball_view(person: Person, camera: Camera, size: int = SIZE) -> tuple[np.ndarray, ...]:
    """Picture (S, S, 3) in [0, 1], labels (S, S) and planar depth (S, S), inf in the background."""
    origins, directions = camera.rays(size, size)
    a, b = (directions**2).sum(-1), (origins * directions).sum(-1)
    root = b**2 - a * ((origins**2).sum(-1) - RADIUS**2)
    depth = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    points = origins + directions * np.where(root > 0, depth, 0)[..., None]
    labels = np.where(root > 0, ball_labels(points, person), 0)
    image = np.empty((size, size, 3))
    for part in range(len(PART_NAMES)):
        stream = np.random.default_rng([part, person.factors[PART_NAMES[part]]])
        image[labels == part] = 0.2 + 0.6 * stream.random(3)
    shade = 0.85 + 0.15 * points[..., 0] / RADIUS  # fixed to the ball, so that views agree
    return image * np.where(root > 0, shade, 1)[..., None], labels.astype(np.uint8), depth


def write_set(
    root: Path, people: Sequence[Person], yaws: Sequence[float] = YAWS, size: int = SIZE
) -> Path:
    """Write a data set of our format, or add people to one."""
    for name in ("images", "labels", "depth"):
        (root / name).mkdir(parents=True, exist_ok=True)
    header = {"format": 1, "generator": "ball", "size": size, "labels": list(PART_NAMES)}
    (root / "dataset.json").write_text(json.dumps(header | {"licence": "CC0-1.0"}))
    with (root / "views.jsonl").open("a") as rows:
        for person in people:
            for number, yaw in enumerate(yaws):
                camera, name = Camera.orbit(yaw), f"{person.number:06d}_{number}"
                image, labels, depth = ball_view(person, camera, size)
                pixels = (image * 255).round().astype(np.uint8)
                picture = root / "images" / f"{name}.jpg"
                Image.fromarray(pixels).save(picture, quality=95, subsampling=0)
                Image.fromarray(labels).save(root / "labels" / f"{name}.png")
                half = depth[::2, ::2]
                stored = np.where(np.isfinite(half), half, 0) * DEPTH_SCALE
                Image.fromarray(stored.astype(np.uint16)).save(root / "depth" / f"{name}.png")
                row = {
                    "name": name,
                    "identity": person.number,
                    "view": number,
                    "yaw": yaw,
                    "pitch": 0.0,
                    "distance": Camera.orbit(0).distance,
                    "side": 2.0,
                    "light": person.factors["global"],
                    "factors": person.factors,
                    "present": list(person.present),
                    "attributes": {},
                }
                rows.write(json.dumps(row) + "\n")
    return root


PEOPLE = (
    *(Person(number) for number in range(1, 6)),
    Person(6, {"hair": 77}, whole=1),  # a sibling of 1 with other hair
)


@pytest.fixture(scope="session")
def balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people, three views each; the last is a sibling of the first with other hair."""
    return write_set(tmp_path_factory.mktemp("balls"), PEOPLE)


@pytest.fixture(scope="session")
def large_balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five people, three views each, of 160 pixels a side."""
    return write_set(tmp_path_factory.mktemp("large"), PEOPLE[:5], size=160)


@pytest.fixture(scope="session")
def held_out_balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = [Person(900_000 + number) for number in range(3)]
    return write_set(tmp_path_factory.mktemp("held_out"), people)


@pytest.fixture
def write_people() -> Callable[[Path, Sequence[Person]], Path]:
    return write_set


@pytest.fixture
def new_person() -> type[Person]:
    return Person


@pytest.fixture
def view_of_ball() -> Callable[..., tuple[np.ndarray, ...]]:
    return ball_view


def tiny_options(data: Path, out: Path, **changes: object) -> TrainOptions:
    options = TrainOptions(
        data=[str(data)],
        out=str(out),
        preset="tiny",
        portraits=2,
        views=2,
        samples=8,
        random_portraits=2,
        device="cpu",
    )
    return replace(options, **changes)


@pytest.fixture(scope="session")
def options_of() -> Callable[..., TrainOptions]:
    """Options of a run that takes milliseconds a step: ``options_of(data, out, mode=…)``."""
    return tiny_options


@dataclass
class Trained:
    """A run of ``len(losses)`` steps, saved, with the weighted loss of each step."""

    trainer: Trainer
    losses: list[float]


@pytest.fixture(scope="session")
def trained(balls: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    trainer = Trainer(tiny_options(balls, tmp_path_factory.mktemp("trained"), rate=0.02))
    losses = []
    for _ in range(30):
        values = trainer.train_step()
        losses.append(sum(WEIGHTS[name] * value for name, value in values.items()))
    trainer.save()
    return Trained(trainer, losses)


@pytest.fixture(scope="session")
def mixing(balls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of two steps that mixes the people of ``balls``."""
    out = tmp_path_factory.mktemp("mixing")
    trainer = Trainer(tiny_options(balls, out, people=8))
    for _ in range(2):
        trainer.train_step()
    trainer.save()
    path = out / "mixing.safetensors"
    assert main(["export", "--run", str(out), "--out", str(path)]) == 0
    return path


def _changed_parts(before: SSGAN3D, after: SSGAN3D) -> set[str]:
    """Names of the parts whose generators differ, as those who draw with them see it."""
    changed = set()
    for one, other in zip(before.generators.groups, after.generators.groups, strict=True):
        for part in one.parts:
            runners = [vars(PartRunner(group, part, torch.float32)) for group in (one, other)]
            if not all(
                torch.equal(value, runners[1][name])
                for name, value in runners[0].items()
                if isinstance(value, torch.Tensor)
            ):
                changed.add(PART_NAMES[part])
    return changed


@pytest.fixture
def changed_parts() -> Callable[[SSGAN3D, SSGAN3D], set[str]]:
    return _changed_parts


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, so that results are the same bit for bit, also on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
