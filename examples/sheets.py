"""The documentation's pictures of the embedded model.

    .venv/bin/python -m examples.sheets docs/images

``seeds.jpg``: random portraits from five sides with their part masks. ``edits.jpg``: one part of a
portrait after another taken from another portrait; interpolation of shape and of texture apart;
a portrait put together part by part. ``random_people.jpg``: seeds 0 to 63, none left out.
``wanted.jpg``: a row for each of some wishes, the first seeds whose people are so, none left out.
``swaps.jpg``: people (rows) with one part each (columns) from somebody else. ``differences.jpg``:
before, after and four times the difference of a swap, from three sides. ``upscaled.jpg``: details
of pictures of 1,024 pixels a side, by bilinear enlargement and by the upscaler.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from core.attributes import BY_NAME
from core.camera import Camera
from core.engine import PortraitEngine
from core.latents import PortraitLatents
from core.parts import PART_NAMES, PARTS
from core.render_net import enlarge_to

YAWS = (-40, -20, 0, 20, 40)
SEEDS = (29, 106, 65, 112, 74, 163, 69, 77)
OWN, OTHER = 65, 29
TILE = 192
EDITED = ("hair", "brows", "eyes", "nose", "mouth", "skin", "clothes", "glasses", "hat")
PEOPLE = (74, 112, 29, 163, 65, 106)
LOCAL = ("eyes", "brows", "nose", "mouth", "glasses", "hair")
GAIN = 4
UPSCALED = (104, 101, 29)
DETAIL = slice(224, 800)
"""Rows and columns of 1,024."""
WISHES: tuple[dict[str, str], ...] = (
    {"hair_style": "afro", "hair_color": "black"},
    {"hair_style": "long", "sex": "female", "age": "young"},
    {"beard": "full", "age": "old"},
    {"expression": "broad smile"},
    {"frame": "round", "hair_style": "short"},
    {"collar": "turtle", "hair_style": "bob"},
)
ORDER = ("skin", "neck", "ears", "clothes", "nose", "mouth", "eyes", "brows", "hair", "glasses")


def pictures(engine: PortraitEngine, latents: PortraitLatents, *yaws: float) -> list[Tensor]:
    """A portrait from each side (degrees): (3, TILE, TILE) in [-1, 1] each."""
    cameras = [Camera.orbit(math.radians(yaw), 0.05) for yaw in yaws]
    return list(engine.render(latents, cameras, size=(TILE, TILE)).image)


def masks(engine: PortraitEngine, latents: PortraitLatents, *yaws: float) -> list[Tensor]:
    """The colours of its parts, likewise."""
    palette = torch.tensor([part.color for part in PARTS]).float() / 127.5 - 1
    cameras = [Camera.orbit(math.radians(yaw), 0.05) for yaw in yaws]
    labels = engine.render(latents, cameras, size=(TILE, TILE)).labels.long()
    return list(palette[labels].movedim(-1, 1))


def seeds(engine: PortraitEngine) -> list[list[Tensor]]:
    """Two portraits a row: five views, and the masks of the outer ones and the middle one."""
    strips = []
    for seed in SEEDS:
        latents = engine.sample(seed)
        strips.append(pictures(engine, latents, *YAWS) + masks(engine, latents, -40, 0, 40))
    return [left + right for left, right in zip(strips[::2], strips[1::2], strict=True)]


def edits(engine: PortraitEngine) -> list[list[Tensor]]:
    """Rows of ten: part swaps from two sides, interpolations, composition."""
    own, other = engine.sample(OWN), engine.sample(OTHER)
    everything = own.with_visible({*own.visible_names, "hair"})
    swapped = [own, *(swap(own, other, part) for part in EDITED)]
    rows = [[pictures(engine, latents, yaw)[0] for latents in swapped] for yaw in (0, 30)]
    for kind in ("shape", "texture"):
        steps = [
            everything.lerp(
                other, step / 9, parts=PART_NAMES, shape=kind == "shape", texture=kind == "texture"
            )
            for step in range(10)
        ]
        rows.append([pictures(engine, latents, 10)[0] for latents in steps])
    shown = [ORDER[: count + 1] for count in range(len(ORDER))]
    rows.append([pictures(engine, own.with_visible({"background", *s}), 10)[0] for s in shown])
    return rows


def random_people(engine: PortraitEngine) -> list[list[Tensor]]:
    """Seeds 0 to 63 from the front, eight a row."""
    tiles = [pictures(engine, engine.sample(seed), 0)[0] for seed in range(64)]
    return [tiles[start : start + 8] for start in range(0, 64, 8)]


def wanted(engine: PortraitEngine) -> list[list[Tensor]]:
    """A row of eight people for each of ``WISHES``, who wear what it speaks of."""
    rows = []
    for wish in WISHES:
        parts = {BY_NAME[name].part for name in wish}
        people = [engine.sample(seed) for seed in engine.having(range(4000), wish)[:8]]
        worn = [one.with_visible({*one.visible_names, *parts}) for one in people]
        rows.append([pictures(engine, one, 10)[0] for one in worn])
    return rows


def swap(own: PortraitLatents, other: PortraitLatents, part: str) -> PortraitLatents:
    """``own`` with the part of the other, who is made to wear it."""
    return own.replace(part, other.with_visible({*other.visible_names, part}))


def swaps(engine: PortraitEngine) -> list[list[Tensor]]:
    """A row a person: as they are, then with each part of ``EDITED`` from the next person."""
    people = [engine.sample(seed) for seed in PEOPLE]
    rows = []
    for own, other in zip(people, people[1:] + people[:1], strict=True):
        changed = [own, *(swap(own, other, part) for part in EDITED)]
        rows.append([pictures(engine, latents, 15)[0] for latents in changed])
    return rows


def differences(engine: PortraitEngine) -> list[list[Tensor]]:
    """A row a part: before, after and the difference, from -30°, 0° and 30°."""
    own, other = engine.sample(OWN), engine.sample(OTHER)
    rows = []
    for part in LOCAL:
        base = own.with_visible({*own.visible_names, part})
        row = []
        for yaw in (-30, 0, 30):
            before, after = (
                pictures(engine, latents, yaw)[0] for latents in (base, swap(base, other, part))
            )
            row += [before, after, (after - before).abs() * GAIN - 1]
        rows.append(row)
    return rows


def upscaled(engine: PortraitEngine) -> list[list[Tensor]]:
    """Faces of three portraits as the model draws them, enlarged; below, doubled twice."""
    camera, side = Camera.orbit(math.radians(15), 0.05), 4 * engine.config.image_size
    enlarged: list[Tensor] = []
    doubled: list[Tensor] = []
    for seed in UPSCALED:
        latents = engine.sample(seed)
        own = engine.render(latents, camera).image
        large = engine.render(latents, camera, size=(side, side)).image
        for tiles, picture in ((enlarged, enlarge_to(own, side)), (doubled, large)):
            tiles.append(picture[0, :, DETAIL, DETAIL])
    return [enlarged, doubled]


def save(path: Path, rows: list[list[Tensor]]) -> None:
    """Write rows of tiles as one JPEG."""
    sheet = torch.cat([torch.cat(row, 2) for row in rows], 1)
    pixels = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path, quality=88)


def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, help="model file (the embedded one)")
    options = parser.parse_args()
    engine = PortraitEngine.load(options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    for make in (seeds, edits, random_people, wanted, swaps, differences, upscaled):
        save(options.out / f"{make.__name__}.jpg", make(engine))


if __name__ == "__main__":
    main()
