from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.config import ModelConfig
from core.model import SSGAN3D
from core.parts import BACKGROUND, FACE_BASE, PART_COUNT, part_index
from training.codes import (
    CELLS,
    CodeBasis,
    Descriptors,
    FactorIndex,
    PrincipalComponents,
    axis_signs,
    describe,
)
from training.data import PortraitSet, read_views
from training.fit_mapping import fit_mapping

CONFIG = ModelConfig.tiny()


@pytest.fixture(scope="module")
def data(balls: Path) -> PortraitSet:
    return PortraitSet(read_views([balls]))


@pytest.fixture(scope="module")
def descriptors(data: PortraitSet) -> Descriptors:
    return describe(data, data.identities, CONFIG)


@pytest.fixture(scope="module")
def presence(data: PortraitSet) -> torch.Tensor:
    return data.presence([group[0] for group in data.identities])


def test_siblings_share_all_rows_but_that_of_the_resampled_part(data: PortraitSet) -> None:
    index = FactorIndex.build([data.views[group[0]] for group in data.identities])
    first, sibling = 0, 5
    assert index.base_rows[first] == index.base_rows[sibling]
    differ = (index.part_rows[first] != index.part_rows[sibling]).nonzero().flatten().tolist()
    assert differ == [part_index("hair")]
    assert len(set(index.base_rows.tolist())) == 5
    # no row serves two parts
    assert len(index.names[1]) == 5 * PART_COUNT + 1


def test_a_shared_row_starts_at_the_mean(data: PortraitSet) -> None:
    index = FactorIndex.build([data.views[group[0]] for group in data.identities])
    base = torch.arange(6.0)[:, None].expand(-1, CONFIG.base_dim)
    codes = torch.arange(6.0)[:, None, None].expand(-1, PART_COUNT, CONFIG.code_dim)
    book = index.average(base, codes, codes * 2)
    own = book(index.base_rows, index.part_rows)
    assert own[0][:, 0].tolist() == [2.5, 1, 2, 3, 4, 2.5]  # 0 and 5 share it
    hair, eyes = part_index("hair"), part_index("eyes")
    assert own[1][:, hair, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert own[2][:, eyes, 0].tolist() == [5, 2, 4, 6, 8, 5]


def test_components_have_the_promised_spectrum() -> None:
    # two orthogonal directions with standard deviations 4 and 1
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    rows = signs * torch.tensor([4.0, 1.0]) + torch.tensor([10.0, -3.0])
    pca = PrincipalComponents.fit(rows, size=3)
    codes = pca.encode(rows)
    deviation = codes.std(0)
    assert float(deviation[0]) == pytest.approx(1.0, rel=1e-4)
    assert float(deviation[1]) == pytest.approx((1 / 16) ** 0.35, rel=1e-4)
    assert codes[:, 2].abs().max() == 0  # the data has two dimensions
    torch.testing.assert_close(pca.encode(rows.mean(0, keepdim=True)), torch.zeros(1, 3))


def test_describes_where_parts_are(descriptors: Descriptors) -> None:
    hair, mouth = part_index("hair"), part_index("mouth")
    grid = descriptors.where[0, hair].unflatten(0, (16, 16))
    assert grid[:7].nanmean() > grid[9:].nanmean()  # hair is above, and row 0 is the top
    assert 0 < float(descriptors.where[0, mouth].nanmean()) < 1
    known = descriptors.depth[0, mouth]
    # the mouth lies on the ball's front, z between 0.5 and 0.7
    assert 0.5 < float(known.nanmean()) < 0.7


def test_codes_are_centred_tell_people_apart_and_survive_the_file(
    descriptors: Descriptors, presence: torch.Tensor, tmp_path: Path
) -> None:
    basis = CodeBasis.fit(descriptors, presence, CONFIG)
    base, shape, texture = basis.encode(descriptors)
    assert base.shape == (6, CONFIG.base_dim)
    assert shape.shape == texture.shape == (6, PART_COUNT, CONFIG.code_dim)
    torch.testing.assert_close(base.mean(0), torch.zeros(CONFIG.base_dim), atol=1e-4, rtol=0)
    assert float(base.std(0)[0]) == pytest.approx(1.0, rel=1e-3)
    # the sibling has the same face below its hair
    assert (base[0] - base[5]).norm() < 0.5 * (base[0] - base[1]).norm()
    basis.save(tmp_path / "basis.safetensors")
    again = CodeBasis.load(tmp_path / "basis.safetensors").encode(descriptors)
    for before, after in zip((base, shape, texture), again, strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_linear_models_start_at_the_described_parts(
    descriptors: Descriptors, presence: torch.Tensor
) -> None:
    basis = CodeBasis.fit(descriptors, presence, CONFIG)
    codes = basis.encode(descriptors)
    model = SSGAN3D(CONFIG)
    basis.initialise(model, descriptors, presence, codes)
    with torch.no_grad():
        maps = model.part_maps(*codes)
    mouth = maps[part_index("mouth")]
    grid = descriptors.where[0, part_index("mouth")].unflatten(0, (16, 16))
    there = torch.nn.functional.adaptive_avg_pool2d(grid.nan_to_num()[None], 4)[0]
    dense = torch.nn.functional.adaptive_avg_pool2d(mouth.density[:1], 4)[0]
    assert dense.flatten()[there.argmax()] > 3 * dense.flatten()[there.argmin()]


def test_mapping_gives_the_codes_mean_spread_and_prevalence() -> None:
    generator = torch.Generator().manual_seed(0)
    count = 400
    hidden = torch.randn(count, 2, generator=generator)
    base = hidden @ torch.randn(2, CONFIG.base_dim, generator=generator) + 0.5
    mixing = torch.randn(2, PART_COUNT * CONFIG.code_dim, generator=generator)
    shape = (hidden @ mixing).unflatten(1, (PART_COUNT, -1))
    presence = torch.ones(count, PART_COUNT).bool()
    glasses = part_index("glasses")
    presence[:, glasses] = torch.arange(count) % 10 < 3
    model = SSGAN3D(CONFIG)
    fit_mapping(model, (base, shape, -shape), presence)
    with torch.no_grad():
        z = torch.randn(4000, CONFIG.z_dim, generator=generator)
        own_base, own_shape, own_texture, score = model.mapping(z)
        own_base = own_base[:, FACE_BASE]
    torch.testing.assert_close(own_base.mean(0), base.mean(0), atol=0.12, rtol=0)
    torch.testing.assert_close(own_base.std(0), base.std(0), atol=0.05, rtol=0.1)
    skin = part_index("skin")
    torch.testing.assert_close(own_shape[:, skin], -own_texture[:, skin], atol=1e-3, rtol=0)
    there = (score > 0).float().mean(0)
    assert float(there[glasses]) == pytest.approx(0.3, abs=0.05)
    assert float(there[BACKGROUND]) == float(there[skin]) == 1.0


def test_a_seed_names_the_same_person_whatever_the_decomposition_does() -> None:
    generator = torch.Generator().manual_seed(1)
    base = torch.randn(30, CONFIG.base_dim, generator=generator)
    shape = torch.randn(30, PART_COUNT, CONFIG.code_dim, generator=generator)
    presence = torch.ones(30, PART_COUNT).bool()
    z = torch.randn(5, CONFIG.z_dim, generator=generator)
    seen = []
    for order in (torch.arange(30), torch.arange(30).flip(0), torch.randperm(30)):
        model = SSGAN3D(CONFIG)
        fit_mapping(model, (base[order], shape[order], shape[order]), presence)
        with torch.no_grad():
            seen.append(model.mapping(z)[0])
    for other in seen[1:]:
        torch.testing.assert_close(other, seen[0], atol=1e-3, rtol=0)


def test_largest_entries_of_axes_are_positive() -> None:
    axes = torch.tensor([[0.1, -0.9, 0.2], [0.5, 0.4, -0.3]])
    assert axis_signs(axes).tolist() == [-1, 1]
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(2))
    first, mirrored = (PrincipalComponents.fit(r, 3).axes for r in (rows, -rows))
    torch.testing.assert_close(first, mirrored, atol=1e-4, rtol=1e-4)


def test_long_hair_put_on_someone_of_the_short_haired_kind_stays_long() -> None:
    """Dark faces all have short hair here, and pale ones long: hair must still be its own."""
    generator = torch.Generator().manual_seed(0)
    people, cells, hair = 40, CELLS**2, part_index("hair")
    long = torch.arange(people) % 2 == 0
    where = torch.rand(people, PART_COUNT, cells, generator=generator) * 0.1 + 0.4
    where[:, hair] = 0.05 * torch.rand(people, cells, generator=generator)
    where[:, hair, : cells // 2] += 0.9
    where[:, hair, cells // 2 :] += 0.9 * long[:, None]
    depth = 0.02 * torch.randn(people, PART_COUNT, cells, generator=generator)
    color = 0.02 * torch.randn(people, PART_COUNT, cells, 3, generator=generator)
    color = color + torch.where(long, 0.5, -0.5)[:, None, None, None]
    described, presence = Descriptors(where, depth, color), torch.ones(people, PART_COUNT).bool()
    basis = CodeBasis.fit(described, presence, CONFIG)
    base, shape, texture = basis.encode(described)
    model = SSGAN3D(CONFIG)
    basis.initialise(model, described, presence, (base, shape, texture))

    swapped = shape[1:2].clone()
    swapped[:, hair] = shape[0, hair]
    with torch.no_grad():
        for group in model.generators.groups:  # what the linear models alone say
            for name, parameter in group.named_parameters():
                if not name.endswith("_basis"):
                    parameter.zero_()
        density = [
            model.part_maps(base[i : i + 1], codes, texture[i : i + 1])[hair].density
            for i, codes in ((0, shape[:1]), (1, shape[1:2]), (1, swapped))
        ]
    lower = [float(d[..., d.shape[-2] // 2 + 2 :, :].mean()) for d in density]
    assert lower[0] > 3 * lower[1]
    assert abs(lower[2] - lower[0]) < 0.1 * (lower[0] - lower[1])


def test_siblings_do_not_make_parts_rarer() -> None:
    """Half of these were rendered a second time without hair: random portraits keep theirs."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(60, CONFIG.base_dim, generator=generator)
    shape = torch.randn(60, PART_COUNT, CONFIG.code_dim, generator=generator)
    presence, hair = torch.ones(60, PART_COUNT).bool(), part_index("hair")
    usual = torch.arange(60) < 40
    presence[40:, hair] = False
    presence[:4, hair] = False
    model = SSGAN3D(CONFIG)
    fit_mapping(model, (base, shape, shape), presence, usual)
    with torch.no_grad():
        z = torch.randn(4000, CONFIG.z_dim, generator=generator)
        there = (model.mapping(z)[3] > 0).float().mean(0)
    assert float(there[hair]) == pytest.approx(0.9, abs=0.04)


def test_the_mixture_knows_the_usual_people_and_keeps_their_keys() -> None:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(9, CONFIG.base_dim, generator=generator)
    shape = torch.randn(9, PART_COUNT, CONFIG.code_dim, generator=generator)
    presence = torch.ones(9, PART_COUNT).bool()
    presence[0, part_index("hair")] = False
    usual = torch.arange(9) != 2  # a sibling
    mixtures = []
    for count in (6, 9):
        model = SSGAN3D(replace(CONFIG, people=8))
        some = slice(0, count)
        fit_mapping(model, (base[some], shape[some], -shape[some]), presence[some], usual[some])
        mixtures.append(model.mapping)
    few, more = mixtures
    torch.testing.assert_close(few.base[:5], base[[0, 1, 3, 4, 5]])
    torch.testing.assert_close(few.texture[:5], -shape[[0, 1, 3, 4, 5]])
    assert few.presence[:5].tolist() == presence[[0, 1, 3, 4, 5]].float().tolist()
    assert not few.presence[5:].any()  # empty slots
    torch.testing.assert_close(more.keys[:5], few.keys[:5])
    torch.testing.assert_close(more.keys.norm(dim=1), torch.ones(8))
    small = SSGAN3D(replace(CONFIG, people=3))  # too many: some of them, evenly spread
    fit_mapping(small, (base, shape, shape), presence)
    torch.testing.assert_close(small.mapping.base, base[[0, 4, 8]])
