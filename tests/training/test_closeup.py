"""Single parts fitted to renders: crops are the picture's, and nothing else moves."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.lifting import opacity
from core.model import SSGAN3D
from core.parts import PART_COUNT, part_index
from training import losses
from training.__main__ import main
from training.closeup import (
    WEIGHTS,
    Closeup,
    CloseupOptions,
    alone,
    edge_strength,
    lacking,
    showing,
    total_variation,
)
from training.crops import SAMPLES, Crops, Frame, cut
from training.data import PortraitSet, read_views
from training.detail import distance, with_detail
from training.discriminator import Discriminator, write_discriminator
from training.precision import float32_only
from training.refine import codes_of_rows, known_views
from training.warm_start import Views
from training.widen import with_paint

EYES = part_index("eyes")


@pytest.fixture
def teacher(mixing: Path) -> SSGAN3D:
    return load_checkpoint(mixing)[0]


@pytest.fixture
def known(mixing: Path, balls: Path, teacher: SSGAN3D) -> tuple[Views, torch.Tensor]:
    """Renders of the people whom ``teacher`` mixes, and the rows of these people."""
    people = load_checkpoint(mixing)[1]["people"]
    shown, rows = known_views(read_views([balls]), people)
    return Views(PortraitSet(shown), teacher.config, torch.device("cpu"), SAMPLES), rows


@pytest.fixture
def closeup(teacher: SSGAN3D, known: tuple[Views, torch.Tensor]) -> Closeup:
    options = CloseupOptions(pictures=8, rate=0.02, code_rate=0.02)
    crops = cut(teacher, *known, [EYES])
    return Closeup(copy.deepcopy(teacher), crops, options)


def own_codes(closeup: Closeup, crops: Crops) -> dict[int, list[torch.Tensor]]:
    return closeup.own_codes(crops.people()[0])


def at_full_rates(closeup: Closeup) -> Closeup:
    for group, rate in zip(closeup.optimizer.param_groups, closeup.rates, strict=True):
        group["lr"] = rate
    return closeup


def test_a_crop_shows_what_the_whole_picture_shows(
    closeup: Closeup, teacher: SSGAN3D, known: tuple[Views, torch.Tensor]
) -> None:
    views, rows = known
    group = views.data.identities[0]
    batch = views.of(torch.zeros(1, dtype=torch.long), group[:1], torch.Generator().manual_seed(0))
    codes = codes_of_rows(teacher.mapping, rows[:1], batch.visible)
    crops = closeup.crops.of(torch.tensor(group[:1]))
    with torch.no_grad(), float32_only():
        # the same rays: the crop's jitter is its own
        whole = teacher(codes.base, codes.shape, codes.texture, codes.visible, crops.rays())
        shown = closeup.show(crops, own_codes(closeup, crops))
    # the tiny model's picture is one crop; what is kept is kept in half precision
    assert closeup.frame == Frame(16, 16, 0)
    assert torch.allclose(shown.smooth, whole.smooth[0], atol=0.01)
    assert torch.allclose(shown.mask, whole.coarse_mask[0].flatten(2), atol=2e-3)
    assert torch.allclose(shown.depth, whole.depth[0].flatten(1), atol=0.01)
    assert float((shown.mask_logits - whole.mask_logits[0]).abs().max()) < 0.05


@pytest.fixture
def painting(teacher: SSGAN3D) -> SSGAN3D:
    """A model with paint, of random colours."""
    model = with_paint(teacher, 48)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for group in model.generators.groups:
            if group.is_painted:
                torch.nn.init.normal_(group.paint_head, std=0.3)
    return model


@pytest.mark.parametrize("learn", [["eyes"], ["eyes", "mouth", "skin"], ["hair"]])
def test_a_crop_shows_the_paint_of_parts_that_learn_and_of_those_that_stay(
    painting: SSGAN3D, known: tuple[Views, torch.Tensor], learn: list[str]
) -> None:
    views, rows = known
    group = next(g for g in views.data.identities if set(learn) <= views.data.views[g[0]].present)
    portrait = views.data.identities.index(group)
    batch = views.of(torch.tensor([portrait]), group[:1], torch.Generator().manual_seed(0))
    codes = codes_of_rows(painting.mapping, rows[[portrait]], batch.visible)
    parts = [part_index(name) for name in learn]
    closeup = Closeup(
        copy.deepcopy(painting), cut(painting, *known, parts), CloseupOptions(tuple(learn))
    )
    crops = closeup.crops.of(torch.tensor(group[:1]))
    with torch.no_grad(), float32_only():
        whole = painting(codes.base, codes.shape, codes.texture, codes.visible, crops.rays())
        shown = closeup.show(crops, own_codes(closeup, crops))
    assert torch.allclose(shown.smooth, whole.smooth[0], atol=0.01)


def test_paint_learns_of_the_parts_that_learn_alone(
    painting: SSGAN3D, known: tuple[Views, torch.Tensor], changed_parts
) -> None:
    options = CloseupOptions(pictures=8, rate=0.02, code_rate=0.02)
    closeup = at_full_rates(
        Closeup(copy.deepcopy(painting), cut(painting, *known, [EYES]), options)
    )
    for _ in range(3):
        closeup.train_step()
    made = closeup.result()
    assert changed_parts(painting, made) == {"eyes"}
    for before, after in zip(painting.generators.groups, made.generators.groups, strict=True):
        for row, part in enumerate(before.parts):
            if before.is_painted:
                same = torch.equal(before.paint_head[row], after.paint_head[row])
                assert same == (part != EYES)


def test_people_come_with_all_their_crops(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor]
) -> None:
    views, rows = known
    crops = cut(teacher, views, rows, [EYES], each=2)
    assert len(crops.rows) == 2 * len(views.data)
    closeup = Closeup(copy.deepcopy(teacher), crops, CloseupOptions(pictures=5))
    generator = torch.Generator().manual_seed(0)
    seen: list[int] = []
    while len(seen) < len(crops.rows):
        chosen = closeup._chosen(generator)
        assert len(chosen) >= min(5, len(crops.rows) - len(seen))
        of_them = torch.isin(crops.rows, crops.rows[chosen]).nonzero()[:, 0]
        assert sorted(chosen.tolist()) == of_them.tolist()
        seen += chosen.tolist()
    assert set(seen) == set(range(len(crops.rows)))


def test_a_part_may_learn_its_fine_structure_and_nothing_else(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor]
) -> None:
    torch.manual_seed(0)  # the new branches
    skin, teacher = part_index("skin"), with_detail(teacher, 2)
    crops = cut(teacher, *known, [skin], structured=[skin])
    options = CloseupOptions(("skin",), structure_only=True, pictures=4, rate=0.02)
    closeup = Closeup(copy.deepcopy(teacher), crops, options)
    every = crops.of(torch.arange(len(crops.rows)))

    def error() -> float:
        with torch.no_grad():
            shown = closeup.show(every, own_codes(closeup, every))
        return float(distance(shown.given, every.energy, every.structured[:, None]))

    before = error()
    at_full_rates(closeup)
    for _ in range(40):
        closeup.train_step()
    assert error() < 0.9 * before
    made, old = closeup.result(), teacher
    assert torch.equal(made.mapping.shape, old.mapping.shape)
    assert torch.equal(made.mapping.texture, old.mapping.texture)
    rows, _ = every.people()
    codes = made.mapping.base[rows], made.mapping.shape[rows], made.mapping.texture[rows]
    with torch.no_grad():
        mine, before_it = (model.generators(*codes, [skin])[skin] for model in (made, old))
    assert torch.equal(mine.depth, before_it.depth)
    assert torch.equal(mine.density, before_it.density)
    colours = teacher.config.features
    assert torch.equal(mine.features[..., :colours], before_it.features[..., :colours])
    assert not torch.equal(mine.features, before_it.features)


def test_hair_does_not_learn_from_who_wears_a_hat(known: tuple[Views, torch.Tensor]) -> None:
    view = known[0].data.views[0]
    bald, haired, hatted = (
        replace(view, present=frozenset({"skin", *more}))
        for more in ((), ("hair",), ("hair", "hat"))
    )
    assert showing(["hair"], [bald, haired, hatted]) == [haired]
    assert showing(["skin"], [bald, haired, hatted]) == [bald, haired, hatted]
    assert showing(["skin", "hair"], [bald, haired, hatted]) == [haired]
    assert showing(["hat"], [bald, haired, hatted]) == [hatted]


def test_siblings_without_glasses_show_what_glasses_cover(
    known: tuple[Views, torch.Tensor],
) -> None:
    view = known[0].data.views[0]
    own, other = dict.fromkeys(view.factors, 5), dict.fromkeys(view.factors, 5) | {"glasses": 9}
    wearing = replace(view, factors=own, present=view.present | {"glasses"})
    never = replace(view, factors=own, present=view.present - {"glasses"})
    without = replace(view, factors=other, present=view.present - {"glasses"})
    others = replace(view, factors=other, present=view.present | {"glasses"})
    assert lacking("glasses", [wearing, never, without, others]) == [without]
    assert lacking("hair", [wearing, never, without, others]) == []


def test_the_part_comes_nearer_to_the_renders_and_nothing_else_moves(
    closeup: Closeup, teacher: SSGAN3D, changed_parts
) -> None:
    every = torch.arange(len(closeup.crops.rows))
    crops = closeup.crops.of(every)

    def errors() -> dict[str, float]:
        with torch.no_grad():
            shown = closeup.show(crops, own_codes(closeup, crops))
        terms = closeup.reconstruction(shown, crops)
        whole = losses.weighted(terms, WEIGHTS)
        return {name: float(v) for name, v in (terms | {"whole": whole}).items()}

    before = errors()
    at_full_rates(closeup)
    for _ in range(60):
        closeup.train_step()
    after = errors()
    # rounding, which differs between processors, decides how pixels are traded for edges
    assert after["whole"] < 0.92 * before["whole"]
    assert after["edges"] < 0.75 * before["edges"]
    made = closeup.result()
    assert changed_parts(teacher, made) == {"eyes"}
    renders = made.render_net.state_dict()
    assert all(torch.equal(v, renders[n]) for n, v in teacher.render_net.state_dict().items())
    others = [part for part in range(teacher.mapping.shape.shape[1]) if part != EYES]
    for name in ("keys", "base", "presence"):
        assert torch.equal(getattr(made.mapping, name), getattr(teacher.mapping, name))
    for name in ("shape", "texture"):
        mine, old = getattr(made.mapping, name), getattr(teacher.mapping, name)
        assert torch.equal(mine[:, others], old[:, others])
        assert not torch.equal(mine[:, EYES], old[:, EYES])


def test_parts_of_a_face_learn_together_and_the_skin_keeps_its_form(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor], changed_parts
) -> None:
    names = ("skin", "eyes", "mouth")
    skin, eyes, mouth = (part_index(name) for name in names)
    crops = cut(teacher, *known, [skin, eyes, mouth], each=2)
    options = CloseupOptions(names, pictures=8, rate=0.02, code_rate=0.02)
    closeup = at_full_rates(Closeup(copy.deepcopy(teacher), crops, options))
    every = crops.of(torch.arange(len(crops.rows)))

    def errors(parts: list[int]) -> torch.Tensor:
        seen = copy.copy(closeup)
        with torch.no_grad():
            shown = seen.show(every, own_codes(closeup, every))
            seen.parts = parts
            return seen.reconstruction(shown, every)["image"]

    before = [errors([part]) for part in closeup.parts]
    # each counts as much
    torch.testing.assert_close(errors(closeup.parts), torch.stack(before).mean())
    for _ in range(60):
        closeup.train_step()
    after = [errors([part]) for part in closeup.parts]
    assert all(a < 0.97 * b for a, b in zip(after, before, strict=True))
    made = closeup.result()
    assert changed_parts(teacher, made) == set(names)
    rows, _ = every.people()
    with torch.no_grad():
        old, new = (
            model.generators(m.base[rows], m.shape[rows], m.texture[rows], [skin, eyes])
            for model, m in ((teacher, teacher.mapping), (made, made.mapping))
        )
    assert torch.equal(old[skin].depth, new[skin].depth)
    assert torch.equal(old[skin].density, new[skin].density)
    assert not torch.equal(old[skin].features, new[skin].features)
    assert not torch.equal(old[eyes].depth, new[eyes].depth)


def test_crops_lie_around_the_parts_in_turn(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[torch.Tensor] = []
    corners = Frame.corners

    def noted(self: Frame, share: torch.Tensor, generator: torch.Generator):
        shares.append(share)
        return corners(self, share, generator)

    monkeypatch.setattr(Frame, "corners", noted)
    views, rows = known
    cut(teacher, views, rows, [part_index("skin"), EYES], each=2)
    some = list(range(2))
    portraits = views.data.portrait_of[some]
    mask = views.of(portraits, some, torch.Generator().manual_seed(0)).coarse_mask
    skin, eyes = mask[:, part_index("skin")], mask[:, EYES]
    torch.testing.assert_close(shares[0][:2], torch.stack([skin[0], eyes[1]]))
    torch.testing.assert_close(shares[1][:2], torch.stack([eyes[0], skin[1]]))


def test_fine_structure_stays_while_the_rest_of_a_part_learns(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)  # the new branches
    nose, teacher = part_index("nose"), with_detail(teacher, 2)
    (group,) = (group for group in teacher.generators.groups if nose in group.parts)
    torch.nn.init.normal_(group.detail_head, std=0.3)
    options = CloseupOptions(("nose",), pictures=4, rate=0.01, code_rate=0.01)
    crops = cut(teacher, *known, [nose])

    def changed(weight: float) -> tuple[float, float]:
        """How the error of crops and the amounts of the nose change, as shares of themselves."""
        monkeypatch.setitem(WEIGHTS, "amounts", weight)
        closeup = at_full_rates(Closeup(copy.deepcopy(teacher), crops, options))
        every = torch.arange(len(crops.rows))

        def look() -> tuple[float, torch.Tensor]:
            with torch.no_grad():
                shown = closeup.show(crops.of(every), own_codes(closeup, crops))
            return float(closeup.reconstruction(shown, crops)["image"]), shown.amounts[nose]

        error, amounts = look()
        people, _ = crops.people()
        silence = {nose: [torch.zeros(len(people), len(one)) for one in closeup.spread[nose]]}
        assert torch.equal(amounts, closeup.amounts_before(people, silence)[nose])
        for _ in range(60):
            closeup.train_step()
        later, moved = look()
        return later / error, float((moved - amounts).abs().mean() / amounts.abs().mean())

    error, amounts = changed(WEIGHTS["amounts"])
    assert error < 0.95
    assert amounts < 0.5 * changed(0.0)[1]


def test_larger_parts_learn_the_structure_of_their_renders(
    teacher: SSGAN3D, known: tuple[Views, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amounts come nearer to the energies that are missing, and crops to the renders."""
    monkeypatch.setattr("training.closeup.STRUCTURED", ("skin",))  # balls show little else
    torch.manual_seed(0)  # the new branches
    skin, teacher = part_index("skin"), with_detail(teacher, 2)
    crops = cut(teacher, *known, [skin], structured=[skin])
    assert crops.energy.shape[1] == teacher.config.detail_tiles and crops.structured.any()
    options = CloseupOptions(("skin",), pictures=4, rate=0.02, code_rate=0.02)
    closeup = Closeup(copy.deepcopy(teacher), crops, options)
    every = crops.of(torch.arange(len(crops.rows)))
    # rays without structure of the part, or whose tiles nobody sees, teach nothing
    assert ((every.structured == 0) | (every.structured == 1)).all()

    def errors() -> tuple[float, float]:
        with torch.no_grad():
            shown = closeup.show(every, own_codes(closeup, every))
        apart = distance(shown.given, every.energy, every.structured[:, None])
        return float(closeup.reconstruction(shown, every)["image"]), float(apart)

    before = errors()
    at_full_rates(closeup)
    for _ in range(60):
        said = closeup.train_step()
    after = errors()
    assert "amounts" not in said and "energies" in said
    assert after[0] < 0.95 * before[0]
    assert after[1] < before[1] - 0.05


def test_edges_may_be_a_pixel_off_and_not_soft() -> None:
    def step(at: int, width: int) -> torch.Tensor:
        """From 0 to 1 across ``width`` pixels."""
        line = ((torch.arange(24) - at) / width).clamp(0, 1)
        return line.expand(1, 3, 24, 24)

    sharp, moved, soft = (edge_strength(step(*edge)) for edge in ((11, 1), (12, 1), (10, 4)))
    inside = (..., slice(4, -4), slice(10, 12))  # within two pixels of all three
    assert torch.equal(sharp[inside], moved[inside])
    # a window of five pixels: √(1 / 5), against four steps of a quarter
    torch.testing.assert_close(sharp[inside], torch.full_like(sharp[inside], 0.2 + 4e-4) ** 0.5)
    assert (soft[inside] < 0.55 * sharp[inside]).all()


def test_the_discriminator_sees_nothing_else() -> None:
    mask = torch.zeros(1, PART_COUNT, 16, 16)
    mask[:, part_index("skin")] = 1
    mask[0, :, 8, 8] = 0
    mask[0, EYES, 8, 8] = 1
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    other, relabelled = image.clone(), mask.clone()
    other[..., :10] = 0.3  # three and more cells away
    relabelled[:, part_index("skin"), :, :5] = 0
    relabelled[:, part_index("hair"), :, :5] = 1
    seen, same = alone(image, mask, [EYES]), alone(other, relabelled, [EYES])
    assert torch.equal(seen.image, same.image) and torch.equal(seen.mask, same.mask)
    assert torch.equal(seen.image[..., 15:19, 15:19], image[..., 15:19, 15:19])
    assert torch.equal(seen.mask.sum(1), torch.ones(1, 16, 16))


def test_a_discriminator_says_what_looks_alike_and_stays_as_it_is(closeup: Closeup) -> None:
    torch.manual_seed(0)
    judge = Discriminator()
    before = copy.deepcopy(judge.state_dict())
    matching = Closeup(closeup.model, closeup.crops, closeup.options, judge)
    crops = matching.crops.of(torch.arange(3))
    with torch.no_grad(), float32_only():
        shown = matching.show(crops, own_codes(matching, crops))
        render = replace(
            shown,
            smooth=crops.image.float() / 127.5 - 1,
            mask_logits=crops.mask.float().clamp_min(1e-6).log(),
        )
        assert float(matching.mismatch(judge, render, crops)) < 1e-3
        assert float(matching.mismatch(judge, shown, crops)) > 0.1
    assert "matching" in matching.train_step() and "matching" not in closeup.train_step()
    assert all(torch.equal(value, judge.state_dict()[name]) for name, value in before.items())


def test_the_command_says_what_it_did(mixing: Path, balls: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    common = ["--data", str(balls), "--pictures", "2", "--threads", "1"]
    judge = tmp_path / "judge.safetensors"
    write_discriminator(judge, Discriminator().state_dict(), 0.2)
    arguments = ["--weights", str(mixing), "--out", str(first), "--steps", "2", *common]
    assert main(["closeup", *arguments, "--discriminator", str(judge)]) == 0
    arguments = ["--weights", str(first), "--out", str(second), "--steps", "1", *common]
    assert main(["closeup", *arguments, "--parts", "mouth", "nose"]) == 0
    _, info = load_checkpoint(second)
    assert [(once["parts"], once["steps"]) for once in info["close-ups"]] == [
        (["eyes"], 2),
        (["mouth", "nose"], 1),
    ]
    assert info["people"] == load_checkpoint(mixing)[1]["people"]


def test_specks_vary_more_than_a_whole_of_the_same_area():
    """Four texels of a map of 36: an outline of 8 in one square, of 4 around each speck."""
    whole, specks = torch.zeros(2, 1, 6, 6)
    whole[0, 2:4, 2:4] = 1
    specks[0, 1::3, 1::3] = 1
    assert float(total_variation(whole)) == pytest.approx(8 / 36)
    assert float(total_variation(specks)) == pytest.approx(16 / 36)
    assert float(total_variation(whole * 0.5)) == pytest.approx(4 / 36)


def test_a_shell_hides_what_its_density_says():
    config = ModelConfig()
    depth = torch.linspace(-1, 1, 20001, dtype=torch.float64)  # through a shell at 0
    sigma = 0.2 * config.density_scale * torch.exp(-config.shell_alpha * depth**2)
    hidden = 1 - torch.exp(-torch.trapezoid(sigma, depth))
    assert float(opacity(torch.tensor(0.2), config)) == pytest.approx(float(hidden), abs=1e-6)


def test_only_people_who_were_seen_lend_what_was_taught(
    mixing: Path, balls: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "some", tmp_path / "out.safetensors"
    shutil.copytree(balls, data)
    before, info = load_checkpoint(mixing)
    rows = (data / "views.jsonl").read_text().splitlines(keepends=True)
    shown = [row for row in rows if json.loads(row)["identity"] in info["people"][:2]]
    (data / "views.jsonl").write_text("".join(shown))
    command = ["closeup", "--weights", str(mixing), "--data", str(data), "--out", str(out)]
    assert main([*command, "--parts", "eyes", "--steps", "1", "--only-seen"]) == 0
    after = load_checkpoint(out)[0]
    assert not bool(after.mapping.presence[2:, EYES].any())
    assert bool(after.mapping.presence[:2, EYES].all())
    others = [part for part in range(PART_COUNT) if part != EYES]
    assert torch.equal(after.mapping.presence[:, others], before.mapping.presence[:, others])


def test_without_fine_structure_there_is_none_to_learn(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--weights", str(mixing), "--data", str(balls), "--out", str(tmp_path / "skin")]
    assert main(["closeup", *arguments, "--parts", "skin", "--structure-only"]) == 1
    assert "training detail" in capsys.readouterr().err
    assert not (tmp_path / "skin").exists()
