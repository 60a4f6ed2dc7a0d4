"""The data set on disk: one folder of images, labels and depth, and one row a picture.

    dataset.json   {"format", "generator", "size", "labels", "licence"}
    images/NAME.jpg    sRGB
    labels/NAME.png    8 bit, the part's index in core.parts
    depth/NAME.png     16 bit, half the size: model units along the view axis × the row's
                       "depth_scale", 0 = background
    views.jsonl        one row a picture, see docs/data.md

A row is written after its files, and every file by rename: what has a row is complete.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.files import write_bytes
from core.parts import PART_NAMES

FORMAT = 1
LICENCE = "CC0-1.0"
DEPTH_SCALE = 5000
"""Steps a model unit; 8000 in sets before generator 2.0, whose rows do not say so."""
JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}
"""How pictures are stored."""
_FOLDERS = {"images": ".jpg", "labels": ".png", "depth": ".png"}


class DatasetError(RuntimeError):
    """A data set folder cannot be used as asked."""


def view_name(identity: int, view: int) -> str:
    """What the files of one picture are called."""
    return f"{identity:06d}_{view}"


def read_rows(root: Path) -> list[dict]:
    """Rows of a set whose files are all there, the last one of each name; a torn line is skipped.

    Raises:
        DatasetError: there is no set in ``root``.
    """
    path = root / "views.jsonl"
    if not path.is_file():
        raise DatasetError(f"There is no data set in {root}: views.jsonl is missing.")
    rows = {}
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            row = json.loads(line)
            rows[row["name"]] = row
    return [
        row
        for name, row in rows.items()
        if all(_file(root, folder, name).exists() for folder in _FOLDERS)
    ]


def _file(root: Path, folder: str, name: str) -> Path:
    return root / folder / f"{name}{_FOLDERS[folder]}"


class DatasetFolder:
    """Writes a data set, and knows what an interrupted run has left in it."""

    def __init__(self, root: str | Path, *, size: int, generator: str):
        """Open or make the folder.

        Raises:
            DatasetError: it holds another kind of set.
        """
        self.root = Path(root)
        self.generator = generator
        for name in _FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        header = {
            "format": FORMAT,
            "generator": generator,
            "size": size,
            "labels": list(PART_NAMES),
            "licence": LICENCE,
        }
        path = self.root / "dataset.json"
        if path.exists():
            self._check_header(path, header)
        else:
            write_bytes(path, json.dumps(header, indent=1).encode())

    @property
    def rows_path(self) -> Path:
        """The file of the rows."""
        return self.root / "views.jsonl"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other runs from writing to the folder, and drop a row that a crash cut short.

        Raises:
            DatasetError: another run is writing to it.
        """
        with open(self.root / ".lock", "w") as lock:
            try:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # not on Windows, where the lock is done without
                pass
            except OSError:
                raise DatasetError(f"Another run is writing to {self.root}; wait for it.") from None
            if self.rows_path.exists():
                text = self.rows_path.read_bytes()
                whole = text.rfind(b"\n") + 1
                if whole < len(text):
                    write_bytes(self.rows_path, text[:whole])
            yield

    def rows(self) -> list[dict]:
        """All rows whose files are there, the last one of each name."""
        return read_rows(self.root) if self.rows_path.exists() else []

    def write_view(
        self, name: str, image: np.ndarray, labels: np.ndarray, depth: np.ndarray
    ) -> None:
        """Write one picture's files.

        Args:
            image: (H, W, 3) uint8 sRGB.
            labels: (H, W) uint8 part indices.
            depth: (H, W) model units along the view axis, 0 for the background.
        """
        code = np.round(halve_depth(depth) * DEPTH_SCALE).clip(0, 65535).astype(np.uint16)
        for folder, pixels, how in (
            ("images", image, JPEG),
            ("labels", labels, {"format": "PNG"}),
            ("depth", code, {"format": "PNG"}),
        ):
            data = io.BytesIO()
            Image.fromarray(pixels).save(data, **how)
            write_bytes(_file(self.root, folder, name), data.getvalue())

    def append_row(self, row: Mapping[str, object]) -> None:
        """Record a picture whose files are written."""
        with open(self.rows_path, "a") as file:
            facts = {"depth_scale": DEPTH_SCALE, "generator": self.generator}
            file.write(json.dumps({**row, **facts}) + "\n")

    def _check_header(self, path: Path, wished: Mapping[str, object]) -> None:
        try:
            header = json.loads(path.read_text())
        except ValueError:
            raise DatasetError(f"{path} is not JSON; give another --out.") from None
        for key in ("format", "size", "labels"):
            if header.get(key) != wished[key]:
                raise DatasetError(
                    f"{self.root} holds a set with {key} {header.get(key)}, not {wished[key]}; "
                    "give another --out."
                )


def halve_depth(depth: np.ndarray) -> np.ndarray:
    """Depth at half the size, (H / 2, W / 2): means of blocks of four that never span an edge.

    A block where fewer than two pixels are hit is background; in others only those count that lie
    within 0.05 units of the nearest.
    """
    height, width = depth.shape
    blocks = depth[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2)
    blocks = blocks.transpose(0, 2, 1, 3).reshape(height // 2, width // 2, 4)
    hit = blocks > 0
    nearest = np.where(hit, blocks, np.inf).min(-1, keepdims=True)
    near = hit & (blocks <= nearest + 0.05)
    mean = np.where(near, blocks, 0).sum(-1) / np.maximum(near.sum(-1), 1)
    return np.where(hit.sum(-1) >= 2, mean, 0)
