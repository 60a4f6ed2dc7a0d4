"""Portraits mixed from training portraits' codes."""

import math
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch import Tensor

from core.config import ModelConfig
from core.model import SSGAN3D
from core.parts import BACKGROUND, PART_COUNT, PART_NAMES, part_index
from core.people_mixture import FACE_PARTS, SHARPNESS, PeopleMixture

CONFIG = replace(ModelConfig.tiny(), people=4)
SKIN, HAIR, GLASSES, HAT = (part_index(name) for name in ("skin", "hair", "glasses", "hat"))


def mixture_of(people: int, slots: int = 0, z_dim: int = CONFIG.z_dim) -> PeopleMixture:
    """People whose codes are their number, and whose keys are unit vectors of chance."""
    mixture = PeopleMixture(replace(CONFIG, people=slots or people, z_dim=z_dim))
    generator = torch.Generator().manual_seed(0)
    keys = torch.randn(people, z_dim, generator=generator)
    mixture.keys[:people] = torch.nn.functional.normalize(keys, dim=1)
    for codes in (mixture.base, mixture.shape, mixture.texture):
        numbers = torch.arange(1.0, people + 1).view(-1, *[1] * (codes.ndim - 1))
        codes[:people] = numbers.expand(-1, *codes.shape[1:])
    mixture.presence[:people] = 1
    return mixture


def draws(count: int, z_dim: int = CONFIG.z_dim) -> Tensor:
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(1))


def test_base_is_the_softmax_of_the_inner_products_with_the_keys() -> None:
    mixture = mixture_of(2)
    mixture.keys.zero_()
    mixture.keys[0, 0] = mixture.keys[1, 1] = 1
    z = torch.zeros(1, CONFIG.z_dim)
    z[0, 0] = math.log(3) / SHARPNESS  # odds of 3 : 1 for the first
    base, shape, texture, _ = mixture(z)
    assert base[0, SKIN].tolist() == pytest.approx([0.75 * 1 + 0.25 * 2] * CONFIG.base_dim)
    for codes in (shape, texture):
        assert codes[0, SKIN].tolist() == pytest.approx([1.25] * CONFIG.code_dim)
        assert float(codes[0, HAIR, 0]) == 1  # of the two, whoever is on the face's side


def test_a_face_is_its_blend_of_people_and_of_nobody_else() -> None:
    mixture = mixture_of(3, slots=5)
    z = draws(50)
    blend = mixture.face_blend(z)  # (B, 5)
    assert torch.allclose(blend.sum(1), torch.ones(50)) and float(blend[:, 3:].max()) == 0
    codes = mixture(z)[0][:, SKIN, 0]
    assert torch.allclose(blend[:, :3] @ torch.arange(1.0, 4), codes, atol=1e-5)


def test_codes_lie_between_those_of_people() -> None:
    mixture = mixture_of(4)
    for codes in mixture(draws(200))[:3]:
        assert 1 <= float(codes.min()) < 1.5
        assert 3.5 < float(codes.max()) <= 4


def test_who_lacks_a_part_lends_none() -> None:
    mixture = mixture_of(4)
    mixture.presence[:3, HAIR] = 0
    _, shape, texture, score = mixture(draws(200))
    assert shape[:, HAIR].unique().tolist() == texture[:, HAIR].unique().tolist() == [4]
    assert 0.1 < float((score[:, HAIR] > 0).float().mean()) < 0.4  # one person in four has it


def test_who_lends_no_skin_is_nobodys_face_and_still_lends_hair() -> None:
    mixture = mixture_of(6)
    mixture.presence[4:, [part_index(name) for name in FACE_PARTS]] = 0
    z = draws(300)
    assert float(mixture.face_blend(z)[:, 4:].max()) == 0
    base, shape, texture, score = mixture(z)
    for codes in (base, shape, texture):
        for name in FACE_PARTS:
            assert float(codes[:, part_index(name)].max()) <= 4
        assert float(codes[:, HAIR].max()) > 5
    assert bool((score[:, SKIN] > 0).all())


def test_parts_are_as_common_as_among_the_people() -> None:
    mixture = mixture_of(200, z_dim=128)
    mixture.presence[:, GLASSES] = (torch.arange(200) % 10 < 3).float()
    mixture.presence[0] = 1
    score = mixture(draws(4000, 128))[3]
    assert float((score[:, GLASSES] > 0).float().mean()) == pytest.approx(0.3, abs=0.06)
    assert bool((score[:, [BACKGROUND, SKIN]] > 0).all())


def test_a_part_that_nobody_has_is_not_there_and_finite() -> None:
    mixture = mixture_of(4)
    mixture.presence[:, GLASSES] = 0
    outputs = mixture(draws(10))
    assert all(bool(values.isfinite().all()) for values in outputs)
    assert not bool((outputs[3][:, GLASSES] > 0).any())


def test_empty_slots_change_nothing() -> None:
    z = draws(20)
    for full, roomy in zip(mixture_of(4)(z), mixture_of(4, slots=9)(z), strict=True):
        torch.testing.assert_close(full, roomy)


def test_a_face_is_one_blend() -> None:
    base, shape, texture, _ = mixture_of(100, z_dim=128)(draws(2000, 128))
    face = [part_index(name) for name in FACE_PARTS]
    blend = base[:, SKIN, :1].expand(-1, len(face))
    for codes in (base, shape, texture):
        torch.testing.assert_close(codes[:, face, 0], blend)


def test_hair_clothes_hat_and_background_bring_w_base_of_whom_they_are_from() -> None:
    base, shape, _, _ = mixture_of(100, z_dim=128)(draws(500, 128))
    brought = {
        PART_NAMES[part]
        for part in range(PART_COUNT)
        if torch.allclose(base[:, part, 0], shape[:, part, 0])  # a person's codes are one number
    }
    assert brought == {"background", "hair", "clothes", "hat", *FACE_PARTS}
    glasses, skin = base[:, GLASSES], base[:, SKIN]
    assert torch.equal(glasses, skin) and not torch.allclose(base[:, HAIR], skin)


def test_what_a_face_wears_is_of_others_like_it() -> None:
    mixture = mixture_of(300, z_dim=128)
    generator = torch.Generator().manual_seed(2)
    heads = torch.randn(300, CONFIG.base_dim, generator=generator)
    mixture.base[:] = heads
    mixture.shape[:, SKIN] = mixture.texture[:, SKIN] = 0
    mixture.presence[:, HAT] = 0  # a hat would bring its own hair
    base, shape, texture, _ = mixture(draws(500, 128))
    rest = [part for part in range(PART_COUNT) if PART_NAMES[part] not in (*FACE_PARTS, "hat")]
    torch.testing.assert_close(shape[:, rest, 0], texture[:, rest, 0])  # both from one person
    owners = shape[:, rest, 0].round().long() - 1  # (B, parts): who lends each
    apart = heads - heads.mean(0)
    head = base[:, SKIN]
    cosines = torch.cosine_similarity(head[:, None] - heads.mean(0), apart[owners], dim=-1)
    chance = torch.cosine_similarity(apart[:, None], apart[None], dim=-1)
    assert float(cosines.mean()) > 1.5 * float(chance.std())
    face = (head[:, None] - heads).square().sum(-1).argmin(1)  # (B,): whose face it mostly is
    assert float((owners == face[:, None]).float().mean()) < 0.4  # mostly of other people
    for one, other in combinations(range(len(rest)), 2):  # and not all of one other
        assert float((owners[:, one] == owners[:, other]).float().mean()) < 0.4


def test_hair_beneath_a_hat_is_of_whom_the_hat_is_from() -> None:
    mixture = mixture_of(100, z_dim=128)
    mixture.presence[:, HAT] = (torch.arange(100) < 30).float()
    _, shape, _, score = mixture(draws(500, 128))
    hatted = score[:, HAT] > 0
    assert 50 < int(hatted.sum()) < 300
    torch.testing.assert_close(shape[hatted, HAIR], shape[hatted, HAT])
    assert float(shape[hatted, HAIR, 0].max()) <= 30 < 31 <= float(shape[~hatted, HAIR, 0].min())


def test_models_of_before_have_the_papers_network() -> None:
    values = ModelConfig.tiny().to_dict()
    del values["people"]
    assert ModelConfig.from_dict(values) == ModelConfig.tiny()
    assert isinstance(SSGAN3D(CONFIG).mapping, PeopleMixture)
    assert not isinstance(SSGAN3D(ModelConfig.tiny()).mapping, PeopleMixture)
    with pytest.raises(ValueError, match="-1 people"):
        replace(CONFIG, people=-1)


def test_what_people_lend_of_a_part_is_what_is_mixed() -> None:
    mixture = mixture_of(5, slots=6)
    mixture.presence[1, PART_NAMES.index("ears")] = 0
    mixture.presence[2] = 0
    z = draws(20)
    weights = mixture.choose(z)[1]
    for part in range(PART_COUNT):
        torch.testing.assert_close(mixture.lent(z, part), weights[:, part])
