"""Pictures of how data and model have come along, for the documentation.

    .venv/bin/python -m examples.before_after docs/images --data OLD NEW --models OLD ...

``data_before_after.jpg``: sixteen people of each set, the first ones, each from the view that is
closest to the front. ``model_before_after.jpg``: seeds 0 to 9 of each model, a row each, the
embedded one last. An earlier model comes out of the history:
``git show COMMIT:core/weights/portrait256.safetensors > OLD``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.engine import PortraitEngine
from examples.sheets import TILE, pictures, save

PEOPLE = 16
SEEDS = range(10)


def frontal_views(data: Path) -> list[Tensor]:
    """The first people of a set, (3, TILE, TILE) in [-1, 1] each."""
    rows = [json.loads(line) for line in (data / "views.jsonl").read_text().splitlines()]
    best: dict[str, tuple[float, str]] = {}
    for row in rows:
        person = row["name"].rpartition("_")[0]
        if len(set(row.get("factors", {}).values())) > 1:  # a sibling, who differs in one part
            continue
        best[person] = min(best.get(person, (9.0, "")), (abs(row["yaw"]), row["name"]))
    tiles = []
    for _, name in list(best.values())[:PEOPLE]:
        render = Image.open(data / "images" / f"{name}.jpg")
        picture = render.resize((TILE, TILE), Image.Resampling.LANCZOS)
        tiles.append(torch.from_numpy(np.asarray(picture) / np.float32(127.5) - 1).movedim(-1, 0))
    return tiles


def random_people(model: Path | None) -> list[Tensor]:
    """Seeds of a model; None is the embedded one."""
    engine = PortraitEngine.load(model)
    return [pictures(engine, engine.sample(seed), 0)[0] for seed in SEEDS]


def main() -> None:
    """Write the pictures that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, nargs=2, help="folders of an old and a new data set")
    parser.add_argument("--models", type=Path, nargs="+", help="earlier model files, oldest first")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.data:
        half = PEOPLE // 2
        sets = [frontal_views(folder) for folder in options.data]
        rows = [tiles[at : at + half] for tiles in sets for at in (0, half)]
        save(options.out / "data_before_after.jpg", rows)
    if options.models:
        rows = [random_people(model) for model in (*options.models, None)]
        save(options.out / "model_before_after.jpg", rows)


if __name__ == "__main__":
    main()
