"""Principal components of maps that are known in part (:mod:`core.components`).

Few people are seen from all sides. So a map says how far it is known, and components are those of
what is known: the rest is filled with what they make of it, and they are computed again (an
iteration for principal components with missing values: Wiberg 1976; Kiers 1997).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
from torch import Tensor

from core.components import MOST, EigenMaps
from core.errors import PortraitError
from training.drawn_people import add_people_arguments

FILLINGS = 6
"""Rounds of filling what is not known of the maps."""


def principal(maps: Tensor, known: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of rows that are known in part.

    Args:
        maps: (n, D).
        known: how far, in [0, 1], (n, D).
        count: at most n.

    Returns:
        The mean (D,), components (count, D), orthogonal, the largest first, and how much of each
        the rows have, (n, count).
    """
    mean = (known * maps).sum(0) / known.sum(0).clamp_min(1)
    there = known * (maps - mean)
    filled = there
    for round_ in range(FILLINGS + 1):
        _, vectors = torch.linalg.eigh(filled @ filled.T)
        amounts = vectors[:, -count:].flip(1)
        components = amounts.T @ filled
        if round_ < FILLINGS:
            filled = there + (1 - known) * (amounts @ components)
    return mean, components, amounts


def likely(maps: Tensor, known: Tensor, components: Tensor, noise: float) -> Tensor:
    """How much of each component rows have that are known in part, most likely: (n, N).

    As of probabilistic principal components (Tipping and Bishop 1999): who is seen from one side
    has, on the other, what most have who look alike, and not what would be needed to explain the
    last of that side.

    Args:
        maps: less their mean, (n, D).
        known: how far, in [0, 1], (n, D).
        components: (N, D), of which amounts have a mean square of 1 / n.
        noise: variance of what they do not hold.
    """
    found = maps.new_empty(len(maps), len(components))
    prior = len(maps) * max(noise, 1e-12) * torch.eye(len(components))
    for row, (own, trust) in enumerate(zip(maps, known, strict=True)):
        weighted = components * trust
        found[row] = torch.linalg.solve(weighted @ components.T + prior, weighted @ own)
    return found


@dataclass(frozen=True)
class Kept:
    """Components as a model keeps them.

    Attributes:
        rows: of the people who have any, (n,).
        planes: the mean, then N components, (N + 1, D) int8.
        steps: what 1 means in each of them, (N + 1,).
        amounts: how much of each component these people have, (n, N) float32.
        held: the share of the energy of what is known that all of that holds.
    """

    rows: Tensor
    planes: Tensor
    steps: Tensor
    amounts: Tensor
    held: float

    def put_into(self, maps: EigenMaps) -> None:
        """Give a model's people what was found."""
        maps.amounts[self.rows] = self.amounts
        maps.planes.copy_(self.planes.reshape(maps.planes.shape))
        maps.steps.copy_(self.steps)


def kept(maps: Tensor, known: Tensor, count: int) -> Kept:
    """Components of people's maps, whoever has been seen.

    Args:
        maps, known: as for :func:`principal`, of all people, (S, D).
        count: of components.

    Raises:
        PortraitError: there are not so many people.
    """
    rows = (known.amax(1) > 0).nonzero()[:, 0]
    if not 0 < count <= len(rows):
        raise PortraitError(
            f"{len(rows)} people have been seen: they have 1 to {len(rows)} components, "
            f"not {count}."
        )
    maps, known = maps[rows], known[rows]
    mean, components, amounts = principal(maps, known, count)
    left = maps - mean - amounts @ components
    noise = float((known * left.square()).sum() / known.sum())
    amounts = likely(maps - mean, known, components, noise)
    left = maps - mean - amounts @ components
    held = 1 - float((known * left.square()).sum() / (known * maps.square()).sum())
    planes, steps = in_steps(torch.cat([mean[None], components]))
    return Kept(rows, planes, steps, amounts, held)


def in_steps(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (N, D) as whole numbers, int8, and what 1 means in each, (N,)."""
    steps = rows.abs().amax(1).clamp_min(1e-12) / MOST
    return (rows / steps[:, None]).round().to(torch.int8), steps


def add_component_arguments(parser: argparse.ArgumentParser, count: int, what: str) -> None:
    """Arguments of the commands that find components.

    Args:
        count: how many, if nobody says.
        what: what they are, for the help.
    """
    add_people_arguments(parser)
    parser.add_argument("--components", type=int, default=count, help=f"{what} (default {count})")
