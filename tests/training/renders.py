"""A data set of what a model draws of its people: renders that it can be compared with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.camera import Camera
from core.engine import PortraitEngine
from core.latents import PortraitLatents
from core.model import SSGAN3D
from core.parts import PART_COUNT, PART_NAMES, part_index

CAMERAS = [Camera.orbit(yaw, 0.05) for yaw in (-0.3, 0.25)]


def latents_of(model: SSGAN3D, row: int) -> PortraitLatents:
    """Somebody whom a model mixes, with the parts that everybody has, and without hair."""
    people = model.mapping
    visible = torch.ones(PART_COUNT, dtype=torch.bool)
    for name in ("hair", "hat", "glasses", "earrings"):
        visible[part_index(name)] = False
    base = people.base[row].expand(PART_COUNT, -1).clone()
    return PortraitLatents(base, people.shape[row].clone(), people.texture[row].clone(), visible)


def write_renders(root: Path, engine: PortraitEngine, model: SSGAN3D, people: dict) -> None:
    """Write what an engine draws of people, by row their number, as a data set."""
    for name in ("images", "labels", "depth"):
        (root / name).mkdir(parents=True)
    size = engine.config.image_size
    header = {"format": 1, "generator": "test", "size": size, "labels": list(PART_NAMES)}
    (root / "dataset.json").write_text(json.dumps(header | {"licence": "CC0-1.0"}))
    rows = []
    for row, number in people.items():
        for view, camera in enumerate(CAMERAS):
            drawn, name = engine.render(latents_of(model, row), camera), f"{number:06d}_{view}"
            pixels = ((drawn.image[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(root / "images" / f"{name}.jpg", quality=95)
            Image.fromarray(drawn.labels[0].numpy()).save(root / "labels" / f"{name}.png")
            depth = drawn.depth[0, ::2, ::2].numpy()
            stored = np.where(np.isfinite(depth), depth, 0) * 8000
            Image.fromarray(stored.astype(np.uint16)).save(root / "depth" / f"{name}.png")
            rows.append(
                {
                    "name": name,
                    "identity": number,
                    "view": view,
                    "yaw": (-0.3, 0.25)[view],
                    "pitch": 0.05,
                    "distance": camera.distance,
                    "side": 2.0,
                    "depth_scale": 8000,
                    "light": number,
                    "factors": dict.fromkeys(("global", *PART_NAMES), number),
                    "present": [
                        name
                        for name, there in zip(
                            PART_NAMES, latents_of(model, row).visible.tolist(), strict=True
                        )
                        if there
                    ],
                    "attributes": {},
                }
            )
    (root / "views.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
