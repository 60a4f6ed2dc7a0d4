from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.lifting import LIFTED
from core.model import SSGAN3D
from core.parts import FACE_BASE, PART_COUNT, part_index
from training.codes import CELLS, Codes, Descriptors, describe, move_cells
from training.encode import Encoder, cells_of, encode, encode_and_refit, targets
from training.trainer import Trainer, TrainOptions


@pytest.fixture
def model() -> SSGAN3D:
    """Layers and linear models that matter: what an untrained generator makes hardly varies."""
    torch.manual_seed(0)
    model = SSGAN3D(ModelConfig.tiny())
    with torch.no_grad():
        for group in model.generators.groups:
            group.form_basis.normal_(std=0.05)
            group.color_basis.normal_(std=0.1)
    return model.requires_grad_(False)


def descriptors_of(model: SSGAN3D, codes: Codes) -> Descriptors:
    """What views from everywhere would say about portraits of the model's own."""
    maps = model.part_maps(*codes)
    cells = torch.stack([cells_of(maps[part]) for part in range(PART_COUNT)], 1)
    depth = cells[..., 0].clone()
    for part in LIFTED:
        if part != FACE_BASE:
            depth[:, part] += move_cells(depth[:, FACE_BASE], FACE_BASE, part, model.config)
    where = (cells[..., 1] / 10 + 0.5).clamp(0.02, 1)
    return Descriptors(where, depth, cells[..., 2:])


def misses(model: SSGAN3D, codes: Codes, found: Descriptors, presence: torch.Tensor) -> float:
    """Weighted mean square by which a model's maps of codes miss what was found."""
    wanted, weights = targets(found, presence)
    encoder = Encoder(model)
    rows = torch.cat([codes[0], codes[1].flatten(1), codes[2].flatten(1)], 1)
    return float((encoder._residual(rows, wanted).square() * weights).sum() / weights.sum())


def random_codes(model: SSGAN3D, count: int) -> Codes:
    z = torch.randn(count, model.config.z_dim, generator=torch.Generator().manual_seed(5))
    base, shape, texture, _ = model.mapping(z)
    return base[:, FACE_BASE], shape, texture


def test_codes_of_the_models_own_portraits_are_found_again(model: SSGAN3D) -> None:
    true = random_codes(model, 3)
    presence = torch.ones(3, PART_COUNT, dtype=torch.bool)
    found = descriptors_of(model, true)
    codes = encode(model, found, presence)
    mean = [t.mean(0, keepdim=True).expand_as(t) for t in random_codes(model, 200)]
    usual = tuple(t[:3] for t in mean)
    assert misses(model, codes, found, presence) < 0.1 * misses(model, usual, found, presence)


def test_absent_parts_have_no_code_and_say_nothing(model: SSGAN3D) -> None:
    true = random_codes(model, 2)
    presence = torch.ones(2, PART_COUNT, dtype=torch.bool)
    hat = part_index("hat")
    presence[0, hat] = False
    found = descriptors_of(model, true)
    codes = encode(model, found, presence)
    assert not codes[1][0, hat].any()
    assert codes[1][1, hat].any()
    found.color[0, hat] = 7.0
    torch.testing.assert_close(encode(model, found, presence)[0], codes[0])


def test_what_no_view_showed_may_be_anything(model: SSGAN3D) -> None:
    found = descriptors_of(model, random_codes(model, 2))
    presence = torch.ones(2, PART_COUNT, dtype=torch.bool)
    for values in (found.where, found.depth, found.color):
        values[:, :, : CELLS**2 // 2] = torch.nan
    assert all(codes.isfinite().all() for codes in encode(model, found, presence))


def test_linear_models_turn_towards_new_data(
    balls: Path, tmp_path: Path, trained, options_of
) -> None:
    """The trained run knows these people; with its linear models at zero it has to learn them."""
    trainer = trained.trainer
    model = SSGAN3D(trainer.config)
    model.load_state_dict(trainer.model.state_dict())
    model.requires_grad_(False)
    for group in model.generators.groups:
        group.color_basis.zero_()
    found = describe(trainer.data, trainer.data.identities, trainer.config)
    presence = trainer.views.presence
    before = misses(model, encode(model, found, presence), found, presence)
    codes = encode_and_refit(model, found, presence)
    assert misses(model, codes, found, presence) < 0.7 * before
    hair = part_index("hair")  # worn: its shape is in its own code alone
    for group in model.generators.groups:
        if hair in group.parts:
            old = dict(trainer.model.named_parameters())
            row, width = group.parts.index(hair), trainer.config.base_dim
            name = next(n for n, p in model.named_parameters() if p is group.form_basis)
            torch.testing.assert_close(group.form_basis[row, :width], old[name][row, :width])
    assert not codes[0].isnan().any()


def test_a_run_goes_on_from_a_model_and_its_discriminator(
    balls: Path, tmp_path: Path, trained, options_of, monkeypatch
) -> None:
    from training.__main__ import main

    monkeypatch.setattr(trained.trainer.augmentation, "strength", 0.25)
    trained.trainer.save()
    files = [tmp_path / name for name in ("model.safetensors", "discriminator.safetensors")]
    run = ["export", "--run", str(trained.trainer.out), "--name", "balls"]
    assert main([*run, "--out", str(files[0]), "--discriminator", str(files[1])]) == 0
    options: TrainOptions = options_of(
        balls,
        tmp_path / "run",
        mode="hybrid",
        start=str(files[0]),
        start_discriminator=str(files[1]),
        shuffle_blur=True,
    )
    fresh = Trainer(options_of(balls, tmp_path / "fresh", mode="hybrid"))
    later = Trainer(options)
    assert later.config.shuffle_blur
    first = trained.trainer.discriminator.score.weight.half().float()
    torch.testing.assert_close(later.discriminator.score.weight, first)
    assert (fresh.augmentation.strength, later.augmentation.strength) == (0.0, 0.25)
    assert later.train_step()["image"] < fresh.train_step()["image"]
    later.save()
    again = Trainer(options)
    assert again.step == 1
    torch.testing.assert_close(again.book.base, later.book.base)
    out = tmp_path / "next.safetensors"
    assert main(["export", "--run", str(later.out), "--out", str(out)]) == 0
    from core.model_card import read_header

    metadata, _ = read_header(out)
    assert '"trained further from": {"name": "balls"' in metadata["info"]
    onwards = Trainer(options_of(balls, tmp_path / "onwards", start=str(out)))
    assert onwards.config.shuffle_blur  # the model has it, whoever asks


@pytest.mark.parametrize("held", [False, True])
def test_beside_a_render_net_that_is_held_only_codes_settle(
    balls: Path, tmp_path: Path, options_of, held: bool
) -> None:
    trainer = Trainer(options_of(balls, tmp_path / "run", hold_render_net=held))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    codes = trainer.book.base.detach().clone()
    trainer.settle()
    assert not torch.equal(trainer.book.base, codes)
    after = trainer.model.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert bool(moved) != held
    assert not any(name.startswith("render_net.") for name in moved)


@pytest.mark.parametrize("held", [False, True])
def test_codes_for_a_held_render_net_are_found_in_the_model_as_it_is(
    balls: Path, tmp_path: Path, trained, options_of, held: bool
) -> None:
    from training.__main__ import main

    file = tmp_path / "model.safetensors"
    assert main(["export", "--run", str(trained.trainer.out), "--out", str(file)]) == 0
    model, _ = load_checkpoint(file)
    trainer = Trainer(options_of(balls, tmp_path / "run", start=str(file), hold_render_net=held))
    assert trainer.book.base.abs().max() > 0
    changed = [
        name
        for name, value in trainer.model.generators.state_dict().items()
        if not torch.equal(value, model.generators.state_dict()[name])
    ]
    assert bool(changed) != held
    assert all(name.endswith("_basis") for name in changed)
