"""``python -m training prepare --from FORMAT DIR --out DIR``: other sets in our format.

``prototype`` is the format of the first generator's sets: 16 classes that tell left from right,
depth in decimetres, cameras about a target.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from core.files import replacing, write_bytes
from core.parts import PART_NAMES, PARTS, part_index
from training.data import DatasetError
from training.synthetic.dataset import DEPTH_SCALE, DatasetFolder, view_name
from training.synthetic.numbering import FACTORS, HELD_OUT_FIRST

_PROTOTYPE_PARTS = (
    *("background", "skin", "brows", "brows", "eyes", "eyes", "nose", "mouth", "ears", "ears"),
    *("hair", "neck", "clothes", "glasses", "hat", "earrings"),
)
_PROTOTYPE_TARGET = [0, 7.12, 0.85]  # decimetres: the origin of model space
_PROTOTYPE_DEPTH = 4000.0
_UNIT = 1.55  # decimetres in a model unit


def convert_prototype(source: Path, out: Path) -> int:
    """Convert a set of the prototype; returns how many pictures it has.

    Run again after an interruption, it goes on; pictures that are there are not made again.

    Raises:
        DatasetError: ``source`` is no such set, or ``out`` holds another kind.
    """
    table = source / "views.jsonl"
    if not table.is_file():
        raise DatasetError(f"{table} is missing: {source} is no set of the prototype.")
    views = [_prototype_view(table, line) for line in table.read_text().splitlines()]
    if not views:
        raise DatasetError(f"{table} lists no pictures.")
    folder = DatasetFolder(out, size=_size(source, views[0]["name"]), generator="prototype")
    lookup = np.array([part_index(name) for name in _PROTOTYPE_PARTS], np.uint8)
    with folder.writing():
        done = {row["name"] for row in folder.rows()}
        by_identity: dict[int, list[dict]] = defaultdict(list)
        for view in views:
            by_identity[int(view["seed"])].append(view)
        for identity, own in by_identity.items():
            labels = {view["name"]: lookup[_labels(source, view["name"])] for view in own}
            seen = np.unique(np.concatenate([label.ravel() for label in labels.values()]))
            present = [
                part.name for i, part in enumerate(PARTS) if not part.optional or i in set(seen)
            ]
            for view in own:
                name = view_name(identity, int(view["view"]))
                if name in done:
                    continue
                _convert_files(source, out, view["name"], name, labels[view["name"]])
                folder.append_row(_prototype_row(view, name, identity, present))
    return len(views)


def _prototype_view(table: Path, line: str) -> dict:
    try:
        view = json.loads(line)
        if list(view["target"]) != _PROTOTYPE_TARGET:
            raise DatasetError(
                f"{view['name']} in {table} looks at {view['target']}; only sets that look at "
                f"{_PROTOTYPE_TARGET} share this model's origin."
            )
        if not 0 <= int(view["seed"]) < HELD_OUT_FIRST:
            raise DatasetError(
                f"{view['name']} in {table} has seed {view['seed']}; identities to train on go "
                f"from 0 to {HELD_OUT_FIRST - 1}."
            )
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{table} is not of the prototype's format: {error!r}.") from error
    return view


def _size(source: Path, name: str) -> int:
    return _labels(source, name).shape[0]


def _labels(source: Path, name: str) -> np.ndarray:
    """Classes of a picture, (S, S) uint8."""
    path = source / "labels" / f"{name}.png"
    try:
        with Image.open(path) as picture:
            labels = np.asarray(picture, np.uint8)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error
    if labels.max() >= len(_PROTOTYPE_PARTS):
        raise DatasetError(f"{path} holds class {labels.max()}; the prototype's end at 15.")
    return labels


def _convert_files(source: Path, out: Path, old: str, new: str, labels: np.ndarray) -> None:
    try:
        with Image.open(source / "depth" / f"{old}.png") as picture:
            depth = np.asarray(picture).astype(np.float64) / _PROTOTYPE_DEPTH / _UNIT
        with replacing(out / "images" / f"{new}.jpg") as path:
            shutil.copyfile(source / "images" / f"{old}.jpg", path)
    except OSError as error:
        raise DatasetError(f"{old} in {source} cannot be read: {error}.") from error
    steps = np.round(depth * DEPTH_SCALE).clip(0, 65535).astype(np.uint16)
    for kind, pixels in (("labels", labels), ("depth", steps)):
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "PNG")
        write_bytes(out / kind / f"{new}.png", data.getvalue())


def _prototype_row(view: Mapping, name: str, identity: int, present: list[str]) -> dict:
    return {
        "name": name,
        "identity": identity,
        "view": int(view["view"]),
        "yaw": float(view["yaw"]),
        "pitch": float(view["pitch"]),
        "distance": float(view["distance"]) / _UNIT,
        "side": float(view["side"]) / _UNIT,
        "light": identity,
        "factors": dict.fromkeys(FACTORS, identity),
        "present": [part for part in PART_NAMES if part in present],
        "attributes": {},
    }


FORMATS: Mapping[str, Callable[[Path, Path], int]] = {"prototype": convert_prototype}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training prepare``."""
    parser.add_argument("source", type=Path, help="folder of the set")
    parser.add_argument(
        "--from", dest="kind", choices=list(FORMATS), required=True, help="its format"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the new set")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training prepare``."""
    count = FORMATS[arguments.kind](arguments.source, arguments.out)
    print(f"{arguments.out}: {count} pictures")
    return 0
