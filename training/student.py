"""A copy of a model, or of one of its nets, that learns: the loop of what teaches one."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from training import losses
from training.averaging import follow
from training.budget import Budget
from training.rates import set_rate, warmed

EMA = 0.998

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class StudentOptions:
    """What a run is told (:func:`~training.budget.add_run_arguments`).

    Attributes:
        minutes: how long to train.
        pictures: how many a step.
        rate: learning rate at first; it falls to zero by a half cosine.
        steps: how many steps instead; 0 trains for ``minutes``.
        seed: what every random choice depends on.
    """

    minutes: float
    pictures: int
    rate: float
    steps: int = 0
    seed: int = 0

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """From a command line."""
        return cls(
            arguments.minutes, arguments.pictures, arguments.rate, arguments.steps, arguments.seed
        )


def train_student(
    teacher: Net,
    options: StudentOptions,
    terms_of: Callable[[Net, torch.Generator], dict[str, Tensor]],
    weights: Mapping[str, float],
    *,
    report_every: int,
    choose: Callable[[Net], object] | None = None,
    falls: Callable[[float, int], float] = warmed,
    ema: float = EMA,
    save: Callable[[Net, dict[str, float]], None] | None = None,
) -> tuple[Net, dict[str, float]]:
    """Train a copy.

    Args:
        teacher: is left as it is.
        terms_of: the losses of the copy, unweighted, whose random choices come from the generator.
        weights: of the losses, by name.
        report_every: steps whose losses a line of the log averages.
        choose: sets which parameters of the copy need a gradient; all do without.
        falls: share of the learning rate after a share of the run, and before a step from 0.
        ema: decay of the average of its weights a step.
        save: is told the average, steps and minutes every few minutes and at the end.

    Returns:
        The average, frozen, and how many steps and minutes that took.
    """
    average = copy.deepcopy(teacher).eval().requires_grad_(False)
    student = copy.deepcopy(teacher).train().requires_grad_(True)
    if choose is not None:
        choose(student)
    learned = [parameter for parameter in student.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learned, options.rate, betas=(0.9, 0.99))
    budget = Budget(
        options.minutes,
        options.steps,
        report_every=report_every,
        save=None if save is None else lambda spent: save(average, spent),
    )
    for progress in budget:
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + budget.step)
        terms = terms_of(student, generator)
        set_rate(optimizer, options.rate * falls(progress, budget.step))
        optimizer.zero_grad(set_to_none=True)
        losses.weighted(terms, weights).backward()
        optimizer.step()
        follow(average, student, ema, budget.step)
        budget.note(terms)
    return average, budget.spent()
