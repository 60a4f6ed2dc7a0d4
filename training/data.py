"""Reading a rendered set: pictures, labels, depth and cameras, grouped by identity.

The format is described in docs/data.md; ``training.synthetic`` writes it.
"""

from __future__ import annotations

import copy
import io
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.camera import Camera
from core.errors import PortraitError
from core.parts import BACKGROUND, PART_COUNT, PART_NAMES
from training.synthetic.dataset import JPEG

DEPTH_SCALE = 8000.0
"""Stored depth is planar depth in model units times this, where a row gives no other."""
HELD_OUT = 900_000
"""Identities from here upward are never trained on."""


class DatasetError(PortraitError):
    """A data set is missing, broken, or not of our format."""


@dataclass(frozen=True)
class View:
    """One picture: a row of views.jsonl.

    Attributes:
        folder, name: where its files are.
        identity: number of the identity.
        yaw, pitch: radians.
        distance, side: in model units.
        light: number of the light's random stream.
        factors: number of the random stream behind each part, and behind "global".
        present: names of the parts that the portrait has.
        generator: version of the generator that rendered it.
        depth_scale: stored depth is planar depth in model units times this.
    """

    folder: Path
    name: str
    identity: int
    yaw: float
    pitch: float
    distance: float
    side: float
    light: int
    factors: dict[str, int]
    present: frozenset[str]
    generator: str = ""
    depth_scale: float = DEPTH_SCALE

    @property
    def camera(self) -> Camera:
        """The camera that rendered the picture."""
        return Camera.orbit(self.yaw, self.pitch, distance=self.distance, side=self.side)

    @property
    def person(self) -> tuple[str, int]:
        """Who is seen: numbers of identities mean something within one set only."""
        return self.folder.name, self.identity

    @property
    def usual(self) -> bool:
        """Whether it is a portrait of its own, and no sibling made by changing a part of one."""
        return not self.changed

    @property
    def changed(self) -> set[str]:
        """Names of the parts that a sibling has from another stream, or lacks."""
        base = self.factors["global"]
        return {name for name, number in self.factors.items() if number != base}

    @property
    def base_key(self) -> str:
        """What decides the whole portrait's tone, light and build."""
        return f"{self.folder.name}/{self.factors['global']}/{self.light}"

    def part_key(self, part: str) -> str:
        """What decides how ``part`` looks: equal keys mean the very same part."""
        whole, own = self.factors["global"], self.factors[part]
        return f"{self.folder.name}/{part}/{whole}/{own}/{self.light}"


def check_names(folders: Sequence[Path]) -> None:
    """Refuse sets that cannot be told apart: their names say whom an identity's number means.

    Raises:
        DatasetError: two folders have the same name.
    """
    names = [folder.resolve().name for folder in folders]
    for name in names:
        if names.count(name) > 1:
            raise DatasetError(f"Two data sets are called {name}: rename one of the folders.")


def read_views(folders: Sequence[Path], *, held_out: bool = False) -> list[View]:
    """Rows of all sets, sorted by identity.

    Args:
        folders: data sets.
        held_out: read only held-out identities; otherwise only those that may be trained on.

    Raises:
        DatasetError: a set is missing, of another format, or holds no such identity; or two have
            the same name.
    """
    check_names(folders)
    views: list[View] = []
    for folder in folders:
        header_path = folder / "dataset.json"
        if not header_path.is_file():
            raise DatasetError(
                f"There is no data set in {folder}: dataset.json is missing. "
                "Make one with `python -m training synthesize`."
            )
        try:
            header = json.loads(header_path.read_text())
        except ValueError as error:
            raise DatasetError(f"{header_path} is no JSON: {error}.") from error
        if header.get("format") != 1 or header.get("labels") != list(PART_NAMES):
            raise DatasetError(f"{header_path} is of another format or has other parts.")
        for table in sorted(folder.glob("views*.jsonl")):
            rows = {}  # of two rows of one picture the later counts
            for number, line in enumerate(table.read_text().splitlines(keepends=True), 1):
                if not line.endswith("\n"):  # being written just now
                    continue
                try:
                    view = _view(folder, {"generator": header["generator"]} | json.loads(line))
                except (AttributeError, KeyError, ValueError, TypeError) as error:
                    raise DatasetError(f"{table}, line {number}: {error!r}.") from error
                rows[view.name] = view
            views += rows.values()
    views = [view for view in views if (view.identity >= HELD_OUT) == held_out]
    if not views:
        kind = "held-out" if held_out else "training"
        raise DatasetError(f"No {kind} identity in {', '.join(map(str, folders))}.")
    return sorted(views, key=lambda view: (*view.person, view.name))


def _view(folder: Path, row: dict) -> View:
    return View(
        folder,
        row["name"],
        int(row["identity"]),
        float(row["yaw"]),
        float(row["pitch"]),
        float(row["distance"]),
        float(row["side"]),
        int(row["light"]),
        {str(k): int(v) for k, v in row["factors"].items()},
        frozenset(row["present"]),
        str(row["generator"]),
        float(row.get("depth_scale", DEPTH_SCALE)),
    )


def presence_of(views: Sequence[View]) -> Tensor:
    """Which parts the portraits of ``views`` have, (N, K) bool; all have a background."""
    presence = torch.tensor([[name in view.present for name in PART_NAMES] for view in views])
    presence[:, BACKGROUND] = True
    return presence


class PortraitSet:
    """All pictures of some views, in memory.

    Attributes:
        views: the rows, N of them.
        images: (N, 3, S, S) uint8 sRGB.
        labels: (N, S, S) uint8 part indices.
        depth: (N, S / 2, S / 2) float16 planar depth relative to the origin's, 0 for background;
            negative is nearer.
        foreground: (N, S / 2, S / 2) bool, where depth means something.
        identities: view indices of each identity.
        portrait_of: (N,) which of ``identities`` a view shows.
    """

    def __init__(self, views: Sequence[View]) -> None:
        """
        Raises:
            DatasetError: a picture cannot be read, or they are of different sizes.
        """
        self.views = list(views)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            loaded = list(pool.map(_load, self.views))
        sides = {image.shape[1:] for image, _, _ in loaded}
        if len(sides) > 1:
            told = ", ".join(sorted(f"{width} × {height}" for height, width in sides))
            raise DatasetError(f"The pictures are of different sizes: {told}. Train on one size.")
        self.images = torch.from_numpy(np.stack([image for image, _, _ in loaded]))
        self.labels = torch.from_numpy(np.stack([label for _, label, _ in loaded]))
        depth = torch.from_numpy(np.stack([depth for _, _, depth in loaded]))  # (N, S/2, S/2)
        distance = torch.tensor([view.distance for view in self.views])[:, None, None]
        self.foreground = depth > 0
        self.depth = torch.where(self.foreground, depth - distance, 0).half()
        groups: dict[tuple[str, int], list[int]] = {}
        for index, view in enumerate(self.views):
            groups.setdefault(view.person, []).append(index)
        self.identities = list(groups.values())
        self.portrait_of = torch.empty(len(self.views), dtype=torch.long)
        for portrait, group in enumerate(self.identities):
            self.portrait_of[group] = portrait

    def __len__(self) -> int:
        return len(self.views)

    def to(self, device: torch.device) -> PortraitSet:
        """The same pictures in the memory of another device."""
        moved = copy.copy(self)
        for name in ("images", "labels", "depth", "foreground"):
            setattr(moved, name, getattr(self, name).to(device))
        return moved

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return self.images.shape[-1]

    def picture(self, index: Tensor | Sequence[int] | int) -> Tensor:
        """Pictures in [-1, 1], (..., 3, S, S) float32."""
        return self.images[index].float() / 127.5 - 1

    def soft_mask(self, index: Tensor | Sequence[int], size: int) -> Tensor:
        """Labels averaged over squares, (..., K, size, size), sums to 1."""
        labels = self.labels[index].long()
        factor = labels.shape[-1] // size
        mask = torch.zeros(*labels.shape[:-2], PART_COUNT, size, size, device=labels.device)
        share = mask.new_tensor(1 / factor**2).expand_as(mask)
        for row in range(factor):
            for column in range(factor):
                mask.scatter_add_(-3, labels[..., None, row::factor, column::factor], share)
        return mask

    def presence(self, index: Tensor | Sequence[int]) -> Tensor:
        """Which parts the portraits have, (N, K) bool."""
        return presence_of([self.views[int(i)] for i in index])


def as_stored(image: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] as they are read from a set that they were written to.

    What is compared with renders has to pass the same encoder: on bare skin it makes most of the
    finest structure of colour.
    """
    pixels = ((image.detach().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    stored = []
    for picture in pixels.cpu().numpy():
        data = io.BytesIO()
        Image.fromarray(picture).save(data, **JPEG)
        stored.append(np.asarray(Image.open(data)).transpose(2, 0, 1))
    return (torch.from_numpy(np.stack(stored)).float() / 127.5 - 1).to(image.device)


def _load(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        image = Image.open(view.folder / "images" / f"{view.name}.jpg").convert("RGB")
        label = Image.open(view.folder / "labels" / f"{view.name}.png")
        depth = Image.open(view.folder / "depth" / f"{view.name}.png")
        return (
            np.asarray(image).transpose(2, 0, 1).copy(),
            np.asarray(label, np.uint8).copy(),
            np.asarray(depth).astype(np.float32) / view.depth_scale,
        )
    except OSError as error:
        raise DatasetError(f"{view.name} in {view.folder} cannot be read: {error}.") from error
