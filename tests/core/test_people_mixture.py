"""Portraits mixed from training portraits' codes."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.config import ModelConfig
from core.model import SSGAN3D
from core.parts import BACKGROUND, PART_COUNT, part_index
from core.people_mixture import (
    FACE_PARTS,
    FACE_SHARPNESS,
    SHARPNESS,
    TOGETHER,
    PeopleMixture,
)

CONFIG = replace(ModelConfig.tiny(), people=4)
SKIN, HAIR, GLASSES = (part_index(name) for name in ("skin", "hair", "glasses"))


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
    z[0, 0] = math.log(3) / FACE_SHARPNESS  # odds of 3 : 1 for the first
    base, shape, texture, _ = mixture(z)
    assert base[0].tolist() == pytest.approx([0.75 * 1 + 0.25 * 2] * CONFIG.base_dim)
    for codes in (shape, texture):
        assert codes[0, SKIN].tolist() == pytest.approx([1.25] * CONFIG.code_dim)
        odds = 3 ** (SHARPNESS / FACE_SHARPNESS * math.sqrt(TOGETHER))
        assert float(codes[0, HAIR, 0]) == pytest.approx((odds + 2) / (odds + 1))


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


def test_a_face_is_one_blend_and_what_it_wears_is_of_others_like_it() -> None:
    base, shape, texture, _ = mixture_of(100, z_dim=128)(draws(2000, 128))
    face = [part_index(name) for name in FACE_PARTS]
    for codes in (shape, texture):
        torch.testing.assert_close(codes[:, face, 0], base[:, :1].expand(-1, len(face)))
    rest = [part for part in range(PART_COUNT) if part not in face]
    numbers = torch.cat([base[:, :1], shape[:, rest, 0]], 1).T  # (1 + rest, B)
    alike = torch.corrcoef(numbers)
    pairs = alike[~torch.eye(1 + len(rest)).bool()]
    assert 0.1 < float(pairs.min())
    assert float(pairs.max()) < 0.8


def test_models_of_before_have_the_papers_network() -> None:
    values = ModelConfig.tiny().to_dict()
    del values["people"]
    assert ModelConfig.from_dict(values) == ModelConfig.tiny()
    assert isinstance(SSGAN3D(CONFIG).mapping, PeopleMixture)
    assert not isinstance(SSGAN3D(ModelConfig.tiny()).mapping, PeopleMixture)
    with pytest.raises(ValueError, match="-1 people"):
        replace(CONFIG, people=-1)
