"""All parts and people fitted together: what learns, what is held, where edges count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint
from core.model import SSGAN3D
from core.parts import PART_COUNT, part_index
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.detail import with_detail
from training.refine import known_views
from training.refit import HIDING, LearnedPeople, Refit, RefitOptions, hidden_parts
from training.warm_start import Views


@pytest.fixture
def refit(mixing: Path, balls: Path) -> Refit:
    """People of a model with fine structure, two of them a step."""
    model, info = load_checkpoint(mixing)
    teacher = with_detail(model, 2)
    known, rows = known_views(read_views([balls]), info["people"])
    views = Views(PortraitSet(known), teacher.config, torch.device("cpu"), 8)
    return Refit(teacher, views, rows, RefitOptions(steps=2, portraits=2, pairs=2, ema=0.5))


def changed(before: dict[str, torch.Tensor], after: SSGAN3D) -> set[str]:
    """Names of the tensors of a model that are not as they were."""
    return {
        name for name, value in after.state_dict().items() if not torch.equal(value, before[name])
    }


def test_all_parts_and_codes_learn_and_the_teacher_stays(refit: Refit) -> None:
    weights = {name: value.clone() for name, value in refit.teacher.state_dict().items()}
    saved = []
    refit.run(lambda spent: saved.append(spent["steps"]))
    assert saved == [2]
    assert not changed(weights, refit.teacher)
    moved = changed(weights, refit.result())
    for group in ("generators.", "render_net.", "mapping.shape", "mapping.texture"):
        assert any(name.startswith(group) for name in moved), group
    assert not {"mapping.keys", "mapping.base", "mapping.presence"} & moved


def test_only_people_that_are_shown_get_other_codes(refit: Refit) -> None:
    before = refit.before.shape.clone()
    batch = refit.views.of(torch.tensor([0]), [0], torch.Generator())
    sum(refit.reconstruction(batch, torch.Generator(), seldom=True).values()).backward()
    gradient = refit.people.shape.grad
    assert gradient is not None
    learns = gradient.flatten(1).abs().sum(1) > 0
    assert learns.nonzero().flatten().tolist() == [int(refit.rows[0])]
    assert torch.equal(refit.people.shape, before)


def test_at_first_random_people_are_the_teachers(refit: Refit) -> None:
    with torch.no_grad():
        terms = refit.held(torch.Generator().manual_seed(3))
    assert float(terms["keep image"]) < 0.02  # what lies outside of a swapped part is the first's
    assert float(terms["keep depth"]) == 0
    z = torch.randn(5, refit.teacher.config.z_dim)
    people = LearnedPeople(refit.before)
    for mine, wanted in zip(people(z), refit.before(z), strict=True):
        assert torch.equal(mine, wanted)
    with torch.no_grad():
        people.texture += 1
    assert torch.allclose(people(z)[2], refit.before(z)[2] + 1, atol=1e-5)
    assert torch.equal(people(z)[1], refit.before(z)[1])


def test_a_hidden_part_is_one_that_hides_others_and_not_the_swapped_one() -> None:
    generator = torch.Generator().manual_seed(0)
    swapped = torch.tensor([part_index("hair"), part_index("eyes")]).repeat(500)
    hidden = hidden_parts(swapped, generator)
    assert hidden.shape == (1000, PART_COUNT)
    assert not hidden[torch.arange(1000), swapped].any()
    assert set(hidden.any(0).nonzero().flatten().tolist()) == set(HIDING)
    assert int(hidden.sum(1).max()) == 1
    of_eyes = hidden[1::2].any(1).float().mean()
    assert 0.2 < float(of_eyes) < 0.4


def test_a_model_without_fine_structure_is_refused(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    arguments = ["refit", "--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main([*arguments, "--steps", "1"]) == 1
    assert "training detail" in capsys.readouterr().err
    assert not out.exists()
