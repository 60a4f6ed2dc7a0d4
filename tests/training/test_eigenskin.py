"""Eigenskins of a model's people: what their renders have more."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.camera import Camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.eigenskin import SIZE
from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.grain import SKIN
from core.latents import PortraitLatents
from core.model import SSGAN3D
from core.parts import PART_COUNT, PART_NAMES, part_index
from training.__main__ import main
from training.eigenskin import principal, with_eigenskins
from training.model_files import put_on, rebuilt, taken_off

CAMERAS = [Camera.orbit(yaw, 0.05) for yaw in (-0.3, 0.25)]


def test_components_are_found_where_rows_are_known_in_part() -> None:
    generator = torch.Generator().manual_seed(0)
    shares, planes = (torch.randn(size, generator=generator) for size in ((60, 2), (2, 200)))
    rows = 0.3 + shares @ planes
    known = (torch.rand(rows.shape, generator=generator) > 0.1).float()
    mean, components, amounts = principal(rows * known, known, 2)
    left = rows - mean - amounts @ components
    # also where nothing was known
    assert float(left.square().mean()) < 0.02 * float(rows.square().mean())
    assert float((components[0] @ components[1]).abs()) < 1e-2 * float(components[0].norm()) ** 2
    assert float(components[0].norm()) > float(components[1].norm())


def test_nothing_is_made_up_for_who_is_not_seen() -> None:
    model, _ = load_checkpoint(embedded_weights())
    model = rebuilt(model, eigenskins=0)
    maps = torch.zeros(model.config.people, 3, *SIZE)
    known = torch.zeros(model.config.people, 1, *SIZE)
    maps[[2, 5]], known[[2, 5]] = torch.tensor([0.1, 0.3])[:, None, None, None], 1
    made, held = with_eigenskins(model, maps, known, 1)
    assert held == pytest.approx(1, abs=1e-4)
    assert made.mapping.skins.any(1).nonzero()[:, 0].tolist() == [2, 5]
    light = made.mapping.complexion(SKIN, made.mapping.texture[[2, 5], SKIN])
    torch.testing.assert_close(light, maps[[2, 5]], atol=2e-3, rtol=0)
    with pytest.raises(PortraitError, match="2 people have been seen"):
        with_eigenskins(model, maps, known, 3)


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


def test_the_command_finds_what_skins_in_renders_have_more(tmp_path: Path) -> None:
    """People are drawn with eigenskins, which a model without them finds in the pictures."""
    given, info = load_checkpoint(embedded_weights())
    plain = rebuilt(given, eigenskins=0)
    row, column = torch.meshgrid(*(torch.linspace(0, 1, n) for n in SIZE), indexing="ij")
    waves = torch.stack([torch.sin(12 * math.pi * row), torch.cos(9 * math.pi * column)])
    maps = torch.zeros(plain.config.people, 3, *SIZE)
    maps[0, 0], maps[1, 1] = 0.25 * waves[0], 0.25 * waves[1]
    known = torch.zeros(plain.config.people, 1, *SIZE)
    known[:2] = 1
    wavy, _ = with_eigenskins(plain, maps, known, 2)
    drawn = PortraitEngine(wavy, info, device="cpu", precision="float32")
    root, source, out = tmp_path / "set", tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    write_renders(root, drawn, wavy, dict(enumerate(info["people"][:2])))
    save_checkpoint(source, plain, info)
    command = ["eigenskin", "--weights", str(source), "--data", str(root), "--out", str(out)]
    assert main([*command, "--components", "2"]) == 0
    found, facts = load_checkpoint(out)
    assert facts["people"] == info["people"]
    assert found.config.eigenskins == 2
    engines = [
        PortraitEngine(model, info, device="cpu", precision="float32") for model in (plain, found)
    ]
    for person in (0, 1):
        picture = drawn.render(latents_of(wavy, person), Camera.orbit(0.0, 0.05))
        skin = picture.mask[0, SKIN] > 0.95
        missing = [
            (engine.render(latents_of(wavy, person), Camera.orbit(0.0, 0.05)).image - picture.image)
            .square()
            .mean(1)[0][skin]
            .mean()
            for engine in engines
        ]
        assert float(missing[1]) < 0.25 * float(missing[0])  # from a side that it has not seen
    kept = put_on(taken_off(found), found)
    assert taken_off(found).config.eigenskins == 0
    assert torch.equal(kept.mapping.eigenskins, found.mapping.eigenskins)


def test_a_model_without_grain_is_told_of_it(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    command = ["eigenskin", "--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main(command) == 1
    assert "training grain" in capsys.readouterr().err
    assert not out.exists()
