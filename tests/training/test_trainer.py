import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.checkpoint import save_checkpoint
from core.errors import PortraitError
from core.parts import part_index
from training.detail import with_detail
from training.export import averaged_model
from training.state import read_state
from training.trainer import Trainer, TrainOptions

Options = Callable[..., TrainOptions]


def copied(data: Path, to: Path) -> Path:
    return Path(shutil.copytree(data, to))


@pytest.mark.parametrize("mode", ["fit", "hybrid", "adversarial"])
def test_every_mode_trains_what_it_should(
    balls: Path, tmp_path: Path, options_of: Options, mode: str
) -> None:
    trainer = Trainer(options_of(balls, tmp_path, mode=mode))
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    judge = trainer.discriminator.score.weight.clone()
    codes = trainer.book.base.detach().clone()
    for _ in range(2):
        values = trainer.train_step()
        assert all(torch.isfinite(torch.tensor(list(values.values()))))
    after = dict(trainer.model.named_parameters())
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert any(name.startswith("render_net.") for name in moved)
    assert any(name.startswith("generators.") for name in moved)
    adversarial, pure = mode != "fit", mode == "adversarial"
    # beside reconstruction the mapping network keeps its closed form, which is linear
    assert (after["mapping.linear.weight"].grad is not None) == pure
    assert bool(after["mapping.head.weight"].any()) == pure
    assert torch.equal(trainer.discriminator.score.weight, judge) != adversarial
    assert torch.equal(trainer.book.base, codes) == pure
    assert ("D" in values and "G" in values) == adversarial
    assert ("image" in values) != pure


def test_resuming_continues_bit_for_bit(balls: Path, tmp_path: Path, options_of: Options) -> None:
    def state(trainer: Trainer) -> dict[str, torch.Tensor]:
        trainer.save()
        return read_state(trainer.state_path)[0]

    straight = Trainer(options_of(balls, tmp_path / "straight", mode="hybrid"))
    values = [straight.train_step() for _ in range(4)]
    halves = options_of(balls, tmp_path / "halves", mode="hybrid")
    first = Trainer(halves)
    for _ in range(2):
        first.train_step()
    first.save()
    second = Trainer(halves)
    assert second.step == 2
    assert [second.train_step() for _ in range(2)] == values[2:]
    expected, found = state(straight), state(second)
    assert expected.keys() == found.keys()
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []


def test_a_run_that_ended_before_its_first_checkpoint_begins_the_same_anew(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    first = Trainer(options_of(balls, tmp_path)).model.state_dict()
    assert (tmp_path / "basis.safetensors").is_file()
    again = Trainer(options_of(balls, tmp_path)).model.state_dict()
    assert any(name.endswith("_basis") and bool(value.any()) for name, value in first.items())
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_a_run_goes_over_to_a_mixture_of_its_people(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    network = Trainer(options_of(balls, tmp_path))
    network.train_step()
    network.save()
    mixing = Trainer(options_of(balls, tmp_path, mode="hybrid", people=9))
    assert mixing.step == 1
    render_net = network.model.render_net.to_picture.weight
    assert torch.equal(mixing.model.render_net.to_picture.weight, render_net)
    people = network.portrait_codes()[0][network.usual]
    for model in (mixing.model, mixing.ema):
        torch.testing.assert_close(model.mapping.base[: len(people)], people)
    mixing.train_step()
    mixing.save()
    again = Trainer(options_of(balls, tmp_path, mode="hybrid"))  # a run stays what it was
    assert again.config.people == 9
    assert torch.equal(again.model.mapping.base, mixing.model.mapping.base)
    model, info = averaged_model(tmp_path)
    assert model.config.people == 9
    assert info["mapping"] == "mixes the codes of training portraits"
    people = mixing.portrait_codes()[0][mixing.usual]
    torch.testing.assert_close(model.mapping.base[: len(people)], people)


def test_a_mixture_needs_reconstruction(balls: Path, tmp_path: Path, options_of: Options) -> None:
    with pytest.raises(PortraitError, match="--people 9"):
        Trainer(options_of(balls, tmp_path, mode="adversarial", people=9))


def test_losses_fall(trained) -> None:
    losses = trained.losses
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_known_people_keep_their_codes_when_the_data_grows(
    balls: Path, tmp_path: Path, options_of: Options, write_people, new_person
) -> None:
    data = copied(balls, tmp_path / "data")
    options = options_of(data, tmp_path / "run")
    old = Trainer(options)
    old.train_step()
    old.save()
    codes = old.portrait_codes()
    # one sorts before all others, so that every row moves; the other is a sibling of 3
    write_people(data, [new_person(0), new_person(7, {"mouth": 99}, whole=3)])
    new = Trainer(options)
    assert len(new.data.identities) == 8
    assert new.step == 1
    grown = new.portrait_codes()
    for before, after in zip(codes, grown, strict=True):
        assert torch.equal(after[1:7], before)
    mouth, nose = part_index("mouth"), part_index("nose")
    assert torch.equal(grown[0][7], codes[0][2])
    assert torch.equal(grown[1][7, nose], codes[1][2, nose])
    assert not torch.equal(grown[1][7, mouth], codes[1][2, mouth])
    new.train_step()


def test_held_out_people_are_never_trained_on(
    balls: Path, tmp_path: Path, options_of: Options, write_people, new_person
) -> None:
    data = copied(balls, tmp_path / "data")
    write_people(data, [new_person(900_000), new_person(912_345)])
    trainer = Trainer(options_of(data, tmp_path / "run"))
    assert {view.identity for view in trainer.data.views} == set(range(1, 7))


def test_average_follows_the_generator(trained) -> None:
    trainer = trained.trainer
    ema = dict(trainer.ema.named_parameters())
    distances = [float((ema[n] - p.detach()).norm()) for n, p in trainer.model.named_parameters()]
    assert max(distances) > 0
    assert not any(p.requires_grad for p in ema.values())
    # the decay starts short, so that the first weights are forgotten
    before = ema["render_net.to_picture.weight"].clone()
    step, trainer.step = trainer.step, 1
    trainer._average()
    trainer.step = step
    expected = before.lerp(trainer.model.render_net.to_picture.weight, 1 - 2 / 11)
    torch.testing.assert_close(ema["render_net.to_picture.weight"], expected)


def test_a_run_leaves_a_state_and_a_sheet(balls: Path, tmp_path: Path, options_of: Options) -> None:
    Trainer(options_of(balls, tmp_path, minutes=1e-4)).run()
    written = {path.name for path in tmp_path.iterdir()}
    assert {"state.safetensors", "basis.safetensors", "sheets"} <= written
    assert list((tmp_path / "sheets").glob("*.png"))


def test_people_of_the_model_that_a_run_starts_from_keep_their_codes(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    mixing = Trainer(options_of(balls, tmp_path / "old", mode="hybrid", people=9))
    mixing.train_step()
    mixing.save()
    model, info = averaged_model(tmp_path / "old")
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, model, info)
    old = mixing.portrait_codes()
    started = Trainer(options_of(balls, tmp_path / "new", mode="hybrid", start=str(file)))
    known = started.usual & torch.isin(started.identity, torch.tensor(info["people"]))
    assert known.any()
    for before, after in zip(old, started.portrait_codes(), strict=True):
        torch.testing.assert_close(after[known], before[known])


def test_a_run_can_keep_to_people_whom_its_model_knows(
    balls: Path, tmp_path: Path, options_of: Options, trained
) -> None:
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, trained.trainer.model, {"people": [2, 4]})
    options = options_of(balls, tmp_path / "run", start=str(file), only_known=True)
    assert {view.identity for view in Trainer(options).data.views} == {2, 4}
    save_checkpoint(file, trained.trainer.model, {"people": [777]})
    with pytest.raises(PortraitError, match="nobody"):
        Trainer(options)


def test_a_seed_keeps_its_people_in_a_run_that_goes_on(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    first = Trainer(options_of(balls, tmp_path / "old", mode="hybrid", people=9))
    first.save()
    model, info = averaged_model(tmp_path / "old")
    turned = info | {"people": info["people"][::-1]}  # as if its data had come in another order
    for name in ("base", "shape", "texture", "presence"):
        rows = getattr(model.mapping, name)
        rows[: len(turned["people"])] = rows[: len(turned["people"])].flip(0)
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, model, turned)
    Trainer(options_of(balls, tmp_path / "new", mode="hybrid", start=str(file))).save()
    again, facts = averaged_model(tmp_path / "new")
    assert facts["people"] == turned["people"]
    for name in ("keys", "base", "shape", "texture", "presence"):
        before, after = getattr(model.mapping, name), getattr(again.mapping, name)
        torch.testing.assert_close(after, before, atol=2e-3, rtol=0)  # half precision


def test_rates_fall_to_zero_in_the_last_share_of_the_minutes(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    trainer = Trainer(options_of(balls, tmp_path, fade=0.5))
    trainer.step = 100  # warm
    rates = []
    for trainer.progress in (0.0, 0.5, 0.75, 0.99):
        trainer.train_step()
        rates.append(trainer.optimizer.param_groups[0]["lr"] / trainer.base_rates[0])
    assert rates == pytest.approx([1.0, 1.0, 0.5, 0.02])


def test_fine_structure_learns_beside_all_else(
    balls: Path, tmp_path: Path, options_of: Options, trained
) -> None:
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, with_detail(trained.trainer.model, 4), {})
    trainer = Trainer(options_of(balls, tmp_path / "run", mode="hybrid", start=str(file)))
    before = [group.detail_head_bias.clone() for group in trainer.model.generators.groups]
    values = trainer.train_step()
    assert math.isfinite(values["detail"])
    after = [group.detail_head_bias for group in trainer.model.generators.groups]
    assert any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_small_parts_can_count_more(balls: Path, tmp_path: Path, options_of: Options) -> None:
    options = options_of(balls, tmp_path / "run", mode="fit", small_parts_weight=0.2)
    assert Trainer(options).train_step()["small parts"] > 0
    assert "small parts" not in Trainer(options_of(balls, tmp_path / "plain")).train_step()


def test_what_stands_still_when_the_picture_moves_is_an_error(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    options = options_of(balls, tmp_path / "run", mode="hybrid", shift_weight=1.0)
    values = Trainer(options).train_step()
    assert math.isfinite(values["shift"])


def test_reconstruction_comes_first_if_asked(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    options = options_of(balls, tmp_path / "run", mode="hybrid", reconstruct_first=0.5)
    trainer = Trainer(options)
    trainer.progress = 0.4
    assert "D" not in trainer.train_step()
    trainer.progress = 0.6
    assert "D" in trainer.train_step()


def test_the_papers_mode_is_judged_from_its_first_step(
    balls: Path, tmp_path: Path, options_of: Options
) -> None:
    options = options_of(balls, tmp_path / "run", mode="adversarial", reconstruct_first=0.5)
    assert "D" in Trainer(options).train_step()
