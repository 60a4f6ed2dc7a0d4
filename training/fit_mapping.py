"""From z to codes, set in closed form from the codes of training portraits."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from core.mapping import ALWAYS, MappingNetwork
from core.model import SSGAN3D
from core.parts import PART_COUNT, PARTS
from core.people_mixture import PeopleMixture
from training.codes import Codes, axis_signs

MAX_STRETCH = 2.0
"""Most by which the components in z are enlarged to make up for those that are not."""


def fit_mapping(
    model: SSGAN3D,
    codes: Codes,
    presence: Tensor,
    usual: Tensor | None = None,
    seed: int = 0,
) -> None:
    """Make z ~ N(0, 1) give portraits like the data's, with parts as often as there.

    Args:
        codes: base (P, base_dim), shape and texture (P, K, code_dim).
        presence: (P, K) bool.
        usual: (P,) bool, portraits that say how common a part is: siblings are made with and
            without it for the sake of teaching. None, or none of them, counts all.
    """
    if isinstance(model.mapping, PeopleMixture):
        _fill_mixture(model.mapping, codes, presence, usual, seed)
    else:
        _fit_gaussian(model.mapping, codes, presence, usual, seed)


def mixed_people(usual: Tensor, slots: int) -> Tensor:
    """Which of P portraits a mixture takes: the usual ones, evenly spread if they are too many.

    Args:
        usual: (P,) bool; none of them means all.
        slots: how many people the mixture holds at most.

    Returns:
        (S,) their numbers, in the order of the mixture's rows.
    """
    people = torch.arange(len(usual))
    if usual.any():
        people = people[usual]
    if len(people) > slots:
        people = people[torch.linspace(0, len(people) - 1, slots).long()]
    return people


def _fill_mixture(
    mixture: PeopleMixture, codes: Codes, presence: Tensor, usual: Tensor | None, seed: int
) -> None:
    """Let the mixture choose among the usual portraits."""
    everyone = torch.ones(len(presence), dtype=torch.bool)
    people = mixed_people(everyone if usual is None else usual, mixture.config.people)
    generator = torch.Generator().manual_seed(seed)
    # drawn one by one, so that people who come later leave the others their keys
    keys = [torch.randn(mixture.config.z_dim, generator=generator) for _ in people]
    rows = (F.normalize(torch.stack(keys), dim=1), *(t[people] for t in (*codes, presence)))
    names = ("keys", "base", "shape", "texture", "presence")
    with torch.no_grad():
        for name, values in zip(names, rows, strict=True):
            target = getattr(mixture, name).zero_()
            target[: len(people)] = values.detach().to(target)


def _fit_gaussian(
    mapping: MappingNetwork,
    codes: Codes,
    presence: Tensor,
    usual: Tensor | None,
    seed: int,
) -> None:
    """Make the network linear: z gives the joint Gaussian of the codes.

    Each entry has the data's variance. Codes of all parts are drawn together, so that hair goes
    with brows and a nose with its face. The last K entries of z decide presence, together with what
    the codes say about it (women wear earrings more often): a liability model, thresholded so that
    the prevalence is the data's.
    """
    base, shape, texture = (t.detach().cpu().clone() for t in codes)
    generator = torch.Generator().manual_seed(seed)
    count = len(base)
    for part in range(PART_COUNT):
        have = presence[:, part].nonzero()[:, 0]
        lack = (~presence[:, part]).nonzero()[:, 0]
        if len(have) and len(lack):  # a part that is not there has no code: borrow one that is
            donors = have[torch.randint(len(have), (len(lack),), generator=generator)]
            shape[lack, part], texture[lack, part] = shape[donors, part], texture[donors, part]
    rows = torch.cat([base, shape.flatten(1), texture.flatten(1)], 1)  # (P, D)
    mean = rows.mean(0)
    left, values, axes = torch.linalg.svd(rows - mean, full_matrices=False)
    signs = axis_signs(axes)  # settled, so that a seed names the same person after every fit
    left, axes = left * signs, axes * signs[:, None]
    rank = min(mapping.config.z_dim - PART_COUNT, int((values > values[0] * 1e-4).sum()))
    factors = values[:rank, None] * axes[:rank] / math.sqrt(max(count - 1, 1))  # (rank, D)
    scores = left[:, :rank] * math.sqrt(max(count - 1, 1))  # (P, rank), unit variance
    linear = torch.zeros_like(mapping.linear.weight, device="cpu")
    bias = torch.zeros_like(mapping.head.bias, device="cpu")
    codes_end = rows.shape[1]
    # the components that do not fit into z would be missing from every portrait: all in grey
    kept = factors.square().sum(0).sqrt().clamp_min(1e-6)
    stretch = (rows.std(0) / kept).clamp(1.0, MAX_STRETCH)
    linear[:codes_end, :rank], bias[:codes_end] = (factors * stretch).T, mean
    counted = presence if usual is None or not usual.any() else presence[usual]
    for part, spec in enumerate(PARTS):
        row = codes_end + part
        prevalence = float(counted[:, part].float().mean())
        if not spec.optional or prevalence >= 1:
            bias[row] = ALWAYS
            continue
        known = presence[:, part].float() - prevalence
        spread = math.sqrt(max(prevalence * (1 - prevalence), 1e-6))
        # correlation with each score, shrunk: with few portraits most of it is chance
        correlation = (scores * known[:, None]).mean(0) / spread
        chance = 1 / math.sqrt(count)
        correlation = correlation.sign() * (correlation.abs() - 2 * chance).clamp_min(0)
        explained = min(float(correlation.square().sum()), 0.9)
        scale = math.sqrt(explained) / max(float(correlation.norm()), 1e-9)
        linear[row, :rank] = correlation * scale
        linear[row, mapping.config.z_dim - PART_COUNT + part] = math.sqrt(1 - explained)
        safe = min(max(prevalence, 1e-4), 1 - 1e-4)
        bias[row] = math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * safe - 1)))
    with torch.no_grad():
        mapping.linear.weight.copy_(linear)
        mapping.head.weight.zero_()
        mapping.head.bias.copy_(bias)
