"""Finer detail for a trained model: who is known, what is held, what the command leaves."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from core.checkpoint import load_checkpoint, save_checkpoint
from core.model import GeneratorOutput
from core.parts import PART_COUNT, part_index
from training.__main__ import main
from training.augment import AdaptiveAugmentation
from training.data import DatasetError, PortraitSet, read_views
from training.discriminator import Discriminator
from training.graft import graft
from training.localize import target_of
from training.refine import Refinement, RefineOptions, codes_of_rows, keep_terms, known_views
from training.upscale import with_upscaler
from training.warm_start import Views

EYES, SKIN = part_index("eyes"), part_index("skin")


def test_an_exported_model_names_the_people_that_it_mixes(mixing: Path, balls: Path) -> None:
    model, info = load_checkpoint(mixing)
    usual = {view.identity for view in read_views([balls]) if view.usual}
    assert info["people"] == sorted(usual)
    assert int(model.mapping.presence.any(1).sum()) == len(usual)


def test_portraits_find_their_rows(balls: Path) -> None:
    views = read_views([balls])
    identities = sorted({view.identity for view in views if view.usual})
    people = [777, *reversed(identities)]
    known, rows = known_views(views, people)
    assert {view.identity for view in known} == set(identities)
    assert all(view.usual for view in known)
    shown = [known[group[0]].identity for group in PortraitSet(known).identities]
    assert [people[row] for row in rows.tolist()] == shown
    with pytest.raises(DatasetError, match="identities 777 to 778"):
        known_views(views, [777, 778])


def test_a_sibling_without_hair_is_the_same_person(
    tmp_path: Path, write_people, new_person
) -> None:
    bare = ("skin", "brows", "eyes", "nose", "mouth")
    people = [
        new_person(1),
        new_person(100_008, {"eyes": 100_008}, whole=1),  # other eyes: nobody whom the model knows
        new_person(100_012, {"hair": 100_012}, whole=1, present=bare),
    ]
    views = read_views([write_people(tmp_path, people)])
    known, rows = known_views(views, [5, 1])
    data = PortraitSet(known)
    assert [known[group[0]].identity for group in data.identities] == [1, 100_012]
    assert rows.tolist() == [1, 1]
    presence = data.presence([group[0] for group in data.identities])
    assert presence[:, part_index("hair")].tolist() == [True, False]


def test_only_what_averages_out_may_change() -> None:
    labels = torch.full((2, 8, 8), SKIN)
    labels[0, 2, 2] = labels[1, 2, 4] = EYES
    logits = 9 * F.one_hot(labels, PART_COUNT).permute(0, 3, 1, 2).float()[:, None]
    image = torch.zeros(2, 1, 3, 16, 16)
    coarse = torch.full((2, 1, PART_COUNT, 8, 8), 1 / PART_COUNT)
    depth = torch.zeros(2, 1, 8, 8)
    teacher = GeneratorOutput(image, logits, image, coarse, depth, image)
    target = target_of(teacher, torch.tensor([EYES]))
    strands = torch.tensor([0.5, -0.5]).repeat(8).expand(3, 16, 16)  # stripes of one pixel
    fine = GeneratorOutput(image + strands, logits, image, coarse, depth, image)
    assert float(keep_terms(fine, target, 8)["keep image"]) == 0
    assert float(keep_terms(fine, target, 8)["keep outside"]) == 0
    lighter = GeneratorOutput(image + 0.25, logits, image, coarse, depth + 0.1, image)
    found = keep_terms(lighter, target, 8)
    assert float(found["keep image"]) == pytest.approx(0.25)
    assert float(found["keep depth"]) == pytest.approx(0.1)
    one = torch.cat([image[:1], image[1:] + strands])
    changed = keep_terms(GeneratorOutput(one, logits, image, coarse, depth, one), target, 8)
    share = float(target.outside.float().mean())
    assert 0.5 < share < 1
    assert float(changed["keep outside"]) == pytest.approx(0.5 * share)


def test_people_teacher_and_linear_models_stay(mixing: Path, balls: Path) -> None:
    teacher, info = load_checkpoint(mixing)
    weights = {name: value.clone() for name, value in teacher.state_dict().items()}
    known, rows = known_views(read_views([balls]), info["people"])
    views = Views(PortraitSet(known), teacher.config, torch.device("cpu"), 8)
    options = RefineOptions(steps=3, portraits=2, views=2, pairs=1, ema=0.5)
    judge = Discriminator()
    before = copy.deepcopy(judge.state_dict())
    refinement = Refinement(teacher, views, rows, judge, AdaptiveAugmentation(0.2), options)
    saved = []
    refinement.run(lambda spent: saved.append(spent["steps"]))
    assert saved == [3]
    assert all(torch.equal(value, weights[name]) for name, value in teacher.state_dict().items())
    state = refinement.average.state_dict()
    moved = {name for name, value in state.items() if not torch.equal(value, weights[name])}
    assert any(name.startswith("render_net.") for name in moved)
    assert any(name.startswith("generators.") for name in moved)
    assert not [name for name in moved if name.startswith("mapping.") or name.endswith("_basis")]
    judged = judge.state_dict()
    assert any(not torch.equal(value, judged[name]) for name, value in before.items())


def test_without_a_discriminator_it_only_reconstructs(mixing: Path, balls: Path) -> None:
    teacher, info = load_checkpoint(mixing)
    known, rows = known_views(read_views([balls]), info["people"])
    views = Views(PortraitSet(known), teacher.config, torch.device("cpu"), 8)
    options = RefineOptions(portraits=2, pairs=1, adversarial_weight=0, matching_weight=0)
    judge = Discriminator()
    before = copy.deepcopy(judge.state_dict())
    refinement = Refinement(teacher, views, rows, judge, AdaptiveAugmentation(0.2), options)
    values = refinement.train_step()
    assert {"image", "small parts", "keep outside"} <= set(values)
    assert not {"G", "matching", "D"} & set(values)
    assert all(torch.equal(value, judge.state_dict()[name]) for name, value in before.items())


def test_one_part_can_learn_alone(mixing: Path, balls: Path, changed_parts) -> None:
    teacher, info = load_checkpoint(mixing)
    known, rows = known_views(read_views([balls]), info["people"])
    views = Views(PortraitSet(known), teacher.config, torch.device("cpu"), 8)
    options = RefineOptions(
        steps=2, portraits=2, pairs=1, ema=0.0, parts=("hair",), adversarial_weight=0
    )
    refinement = Refinement(
        teacher, views, rows, Discriminator(), AdaptiveAugmentation(0.2), options
    )
    refinement.run(lambda spent: None)
    made = refinement.average
    learnt = changed_parts(teacher, made)
    assert learnt == {"hair"}
    renders = made.render_net.state_dict()
    assert all(torch.equal(v, renders[n]) for n, v in teacher.render_net.state_dict().items())


def test_a_graft_brings_one_part_and_no_other(mixing: Path, tmp_path: Path, changed_parts) -> None:
    mine, info = load_checkpoint(mixing)
    donor = copy.deepcopy(mine)
    with torch.no_grad():
        for parameter in donor.parameters():
            parameter.add_(0.01)
        donor.mapping.texture.add_(0.5)
    paths = [tmp_path / f"{name}.safetensors" for name in ("mine", "donor", "out")]
    save_checkpoint(paths[0], mine, {})
    facts = {"people": info["people"], "refined": [{"steps": 3}]}
    save_checkpoint(paths[1], donor, facts, compact=True)
    files = ["--weights", str(paths[0]), "--donor", str(paths[1]), "--out", str(paths[2])]
    assert main(["graft", *files, "--parts", "skin", "hat"]) == 0
    out, facts = load_checkpoint(paths[2])
    stored = load_checkpoint(paths[0])[0]
    assert changed_parts(stored, out) == {"skin", "hat"}
    assert not {"skin", "hat"} & changed_parts(load_checkpoint(paths[1])[0], out)
    renders = out.render_net.state_dict()
    for name, value in stored.render_net.state_dict().items():
        assert torch.allclose(value, renders[name], atol=1e-3)
    assert facts["grafted"] == [{"parts": ["skin", "hat"], "refined": [{"steps": 3}]}]
    assert facts["people"] == info["people"]
    # the people come with the donor's codes of these parts, which its generators are made for
    texture, old = out.mapping.texture, stored.mapping.texture
    given = [part_index(name) for name in ("skin", "hat")]
    others = [part for part in range(PART_COUNT) if part not in given]
    assert torch.allclose(texture[:, given], old[:, given] + 0.5, atol=2e-3)
    assert torch.equal(texture[:, others], old[:, others])


def test_a_graft_needs_no_upscaler_of_the_donor_and_keeps_ones_own(mixing: Path) -> None:
    donor = load_checkpoint(mixing)[0]
    mine = with_upscaler(load_checkpoint(mixing)[0])
    for model, other in ((mine, donor), (donor, mine)):
        before = model.upscaler
        graft(model, other, ["skin"])
        assert model.upscaler is before


def test_a_graft_from_other_people_leaves_the_codes(mixing: Path) -> None:
    mine = load_checkpoint(mixing)[0]
    donor, before = copy.deepcopy(mine), mine.mapping.texture.clone()
    donor.mapping.keys.neg_()
    donor.mapping.texture.add_(0.5)
    mine.requires_grad_(False)
    graft(mine, donor, ["skin"])
    assert torch.equal(mine.mapping.texture, before)


def test_a_portrait_is_rebuilt_from_its_own_row(mixing: Path) -> None:
    model, _ = load_checkpoint(mixing)
    visible = torch.ones(2, PART_COUNT, dtype=torch.bool)
    codes = codes_of_rows(model.mapping, torch.tensor([3, 1]), visible)
    assert torch.equal(codes.base, model.mapping.base[[3, 1]])
    assert torch.equal(codes.texture[1], model.mapping.texture[1])
    assert not torch.equal(codes.shape[0], codes.shape[1])


def test_the_command_goes_on_from_its_own_files(mixing: Path, balls: Path, tmp_path: Path) -> None:
    out, judge = tmp_path / "fine.safetensors", tmp_path / "judge.safetensors"
    common = ["--data", str(balls), "--out", str(out), "--discriminator", str(judge)]
    common += ["--portraits", "2", "--pairs", "1", "--device", "cpu"]
    assert main(["refine", "--weights", str(mixing), "--steps", "2", *common]) == 0
    again = ["--weights", str(out), "--start-discriminator", str(judge), "--steps", "1"]
    assert main(["refine", *again, "--outside", "4", *common]) == 0
    _, info = load_checkpoint(out)
    assert [once["steps"] for once in info["refined"]] == [2, 1]
    assert info["refined"][1]["options"]["outside"] == 4
    assert info["people"] == load_checkpoint(mixing)[1]["people"]


@pytest.mark.parametrize("command", ["refine", "closeup", "detail"])
def test_a_model_that_names_nobody_is_refused(
    command: str, trained, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nobody.safetensors"
    save_checkpoint(path, trained.trainer.model, {})
    arguments = ["--weights", str(path), "--data", str(balls), "--out", str(tmp_path / "out")]
    assert main([command, *arguments]) == 1
    assert "which portraits it mixes" in capsys.readouterr().err
