"""Pairs of random portraits that differ in one part, and teaching a model to keep them alike."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from core.checkpoint import load_checkpoint, save_checkpoint
from core.engine import embedded_weights
from core.model import SSGAN3D, GeneratorOutput
from core.parts import BRINGS_BASE, FACE_BASE, PART_COUNT, part_index
from training.__main__ import main
from training.localize import localize, random_rays, target_of, terms_of, twice
from training.student import StudentOptions
from training.swaps import edited_pixels, swapped_pairs

CPU = torch.device("cpu")

EYES, SKIN, NOSE = (part_index(name) for name in ("eyes", "skin", "nose"))


def test_pairs_differ_in_one_part_that_both_wear(trained) -> None:
    trainer = trained.trainer
    known = trainer.views.presence.any(0).nonzero()[:, 0].tolist()
    with torch.no_grad():
        codes, parts = swapped_pairs(trainer.model, 40, torch.Generator().manual_seed(0))
    assert len(codes.base) == 80
    assert set(parts.tolist()) == set(range(PART_COUNT)) - {FACE_BASE}
    _, chosen = swapped_pairs(trainer.model, 9, torch.Generator(), (EYES, NOSE))
    assert set(chosen.tolist()) == {EYES, NOSE}
    for first, part in enumerate(parts.tolist()):
        second = first + len(parts)
        assert codes.visible[first, part]
        assert torch.equal(codes.visible[first], codes.visible[second])
        based = (codes.base[first] != codes.base[second]).any(1).nonzero()[:, 0].tolist()
        assert based == ([part] if part in BRINGS_BASE else [])
        for values in (codes.shape, codes.texture):
            changed = (values[first] != values[second]).any(1).nonzero()[:, 0].tolist()
            # parts that nobody of the test's data has have one code
            assert changed == [part] or (changed == [] and part not in known)


def moved_eye() -> torch.Tensor:
    """Masks of a pair whose eye moves by two cells, (2, K, 8, 8)."""
    labels = torch.full((2, 8, 8), SKIN)
    labels[0, 2, 2] = labels[1, 2, 4] = EYES
    return F.one_hot(labels, PART_COUNT).permute(0, 3, 1, 2).float()


def test_the_part_may_change_where_it_was_and_where_it_is() -> None:
    where = edited_pixels(moved_eye(), torch.tensor([EYES]), 16, 0)
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[4:6, 4:6] = expected[4:6, 8:10] = True
    assert torch.equal(where[0, 0], expected)
    around = edited_pixels(moved_eye(), torch.tensor([EYES]), 16, 1)
    expected[3:7, 3:11] = True
    assert torch.equal(around[0, 0], expected)
    assert not edited_pixels(moved_eye(), torch.tensor([NOSE]), 16, 1).any()


def test_outside_of_the_part_the_second_picture_should_be_the_first() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 1, 3, 16, 16, generator=generator)
    logits = 9 * moved_eye()[:, None]
    coarse = torch.full((2, 1, PART_COUNT, 8, 8), 1 / PART_COUNT)
    output = GeneratorOutput(image, logits, image, coarse, torch.zeros(2, 1, 8, 8), image)
    target = target_of(output, torch.tensor([EYES]))
    edited = ~target.outside[0, 0]
    assert 0 < int(edited.sum()) < 100
    assert torch.equal(target.image[0], image[0, 0])
    assert torch.equal(target.image[1][:, edited], image[1, 0][:, edited])
    assert torch.equal(target.image[1][:, ~edited], image[0, 0][:, ~edited])
    torch.testing.assert_close(target.mask.sum(1), torch.ones(2, 8, 8))
    # by hand: one pixel of the pair differs by 0.6 in one colour, outside, and one inside
    image = torch.zeros_like(image)
    image[1, 0, 0, 15, 15] = 0.6
    image[1, 0, 0, 4, 4] = 0.9
    student = GeneratorOutput(image, logits, image, coarse, torch.zeros(2, 1, 8, 8), image)
    found = terms_of(student, target_of(student, torch.tensor([EYES])))
    assert float(found["outside"]) == pytest.approx(0.6 / (3 * 256))
    assert float(found["image"]) > 0  # what should be alike is not
    image[1, 0, 0, 15, 15] = 0
    found = terms_of(student, target_of(student, torch.tensor([EYES])))
    assert float(found["image"]) == float(found["gradient"]) == float(found["outside"]) == 0


def test_cameras_lie_in_the_trained_range(trained) -> None:
    config = trained.trainer.config
    rays = random_rays(config, 50, torch.Generator().manual_seed(0), CPU)
    assert rays.z.shape == (50, 1, config.ray_size**2, config.samples)
    middle = rays.depth.mean((1, 2, 3))  # about the distance of the camera
    assert float(middle.min()) > 2.8
    assert float(middle.max()) < 11.5
    assert float(middle.max() / middle.min()) > 3


def outside(model: SSGAN3D) -> float:
    """What swaps of twelve pairs change outside of the part."""
    generator = torch.Generator().manual_seed(1000)
    with torch.no_grad():
        codes, parts = swapped_pairs(model, 12, generator)
        rays = random_rays(model.config, 12, generator, CPU)
        output = model(codes.base, codes.shape, codes.texture, codes.visible, twice(rays))
        return float(terms_of(output, target_of(output, parts))["outside"])


def test_teacher_codes_and_linear_models_stay(trained) -> None:
    teacher = copy.deepcopy(trained.trainer.model)
    weights = {name: value.clone() for name, value in teacher.state_dict().items()}
    model, spent = localize(teacher, StudentOptions(1, 2, 1e-3, steps=5))
    assert spent["steps"] == 5
    assert all(torch.equal(value, weights[name]) for name, value in teacher.state_dict().items())
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, weights[n])}
    assert any(name.startswith("render_net.") for name in moved)
    assert any(name.startswith("generators.") for name in moved)
    assert not [name for name in moved if name.startswith("mapping.") or name.endswith("_basis")]


@pytest.mark.slow
def test_edits_of_the_embedded_model_get_more_local() -> None:
    teacher, _ = load_checkpoint(embedded_weights())
    model, _ = localize(teacher, StudentOptions(10, 2, 3e-4, steps=60))
    before, after = outside(teacher), outside(model)
    print(f"changed outside of the part: {before:.5f}, {after:.5f} after 60 steps")
    assert after < before


def test_the_command_writes_a_model_that_says_so(trained, tmp_path: Path, capsys) -> None:
    start, out = tmp_path / "start.safetensors", tmp_path / "local.safetensors"
    save_checkpoint(start, trained.trainer.model, {"name": "portrait16", "steps": 7})
    arguments = ["--weights", str(start), "--out", str(out), "--steps", "2"]
    assert main(["localize", *arguments]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["outside"] > 0  # with three pairs
    again = ["--weights", str(out), "--out", str(out), "--steps", "1", "--outside", "9"]
    assert main(["localize", *again]) == 0
    _, info = load_checkpoint(out)
    assert (info["name"], info["steps"]) == ("portrait16", 7)
    rounds = [(once["steps"], once["weight"]) for once in info["edits made local"]]
    assert rounds == [(2, 4.0), (1, 9.0)]
    assert main(["localize", *again, "--parts", "eyes"]) == 0
    assert load_checkpoint(out)[1]["edits made local"][-1]["parts"] == ["eyes"]
    assert main(["localize", "--weights", str(tmp_path / "none"), "--out", str(out)]) == 1
